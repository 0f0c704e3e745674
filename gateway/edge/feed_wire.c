/* feed_wire: see feed_wire.h. */
#include "edge/feed_wire.h"

#include <stdio.h>
#include <string.h>

enum { CONDITIONS_MAX = 100 /* of one field of a filter */, REGION_MAX = 12 };

#define STARTS(how) ELDERGATE__V1__FEED_START__POSITION_##how

static enum eg_rc invalid(struct eg_fault *f, const char *field, const char *why)
{
	return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, field, "%s", why);
}

static enum eg_rc invalid_at(struct eg_fault *f, const char *field, size_t i, const char *why)
{
	char path[64];
	snprintf(path, sizeof path, "%s[%zu]", field, i);
	return invalid(f, path, why);
}

static enum eg_rc read_start(const Eldergate__V1__FeedStart *s, const uint8_t log_id[16], uint64_t head,
                             struct eg_sub_options *out, struct eg_fault *f)
{
	switch (s ? s->position_case : STARTS(_NOT_SET)) {
	case STARTS(SNAPSHOT):
		out->start = EG_START_SNAPSHOT;
		return EG_OK;
	case STARTS(CURSOR):
		out->start = EG_START_CURSOR;
		out->seq = s->cursor->seq;
		out->row = (int64_t)s->cursor->snapshot_row;
		if (!eg_read_id(s->cursor->log_id, out->log_id))
			return invalid(f, "start.cursor.log_id",
			               "a log's id has 32 lower-case hexadecimal digits");
		if (s->cursor->seq > INT64_MAX || s->cursor->snapshot_row > INT64_MAX)
			return eg_refuse(f, EG_OUT_OF_RANGE, EG_REASON_CURSOR_AHEAD, "start.cursor",
			                 "the cursor lies beyond the end of the log");
		return EG_OK;
	case STARTS(TIME):
		out->start = EG_START_TIME;
		if (s->time->seconds < 0 || s->time->seconds > INT64_MAX / EG_SECOND - 1)
			return invalid(f, "start.time", "the time is out of range");
		out->time = s->time->seconds * EG_SECOND + s->time->nanos / 1000;
		return EG_OK;
	default:
		out->start = EG_START_CURSOR;
		out->seq = head;
		memcpy(out->log_id, log_id, sizeof out->log_id);
		return EG_OK;
	}
}

static enum eg_rc read_filter(struct eg_maker *k, const Eldergate__V1__FeedFilter *q, struct eg_filter *out,
                              struct eg_fault *f)
{
	if (!q)
		return EG_OK;
	if (q->n_life_statuses > CONDITIONS_MAX || q->n_region_prefixes > CONDITIONS_MAX ||
	    q->n_kinds > CONDITIONS_MAX || q->n_changed_fields > CONDITIONS_MAX)
		return eg_refuse(f, EG_LIMIT, EG_REASON_TOO_MANY_ITEMS, "filter",
		                 "at most %d conditions of one field", CONDITIONS_MAX);
	out->life = eg_make(k, CONDITIONS_MAX * sizeof *out->life);
	out->regions = EG_MAKE_LIST(k, q->n_region_prefixes);
	out->fields = eg_make(k, CONDITIONS_MAX * sizeof *out->fields);
	if (k->failed)
		return eg_refuse(f, EG_NO_MEMORY, 0, "", "the gateway has no memory for this call now");
	for (size_t i = 0; i < q->n_life_statuses; i++) {
		int life = (int)q->life_statuses[i];
		if (life < EG_LIFE_ALIVE || life > EG_LIFE_UNKNOWN)
			return invalid_at(f, "filter.life_statuses", i, "there is no such life status");
		out->life[out->n_life++] = (enum eg_life)life;
	}
	for (size_t i = 0; i < q->n_region_prefixes; i++) {
		const char *p = q->region_prefixes[i];
		size_t len = strlen(p);
		if (!len || len > REGION_MAX || strspn(p, "0123456789") != len)
			return invalid_at(f, "filter.region_prefixes", i,
			                  "a region's prefix has 1 to 12 digits");
		out->regions[out->n_regions++] = p;
	}
	for (size_t i = 0; i < q->n_kinds; i++) {
		int kind = (int)q->kinds[i];
		if (kind < EG_EVENT_CREATED || kind > EG_EVENT_CASE_CLOSED)
			return invalid_at(f, "filter.kinds", i, "there is no such kind of change to ask for");
		out->kinds |= 1u << kind;
	}
	for (size_t i = 0; i < q->n_changed_fields; i++) {
		unsigned field = eg_view_field_by_name(q->changed_fields[i]);
		if (!field)
			return invalid_at(f, "filter.changed_fields", i, "there is no such view field");
		out->fields[out->n_fields++] = field;
	}
	return EG_OK;
}

