/* http_source: see http_source.h.
 *
 *            +----------------- the next page --------------------+
 *            v                                                    |
 *   rest -> asking --page--> [list begin] -> handing out rows ----+--> [list end] -> rest, or end (once)
 *            |
 *            +--failure--> [list abandon] -> the error
 *
 * A row's verdict moves the place only when all of its page have theirs, and all pages before it. */
#include "connectors/http_source.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "connectors/http_peer.h"
#include "connectors/http_round.h"
#include "connectors/http_rows.h"
#include "connectors/http_settings.h"
#include "connectors/http_spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct eg_setting_def eg_http_source_settings[] = {
        EG_HTTP_PEER_SETTINGS,
        {"method", EG_SET_CHOICE, false, "GET", 0, 0, "GET|POST", "HTTP method"},
        {"mode", EG_SET_CHOICE, true, NULL, 0, 0, "window|cursor|list",
         "changes by windows of time, changes behind a cursor, or the full list"},
        {"paging", EG_SET_CHOICE, false, "page", 0, 0, "none|page|cursor",
         "one answer, numbered pages (${page}, ${offset}), or a cursor in the answer (${cursor})"},
        {"rows_path", EG_SET_TEXT, true, NULL, 0, 200, NULL,
         "the array of rows, or in XML the elements that are rows"},
        {"lists", EG_SET_LIST, false, NULL, 0, 100, NULL,
         "columns that may have several values, which are joined"},
        {"list_separator", EG_SET_TEXT, false, ";", 0, 8, NULL, "between joined values"},
        {"first_page", EG_SET_INT, false, "1", 0, 1, NULL, "number of the first page"},
        {"page_size", EG_SET_INT, false, "100", 1, 100000, NULL, "${page_size}"},
        {"last_page", EG_SET_CHOICE, false, "empty", 0, 0, "empty|short",
         "what ends the pages when there is no total_path; short saves a call, but trusts page_size"},
        {"total_path", EG_SET_TEXT, false, "", 0, 200, NULL,
         "where the number of all rows stands; it is checked against the rows; a list needs it"},
        {"cursor_path", EG_SET_TEXT, false, "", 0, 200, NULL, "where the next cursor stands"},
        {"more_path", EG_SET_TEXT, false, "", 0, 200, NULL, "where true says that more pages follow"},
        {"max_pages", EG_SET_INT, false, "100000", 1, 10000000, NULL, "of one round; more is an error"},
        {"start", EG_SET_TEXT, false, "", 0, 40, NULL, "window: the instant it begins with at first"},
        {"overlap", EG_SET_TIME, false, "10m", 0, 30 * 86400000000, NULL,
         "window: how far each one reaches back, for rows that were committed late"},
        {"delay", EG_SET_TIME, false, "1m", 0, 86400000000, NULL,
         "window: how far each one stays behind the clock"},
        {"max_skew", EG_SET_TIME, false, "26h", 0, 30 * 86400000000, NULL,
         "the peer's clock (its Date header) may differ so much; windows and the positions of lists follow "
         "it"},
        {"max_window", EG_SET_TIME, false, "1d", 1000000, 3650 * 86400000000, NULL,
         "window: the longest one asked at once"},
        {"time_format", EG_SET_TEXT, false, "%Y-%m-%d %H:%M:%S", 1, 60, NULL,
         "${from} and ${to}: as strftime(3) writes, in Asia/Shanghai, or s or ms since 1970"},
        {"every", EG_SET_TIME, false, "1m", 1000, 366 * 86400000000, NULL,
         "pause between rounds; of a list: from begin to begin"},
        {"list_name", EG_SET_TEXT, false, "list", 1, 40, NULL,
         "list: its name, letters, digits, . _ -; the time is put behind it"},
        {"list_as_of", EG_SET_CHOICE, false, "mapping", 0, 0, "mapping|begin",
         "list: its position is the mapping's, or the instant it was begun by the peer's clock (microseconds "
         "since 1970)"},
        {"list_spool", EG_SET_TEXT, false, "", 0, 4000, NULL,
         "list: a folder that keeps the pages of a list under way, sealed, so that a restart does not ask "
         "for "
         "them again; empty: the list begins anew"},
        {"list_resume_within", EG_SET_TIME, false, NULL, 1000000, 30 * 86400000000, NULL,
         "list: one whose last kept page came longer ago begins anew; left out: 1d by cursor, else 10m, "
         "because "
         "rows shift between numbered pages meanwhile"},
        {"list_spool_size", EG_SET_SIZE, false, "4GiB", 1 << 20, 1LL << 40, NULL,
         "list: the most that its kept pages may take"},
        {0},
};

