/* feed_page: one page of the log for ListChanges, on its caller's thread (flow/feed.h). */
#include "flow/feed_place.h"

#include <string.h>

enum {
	ENTRIES_BYTES = 4 << 20,  /* of a page's entries, sealed */
	SCRATCH_BYTES = 16 << 20, /* of the persons of a page in the making */
	TICKET_BYTES = 512 << 10  /* of a page's delivery; the page lives elsewhere, so its filter, mostly */
};

/* The ticket of a page, which outlives the scope that the page was made for. */
static enum eg_rc page_ticket(const struct eg_scope *s, const struct eg_feed_window *w,
                              struct eg_ticket **out, struct eg_err *err)
{
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_DELIVERY, TICKET_BYTES, s->policy, s->who);
	if (!t)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a delivery");
	struct eg_window *said = eg_arena_alloc(t->arena, sizeof *said);
	const char *filter = eg_arena_text(t->arena, s->filter_text, strlen(s->filter_text));
	if (!said || !filter) {
		enum eg_rc rc = eg_fail_field(err, EG_LIMIT, "filter", "the filter is too large");
		rc = eg_arena_why(t->arena, rc, err);
		eg_ticket_free(t);
		return rc;
	}
	*said = eg_feed_describe(s, w);
	said->filter = filter;
	t->delivery.n = 1;
	t->delivery.windows = said;
	*out = t;
	return EG_OK;
}

static enum eg_rc page_events(const struct eg_feed_options *told, struct eg_conn *c, const struct eg_scope *s,
                              uint64_t after, unsigned max, struct eg_arena *a, struct eg_arena *scratch,
                              struct eg_feed_window *w, bool *head, struct eg_err *err)
{
	struct eg_log_row *rows = NULL;
	unsigned n = 0;
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_list_entries(c, after, max, ENTRIES_BYTES, a, &rows, &n, err);
	eg_read_end(c);
	struct eg_entry *entries = eg_arena_alloc(a, (n + 1) * sizeof *entries);
	if (!rc && !entries)
		rc = eg_fail(err, EG_LIMIT, "a page's arena is too small");
	for (unsigned i = 0; i < n && !rc; i++)
		rc = eg_entry_open(told->vault, &rows[i], true, true, a, &entries[i], err);
	*head = !rc && !n;
	return rc || !n ? rc : eg_feed_events(told, c, s, entries, n, max, a, scratch, w, err);
}

enum eg_rc eg_feed_page(struct eg_feed *f, struct eg_conn *c, const struct eg_sub_options *o, unsigned max,
                        struct eg_arena *a, struct eg_feed_item **out, unsigned *n, bool *head,
                        struct eg_ticket **ticket, struct eg_err *err)
{
	const struct eg_feed_options *told = eg_feed_told(f);
	struct eg_scope scope = {0};
	struct eg_feed_place at;
	struct eg_feed_window w = {0};
	struct eg_arena *scratch = eg_arena_new(SCRATCH_BYTES);
	*n = 0;
	*head = false;
	*ticket = NULL;
	enum eg_rc rc =
	        scratch ? eg_scope_open(&scope, o, err) : eg_fail(err, EG_NO_MEMORY, "no memory for a page");
	if (!rc)
		rc = eg_feed_resolve(told, c, o, &at, err);
	if (rc)
		goto out;
	w.next = at;
	if (max > told->window_events)
		max = told->window_events;
	if (at.log_changed) {
		rc = eg_feed_log_changed(told, &at, a, &w, err);
	} else if (at.row >= 0) {
		rc = eg_feed_states(told, c, &scope, &at, max, a, scratch, &w, err);
	} else {
		rc = page_events(told, c, &scope, at.seq, max, a, scratch, &w, head, err);
	}
	if (rc)
		goto out;
	/* The page always ends with where to go on, whether or not anything was in scope. */
	struct eg_feed_item *items = eg_arena_alloc(a, (w.n + 1) * sizeof *items);
	if (!items) {
		rc = eg_fail(err, EG_LIMIT, "a page's arena is too small");
		goto out;
	}
	if (w.n)
		memcpy(items, w.items, w.n * sizeof *items);
	items[w.n] = (struct eg_feed_item){.kind = EG_ITEM_PROGRESS,
	                                   .cursor_seq = w.next.seq,
	                                   .cursor_row = eg_feed_cursor_row(&w.next),
	                                   .time = eg_now_us()};
	memcpy(items[w.n].event.log_id, eg_writer_log_id(told->writer), 16);
	*out = items;
	*n = w.n + 1;
	if (w.n && w.items[0].kind != EG_ITEM_LOG_CHANGED)
		rc = page_ticket(&scope, &w, ticket, err);
out:
	eg_arena_free(scratch);
	eg_scope_close(&scope);
	return rc;
}
