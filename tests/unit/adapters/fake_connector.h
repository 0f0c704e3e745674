/* fake_connector: a source that hands out what the test wrote down, and forgets where it was when it is
 * closed, as any source does with what has no verdict. */
#ifndef EG_TESTS_FAKE_CONNECTOR_H
#define EG_TESTS_FAKE_CONNECTOR_H

#include "base/buf.h"
#include "eldergate/connector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_STEPS = 3000 };

struct fake_step {
	enum eg_in_kind kind;
	const char *key, *does; /* ROW: the two columns */
	int64_t count;          /* LIST_END */
	const char *region;     /* LIST_BEGIN; NULL: it names none */
	bool settled;
};

static struct fake_source {
	struct fake_step steps[FAKE_STEPS];
	unsigned n, at, opened, closed;
	bool once;
	int64_t taken_at;                                /* of its lists */
	enum eg_rc open_fails, next_fails, settle_fails; /* once each, then EG_OK again */
	char verdicts[65536], text[400];                 /* the text of the last one that has any */
} source;

static struct fake_target {
	unsigned opened, calls;
	bool goes_on;                         /* past an event that it refuses, as it may */
	enum eg_rc open_fails, deliver_fails; /* once each */
	char delivered[4096];                 /* what the agency has */
	/* what the agency says to an event; NULL: takes it */
	enum eg_rc (*answer)(const struct eg_delivery *d, struct eg_err *err);
} target;

static inline void fake_source_reset(void)
{
	source = (struct fake_source){0};
	target = (struct fake_target){0};
}

static inline void fake_row(const char *key, const char *does)
{
	source.steps[source.n++] = (struct fake_step){.kind = EG_IN_ROW, .key = key, .does = does};
}

static inline void fake_step(enum eg_in_kind kind, int64_t count)
{
	source.steps[source.n++] = (struct fake_step){.kind = kind, .count = count};
}

static enum eg_rc take_fault(enum eg_rc *fault, struct eg_err *err, const char *what)
{
	enum eg_rc rc = *fault;
	*fault = EG_OK;
	return rc ? eg_fail(err, rc, "the test lets %s fail", what) : EG_OK;
}

struct eg_connector {
	bool target;
};

static enum eg_rc fake_open_source(struct eg_connector **out, const struct eg_connector_options *o,
                                   struct eg_err *err)
{
	enum eg_rc rc = take_fault(&source.open_fails, err, "open");
	if (rc)
		return rc;
	bool again = false; /* a list that is not settled comes whole */
	for (unsigned i = 0; i < source.n; i++) {
		again |= source.steps[i].kind == EG_IN_LIST_BEGIN && !source.steps[i].settled;
		source.steps[i].settled &= !again;
		again &= source.steps[i].kind != EG_IN_LIST_END;
	}
	source.opened++;
	source.at = 0;
	source.once = o->once;
	*out = calloc(1, sizeof **out);
	return EG_OK;
}

static enum eg_rc fake_open_target(struct eg_connector **out, const struct eg_connector_options *o,
                                   struct eg_err *err)
{
	(void)o;
	enum eg_rc rc = take_fault(&target.open_fails, err, "open");
	if (rc)
		return rc;
	target.opened++;
	*out = calloc(1, sizeof **out);
	(*out)->target = true;
	return EG_OK;
}

static void fake_close(struct eg_connector *c)
{
	if (c && !c->target)
		source.closed++;
	free(c);
}

static enum eg_rc fake_next(struct eg_connector *c, int64_t deadline, struct eg_in *out, struct eg_err *err)
{
	static const char *const names[] = {"KEY", "KIND"};
	static const struct eg_columns columns = {.generation = 1, .n = 2, .names = names};
	static struct eg_bytes values[2];
	(void)c;
	(void)deadline;
	enum eg_rc rc = take_fault(&source.next_fails, err, "next");
	if (rc)
		return rc;
	while (source.at < source.n && source.steps[source.at].settled)
		source.at++;
	*out = (struct eg_in){.kind = EG_IN_END, .place = ""};
	if (source.at == source.n)
		return source.once ? EG_OK : EG_EMPTY;
	const struct fake_step *s = &source.steps[source.at];
	out->kind = s->kind;
	out->ref = ++source.at; /* the step's number, from 1 */
	values[0] = eg_bytes_of(s->key);
	values[1] = eg_bytes_of(s->does);
	out->columns = &columns;
	out->values = values;
	if (s->kind == EG_IN_ROW || s->kind == EG_IN_BAD) {
		out->place = "file.csv";
		out->line = out->ref;
	}
	out->reason = "这一行无法读取。";
	out->list.name = "HOUSEHOLD_330302_20260301_1_FULL.csv";
	out->list.as_of = 20260301;
	out->list.taken_at = source.taken_at;
	out->list.count = s->count;
	out->list.n_regions = s->region != NULL;
	out->list.regions = &s->region;
	return EG_OK;
}

static enum eg_rc fake_settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n,
                              struct eg_err *err)
{
	(void)c;
	enum eg_rc rc = take_fault(&source.settle_fails, err, "settle");
	for (unsigned i = 0; i < n && !rc; i++) {
		size_t len = strlen(source.verdicts);
		if (i && v[i].ref <= v[i - 1].ref)
			abort(); /* ascending within a call */
		struct fake_step *s = &source.steps[v[i].ref - 1];
		if (s->settled)
			abort(); /* each ref once */
		if (v[i].text && *v[i].text)
			snprintf(source.text, sizeof source.text, "%s", v[i].text);
		s->settled = v[i].code != EG_VERDICT_AGAIN;
		snprintf(source.verdicts + len, sizeof source.verdicts - len, "%llu%s%s ",
		         (unsigned long long)v[i].ref,
		         v[i].code == EG_VERDICT_TAKEN     ? ""
		         : v[i].code == EG_VERDICT_REFUSED ? "!"
		                                           : "?",
		         v[i].reason ? v[i].reason : "");
	}
	return rc;
}

static enum eg_rc fake_deliver(struct eg_connector *c, const struct eg_delivery *deliveries, unsigned n,
                               struct eg_delivery_result *results, int64_t deadline, struct eg_err *err)
{
	(void)c;
	(void)deadline;
	target.calls++;
	enum eg_rc rc = take_fault(&target.deliver_fails, err, "deliver");
	for (unsigned i = 0; i < n && !rc; i++) {
		results[i].rc = target.answer ? target.answer(&deliveries[i], &results[i].err) : EG_OK;
		if (results[i].rc && !target.goes_on)
			break; /* the rest is left at EG_BUSY */
		if (results[i].rc)
			continue;
		size_t len = strlen(target.delivered);
		snprintf(target.delivered + len, sizeof target.delivered - len, "%s ",
		         strrchr(deliveries[i].event_id, '-') + 1);
	}
	return rc;
}

static const struct eg_connector_type fake_connector = {.name = "fake",
                                                        .open_source = fake_open_source,
                                                        .open_target = fake_open_target,
                                                        .close = fake_close,
                                                        .next = fake_next,
                                                        .settle = fake_settle,
                                                        .deliver = fake_deliver};

#endif