enum eg_rc eg_feed_options_read(struct eg_maker *k, const struct eg_caller *c,
                                const struct eg_purpose_rule *grant, const Eldergate__V1__FeedStart *start,
                                const Eldergate__V1__FeedFilter *filter, const uint8_t log_id[16],
                                uint64_t head, struct eg_sub_options *out, struct eg_fault *f)
{
	*out = (struct eg_sub_options){
	        .policy = c->policy, .who = c->who, .purpose = grant, .operator_name = c->who->name};
	enum eg_rc rc = read_start(start, log_id, head, out, f);
	return rc ? rc : read_filter(k, filter, &out->filter, f);
}

void eg_feed_fault(enum eg_rc rc, const struct eg_err *err, struct eg_fault *f)
{
	*f = (struct eg_fault){.err = *err};
	f->err.rc = rc;
	if (rc == EG_OUT_OF_RANGE)
		f->reason = EG_REASON_CURSOR_AHEAD;
	else if (rc == EG_NO_SPACE)
		f->reason = EG_REASON_READ_LOG_FULL;
}

#define HOLDS(what) ELDERGATE__V1__FEED_ITEM__ITEM_##what

Eldergate__V1__FeedItem *eg_make_item(struct eg_maker *k, const struct eg_feed_item *i,
                                      const uint8_t old_log_id[16], const struct eg_feed_head *head)
{
	Eldergate__V1__FeedItem *m = EG_MAKE(k, Eldergate__V1__FeedItem, eldergate__v1__feed_item__init);
	if (!m)
		return NULL;
	switch (i->kind) {
	case EG_ITEM_EVENT:
	case EG_ITEM_LEFT_SCOPE:
		m->item_case = HOLDS(CHANGE);
		m->change = eg_make_event(k, &i->event, i->kind == EG_ITEM_LEFT_SCOPE);
		m->entered = i->entered ? eg_make_state(k, i->entered) : NULL;
		break;
	case EG_ITEM_STATE:
		m->item_case = HOLDS(SNAPSHOT);
		m->snapshot = eg_make_state(k, &i->event);
		break;
	case EG_ITEM_PROGRESS:
		m->item_case = HOLDS(PROGRESS);
		m->progress = EG_MAKE(k, Eldergate__V1__Progress, eldergate__v1__progress__init);
		if (m->progress && head) {
			m->progress->head_seq = head->seq;
			m->progress->head_time = eg_make_time(k, head->time);
			m->progress->live = head->live && !i->cursor_row;
		}
		break;
	case EG_ITEM_LOG_CHANGED:
		m->item_case = HOLDS(LOG_CHANGED);
		m->log_changed = EG_MAKE(k, Eldergate__V1__LogChanged, eldergate__v1__log_changed__init);
		if (m->log_changed) {
			m->log_changed->old_log_id = eg_make_id(k, old_log_id);
			m->log_changed->new_log_id = eg_make_id(k, i->event.log_id);
		}
		break;
	}
	return m;
}

Eldergate__V1__Cursor *eg_make_cursor(struct eg_maker *k, const uint8_t log_id[16],
                                      const struct eg_feed_item *last)
{
	Eldergate__V1__Cursor *m = EG_MAKE(k, Eldergate__V1__Cursor, eldergate__v1__cursor__init);
	if (m) {
		m->log_id = eg_make_id(k, log_id);
		m->seq = last->cursor_seq;
		m->snapshot_row = (uint64_t)last->cursor_row;
	}
	return m;
}
