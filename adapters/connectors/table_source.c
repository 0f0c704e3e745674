/* table_source: sweeps over a table, page by page.
 *
 *   WAIT --due--> PROBE --> [HIGHEST] --> ROWS* --> [GAP] --> [NULLS* --> [GAP]] --> WAIT
 *                 PROBE --> COUNT --> ROWS* --> [GAP] --> RECOUNT --> WAIT            (claim list)
 *   any --error--> failed: every later call of next says so
 *
 * HIGHEST and NULLS belong to claim key: the highest position at the sweep's begin, and the rows that have
 * none. GAP looks for a row that pages may have passed by: engines differ in where NULL sorts, and on none
 * is it behind a value. With claim list, LIST_BEGIN comes before the first page and LIST_END behind all, or
 * LIST_ABANDON when the counts before and behind do not agree with the rows.
 * A page is read by a job while the agent may do other things; next only looks whether it is there. */
#include "connectors/table_source.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "connectors/table_flight.h"
#include "connectors/table_list.h"
#include "connectors/table_mark.h"
#include "connectors/table_row.h"
#include "connectors/table_watermark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum phase { WAIT, PROBE, HIGHEST, COUNT, ROWS, NULLS, GAP, RECOUNT };

struct eg_table_source {
	struct eg_table_conf conf;
	struct eg_checkpoint *checkpoint;
	bool once, dry;
	enum eg_rc failed; /* EG_OK, or what every later call of next says */
	struct eg_err failed_err;
	struct eg_table_link *link;
	struct eg_table_shape target; /* of the table that is marked */
	struct eg_table_select select;
	struct eg_flights *flights;
	struct eg_watermark *watermark; /* claim key */
	/* Claim flag: settled since the present page was read, which has them as new. NULL: none. */
	struct eg_seen *settled;
	struct eg_table_mark mark;
	uint64_t ref, sweep;
	/* The sweep. */
	enum phase phase;
	struct eg_table_probe *probe;
	struct eg_table_page *page; /* lent while lent; else read from at on */
	bool lent;
	unsigned at;
	struct eg_table_range range;
	struct eg_buf after; /* what range.after points into */
	int64_t due_us, nulls_due_us, cursor;
	bool swept; /* with once */
	struct eg_table_list list;
	/* What was handed out last. */
	struct eg_bytes *values;
	struct eg_buf frame;
	char reason[EG_TABLE_REASON];
};

/* --- opening */

/* What is missing in the table is its owner's to put right: a check names the place, a running adapter waits.
 */
static enum eg_rc missing(const struct eg_table_source *s, enum eg_rc rc, struct eg_err *err)
{
	if (rc != EG_CONFIG || s->dry)
		return rc;
	if (err)
		err->rc = EG_UNAVAILABLE;
	return EG_UNAVAILABLE;
}

static enum eg_rc look(struct eg_table_source *s, struct eg_err *err)
{
	struct eg_table_shape shape = {0};
	enum eg_rc rc = eg_table_probe_do(s->link, s->conf.table, "", &s->target, err);
	if (rc == EG_OK)
		rc = eg_table_probe_do(s->link, s->conf.table, s->conf.query, &shape, err);
	if (rc != EG_OK)
		return rc;
	if ((rc = eg_table_select_make(&s->select, &s->conf, &shape, err)) == EG_OK)
		rc = eg_table_mark_open(&s->mark, &s->conf, &s->target, err);
	return missing(s, rc, err);
}

