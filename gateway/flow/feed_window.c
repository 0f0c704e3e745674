/* feed_window: see feed_window.h. */
#include "flow/feed_window.h"

#include <inttypes.h>
#include <string.h>

enum {
	SCOPE_BYTES = 256 << 10,
	PROBE_BYTES = 16 << 20, /* of one entry: thousands of confirmations or windows stand in some */
	ROWS_AT_ONCE = 64,      /* persons of one read */
	ROWS_BYTES = 1 << 20,   /* of them, but for one that is larger */
	FULL_BYTES = 8 << 20    /* of a window's arena, after which nothing further is put in */
};

static const char *filter_text(struct eg_arena *a, const struct eg_filter *f)
{
	struct eg_buf b = {0};
	char name[80];
	eg_buf_printf(&b, "kinds=%x", f->kinds);
	for (unsigned i = 0; i < f->n_life; i++)
		eg_buf_printf(&b, " life=%s", eg_life_name(f->life[i]));
	for (unsigned i = 0; i < f->n_regions; i++)
		eg_buf_printf(&b, " region=%s", f->regions[i]);
	for (unsigned i = 0; i < f->n_fields; i++)
		eg_buf_printf(&b, " field=%s", eg_view_field_name(f->fields[i], name));
	char *text = b.failed ? NULL : eg_arena_text(a, (const char *)b.p, b.len);
	eg_buf_free(&b);
	return text;
}

enum eg_rc eg_scope_open(struct eg_scope *s, const struct eg_sub_options *o, struct eg_err *err)
{
	*s = (struct eg_scope){.arena = eg_arena_new(SCOPE_BYTES)};
	struct eg_arena *a = s->arena;
	const struct eg_filter *f = &o->filter;
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a subscriber");
	s->filter = *f;
	s->filter.life = eg_arena_copy(a, f->life, f->n_life * sizeof *f->life);
	s->filter.fields = eg_arena_copy(a, f->fields, f->n_fields * sizeof *f->fields);
	s->filter.regions = eg_arena_alloc(a, (f->n_regions + 1) * sizeof *f->regions);
	bool whole =
	        s->filter.regions && (s->filter.life || !f->n_life) && (s->filter.fields || !f->n_fields);
	for (unsigned i = 0; i < f->n_regions && whole; i++)
		whole = (s->filter.regions[i] = eg_arena_text(a, f->regions[i], strlen(f->regions[i]))) !=
		        NULL;
	s->operator_name = eg_arena_text(a, o->operator_name, strlen(o->operator_name));
	s->filter_text = whole ? filter_text(a, &s->filter) : NULL;
	if (!whole || !s->operator_name || !s->filter_text) {
		enum eg_rc rc = eg_fail_field(err, EG_LIMIT, "filter", "the filter is too large");
		rc = eg_arena_why(a, rc, err);
		eg_arena_free(a);
		s->arena = NULL;
		return rc;
	}
	s->policy = eg_policy_ref(o->policy);
	s->who = o->who;
	s->purpose = o->purpose;
	eg_audience_of(o->who, s->audience);
	return EG_OK;
}

void eg_scope_close(struct eg_scope *s)
{
	if (!s->arena)
		return;
	eg_policy_unref(s->policy);
	eg_arena_free(s->arena);
	s->arena = NULL;
}

bool eg_scope_same(const struct eg_scope *a, const struct eg_scope *b)
{
	const struct eg_purpose_rule *p = a->purpose, *q = b->purpose;
	return !strcmp(a->audience, b->audience) && !strcmp(a->filter_text, b->filter_text) &&
	       p->n_fields == q->n_fields &&
	       (!p->n_fields || !memcmp(p->fields, q->fields, p->n_fields * sizeof *p->fields));
}

/* Is a person with this state in the filter's scope? */
static bool in_scope(const struct eg_filter *f, enum eg_life life, struct eg_bytes region)
{
	bool ok = !f->n_life;
	for (unsigned i = 0; i < f->n_life && !ok; i++)
		ok = f->life[i] == life;
	if (!ok || !f->n_regions)
		return ok;
	for (unsigned i = 0; i < f->n_regions; i++) {
		size_t len = strlen(f->regions[i]);
		if (region.len >= len && memcmp(region.p, f->regions[i], len) == 0)
			return true;
	}
	return false;
}