/* How long a list that was not taken waits before it is read again. */
#define LIST_AGAIN (10 * 60 * EG_SECOND)
/* The header tells whole seconds, and an answer takes its time. */
#define SKEW_NONE (5 * EG_SECOND)

enum state { RESTING, ASKING, HANDING, ENDED };

struct eg_http_source {
	const struct eg_settings *s;
	struct eg_checkpoint *checkpoint; /* NULL: dry, nothing is kept */
	bool once;
	char place_name[128];
	struct eg_http_peer *peer;
	struct eg_http_rows *rows;
	struct eg_http_round round;
	struct eg_http_flight flight;
	struct eg_http_place place; /* settled */
	struct eg_http_what what;
	enum state state;
	enum eg_http_turn turn; /* after the page that is handed out */
	int64_t rest_until;     /* monotonic */
	uint64_t ref;           /* the next one */
	int64_t skew_us;        /* the peer's clock before ours, as it last said */
	bool again;             /* a row must come again */
	uint64_t row_of_page;
	int64_t page;
	char where[48];
	bool list_open; /* LIST_BEGIN was handed out, and no end yet */
	char list_name[64];
	int64_t list_begun;          /* wall */
	int64_t list_position;       /* the same by the peer's clock, as its rows' versions are */
	int64_t list_total;          /* as the peer said */
	uint64_t list_end;           /* ref of LIST_END, while it waits for its verdict; 0: none */
	struct eg_err failure;       /* told after LIST_ABANDON */
	struct eg_http_spool *spool; /* of lists; NULL: none is kept */
	struct eg_buf kept;          /* a page out of it */
	bool from_spool, bad_kept;   /* the page that is asked for is in kept */
	int64_t kept_skew;           /* and what the peer's clock said with it */
};

static enum eg_rc check_templates(struct eg_http_source *c, struct eg_err *err)
{
	struct eg_http_place sample = {.high = EG_SECOND, .from = 1, .to = 2, .total = -1};
	for (const char *p = eg_settings_text(c->s, "list_name"); *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		      strchr("._-", *p)))
			return eg_settings_fail(c->s, "list_name", err,
			                        "may hold letters, digits, . _ - only");
	eg_http_round_begin(&c->round, &sample, EG_SECOND);
	eg_http_round_values(&c->round);
	if (!*c->round.texts[3])
		return eg_settings_fail(c->s, "time_format", err, "gives nothing, or more than 63 bytes");
	return eg_http_request_check(c->s, &c->what, err);
}

static void open_place(struct eg_http_source *c)
{
	int64_t now = eg_now_us(), due;
	c->place.total = -1;
	if (c->checkpoint)
		eg_http_place_read(&c->place, eg_checkpoint_get(c->checkpoint, c->place_name));
	due = c->place.high + eg_settings_int(c->s, "every");
	if (c->round.mode == EG_HTTP_LIST && c->place.high && !c->once && due > now)
		c->rest_until = eg_mono_us() + due - now;
}

enum eg_rc eg_http_source_open(struct eg_http_source **out, const struct eg_connector_options *o,
                               struct eg_err *err)
{
	struct eg_http_source *c = calloc(1, sizeof *c);
	*out = NULL;
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for an HTTP source");
	c->s = o->settings;
	c->checkpoint = o->dry ? NULL : o->checkpoint;
	c->once = o->once;
	c->ref = 1;
	c->what = (struct eg_http_what){.prefix = "",
	                                .method = eg_settings_text(c->s, "method"),
	                                .values = c->round.values,
	                                .n = EG_HTTP_ROUND_VALUES};
	snprintf(c->place_name, sizeof c->place_name, "%shttp.place", o->prefix ? o->prefix : "");
	enum eg_rc rc = eg_http_round_open(&c->round, c->s, err);
	if (!rc)
		rc = check_templates(c, err);
	if (!rc)
		rc = eg_http_rows_open(&c->rows, c->s, err);
	if (!rc)
		rc = eg_http_peer_open(&c->peer, o, err);
	if (!rc && c->checkpoint && c->round.mode == EG_HTTP_LIST && *eg_settings_text(c->s, "list_spool"))
		rc = eg_http_spool_open(&c->spool,
		                        &(struct eg_http_spool_options){.settings = c->s,
		                                                        .checkpoint = c->checkpoint,
		                                                        .prefix = o->prefix},
		                        err);
	if (rc) {
		eg_http_source_close(c);
		return rc;
	}
	open_place(c);
	*out = c;
	return EG_OK;
}

