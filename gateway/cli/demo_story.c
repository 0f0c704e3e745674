/* demo_story: a death, a return: what the gateway is for; told as both ends see it. */
#include "cli/demo.h"

#include "cli/json.h"
#include "eldergate/v1/exchange.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIFE(name) ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_##name
#define KIND(name) ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_##name

static const char *life_name(Eldergate__V1__LifeStatus l, char out[64])
{
	return enum_short(&eldergate__v1__life_status__descriptor, (int)l, out);
}

/* ---- rows ---- */

struct cell {
	const char *column, *value;
};

static struct made_row row_of(enum eg_section s, const struct cell *cells, unsigned n)
{
	struct made_row r = {0};
	for (unsigned i = 0; i < n; i++)
		made_set(s, &r, cells[i].column, cells[i].value);
	return r;
}
#define ROW(section, ...)                                                                                    \
	row_of(section, (const struct cell[]){__VA_ARGS__},                                                  \
	       sizeof((const struct cell[]){__VA_ARGS__}) / sizeof(struct cell))

/* A person who is made up for one step. */
struct someone {
	struct made m;
	char number[8], sex[4], birth[16], key[32];
	char ref[WATCH_REF]; /* to the platform */
};

struct wanted {
	const char *ref; /* NULL: whoever */
	Eldergate__V1__LifeStatus life;
};

static bool becomes(const void *arg, const struct watch_event *e)
{
	const struct wanted *w = arg;
	return e->after == w->life &&
	       (w->ref ? strcmp(e->person, w->ref) == 0 && e->before != e->after : e->kind == KIND(CREATED));
}

static bool is_about(const void *arg, const struct watch_event *e)
{
	return strcmp(e->person, arg) == 0;
}

/* Shows a row at its agency; the event that comes of it. *shown: when it could be seen there. */
static enum eg_rc act(struct demo *d, unsigned agency, const struct made_row *r, const struct wanted *w,
                      int64_t *shown, struct watch_event *e, struct eg_err *err)
{
	uint64_t head;
	enum eg_rc rc = demo_status(d, &head, NULL, err);
	if (!rc)
		rc = demo_put(d, agency, r, err);
	*shown = eg_mono_us();
	if (!rc)
		rc = demo_show(d, agency, "", 0, err);
	return rc ? rc : watch_event(d->watch, head, becomes, w, DEMO_PATIENCE, e, err);
}

/* Beyond the population, registered alive. */
static enum eg_rc registered(struct demo *d, unsigned number, struct someone *s, struct eg_err *err)
{
	struct watch_event e;
	int64_t shown;
	made_person(&d->options, made_total(&d->options) + number, &s->m);
	eg_date_format(eg_date_of_instant((int64_t)s->m.birth * 86400 * EG_SECOND, 0), s->birth);
	snprintf(s->number, sizeof s->number, "%u", number);
	snprintf(s->sex, sizeof s->sex, "%u", s->m.sex);
	snprintf(s->key, sizeof s->key, "DEMO-%u", number);
	struct made_row r =
	        ROW(EG_REGISTRATION, {"source_key", s->key}, {"version", "20250701090000"},
	            {"operation", "ASSERT"}, {"event_time", "2025-07-01 09:00:00"}, {"id_number", s->m.id18},
	            {"name", s->m.name}, {"sex", s->sex}, {"birth_date", s->birth},
	            {"address_region", "330326"}, {"registration_status", "NORMAL"});
	enum eg_rc rc = act(d, POLICE, &r, &(struct wanted){.life = LIFE(ALIVE)}, &shown, &e, err);
	if (!rc)
		snprintf(s->ref, sizeof s->ref, "%s", e.person);
	return rc;
}

static struct made_row remains(const struct someone *s, const char *version, const char *time,
                               const char *died)
{
	char key[40];
	snprintf(key, sizeof key, "BYG-DEMO/%s", s->number);
	return ROW(EG_FUNERAL, {"source_key", key}, {"version", version}, {"operation", "ASSERT"},
	           {"event_time", time}, {"id_number", s->m.id18}, {"id_type", "RESIDENT"},
	           {"name", s->m.name}, {"sex", s->sex}, {"death_date", died});
}

/* ---- what the agencies were told ---- */

struct told {
	const struct someone *s;
	const char *clue; /* XSLX of the police's table */
	uint64_t outbox;  /* lines of the assistance bureau's */
};