enum eg_rc eg_table_source_open(struct eg_table_source **out, const struct eg_connector_options *o,
                                struct eg_err *err)
{
	enum eg_rc rc;
	struct eg_table_source *s = calloc(1, sizeof *s);
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a table");
	s->checkpoint = o->checkpoint;
	s->once = o->once;
	s->dry = o->dry;
	if ((rc = eg_table_conf_read(&s->conf, o->settings, err)) ||
	    (rc = eg_table_link_open(&s->link, o->settings, err)) || (rc = look(s, err)))
		goto out;
	if (!(s->flights = eg_flights_new())) {
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a table");
		goto out;
	}
	if (s->conf.claim == EG_CLAIM_KEY &&
	    (rc = eg_watermark_open(&s->watermark, &s->conf, s->checkpoint, o->prefix, err)))
		goto out;
	if (s->conf.claim == EG_CLAIM_LIST)
		s->due_us = eg_table_list_open(&s->list, &s->conf, s->checkpoint, o->prefix, s->once, s->dry);
	*out = s;
	return EG_OK;
out:
	eg_table_source_close(s);
	return rc;
}

enum eg_rc eg_table_source_check(const struct eg_settings *s, struct eg_err *err)
{
	struct eg_table_conf conf;
	enum eg_rc rc = eg_table_conf_read(&conf, s, err);
	return rc ? rc : eg_table_link_check(s, err);
}

static void drop_page(struct eg_table_source *s)
{
	if (!s->lent) /* a job that is lent is freed by whom it was lent to */
		eg_table_page_free(s->page);
	s->page = NULL;
	s->lent = false;
}

void eg_table_source_close(struct eg_table_source *s)
{
	if (!s)
		return;
	drop_page(s);
	eg_table_link_close(s->link);
	eg_table_shape_free(&s->target);
	eg_table_select_free(&s->select);
	eg_flights_free(s->flights);
	eg_seen_free(s->settled);
	eg_watermark_close(s->watermark);
	eg_buf_free(&s->after);
	eg_buf_free(&s->frame);
	free(s->values);
	free(s);
}

/* --- a sweep's jobs */

static enum eg_rc begin_probe(struct eg_table_source *s, struct eg_err *err)
{
	if (!(s->probe = eg_table_probe_new(s->conf.table, s->conf.query)))
		return eg_fail(err, EG_NO_MEMORY, "no memory for a statement");
	s->phase = PROBE;
	s->sweep++;
	s->lent = true;
	eg_table_link_begin(s->link, &s->probe->w);
	return EG_OK;
}

static enum eg_rc begin_page(struct eg_table_source *s, enum phase phase, struct eg_err *err)
{
	bool count = phase == COUNT || phase == RECOUNT, one = phase == HIGHEST || phase == GAP || count;
	unsigned n = phase == HIGHEST ? 1 : count ? 2 : phase == GAP ? s->select.n_order : s->select.n;
	struct eg_table_page *p = eg_table_page_new(n, one ? 1 : s->conf.batch, s->conf.max_value);
	if (p && phase == HIGHEST)
		eg_table_select_highest(&s->select, &s->conf, &p->sql);
	else if (p && count)
		eg_table_select_count(&s->select, &s->conf, &p->sql);
	else if (p && phase == GAP)
		eg_table_select_gap(&s->select, &s->conf, &s->range, &p->sql);
	else if (p)
		eg_table_select_page(&s->select, &s->conf, &s->range, &p->sql);
	if (!p || p->sql.failed) {
		eg_table_page_free(p);
		return eg_fail(err, EG_NO_MEMORY, "no memory for a page of %u rows", s->conf.batch);
	}
	eg_seen_free(s->settled);
	s->settled = NULL;
	s->phase = phase;
	s->page = p;
	s->lent = true;
	s->at = 0;
	eg_table_link_begin(s->link, &p->w);
	return EG_OK;
}

static enum eg_rc begin_rows(struct eg_table_source *s, bool nulls, struct eg_err *err)
{
	s->range = (struct eg_table_range){.low = "", .nulls = nulls};
	if (s->watermark)
		s->range.low = eg_watermark_low(s->watermark, &s->range.beyond);
	return begin_page(s, nulls ? NULLS : ROWS, err);
}

static enum eg_rc fail_gap(const struct eg_table_source *s, unsigned column, struct eg_err *err)
{
	return eg_fail(
	        err, EG_INVALID,
	        "table %s: column %s is NULL in some row, and rows are read page by page in its order: "
	        "key and order need columns that are never NULL",
	        s->conf.table, s->select.columns[column]->name);
}

