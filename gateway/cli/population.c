/* population: see population.h. Two passes over the persons of a section: when does each row happen, then the
 * rows in that order. */
#include "cli/population.h"

#include "cli/csv.h"
#include "cli/made.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_REPEATED = 64 };

struct population {
	struct population_options o;
	struct population_truth truth;
};

/* ---- the truth ---- */

/* Does this agency's record of the person stand alone, though it is the person's? */
static bool stands_alone(const struct made *m, enum eg_section s)
{
	if (s == EG_FUNERAL && m->unidentified)
		return true;
	if (m->fault_in != s)
		return false;
	return m->fault == FAULT_id_15_digits || m->fault == FAULT_name_variant ||
	       m->fault == FAULT_birth_date || m->fault == FAULT_excel_date || m->fault == FAULT_mojibake;
}

/* By the rules of the domain page, for the fates that are made: what a registration (or none) and a funeral
 * record (or none) say together. */
static enum eg_life life_of(const struct made *m, bool registration, bool funeral)
{
	if (funeral && (m->fate == FATE_CANCELLED || m->fate == FATE_CERTIFIED))
		return EG_LIFE_DECEASED;
	if (funeral && m->fate == FATE_CREMATED)
		return EG_LIFE_SUSPECTED;
	if (!registration || m->fate == FATE_MOVED_OUT)
		return EG_LIFE_UNKNOWN;
	return m->fate == FATE_CANCELLED || m->fate == FATE_CANCELLED_ONLY ? EG_LIFE_DECEASED : EG_LIFE_ALIVE;
}

static void add_view(struct population_truth *t, enum eg_life life)
{
	t->views++;
	t->life[life]++;
}

/* How many persons a gateway takes this one for, and how they live. */
static void add_views(struct population_truth *t, const struct made *m)
{
	bool together[EG_SECTION_END] = {false}, any = false;
	for (unsigned i = EG_REGISTRATION; i < EG_SECTION_END; i++) {
		enum eg_section s = (enum eg_section)i;
		if (!m->in[s] || made_quarantined(m, s))
			continue;
		if (stands_alone(m, s)) {
			add_view(t, life_of(m, s == EG_REGISTRATION, s == EG_FUNERAL));
		} else if (s == EG_REGISTRATION && m->fault == FAULT_double_registration) {
			add_view(t, EG_LIFE_ALIVE); /* which of the two the others belong to is for a person
			                               to say */
			add_view(t, EG_LIFE_ALIVE);
		} else {
			together[s] = true;
			any = true;
		}
	}
	if (any)
		add_view(t, life_of(m, together[EG_REGISTRATION], together[EG_FUNERAL]));
}

static bool repeated(const struct population_options *o, enum eg_section s, uint64_t person, unsigned k)
{
	struct draw d = draw_of(o->seed, STREAM_REPEATED + (uint64_t)s, person * MADE_ROWS + k);
	return draw_part(&d) < POPULATION_REPEATED * (o->faults > 0 ? o->faults : 1);
}

static void add_rows(struct population *p, const struct made *m, enum eg_section s,
                     struct made_row rows[MADE_ROWS])
{
	struct population_dataset *d = &p->truth.datasets[s];
	unsigned n = made_rows(&p->o, m, s, rows);
	if (n)
		d->source_records += s == EG_REGISTRATION && m->fault == FAULT_double_registration ? 2 : 1;
	for (unsigned k = 0; k < n; k++) {
		bool twice = repeated(&p->o, s, m->index, k);
		d->rows += 1 + twice;
		d->voids += rows[k].is_void;
		if (rows[k].quarantined) {
			d->quarantined += 1 + twice;
			*(m->fault == FAULT_id_check_digit ? &d->check_digit : &d->excel_number) += 1 + twice;
		} else {
			d->repeated += twice;
		}
	}
}

static void find_truth(struct population *p)
{
	struct population_truth *t = &p->truth;
	struct made_row *rows = calloc(MADE_ROWS, sizeof *rows);
	t->persons = made_total(&p->o);
	for (uint64_t i = 0; rows && i < t->persons; i++) {
		struct made m;
		made_person(&p->o, i, &m);
		t->faults[m.fault]++;
		t->deaths += m.fate >= FATE_CANCELLED_ONLY && m.fate != FATE_RESURRECTED;
		t->cremated_alive += m.fate == FATE_CREMATED;
		t->resurrected += m.fate == FATE_RESURRECTED;
		t->unidentified += m.unidentified;
		for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++)
			add_rows(p, &m, (enum eg_section)s, rows);
		add_views(t, &m);
	}
	free(rows);
}

enum eg_rc population_new(struct population **out, const struct population_options *o, struct eg_err *err)
{
	uint64_t total = made_total(o);
	if (!total || total > POPULATION_MAX)
		return eg_fail(err, EG_USAGE, "a population has 1 to %d persons", POPULATION_MAX);
	struct population *p = calloc(1, sizeof *p);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a population");
	p->o = *o;
	find_truth(p);
	*out = p;
	return EG_OK;
}

void population_free(struct population *p)
{
	free(p);
}

const struct population_truth *population_truth(const struct population *p)
{
	return &p->truth;
}

/* ---- rows ---- */

struct when {
	int64_t time;
	uint32_t person;
	uint16_t k, twice;
};

static int by_time(const void *a, const void *b)
{
	const struct when *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->person != y->person)
		return x->person < y->person ? -1 : 1;
	return (int)x->k - (int)y->k;
}

void population_header(enum eg_section s, struct eg_buf *out)
{
	unsigned n;
	const char *const *columns = made_columns(s, &n);
	for (unsigned i = 0; i < n; i++)
		eg_buf_printf(out, "%s%s", i ? "," : "", columns[i]);
	eg_buf_add_u8(out, '\n');
}