static bool clue_is_there(struct demo *d, const void *arg)
{
	const struct told *t = arg;
	uint64_t n = 0;
	char sql[120], who[MADE_NAME + 32];
	snprintf(who, sizeof who, "%s %s", t->s->m.id18, t->s->m.name);
	snprintf(sql, sizeof sql,
	         "SELECT COUNT(*) FROM T_RK_DEATH_CLUE WHERE XSLX = '%s' AND GMSFHM || ' ' || XM = ?",
	         t->clue);
	return demo_table_ask(d->table, sql, who, &n, NULL) == EG_OK && n == 1;
}

static bool line_is_there(struct demo *d, const void *arg)
{
	const struct told *t = arg;
	struct demo_outbox o;
	return demo_outbox_read(d->outbox, t->s->m.id18, &o, NULL) == EG_OK && o.found == t->outbox;
}

static enum eg_rc both_are_told(struct demo *d, const struct told *t, int64_t since, double *table_ms,
                                double *file_ms, struct eg_err *err)
{
	enum eg_rc rc = demo_wait(d, clue_is_there, t, "the police have a row about the person", err);
	*table_ms = (double)(eg_mono_us() - since) / 1e3;
	if (!rc)
		rc = demo_wait(d, line_is_there, t, "the assistance bureau has a line about the person", err);
	*file_ms = (double)(eg_mono_us() - since) / 1e3;
	return rc;
}