/* Is this kind of change wanted? */
static bool wanted(const struct eg_filter *f, const struct eg_event *e)
{
	if (f->kinds && !(f->kinds & 1u << e->kind))
		return false;
	if (!f->n_fields)
		return true;
	for (unsigned i = 0; i < f->n_fields; i++)
		for (unsigned k = 0; k < e->n_changed; k++)
			if (f->fields[i] == e->changed[k])
				return true;
	return false;
}

/* Whether and how the recipient hears of it. A merged person has no state of its own any more: what was in
 * scope says so. *enters: the person was there before, out of scope, and the event tells what changed alone.
 */
static enum eg_feed_item_kind told_as(const struct eg_filter *f, const struct eg_event *e, bool *enters)
{
	bool before = e->life_before && in_scope(f, e->life_before, e->region_before);
	bool after = e->has_merged_into ? before : in_scope(f, e->life_after, e->region_after);
	*enters = after && !before && e->life_before;
	if (after)
		return wanted(f, e) ? EG_ITEM_EVENT : 0;
	return before ? EG_ITEM_LEFT_SCOPE : 0;
}

static bool own(struct eg_arena *a, struct eg_bytes *text)
{
	if (text->len)
		text->p = eg_arena_copy(a, text->p, text->len);
	return !text->len || text->p;
}

/* What the event was made of goes while the window waits for its commit: entries of a page that another
 * recipient's turn replaces, rows of the persons. */
static enum eg_rc own_texts(struct eg_arena *a, struct eg_event *e, struct eg_err *err)
{
	bool ok = own(a, &e->agency) && own(a, &e->dataset);
	e->traceparent = e->region_before = e->region_after = (struct eg_bytes){0}; /* looked at already */
	for (unsigned i = 0; i < e->n_fields && ok; i++)
		ok = own(a, &e->fields[i].value.text) && own(a, &e->fields[i].agency);
	return ok ? EG_OK : eg_fail(err, EG_LIMIT, "a window's arena is too small");
}

/* A person that was made in the scratch: what the recipient sees of it becomes the window's. */
static enum eg_rc own_state(struct eg_arena *a, struct eg_event *e, struct eg_err *err)
{
	e->fields = eg_arena_copy(a, e->fields, e->n_fields * sizeof *e->fields);
	return e->fields ? own_texts(a, e, err) : eg_fail(err, EG_LIMIT, "a window's arena is too small");
}

static enum eg_rc read_state(struct eg_vault *v, struct eg_conn *c, const struct eg_scope *s,
                             const uint8_t log_id[16], const uint8_t person[16], struct eg_arena *scratch,
                             struct eg_event *out, struct eg_err *err)
{
	struct eg_person_row row;
	eg_arena_reset(scratch);
	enum eg_rc rc = eg_get_person_by_id(c, person, scratch, &row, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "the log tells of a person who is not there");
	if (!rc)
		rc = eg_state_of(v, s->audience, log_id, &row, NULL, s->purpose->fields, s->purpose->n_fields,
		                 scratch, out, err);
	return eg_arena_why(scratch, rc, err);
}

/* The whole state of a person who came in. It may be newer than the event: what follows is then old news to
 * the recipient. NULL: by now the person is out of scope again, or lives on in another, as an event to come
 * says. */
static enum eg_rc state_of(struct eg_vault *v, struct eg_conn *c, const struct eg_scope *s,
                           const uint8_t log_id[16], const uint8_t person[16], struct eg_arena *a,
                           struct eg_arena *scratch, struct eg_event **out, struct eg_err *err)
{
	struct eg_event e = {0};
	*out = NULL;
	enum eg_rc rc = read_state(v, c, s, log_id, person, scratch, &e, err);
	if (rc || e.has_merged_into || !in_scope(&s->filter, e.life_after, e.region_after))
		return rc;
	rc = own_state(a, &e, err);
	*out = rc ? NULL : eg_arena_copy(a, &e, sizeof e);
	return rc || *out ? rc : eg_fail(err, EG_LIMIT, "a window's arena is too small");
}