static void write_row(enum eg_section s, const struct made_row *r, struct eg_buf *line)
{
	unsigned n;
	made_columns(s, &n);
	eg_buf_reset(line);
	for (unsigned i = 0; i < n; i++) {
		if (i)
			eg_buf_add_u8(line, ',');
		eg_csv_write(line, eg_bytes_of(r->values[i]));
	}
	eg_buf_add_u8(line, '\n');
}

static struct when *index_of(const struct population *p, enum eg_section s, struct made_row *rows,
                             uint64_t *n)
{
	uint64_t room = p->truth.datasets[s].rows + 1;
	struct when *all = calloc(room, sizeof *all);
	*n = 0;
	for (uint64_t i = 0; all && i < p->truth.persons; i++) {
		struct made m;
		made_person(&p->o, i, &m);
		unsigned count = made_rows(&p->o, &m, s, rows);
		for (unsigned k = 0; k < count && *n < room; k++)
			all[(*n)++] = (struct when){rows[k].event_time, (uint32_t)i, (uint16_t)k,
			                            repeated(&p->o, s, i, k)};
	}
	if (all)
		qsort(all, *n, sizeof *all, by_time);
	return all;
}

enum eg_rc made_each(const struct population *p, enum eg_section s,
                     enum eg_rc (*row)(void *arg, const struct made_row *r, struct eg_err *err), void *arg,
                     struct eg_err *err)
{
	struct made_row *rows = calloc(MADE_ROWS, sizeof *rows);
	uint64_t n = 0;
	struct when *all = rows ? index_of(p, s, rows, &n) : NULL;
	enum eg_rc rc = all ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for the rows' index");
	for (uint64_t i = 0; i < n && !rc; i++) {
		struct made m;
		made_person(&p->o, all[i].person, &m);
		made_rows(&p->o, &m, s, rows);
		for (unsigned k = 0; k <= all[i].twice && !rc; k++)
			rc = row(arg, &rows[all[i].k], err);
	}
	free(all);
	free(rows);
	return rc;
}

struct lines {
	enum eg_section section;
	enum eg_rc (*row)(void *arg, struct eg_bytes line, struct eg_err *err);
	void *arg;
	struct eg_buf line;
};

static enum eg_rc as_line(void *arg, const struct made_row *r, struct eg_err *err)
{
	struct lines *l = arg;
	write_row(l->section, r, &l->line);
	return l->line.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a row")
	                      : l->row(l->arg, eg_buf_bytes(&l->line), err);
}

enum eg_rc population_rows(const struct population *p, enum eg_section s,
                           enum eg_rc (*row)(void *arg, struct eg_bytes line, struct eg_err *err), void *arg,
                           struct eg_err *err)
{
	struct lines l = {.section = s, .row = row, .arg = arg};
	enum eg_rc rc = made_each(p, s, as_line, &l, err);
	eg_buf_free(&l.line);
	return rc;
}

/* ---- as JSON ---- */

static void json_dataset(const struct population_dataset *d, const char *name, struct eg_buf *out)
{
	eg_buf_printf(out,
	              "    \"%s\": {\"file\": \"%s.csv\", \"rows\": %" PRIu64 ", \"source_records\": %" PRIu64
	              ", \"voids\": %" PRIu64 ",\n      \"quarantined\": %" PRIu64
	              ", \"by_reason\": {\"ID_CHECK_DIGIT\": %" PRIu64 ", \"EXCEL_DAMAGE\": %" PRIu64
	              "},\n      \"unchanged\": %" PRIu64 ", \"applied_or_stale\": %" PRIu64 "}",
	              name, name, d->rows, d->source_records, d->voids, d->quarantined, d->check_digit,
	              d->excel_number, d->repeated, d->rows - d->quarantined - d->repeated);
}

void population_json(const struct population *p, struct eg_buf *out)
{
	static const char *const names[FAULTS] = {
#define X(name, rate, doc) [FAULT_##name] = #name,
	        POPULATION_FAULTS
#undef X
	};
	const struct population_truth *t = &p->truth;
	eg_buf_printf(out,
	              "{\n  \"seed\": %" PRIu64 ", \"today\": \"%s\", \"persons\": %" PRIu64
	              ",\n  \"datasets\": {\n",
	              p->o.seed, POPULATION_TODAY, t->persons);
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++) {
		json_dataset(&t->datasets[s], eg_section_name((enum eg_section)s), out);
		eg_buf_printf(out, s + 1 < EG_SECTION_END ? ",\n" : "\n");
	}
	eg_buf_printf(out, "  },\n  \"faults\": {");
	for (unsigned f = FAULT_none + 1; f < FAULTS; f++)
		eg_buf_printf(out, "\"%s\": %" PRIu64 ", ", names[f], t->faults[f]);
	eg_buf_printf(out,
	              "\n    \"cremated_but_registered_alive\": %" PRIu64 ", \"resurrected\": %" PRIu64
	              ", \"unidentified_remains\": %" PRIu64 "},\n  \"deaths\": %" PRIu64 ",\n",
	              t->cremated_alive, t->resurrected, t->unidentified, t->deaths);
	eg_buf_printf(out, "  \"expected\": {\"persons\": %" PRIu64 ", \"life\": {", t->views);
	for (unsigned l = EG_LIFE_ALIVE; l <= EG_LIFE_UNKNOWN; l++)
		eg_buf_printf(out, "%s\"%s\": %" PRIu64, l > EG_LIFE_ALIVE ? ", " : "",
		              eg_life_name((enum eg_life)l), t->life[l]);
	eg_buf_printf(out, "}}\n}\n");
}
