/* views: see views.h. */
#include "common/views.h"

#include "base/clock.h"
#include "base/log.h"
#include "common/ask.h"
#include "common/backoff.h"
#include "common/refusal.h"

#include <stdlib.h>

#define METHOD     "/eldergate.v1.ExchangeService/GetElder"
#define TIMEOUT_US (30 * EG_SECOND) /* an answer that does not come */
#define KEEP_US    (60 * EG_SECOND) /* one that nobody fetched grows old */
enum { OTHER_CALLS = 6 }; /* two lanes, a list, the subscription and a parked event, and one to spare */

struct slot {
	enum { FREE, ASKED, HERE } state;
	uint64_t seq;
	int64_t since_us;
	struct eg_ask ask;
	Eldergate__V1__GetElderResponse *answer; /* owned; HERE: NULL: nobody */
};

struct eg_views {
	struct eg_link *link;
	const struct eg_mapping_outbound *outbound;
	const struct eg_limits *limits;
	struct slot slots[EG_VIEWS_MOST];
	unsigned n_asked;
	struct eg_backoff backoff;
	int64_t not_before_us;
	struct eg_err trouble;
};

enum eg_rc eg_views_open(struct eg_views **out, struct eg_link *link, const struct eg_mapping_outbound *o,
                         const struct eg_limits *limits, struct eg_err *err)
{
	struct eg_views *v = calloc(1, sizeof *v);
	if (!v)
		return eg_fail(err, EG_NO_MEMORY, "no memory for views");
	v->link = link;
	v->outbound = o;
	v->limits = limits;
	v->backoff =
	        (struct eg_backoff){.least_us = limits->backoff_least_us, .most_us = limits->backoff_most_us};
	*out = v;
	return EG_OK;
}

static void release(struct eg_views *v, struct slot *s)
{
	v->n_asked -= s->state == ASKED;
	eg_ask_close(&s->ask);
	eldergate__v1__get_elder_response__free_unpacked(s->answer, NULL);
	*s = (struct slot){0};
}

void eg_views_close(struct eg_views *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < EG_VIEWS_MOST; i++)
		release(v, &v->slots[i]);
	free(v);
}

static enum eg_rc ask(struct eg_views *v, struct slot *s, const char *person_ref, struct eg_err *err)
{
	Eldergate__V1__GetElderRequest q = ELDERGATE__V1__GET_ELDER_REQUEST__INIT;
	Eldergate__V1__PersonSelector person = ELDERGATE__V1__PERSON_SELECTOR__INIT;
	/* Packing only reads these. */
	person.selector_case = ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_PERSON_REF;
	person.person_ref = (char *)(uintptr_t)person_ref;
	q.purpose = (char *)(uintptr_t)v->outbound->purpose;
	q.person = &person;
	q.n_fields = v->outbound->n_fields;
	q.fields = (char **)(uintptr_t)v->outbound->fields;
	uint8_t *p = eg_buf_grow(&s->ask.request, eldergate__v1__get_elder_request__get_packed_size(&q));
	if (p)
		eldergate__v1__get_elder_request__pack(&q, p);
	return eg_ask_open(&s->ask, v->link, METHOD, 1, err);
}

static void broke(struct eg_views *v, struct slot *s, int64_t now, const struct eg_err *err)
{
	eg_log_err(EG_LOG_WARN, "agent.view_failed", err);
	release(v, s);
	v->not_before_us = now + eg_backoff_next(&v->backoff);
}

/* Each answer waits for a commit of the gateway, which many share: the more are under way, the better. */
static bool may_ask(const struct eg_views *v, int64_t now)
{
	unsigned most = eg_link_most_calls(v->link);
	return now >= v->not_before_us && most && v->n_asked < (most > OTHER_CALLS ? most - OTHER_CALLS : 1);
}