/* Opening asks nobody anything. */
enum eg_rc eg_http_source_check(const struct eg_settings *s, struct eg_err *err)
{
	struct eg_http_source *c = NULL;
	enum eg_rc rc =
	        eg_http_source_open(&c, &(struct eg_connector_options){.settings = s, .dry = true}, err);
	eg_http_source_close(c);
	return rc;
}

void eg_http_source_close(struct eg_http_source *c)
{
	if (!c)
		return;
	eg_http_peer_close(c->peer);
	eg_http_rows_close(c->rows);
	eg_http_flight_clear(&c->flight);
	eg_http_spool_close(c->spool);
	eg_buf_free(&c->kept);
	free(c);
}

/* ---- places ---- */

static enum eg_rc keep_place(struct eg_http_source *c, struct eg_err *err)
{
	char text[EG_HTTP_PLACE_TEXT];
	if (!c->checkpoint)
		return EG_OK;
	eg_http_place_text(&c->place, text);
	enum eg_rc rc = eg_checkpoint_put(c->checkpoint, c->place_name, eg_bytes_of(text), err);
	if (!rc)
		rc = eg_checkpoint_save(c->checkpoint, err);
	if (!rc)
		eg_kill_point("http.place_saved");
	return rc;
}

static enum eg_rc move_place(struct eg_http_source *c, struct eg_err *err)
{
	return eg_http_flight_move(&c->flight, &c->place) ? keep_place(c, err) : EG_OK;
}

/* The window is read from its first page again, also after a restart. */
static enum eg_rc rewind_window(struct eg_http_source *c, struct eg_err *err)
{
	eg_log(EG_LOG_INFO, "http.window_anew", EG_I("restart", c->round.restarts));
	eg_http_flight_rewind(&c->flight, &c->round.at);
	c->place = c->round.at;
	return keep_place(c, err);
}

/* ---- rounds ---- */

static void ask(struct eg_http_source *c)
{
	eg_http_round_values(&c->round);
	c->page = c->round.at.page;
	c->state = ASKING;
	c->from_spool = c->spool && eg_http_spool_next(c->spool, &c->kept, &c->bad_kept, &c->kept_skew);
	if (c->from_spool)
		return;
	eg_http_peer_ask(c->peer, &c->what, c->round.mode == EG_HTTP_LIST ? EG_CALL_BULK : EG_CALL_URGENT,
	                 true);
}

static void rest(struct eg_http_source *c, int64_t us)
{
	c->state = RESTING;
	c->rest_until = eg_mono_us() + us;
}

/* From where the last round ended, whether or not it is settled by now. */
static void begin(struct eg_http_source *c)
{
	const struct eg_http_place *from =
	        c->flight.n ? &c->flight.pages[(c->flight.first + c->flight.n - 1) % EG_HTTP_PAGES_OPEN].after
	                    : &c->place;
	struct eg_http_place start = *from;
	c->list_begun = eg_now_us();
	if (c->spool && !eg_http_spool_resume(c->spool, c->list_begun, &c->list_begun))
		eg_http_spool_begin(c->spool, c->list_begun);
	/* When a list is due says our clock. */
	int64_t skew = c->round.mode == EG_HTTP_LIST ? 0 : c->skew_us;
	if (eg_http_round_begin(&c->round, &start, c->list_begun + skew))
		ask(c);
	else if (c->once)
		c->state = ENDED;
	else
		rest(c, eg_settings_int(c->s, "every"));
}

static void round_over(struct eg_http_source *c)
{
	if (!c->round.last_window)
		begin(c);
	else if (c->once)
		c->state = ENDED;
	else
		rest(c, eg_settings_int(c->s, "every"));
}

/* Windows and positions of lists follow the peer's clock, since its rows do: behind ours, a window of our
 * time would leave rows behind that are not there yet, and who comes back after a list would be older than
 * it. */
static enum eg_rc look_at_clock(struct eg_http_source *c, const struct eg_http_answer *a, int64_t now,
                                struct eg_err *err)
{
	int64_t most = eg_settings_int(c->s, "max_skew"), skew = a->date_us ? a->date_us - now : 0;
	if (c->round.mode == EG_HTTP_CURSOR || (skew > -SKEW_NONE && skew < SKEW_NONE))
		skew = 0;
	if (skew > most || skew < -most)
		return eg_fail(err, EG_UNAVAILABLE,
		               "the peer's clock is %" PRId64 " s before ours (max_skew)",
		               skew / (int64_t)EG_SECOND);
	if (skew && !c->skew_us)
		eg_log(EG_LOG_WARN, "http.clock_skew", EG_I("peer_ahead_s", skew / EG_SECOND));
	c->skew_us = skew;
	return EG_OK;
}