enum eg_rc eg_window_events(struct eg_vault *v, struct eg_conn *c, const struct eg_scope *s,
                            const uint8_t log_id[16], const struct eg_entry *entries, unsigned n,
                            unsigned max, struct eg_arena *a, struct eg_arena *scratch,
                            struct eg_feed_item *items, unsigned *n_items, unsigned *consumed,
                            struct eg_err *err)
{
	bool enters;
	*n_items = *consumed = 0;
	for (; *consumed < n && *n_items < max; (*consumed)++) {
		if (*n_items && eg_arena_used(a) > FULL_BYTES)
			break;
		const struct eg_entry *e = &entries[*consumed];
		struct eg_feed_item *item = &items[*n_items];
		*item = (struct eg_feed_item){.cursor_seq = e->header.seq, .time = e->header.time};
		enum eg_rc rc = eg_event_of(v, s->audience, log_id, e, s->purpose->fields,
		                            s->purpose->n_fields, a, &item->event, err);
		if (rc == EG_EMPTY)
			continue;
		if (rc)
			return rc;
		item->kind = told_as(&s->filter, &item->event, &enters);
		if (item->kind == EG_ITEM_LEFT_SCOPE)
			item->event.n_fields = 0; /* no longer the recipient's to see */
		if (!item->kind)
			continue;
		rc = own_texts(a, &item->event, err);
		if (!rc && enters)
			rc = state_of(v, c, s, log_id, e->effect.person, a, scratch, &item->entered, err);
		if (rc)
			return rc;
		(*n_items)++;
	}
	return EG_OK;
}

static enum eg_rc persons_after(struct eg_conn *c, int64_t row, unsigned most, struct eg_arena *a,
                                struct eg_person_row **rows, unsigned *n, struct eg_err *err)
{
	*n = 0;
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_list_persons(c, row, most, ROWS_BYTES, a, rows, n, err);
	eg_read_end(c);
	return rc;
}

enum eg_rc eg_window_states(struct eg_vault *v, struct eg_conn *c, const struct eg_scope *s,
                            const uint8_t log_id[16], uint64_t start_seq, int64_t *row, unsigned max,
                            struct eg_arena *a, struct eg_arena *scratch, struct eg_feed_item *items,
                            unsigned *n_items, bool *end, struct eg_err *err)
{
	unsigned looked_at = 0;
	*n_items = 0;
	*end = false;
	while (!*end && looked_at < max && eg_arena_used(a) <= FULL_BYTES) {
		struct eg_person_row *rows;
		unsigned n, most = max - looked_at < ROWS_AT_ONCE ? max - looked_at : ROWS_AT_ONCE;
		eg_arena_reset(scratch);
		enum eg_rc rc =
		        eg_arena_why(scratch, persons_after(c, *row, most, scratch, &rows, &n, err), err);
		*end = !n;
		for (unsigned i = 0; i < n && !rc; i++, looked_at++) {
			struct eg_feed_item *item = &items[*n_items];
			*item = (struct eg_feed_item){.kind = EG_ITEM_STATE,
			                              .cursor_seq = start_seq,
			                              .cursor_row = rows[i].row + 1};
			rc = eg_state_of(v, s->audience, log_id, &rows[i], NULL, s->purpose->fields,
			                 s->purpose->n_fields, scratch, &item->event, err);
			rc = eg_arena_why(scratch, rc, err);
			*row = rows[i].row;
			if (rc || !in_scope(&s->filter, item->event.life_after, item->event.region_after))
				continue;
			rc = own_state(a, &item->event, err);
			(*n_items)++;
		}
		if (rc)
			return rc;
	}
	eg_arena_reset(scratch);
	return EG_OK;
}

static enum eg_rc time_of(struct eg_conn *c, uint64_t seq, struct eg_arena *a, int64_t *time,
                          struct eg_err *err)
{
	struct eg_log_row row;
	struct eg_header h;
	eg_arena_reset(a);
	enum eg_rc rc = eg_get_entry(c, seq, a, &row, err);
	if (rc)
		return rc == EG_EMPTY ? eg_fail(err, EG_CORRUPT, "the log has no entry %" PRIu64, seq) : rc;
	if (!(rc = eg_header_read(row.header, &h, err)))
		*time = h.time;
	return rc;
}

enum eg_rc eg_seq_before_time(struct eg_conn *c, int64_t time_us, uint64_t *seq, struct eg_err *err)
{
	uint64_t low = 0, high = 0; /* time(low) < time_us <= time(high + 1) */
	struct eg_arena *a = eg_arena_new(PROBE_BYTES);
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory to look up a time");
	enum eg_rc rc = eg_read_begin(c, err);
	if (!rc) {
		rc = eg_get_head(c, &high, err);
		while (!rc && low < high) {
			uint64_t mid = low + (high - low + 1) / 2;
			int64_t t = 0;
			rc = time_of(c, mid, a, &t, err);
			if (t < time_us)
				low = mid;
			else
				high = mid - 1;
		}
		eg_read_end(c);
	}
	*seq = low;
	eg_arena_free(a);
	return rc;
}