/* The place behind the last row of the page. EG_EMPTY: the order says nothing there, since it is NULL. */
static enum eg_rc go_behind(struct eg_table_source *s, struct eg_err *err)
{
	const struct eg_table_page *p = s->page;
	size_t starts[EG_SELECT_ORDER_MAX];
	eg_buf_reset(&s->after);
	for (unsigned i = 0; i < s->select.n_order; i++) {
		struct eg_bytes v = eg_table_page_value(p, p->n_rows - 1, s->select.order[i]);
		if (!v.p && !(i == 0 && s->range.nulls)) {
			/* Those that have a flag get it, so that the next sweep comes further. */
			return s->conf.claim == EG_CLAIM_FLAG ? EG_EMPTY
			                                      : fail_gap(s, s->select.order[i], err);
		}
		starts[i] = s->after.len;
		eg_buf_add(&s->after, v.p, v.len);
		eg_buf_add_u8(&s->after, 0);
		s->range.after[i].len = v.len;
	}
	if (s->after.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a row's place");
	for (unsigned i = 0; i < s->select.n_order; i++)
		s->range.after[i].p = s->after.p + starts[i];
	s->range.behind = true;
	return EG_OK;
}

static void move_watermark(struct eg_table_source *s)
{
	if (s->watermark)
		eg_watermark_move(s->watermark, eg_flights_lowest(s->flights), s->cursor);
}

static enum eg_rc end_sweep(struct eg_table_source *s, struct eg_err *err)
{
	s->phase = WAIT;
	s->swept = true;
	s->due_us = eg_mono_us() + s->conf.poll_us;
	eg_flights_paid(s->flights, s->sweep);
	eg_flights_tidy(s->flights);
	if (!s->watermark)
		return EG_OK;
	eg_watermark_end(s->watermark);
	move_watermark(s);
	if (s->dry)
		return EG_OK;
	enum eg_rc rc = eg_watermark_put(s->watermark, err);
	return rc ? rc : eg_checkpoint_save(s->checkpoint, err);
}

static enum eg_rc after_rows(struct eg_table_source *s, struct eg_err *err)
{
	if (s->watermark && !s->range.nulls && *s->conf.update_time && eg_mono_us() >= s->nulls_due_us) {
		s->nulls_due_us = eg_mono_us() + s->conf.overlap_us;
		return begin_rows(s, true, err);
	}
	return s->conf.claim == EG_CLAIM_LIST ? begin_page(s, RECOUNT, err) : end_sweep(s, err);
}

/* The page is used up. */
static enum eg_rc after_page(struct eg_table_source *s, struct eg_err *err)
{
	bool more = s->page->cut && s->page->n_rows;
	enum eg_rc rc = more ? go_behind(s, err) : EG_EMPTY;
	drop_page(s);
	if (rc == EG_OK)
		return begin_page(s, s->phase, err);
	if (rc != EG_EMPTY)
		return rc;
	/* A first page that holds all has passed nothing by; what has a flag keeps it until it is read. */
	if (s->range.behind && s->conf.claim != EG_CLAIM_FLAG)
		return begin_page(s, GAP, err);
	return after_rows(s, err);
}

static enum eg_rc after_gap(struct eg_table_source *s, struct eg_err *err)
{
	const struct eg_table_page *p = s->page;
	enum eg_rc rc = EG_OK;
	if (p->n_rows) {
		unsigned i = s->range.nulls ? 1 : 0;
		while (i + 1 < s->select.n_order && eg_table_page_value(p, 0, i).p)
			i++;
		rc = fail_gap(s, s->select.order[i], err);
	}
	drop_page(s);
	return rc ? rc : after_rows(s, err);
}

/* The job that was waited for is there. */
static enum eg_rc take_probe(struct eg_table_source *s, struct eg_err *err)
{
	struct eg_table_probe *p = s->probe;
	enum eg_rc rc = p->w.rc;
	s->probe = NULL;
	if (rc == EG_OK) {
		eg_table_select_free(&s->select);
		rc = missing(s, eg_table_select_make(&s->select, &s->conf, &p->shape, err), err);
	} else if (err) {
		*err = p->w.err;
	}
	eg_table_probe_free(p);
	free(s->values);
	s->values = NULL;
	if (rc == EG_OK && !(s->values = calloc(s->select.n + 1, sizeof *s->values)))
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a row");
	if (rc != EG_OK)
		return rc;
	s->cursor = s->conf.claim == EG_CLAIM_KEY ? INT64_MIN : INT64_MAX;
	if (s->conf.claim == EG_CLAIM_FLAG)
		return begin_rows(s, false, err);
	return begin_page(s, s->conf.claim == EG_CLAIM_KEY ? HIGHEST : COUNT, err);
}

/* The table was counted, before its list or behind it. */
static enum eg_rc take_count(struct eg_table_source *s, struct eg_err *err)
{
	bool before = s->phase == COUNT;
	enum eg_rc rc = before ? eg_table_list_counted(&s->list, s->page, err)
	                       : eg_table_list_whole(&s->list, s->page, err);
	drop_page(s);
	if (before)
		return rc ? rc : begin_rows(s, false, err);
	s->list.whole = rc == EG_OK;
	return rc && rc != EG_EMPTY ? rc : end_sweep(s, err);
}

static enum eg_rc take_page(struct eg_table_source *s, struct eg_err *err)
{
	if (s->page->w.rc != EG_OK) {
		enum eg_rc rc = s->page->w.rc;
		if (err)
			*err = s->page->w.err;
		drop_page(s);
		return rc;
	}
	if (s->phase == COUNT || s->phase == RECOUNT)
		return take_count(s, err);
	eg_kill_point("table.claimed");
	if (s->phase != HIGHEST)
		return EG_OK;
	struct eg_bytes none = {0};
	eg_watermark_begin(s->watermark, s->page->n_rows ? eg_table_page_value(s->page, 0, 0) : none);
	drop_page(s);
	return begin_rows(s, false, err);
}

/* EG_EMPTY: the job still runs. */
static enum eg_rc wait_job(struct eg_table_source *s, int64_t deadline, struct eg_err *err)
{
	enum eg_rc rc = eg_table_link_wait(s->link, deadline, err);
	if (rc == EG_EMPTY)
		return rc;
	s->lent = false;
	if (rc != EG_OK) { /* it is gone with the connection */
		s->page = NULL;
		s->probe = NULL;
		return rc;
	}
	return s->probe ? take_probe(s, err) : take_page(s, err);
}

/* --- rows */

static bool known(struct eg_table_source *s, const struct eg_seen_row *row)
{
	if (eg_flights_has(s->flights, row))
		return true;
	const struct eg_seen *settled = s->watermark ? eg_watermark_seen(s->watermark) : s->settled;
	const struct eg_seen_row *seen = settled ? eg_seen_get(settled, row->key) : NULL;
	return seen && memcmp(seen->state, row->state, sizeof row->state) == 0;
}

static bool take_off(struct eg_table_source *s, const struct eg_table_row *row, struct eg_flight *flight)
{
	struct eg_bytes kept[2 * EG_TABLE_KEYS_MAX];
	flight->n = eg_table_row_kept(row, kept);
	flight->values = kept;
	flight->ref = s->ref + 1;
	bool added = eg_flights_add(s->flights, flight);
	flight->values = NULL;
	s->ref += added;
	return added;
}

/* EG_EMPTY: this row is not handed out (now). */
static enum eg_rc hand_out(struct eg_table_source *s, struct eg_in *out, struct eg_err *err)
{
	struct eg_table_row row = {&s->conf, &s->select, s->page, s->at};
	struct eg_flight flight = {.sweep = s->sweep};
	struct eg_bytes raw;
	if (s->conf.claim == EG_CLAIM_LIST) {
		flight.ref = ++s->ref;
		s->list.rows++;
	} else {
		eg_table_row_seen(&row, s->checkpoint, &s->frame, &flight.row);
		bool skip = known(s, &flight.row);
		if (!skip && !take_off(s, &row, &flight))
			return eg_fail(err, EG_NO_MEMORY, "no memory for a row");
		if (s->phase == ROWS && flight.row.at != INT64_MAX)
			s->cursor = flight.row.at;
		if (skip) {
			s->at++;
			return EG_EMPTY;
		}
	}
	s->at++;
	for (unsigned i = 0; i < s->select.out.n; i++)
		s->values[i] = eg_table_page_value(s->page, row.row, i);
	*out = (struct eg_in){.kind = EG_IN_ROW,
	                      .ref = flight.ref,
	                      .columns = &s->select.out,
	                      .values = s->values,
	                      .place = s->conf.table,
	                      .list.count = -1};
	if (eg_table_row_bad(&row, s->reason, &raw)) {
		out->kind = EG_IN_BAD;
		out->raw = raw;
		out->reason = s->reason;
	}
	return EG_OK;
}

/* --- lists */

static void fill_list(struct eg_table_source *s, enum eg_in_kind kind, struct eg_in *out)
{
	*out = (struct eg_in){.kind = kind,
	                      .ref = ++s->ref,
	                      .columns = &s->select.out,
	                      .place = s->conf.table,
	                      .list = {.name = s->list.name, .count = -1}};
	out->list.as_of = s->conf.list_as_of_begin ? s->list.position_us : 0;
	out->list.taken_at = s->list.position_us;
}

static void end_list(struct eg_table_source *s, struct eg_in *out)
{
	s->list.reading = false;
	fill_list(s, s->list.whole ? EG_IN_LIST_END : EG_IN_LIST_ABANDON, out);
	s->due_us = eg_mono_us() + (s->list.whole ? s->conf.list_every_us : s->conf.list_retry_us);
	if (!s->list.whole)
		return;
	out->list.count = s->list.count;
	s->list.end_ref = out->ref;
}

/* --- next */

static enum eg_rc idle(struct eg_table_source *s, int64_t deadline, struct eg_in *out, struct eg_err *err)
{
	enum eg_rc rc;
	int64_t now = eg_mono_us();
	if (s->once && s->swept) {
		*out = (struct eg_in){.kind = EG_IN_END, .place = s->conf.table, .list.count = -1};
		return EG_OK;
	}
	if (now >= s->due_us)
		return (rc = begin_probe(s, err)) ? rc : EG_BUSY;
	int64_t until = deadline < s->due_us ? deadline : s->due_us;
	struct timespec at = eg_mono_deadline(until);
	if (until > now)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	return until == deadline ? EG_EMPTY : EG_BUSY;
}

/* One step; EG_BUSY: go on. */
static enum eg_rc step(struct eg_table_source *s, int64_t deadline, struct eg_in *out, struct eg_err *err)
{
	enum eg_rc rc;
	if (s->lent) {
		rc = wait_job(s, deadline, err);
		return rc == EG_OK ? EG_BUSY : rc;
	}
	if (s->phase == WAIT && s->list.reading) {
		end_list(s, out);
		return EG_OK;
	}
	if (s->phase == WAIT)
		return idle(s, deadline, out, err);
	if (s->conf.claim == EG_CLAIM_LIST && !s->list.reading) {
		eg_table_list_begin(&s->list);
		fill_list(s, EG_IN_LIST_BEGIN, out);
		return EG_OK;
	}
	if (s->phase != GAP && s->at < s->page->n_rows) {
		if (eg_flights_count(s->flights) >= s->conf.in_flight) {
			/* Only settle makes room, and it is called by the thread that waits here. */
			struct timespec at = eg_mono_deadline(deadline);
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
			return EG_EMPTY;
		}
		rc = hand_out(s, out, err);
		return rc == EG_EMPTY ? EG_BUSY : rc;
	}
	rc = s->phase == GAP ? after_gap(s, err) : after_page(s, err);
	return rc == EG_OK ? EG_BUSY : rc;
}

enum eg_rc eg_table_source_next(struct eg_table_source *s, int64_t mono_deadline_us, struct eg_in *out,
                                struct eg_err *err)
{
	enum eg_rc rc = s->failed ? s->failed : EG_BUSY;
	while (rc == EG_BUSY)
		rc = step(s, mono_deadline_us, out, &s->failed_err);
	if (rc == EG_OK || rc == EG_EMPTY)
		return rc;
	s->failed = rc;
	if (s->list.reading) { /* then this, and the reason with the next call */
		s->list.reading = false;
		fill_list(s, EG_IN_LIST_ABANDON, out);
		return EG_OK;
	}
	if (err)
		*err = s->failed_err;
	return rc;
}

/* --- settle */

static bool marks(const struct eg_table_source *s, const struct eg_verdict *v)
{
	if (s->dry || v->code == EG_VERDICT_AGAIN)
		return false;
	return s->conf.claim == EG_CLAIM_FLAG ||
	       (v->code == EG_VERDICT_REFUSED &&
	        (*s->conf.error_code || *s->conf.error_text || *s->conf.retry));
}

static enum eg_rc mark_all(struct eg_table_source *s, const struct eg_verdict *v, unsigned n,
                           struct eg_err *err)
{
	struct eg_table_batch *b = eg_table_batch_new();
	if (!b)
		return eg_fail(err, EG_NO_MEMORY, "no memory for marks");
	for (unsigned i = 0; i < n; i++) {
		const struct eg_flight *flight = eg_flights_find(s->flights, v[i].ref);
		if (flight && marks(s, &v[i]))
			eg_table_mark_add(&s->mark, b, flight, &v[i]);
	}
	if (b->failed) {
		eg_table_batch_free(b);
		return eg_fail(err, EG_NO_MEMORY, "no memory for marks");
	}
	if (b->n == 0) {
		eg_table_batch_free(b);
		return EG_OK;
	}
	enum eg_rc rc = eg_table_link_do(s->link, &b->w, 0, err);
	if (rc != EG_OK)
		return rc;
	unsigned changed = 0;
	for (unsigned i = 0; i < b->n; i++)
		changed += b->steps[i].rows < 1;
	if (changed) /* they come again as they are now */
		eg_log(EG_LOG_INFO, "table.changed_meanwhile", EG_T("table", s->conf.table),
		       EG_I("rows", changed));
	eg_table_batch_free(b);
	return EG_OK;
}

enum eg_rc eg_table_source_settle(struct eg_table_source *s, const struct eg_verdict *v, unsigned n,
                                  struct eg_err *err)
{
	enum eg_rc rc;
	while (s->lent) /* one connection: what it reads comes first; next tells what became of it */
		if ((rc = wait_job(s, INT64_MAX, &s->failed_err)) != EG_OK)
			s->failed = rc;
	if ((rc = mark_all(s, v, n, err)) != EG_OK)
		return rc;
	eg_kill_point("table.marked");
	for (unsigned i = 0; i < n; i++) {
		struct eg_flight *flight = eg_flights_find(s->flights, v[i].ref);
		if (!s->dry && (rc = eg_table_list_settle(&s->list, &v[i], &s->due_us, err)))
			return rc;
		if (!flight)
			continue;
		bool owed = v[i].code == EG_VERDICT_AGAIN;
		if (!owed && s->watermark)
			eg_watermark_remember(s->watermark, &flight->row);
		else if (!owed && s->page && (s->settled || (s->settled = eg_seen_new())))
			eg_seen_put(s->settled, &flight->row); /* without memory it comes twice */
		eg_flights_over(s->flights, flight, owed && s->watermark, s->sweep);
	}
	eg_flights_tidy(s->flights);
	move_watermark(s);
	if (s->dry)
		return EG_OK;
	if (s->watermark && (rc = eg_watermark_put(s->watermark, err)))
		return rc;
	return s->conf.claim == EG_CLAIM_FLAG ? EG_OK : eg_checkpoint_save(s->checkpoint, err);
}