/* The page has come. */
static enum eg_rc take_page(struct eg_http_source *c, struct eg_err *err)
{
	const struct eg_http_answer *answer = eg_http_peer_answer(c->peer);
	int64_t now = eg_now_us();
	enum eg_rc rc = EG_OK;
	if (c->from_spool)
		c->skew_us = c->kept_skew;
	else
		rc = look_at_clock(c, answer, now, err);
	if (!rc)
		rc = eg_http_rows_page(c->rows, answer, err);
	if (rc)
		return rc;
	unsigned rows = eg_http_rows_count(c->rows);
	rc = eg_http_round_page(&c->round, answer->doc, rows, now + c->skew_us, &c->turn, &c->list_total,
	                        err);
	if (rc)
		return rc;
	if (c->turn == EG_HTTP_ANEW) {
		rc = rewind_window(c, err);
		if (!rc)
			ask(c);
		return rc;
	}
	/* Rows of a list move nothing; its end does. */
	if (c->round.mode != EG_HTTP_LIST && !eg_http_flight_add(&c->flight, c->ref, rows, &c->round.at))
		return eg_fail(err, EG_NO_MEMORY, "no memory for a page");
	c->row_of_page = 0;
	c->state = HANDING;
	snprintf(c->where, sizeof c->where, "page %" PRId64, c->page);
	eg_kill_point("http.page_taken");
	return EG_OK;
}

/* ---- lists ---- */

static void list_entry(struct eg_http_source *c, enum eg_in_kind kind, struct eg_in *out)
{
	bool begun = strcmp(eg_settings_text(c->s, "list_as_of"), "begin") == 0;
	out->kind = kind;
	out->ref = c->ref++;
	out->place = "";
	out->list.name = c->list_name;
	out->list.as_of = begun ? c->list_position : 0;
	out->list.taken_at = c->list_position;
	out->list.count = -1;
}

static void list_begin(struct eg_http_source *c, struct eg_in *out)
{
	c->list_position = c->list_begun + c->skew_us;
	time_t at = (time_t)(c->list_position / EG_SECOND);
	struct tm tm;
	char stamp[24] = "";
	if (gmtime_r(&at, &tm))
		strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(c->list_name, sizeof c->list_name, "%s-%s", eg_settings_text(c->s, "list_name"), stamp);
	c->list_open = true;
	list_entry(c, EG_IN_LIST_BEGIN, out);
}

static void list_end(struct eg_http_source *c, struct eg_in *out)
{
	list_entry(c, EG_IN_LIST_END, out);
	out->list.count = c->list_total;
	c->list_open = false;
	c->list_end = out->ref;
}

/* ---- next ---- */

static enum eg_rc failed(struct eg_http_source *c, enum eg_rc rc, struct eg_in *out, struct eg_err *err)
{
	/* Whatever is wrong with a peer can pass: but for who we are, and what only the settings can mend. */
	if (!eg_rc_retryable(rc) && rc != EG_UNAUTHENTICATED && rc != EG_CONFIG && rc != EG_INTERNAL)
		rc = EG_UNAVAILABLE;
	if (err)
		err->rc = rc;
	if (!c->list_open)
		return rc;
	c->failure = err ? *err : (struct eg_err){.rc = rc};
	c->list_open = false;
	list_entry(c, EG_IN_LIST_ABANDON, out);
	return EG_OK;
}

static bool hand_out(struct eg_http_source *c, struct eg_in *out)
{
	if (!eg_http_rows_next(c->rows, out))
		return false;
	out->ref = c->ref++;
	out->place = c->where;
	out->line = ++c->row_of_page;
	return true;
}

/* The page is handed out: what now? EG_OK: something stands in out. */
static enum eg_rc page_over(struct eg_http_source *c, struct eg_in *out, struct eg_err *err)
{
	/* A page without rows gets no verdicts. */
	enum eg_rc rc = move_place(c, err);
	if (rc)
		return rc;
	if (c->turn == EG_HTTP_MORE) {
		ask(c);
		return EG_EMPTY;
	}
	if (c->list_open) {
		list_end(c, out);
		c->state = c->once ? ENDED : RESTING;
		c->rest_until = eg_mono_us() + eg_settings_int(c->s, "every");
		return EG_OK;
	}
	round_over(c);
	return EG_EMPTY;
}