bool eg_views_get(struct eg_views *v, uint64_t seq, const char *person_ref, int64_t now,
                  const Eldergate__V1__ElderView **view)
{
	struct slot *room = NULL;
	struct eg_err err = {0};
	for (unsigned i = 0; i < EG_VIEWS_MOST; i++) {
		struct slot *s = &v->slots[i];
		if (s->state == FREE) {
			room = s;
		} else if (s->seq == seq) {
			*view = s->answer ? s->answer->elder : NULL;
			return s->state == HERE;
		}
	}
	if (!room || !may_ask(v, now))
		return false;
	room->state = ASKED;
	v->n_asked++;
	room->seq = seq;
	room->since_us = now;
	if (ask(v, room, person_ref, &err))
		broke(v, room, now, &err);
	return false;
}

void eg_views_done(struct eg_views *v, uint64_t seq)
{
	for (unsigned i = 0; i < EG_VIEWS_MOST; i++)
		if (v->slots[i].state != FREE && v->slots[i].seq == seq)
			release(v, &v->slots[i]);
}

void eg_views_turn(struct eg_views *v, int64_t now)
{
	for (unsigned i = 0; i < EG_VIEWS_MOST; i++) {
		struct slot *s = &v->slots[i];
		struct eg_err err = {0};
		if (s->state == HERE && now - s->since_us > KEEP_US)
			release(v, s);
		if (s->state != ASKED)
			continue;
		enum eg_rc rc = eg_ask_send(&s->ask, &err);
		if (!rc && now - s->since_us > TIMEOUT_US)
			rc = eg_fail(&err, EG_DEADLINE, "the gateway does not show a person in time");
		if (rc)
			broke(v, s, now, &err);
	}
}

static void ended(struct eg_views *v, struct slot *s, const struct eg_link_event *e, int64_t now)
{
	struct eg_refusal r;
	struct eg_err err = {0};
	eg_refusal_of_status(e, &r);
	eg_refusal_fail(&r, &err);
	if (e->code && r.rc == EG_NOT_FOUND) {
		eg_ask_close(&s->ask);
		s->state = HERE;
		v->n_asked--;
	} else if (!e->code) {
		eg_fail(&err, EG_UNAVAILABLE, "the gateway ended a question without an answer");
		broke(v, s, now, &err);
	} else {
		broke(v, s, now, &err);
		if (r.retry_us <
		    0) { /* a grant that does not cover the columns: nothing of it gets better alone */
			v->trouble = err;
			v->not_before_us = now + v->limits->slow_us;
		} else if (now + r.retry_us > v->not_before_us) {
			v->not_before_us = now + r.retry_us;
		}
	}
}

static void answered(struct eg_views *v, struct slot *s, struct eg_bytes message, int64_t now)
{
	struct eg_err err = {0};
	s->answer = eldergate__v1__get_elder_response__unpack(NULL, message.len, message.p);
	if (!s->answer) {
		eg_fail(&err, EG_INVALID, "a view could not be decoded");
		broke(v, s, now, &err);
		return;
	}
	eg_ask_close(&s->ask);
	s->state = HERE;
	v->n_asked--;
	s->since_us = now;
	v->trouble = (struct eg_err){0};
	eg_backoff_reset(&v->backoff);
}

bool eg_views_event(struct eg_views *v, const struct eg_link_event *e, int64_t now)
{
	struct eg_err err = {0};
	for (unsigned i = 0; i < EG_VIEWS_MOST; i++) {
		struct slot *s = &v->slots[i];
		if (s->state != ASKED || s->ask.call != e->call)
			continue;
		if (e->kind == EG_LINK_MESSAGE) {
			answered(v, s, e->bytes, now);
		} else if (e->kind == EG_LINK_STATUS) {
			ended(v, s, e, now);
		} else if (e->kind == EG_LINK_LOST) {
			eg_fail(&err, EG_UNAVAILABLE, "the way to the gateway broke");
			broke(v, s, now, &err);
		}
		return true;
	}
	return false;
}

bool eg_views_asking(const struct eg_views *v)
{
	return v->n_asked > 0;
}

const struct eg_err *eg_views_trouble(const struct eg_views *v)
{
	return &v->trouble;
}