static enum eg_rc ask_life(struct demo *d, const char *key, Eldergate__V1__LifeStatus *out,
                           struct eg_err *err)
{
	Eldergate__V1__CheckLifeStatusRequest request = ELDERGATE__V1__CHECK_LIFE_STATUS_REQUEST__INIT;
	Eldergate__V1__PersonSelector who = ELDERGATE__V1__PERSON_SELECTOR__INIT, *list = &who;
	Eldergate__V1__SourceRecordSelector record = ELDERGATE__V1__SOURCE_RECORD_SELECTOR__INIT;
	ProtobufCMessage *answer = NULL;
	record.dataset = (char *)(uintptr_t)d->agencies[POLICE].dataset;
	record.source_key = (char *)(uintptr_t)key;
	who.selector_case = ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_SOURCE_RECORD;
	who.source_record = &record;
	request.persons = &list;
	request.n_persons = 1;
	request.purpose = (char *)(uintptr_t) "life-check";
	request.legal_basis = (char *)(uintptr_t) "the demo";
	enum eg_rc rc = call_unary(d->police_client, "/eldergate.v1.ExchangeService/CheckLifeStatus",
	                           &request.base, DEMO_PATIENCE, true,
	                           &eldergate__v1__check_life_status_response__descriptor, &answer, err);
	const Eldergate__V1__CheckLifeStatusResponse *r =
	        (const Eldergate__V1__CheckLifeStatusResponse *)answer;
	if (!rc && (r->n_answers != 1 || r->answers[0]->match != ELDERGATE__V1__MATCH__MATCH_FOUND))
		rc = demo_wrong(err, "the police do not find a person of their own");
	if (!rc)
		*out = r->answers[0]->life_status;
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

/* ---- the steps ---- */

/* The person draws a subsidy, too. */
static enum eg_rc subsidised(struct demo *d, const struct someone *s, struct eg_err *err)
{
	static const char file[] = "DIBAO_20250702_002_INC.csv";
	d->subsidy = ROW(EG_ASSISTANCE, {"source_key", "DBDEMO-1"}, {"operation", "ASSERT"},
	                 {"event_time", "2025-07-02 09:00:00"}, {"id_number", s->m.id18}, {"name", s->m.name},
	                 {"sex", s->sex}, {"birth_date", s->birth}, {"assistance_category", "MINIMUM_LIVING"},
	                 {"assistance_status", "ACTIVE"}, {"assistance_begin_month", "2025-07"},
	                 {"monthly_amount_fen", "91000"});
	uint64_t head;
	struct watch_event e;
	enum eg_rc rc = demo_status(d, &head, NULL, err);
	if (!rc)
		rc = demo_put(d, ASSISTANCE, &d->subsidy, err);
	if (!rc)
		rc = demo_show(d, ASSISTANCE, file, 0, err);
	return rc ? rc : watch_event(d->watch, head, is_about, s->ref, DEMO_PATIENCE, &e, err);
}

enum eg_rc demo_cremation(struct demo *d, struct eg_err *err)
{
	struct someone s;
	struct watch_event e;
	char before[64], after[64], told[64];
	Eldergate__V1__LifeStatus asked;
	int64_t shown;
	double table_ms, file_ms;
	enum eg_rc rc = registered(d, 1, &s, err);
	if (!rc)
		rc = subsidised(d, &s, err);
	if (rc)
		return rc;
	struct made_row r = remains(&s, "20250704100000", "2025-07-04 10:00:00", "2025-07-02");
	made_set(EG_FUNERAL, &r, "funeral_certificate_number", "HH-DEMO-1");
	made_set(EG_FUNERAL, &r, "cremation_time", "2025-07-04 09:30:00");
	made_set(EG_FUNERAL, &r, "disposal", "STORAGE");
	rc = act(d, FUNERAL, &r, &(struct wanted){s.ref, LIFE(SUSPECTED_DECEASED)}, &shown, &e, err);
	if (!rc)
		rc = both_are_told(d, &(struct told){&s, "1", 1}, shown, &table_ms, &file_ms, err);
	if (!rc)
		rc = ask_life(d, s.key, &asked, err);
	if (rc)
		return rc;
	demo_say("The funeral home shows a cremation; the police have the person as registered, and a "
	         "subsidy is paid.");
	demo_say("%.0f ms after that the platform hears: %s -> %s (entry #%" PRIu64 "). The police ask: %s.",
	         (double)(e.heard - shown) / 1e3, life_name(e.before, before), life_name(e.after, after),
	         e.seq, life_name(asked, told));
	demo_say(
	        "%.0f ms: a row in the police's table T_RK_DEATH_CLUE, to be verified, with number and name.",
	        table_ms);
	demo_say("%.0f ms: a line in a file of the assistance bureau's outbox, to look into before the next "
	         "payment.",
	         file_ms);
	if (e.before != LIFE(ALIVE) || asked != e.after)
		return demo_wrong(err, "a cremation alone should make an ALIVE person SUSPECTED_DECEASED");
	return EG_OK;
}

enum eg_rc demo_return(struct demo *d, struct eg_err *err)
{
	struct someone s;
	struct watch_event died, back;
	char a[64], b[64], kind[64];
	int64_t shown;
	double table_ms, file_ms;
	enum eg_rc rc = registered(d, 2, &s, err);
	if (rc)
		return rc;
	struct made_row r = remains(&s, "20250705100000", "2025-07-05 10:00:00", "2025-07-04");
	made_set(EG_FUNERAL, &r, "death_certificate_number", "RD-DEMO-2");
	made_set(EG_FUNERAL, &r, "death_certificate_status", "VALID");
	rc = act(d, FUNERAL, &r, &(struct wanted){s.ref, LIFE(DECEASED)}, &shown, &died, err);
	if (rc)
		return rc;
	d->certificate_seq = died.seq;
	demo_say("A death certificate arrives (entry #%" PRIu64 "): %s -> %s.", died.seq,
	         life_name(died.before, a), life_name(died.after, b));
	made_set(EG_FUNERAL, &r, "version", "20250712100000");
	made_set(EG_FUNERAL, &r, "event_time", "2025-07-12 10:00:00");
	made_set(EG_FUNERAL, &r, "death_certificate_status", "VOID");
	rc = act(d, FUNERAL, &r, &(struct wanted){s.ref, LIFE(ALIVE)}, &shown, &back, err);
	if (!rc)
		rc = both_are_told(d, &(struct told){&s, "9", 2}, shown, &table_ms, &file_ms, err);
	if (rc)
		return rc;
	demo_say("It was another person's, and is voided (entry #%" PRIu64
	         "): %s -> %s, told as %s of entry #%" PRIu64 ".",
	         back.seq, life_name(back.before, a), life_name(back.after, b),
	         enum_short(&eldergate__v1__change_kind__descriptor, (int)back.kind, kind), back.corrects);
	demo_say("The police (%.0f ms) and the assistance bureau (%.0f ms) are told that the person lives.",
	         table_ms, file_ms);
	if (back.before != LIFE(DECEASED))
		return demo_wrong(err,
		                  "a certificate should make the person DECEASED, and its void ALIVE again");
	if (back.kind != KIND(CORRECTED) || back.corrects != died.seq)
		return demo_wrong(err, "the return should be CORRECTED and name entry %" PRIu64, died.seq);
	return EG_OK;
}
