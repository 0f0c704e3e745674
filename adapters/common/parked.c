/* parked: see parked.h. Name: PREFIX and the seq, 20 digits, so that order of name is order in the log.
 * Value: log id, token of the person (of a person of a snapshot: with "@" and the reference behind it),
 * state, reason, separated by spaces. */
#include "common/parked.h"

#include "base/buf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "agent/parked/"
enum { VALUE_ROOM = 400 };

struct entry {
	struct eg_parked parked;
	char person[33];
};

static void name_of(uint64_t seq, char out[48])
{
	snprintf(out, 48, PREFIX "%020" PRIu64, seq);
}

static void person_token(const struct eg_checkpoint *c, const char *person_ref, char out[33])
{
	uint8_t token[16];
	eg_checkpoint_token(c, eg_bytes_of(person_ref), token);
	eg_hex(token, sizeof token, out);
}

static bool parse(const char *name, struct eg_bytes value, struct entry *out)
{
	char text[VALUE_ROOM];
	int at = 0;
	memset(out, 0, sizeof *out);
	if (value.len >= sizeof text)
		return false;
	memcpy(text, value.p, value.len);
	text[value.len] = 0;
	out->parked.seq = strtoull(name + strlen(PREFIX), NULL, 10);
	if (sscanf(text, "%39s %32s%n", out->parked.log_id, out->person, &at) != 2)
		return false;
	const char *rest = text + at;
	if (*rest == '@') {
		if (sscanf(rest, "@%64s%n", out->parked.person_ref, &at) != 1)
			return false;
		rest += at;
	}
	if (sscanf(rest, " %c%n", &out->parked.state, &at) != 1)
		return false;
	rest += at;
	if (*rest == ' ')
		snprintf(out->parked.reason, sizeof out->parked.reason, "%.*s", 199, rest + 1);
	return true;
}

static enum eg_rc put(struct eg_checkpoint *c, const struct entry *e, struct eg_err *err)
{
	char name[48], text[VALUE_ROOM];
	name_of(e->parked.seq, name);
	snprintf(text, sizeof text, "%s %s%s%s %c %.*s", e->parked.log_id, e->person,
	         *e->parked.person_ref ? "@" : "", e->parked.person_ref, e->parked.state, 199,
	         e->parked.reason);
	return eg_checkpoint_put(c, name, eg_bytes_of(text), err);
}

static enum eg_rc find(const struct eg_checkpoint *c, uint64_t seq, struct entry *out, struct eg_err *err)
{
	char name[48];
	name_of(seq, name);
	struct eg_bytes value = eg_checkpoint_get(c, name);
	if (!value.len || !parse(name, value, out))
		return eg_fail(err, EG_NOT_FOUND, "no event with seq %" PRIu64 " is parked", seq);
	return EG_OK;
}

enum eg_rc eg_parked_add(struct eg_checkpoint *c, const char *log_id, uint64_t seq, const char *person_ref,
                         bool person, const struct eg_err *refusal, struct eg_err *err)
{
	if (person && (!*person_ref || strlen(person_ref) > EG_PARKED_REF_MAX || strchr(person_ref, ' ')))
		return eg_fail(err, EG_INVALID, "the gateway's reference of a person cannot be kept");
	struct entry e = {.parked = {.seq = seq, .state = refusal ? 'r' : 'b'}};
	snprintf(e.parked.log_id, sizeof e.parked.log_id, "%s", log_id);
	snprintf(e.parked.reason, sizeof e.parked.reason, "%.*s", 199, refusal ? refusal->text : "");
	if (person)
		snprintf(e.parked.person_ref, sizeof e.parked.person_ref, "%s", person_ref);
	person_token(c, person_ref, e.person);
	struct entry old;
	if (find(c, seq, &old, NULL))
		return put(c, &e, err);
	if (strcmp(old.person, e.person) != 0 || strcmp(old.parked.log_id, e.parked.log_id) != 0)
		return eg_fail(err, EG_CONFLICT, "seq %" PRIu64 " is parked already, of another person", seq);
	return EG_OK; /* a person of a snapshot, then the event that it had already: the first stands for both
	               */
}

/* ---- walks ---- */

struct walk {
	struct entry *all; /* owned */
	unsigned n, cap;
	bool failed;
};