/* The page that was asked for, from the peer or from before a restart. */
static enum eg_rc get_page(struct eg_http_source *c, int64_t mono_deadline_us, struct eg_err *err)
{
	enum eg_rc rc = c->from_spool ? eg_http_peer_again(c->peer, eg_buf_bytes(&c->kept), c->bad_kept, err)
	                              : eg_http_peer_wait(c->peer, mono_deadline_us, err);
	if (rc && !c->from_spool)
		return rc;
	if (!rc)
		rc = take_page(c, err);
	if (!c->spool)
		return rc;
	const struct eg_http_answer *answer = eg_http_peer_answer(c->peer);
	if (rc) /* its pages do not fit together, however often they are read */
		eg_http_spool_drop(c->spool);
	else if (!c->from_spool)
		eg_http_spool_put(c->spool, eg_buf_bytes(&answer->text), answer->bad_bytes, c->skew_us);
	return rc;
}

static enum eg_rc on_asking(struct eg_http_source *c, int64_t mono_deadline_us, struct eg_in *out,
                            struct eg_err *err)
{
	enum eg_rc rc = get_page(c, mono_deadline_us, err);
	if (rc == EG_EMPTY && c->once && eg_http_peer_spent(c->peer))
		rc = eg_fail(err, EG_BUSY, "the calls of today are used up");
	if (rc == EG_EMPTY)
		return rc;
	if (rc)
		return failed(c, rc, out, err);
	if (c->round.mode != EG_HTTP_LIST || c->list_open)
		return EG_EMPTY;
	list_begin(c, out);
	return EG_OK;
}

/* A step; EG_EMPTY: nothing stands in out. */
static enum eg_rc step(struct eg_http_source *c, int64_t mono_deadline_us, struct eg_in *out,
                       struct eg_err *err)
{
	switch (c->state) {
	case RESTING:
		eg_http_wait_until(c->rest_until, mono_deadline_us);
		/* A list waits for the verdict of the one before. */
		if (eg_mono_us() >= c->rest_until && !c->list_end)
			begin(c);
		return EG_EMPTY;
	case ASKING:
		return on_asking(c, mono_deadline_us, out, err);
	case HANDING:
		return hand_out(c, out) ? EG_OK : page_over(c, out, err);
	case ENDED:
		out->kind = EG_IN_END;
		return EG_OK;
	}
	return EG_EMPTY;
}

enum eg_rc eg_http_source_next(struct eg_http_source *c, int64_t mono_deadline_us, struct eg_in *out,
                               struct eg_err *err)
{
	struct eg_err own;
	enum eg_rc rc;
	if (!err)
		err = &own;
	*out = (struct eg_in){.place = ""};
	if (c->failure.rc) {
		*err = c->failure;
		return err->rc;
	}
	if (c->again)
		return eg_fail(err, EG_CONFLICT, "a row was not sent after all; it is read again");
	do {
		/* The next page waits for the verdicts of older ones; they do not come while we wait here. */
		if (c->state != HANDING && c->state != ENDED &&
		    (eg_http_flight_full(&c->flight) || (c->state == RESTING && c->list_end)))
			return EG_EMPTY;
		rc = step(c, mono_deadline_us, out, err);
	} while (rc == EG_EMPTY && (c->state == HANDING || c->state == ENDED ||
	                            (eg_mono_us() < mono_deadline_us && !eg_http_peer_spent(c->peer))));
	return rc;
}

/* ---- verdicts ---- */

static enum eg_rc list_settled(struct eg_http_source *c, enum eg_verdict_code code, struct eg_err *err)
{
	c->list_end = 0;
	if (code == EG_VERDICT_AGAIN) {
		int64_t every = eg_settings_int(c->s, "every");
		rest(c, every < LIST_AGAIN ? every : LIST_AGAIN);
		return EG_OK;
	}
	if (c->spool)
		eg_http_spool_drop(c->spool);
	if (code == EG_VERDICT_REFUSED)
		eg_log(EG_LOG_WARN, "http.list_refused", EG_T("list", c->list_name));
	c->place = c->round.at;
	return keep_place(c, err);
}

enum eg_rc eg_http_source_settle(struct eg_http_source *c, const struct eg_verdict *v, unsigned n,
                                 struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; !rc && i < n; i++) {
		if (c->list_end && v[i].ref == c->list_end)
			rc = list_settled(c, v[i].code, err);
		else
			c->again |= eg_http_flight_settle(&c->flight, v[i].ref, v[i].code);
	}
	return rc ? rc : move_place(c, err);
}