static void gather(void *arg, const char *name, struct eg_bytes value)
{
	struct walk *w = arg;
	if (w->n == w->cap) {
		unsigned cap = w->cap ? 2 * w->cap : 64;
		struct entry *grown = realloc(w->all, cap * sizeof *grown);
		if (!grown) {
			w->failed = true;
			return;
		}
		w->all = grown;
		w->cap = cap;
	}
	if (parse(name, value, &w->all[w->n]))
		w->n++;
}

static struct walk walk_all(const struct eg_checkpoint *c)
{
	struct walk w = {0};
	eg_checkpoint_each(c, PREFIX, gather, &w);
	return w;
}

static void count(void *arg, const char *name, struct eg_bytes value)
{
	(void)name;
	(void)value;
	++*(unsigned *)arg;
}

unsigned eg_parked_count(const struct eg_checkpoint *c)
{
	unsigned n = 0;
	eg_checkpoint_each(c, PREFIX, count, &n);
	return n;
}

struct search {
	char person[33];
	bool found;
};

static void look(void *arg, const char *name, struct eg_bytes value)
{
	struct search *s = arg;
	struct entry e;
	s->found |= parse(name, value, &e) && strcmp(e.person, s->person) == 0;
}

bool eg_parked_person(const struct eg_checkpoint *c, const char *person_ref)
{
	struct search s = {0};
	if (!eg_parked_count(c))
		return false;
	person_token(c, person_ref, s.person);
	eg_checkpoint_each(c, PREFIX, look, &s);
	return s.found;
}

static bool first_of_person(const struct walk *w, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (strcmp(w->all[k].person, w->all[i].person) == 0)
			return false;
	return true;
}

bool eg_parked_next(const struct eg_checkpoint *c, struct eg_parked *out)
{
	bool found = false;
	if (!eg_parked_count(c))
		return false;
	struct walk w = walk_all(c);
	for (unsigned i = 0; i < w.n && !found; i++)
		if (w.all[i].parked.state != 'r' && w.all[i].parked.state != 'g' && first_of_person(&w, i)) {
			*out = w.all[i].parked;
			found = true;
		}
	free(w.all);
	return found;
}

void eg_parked_each(const struct eg_checkpoint *c, void (*each)(void *arg, const struct eg_parked *p),
                    void *arg)
{
	struct walk w = walk_all(c);
	for (unsigned i = 0; i < w.n; i++)
		each(arg, &w.all[i].parked);
	free(w.all);
}

/* ---- changes ---- */

enum eg_rc eg_parked_refused(struct eg_checkpoint *c, uint64_t seq, const struct eg_err *refusal,
                             struct eg_err *err)
{
	struct entry e;
	enum eg_rc rc = find(c, seq, &e, err);
	if (rc)
		return rc;
	e.parked.state = 'r';
	snprintf(e.parked.reason, sizeof e.parked.reason, "%.*s", 199, refusal->text);
	return put(c, &e, err);
}

enum eg_rc eg_parked_gone(struct eg_checkpoint *c, uint64_t seq, struct eg_err *err)
{
	struct entry e;
	enum eg_rc rc = find(c, seq, &e, err);
	if (rc)
		return rc;
	e.parked.state = 'g';
	return put(c, &e, err);
}

static enum eg_rc change(struct eg_checkpoint *c, uint64_t seq, bool drop, struct eg_err *err)
{
	struct entry e;
	char name[48];
	enum eg_rc rc = find(c, seq, &e, err);
	if (rc)
		return rc;
	name_of(seq, name);
	if (drop) {
		eg_checkpoint_drop(c, name);
		return EG_OK;
	}
	if (e.parked.state == 'r' || e.parked.state == 'g')
		e.parked.state = 'y';
	return put(c, &e, err);
}

static enum eg_rc change_all(struct eg_checkpoint *c, bool drop, struct eg_err *err)
{
	struct walk w = walk_all(c);
	enum eg_rc rc = w.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for the parked events") : EG_OK;
	for (unsigned i = 0; i < w.n && !rc; i++)
		rc = change(c, w.all[i].parked.seq, drop, err);
	free(w.all);
	return rc;
}

enum eg_rc eg_parked_retry(struct eg_checkpoint *c, uint64_t seq, struct eg_err *err)
{
	return seq ? change(c, seq, false, err) : change_all(c, false, err);
}

enum eg_rc eg_parked_drop(struct eg_checkpoint *c, uint64_t seq, struct eg_err *err)
{
	return seq ? change(c, seq, true, err) : change_all(c, true, err);
}
