/* http_round: see http_round.h. */
#include "connectors/http_round.h"

#include "base/clock.h"
#include "model/id_number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RESTARTS_MAX = 3, ZONE_S = 28800 /* Asia/Shanghai */ };

static const char *text_of(const struct eg_http_round *r, const char *name)
{
	return eg_settings_text(r->s, name);
}

static enum eg_rc check(const struct eg_http_round *r, struct eg_err *err)
{
	static const char *const paths[] = {"total_path", "cursor_path", "more_path"};
	int64_t start;
	for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
		if (!eg_doc_path_valid(text_of(r, paths[i])))
			return eg_settings_fail(r->s, paths[i], err, "must be a path such as /data/total");
	if (r->mode == EG_HTTP_WINDOW && !eg_instant_parse(text_of(r, "start"), &start))
		return eg_settings_fail(r->s, "start", err,
		                        "must be an instant such as 2026-01-01T00:00:00+08:00");
	/* Without it an empty page, or one that fails to be filled, would end the list and withdraw all
	 * behind.
	 */
	if (r->mode == EG_HTTP_LIST && !*text_of(r, "total_path"))
		return eg_settings_fail(
		        r->s, "total_path", err,
		        "is needed, since mode is list: who is missing from a list is "
		        "withdrawn, and only the peer's own count shows one that was cut off");
	if (r->mode == EG_HTTP_CURSOR && r->paging != EG_HTTP_BY_CURSOR)
		return eg_settings_fail(r->s, "paging", err, "must be cursor, since mode is cursor");
	if (r->paging == EG_HTTP_BY_CURSOR && !*text_of(r, "cursor_path"))
		return eg_settings_fail(r->s, "cursor_path", err, "is needed, since paging is by cursor");
	if (eg_settings_int(r->s, "max_window") <= eg_settings_int(r->s, "overlap"))
		return eg_settings_fail(r->s, "max_window", err, "must be longer than overlap");
	return EG_OK;
}

enum eg_rc eg_http_round_open(struct eg_http_round *r, const struct eg_settings *s, struct eg_err *err)
{
	*r = (struct eg_http_round){.s = s};
	const char *mode = text_of(r, "mode"), *paging = text_of(r, "paging");
	r->mode = *mode == 'w' ? EG_HTTP_WINDOW : *mode == 'c' ? EG_HTTP_CURSOR : EG_HTTP_LIST;
	r->paging = *paging == 'n' ? EG_HTTP_ONE_PAGE : *paging == 'p' ? EG_HTTP_PAGES : EG_HTTP_BY_CURSOR;
	return check(r, err);
}

static void to_first_page(struct eg_http_round *r)
{
	r->at.page = eg_settings_int(r->s, "first_page");
	r->at.seen = 0;
	r->at.total = -1;
	if (r->mode != EG_HTTP_CURSOR)
		r->at.cursor[0] = 0;
}

bool eg_http_round_begin(struct eg_http_round *r, const struct eg_http_place *from, int64_t now_us)
{
	int64_t most = eg_settings_int(r->s, "max_window"), end = now_us - eg_settings_int(r->s, "delay");
	r->at = *from;
	r->pages = r->restarts = 0;
	r->last_window = true;
	if (r->mode != EG_HTTP_WINDOW) {
		r->at.from = now_us;
		to_first_page(r);
		return true;
	}
	if (!r->at.high)
		eg_instant_parse(text_of(r, "start"), &r->at.high);
	if (!r->at.to) {
		r->at.to = r->at.high + most < end ? r->at.high + most : end;
		r->at.from = r->at.high - eg_settings_int(r->s, "overlap");
		to_first_page(r);
	}
	r->last_window = r->at.to >= end;
	return r->at.to > r->at.high;
}

/* ---- what is asked ---- */

/* The format is the site's own setting. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static bool written(char *out, size_t size, const char *how, const struct tm *tm)
{
	return strftime(out, size, how, tm) != 0;
}
#pragma GCC diagnostic pop

static void instant(const struct eg_http_round *r, int64_t us, char *out, size_t size)
{
	const char *how = text_of(r, "time_format");
	time_t local = (time_t)(us / EG_SECOND + ZONE_S);
	struct tm tm;
	if (strcmp(how, "s") == 0)
		snprintf(out, size, "%" PRId64, (int64_t)(us / EG_SECOND));
	else if (strcmp(how, "ms") == 0)
		snprintf(out, size, "%" PRId64, us / 1000);
	else if (!gmtime_r(&local, &tm) || !written(out, size, how, &tm))
		out[0] = 0;
}

void eg_http_round_values(struct eg_http_round *r)
{
	const struct eg_http_place *p = &r->at;
	int64_t size = eg_settings_int(r->s, "page_size"), first = eg_settings_int(r->s, "first_page");
	const char *format = text_of(r, "time_format");
	bool number = strcmp(format, "s") == 0 || strcmp(format, "ms") == 0;
	static const char *const names[] = {"page", "page_size", "offset", "from", "to", "cursor"};
	snprintf(r->texts[0], sizeof r->texts[0], "%" PRId64, p->page);
	snprintf(r->texts[1], sizeof r->texts[1], "%" PRId64, size);
	snprintf(r->texts[2], sizeof r->texts[2], "%" PRId64, (p->page - first) * size);
	/* The window's end is not asked beyond its second: most peers know whole seconds, both ends included.
	 */
	instant(r, p->from, r->texts[3], sizeof r->texts[3]);
	instant(r, p->to, r->texts[4], sizeof r->texts[4]);
	for (unsigned i = 0; i < EG_HTTP_ROUND_VALUES; i++)
		r->values[i] = (struct eg_template_value){
		        names[i], i < 3 || (number && i < 5) ? EG_TEMPLATE_NUMBER : EG_TEMPLATE_TEXT,
		        eg_bytes_of(i < 5 ? r->texts[i] : p->cursor)};
}

/* ---- what the answer says ---- */

static enum eg_rc total_of(const struct eg_http_round *r, const struct eg_doc_node *answer, int64_t *total,
                           struct eg_err *err)
{
	const char *path = text_of(r, "total_path");
	char digits[16];
	*total = -1;
	if (!*path)
		return EG_OK;
	struct eg_bytes text = eg_doc_text(answer, path);
	if (text.len && text.len < sizeof digits) {
		memcpy(digits, text.p, text.len);
		digits[text.len] = 0;
		if (strspn(digits, "0123456789") == text.len)
			*total = strtoll(digits, NULL, 10);
	}
	return *total >= 0 ? EG_OK : eg_fail(err, EG_UNAVAILABLE, "the answer has no number at total_path");
}

/* A cursor is kept in the checkpoint, so it must be fit to be: no ID number, no line ends. */
static bool fit(struct eg_bytes cursor)
{
	struct eg_id id;
	if (cursor.len > EG_HTTP_CURSOR_MAX || !eg_utf8_valid(cursor))
		return false;
	for (size_t i = 0; i < cursor.len; i++)
		if (cursor.p[i] < 0x20)
			return false;
	eg_id_parse(cursor, &id);
	return !(id.form >= EG_ID_RESIDENT_18 && !(id.flags & EG_ID_FAULTS));
}

static enum eg_rc next_cursor(struct eg_http_round *r, const struct eg_doc_node *answer, unsigned rows,
                              bool *more, struct eg_err *err)
{
	struct eg_bytes cursor = eg_doc_text(answer, text_of(r, "cursor_path"));
	const char *path = text_of(r, "more_path");
	struct eg_bytes said = *path ? eg_doc_text(answer, path) : (struct eg_bytes){NULL, 0};
	bool same = eg_bytes_equal(cursor, eg_bytes_of(r->at.cursor));
	bool stop = *path && !eg_bytes_equal(said, eg_bytes_of("true")) &&
	            !eg_bytes_equal(said, eg_bytes_of("1"));
	*more = cursor.len && !stop && !(same && !rows);
	if (!cursor.len)
		return EG_OK;
	if (!fit(cursor))
		return eg_fail(err, EG_UNAVAILABLE,
		               "the answer's cursor cannot be kept: too long, no text, or an ID number");
	if (same && rows)
		return eg_fail(err, EG_UNAVAILABLE, "the answer has rows, but its cursor does not move");
	memcpy(r->at.cursor, cursor.p, cursor.len);
	r->at.cursor[cursor.len] = 0;
	return EG_OK;
}

static bool next_page(struct eg_http_round *r, unsigned rows)
{
	r->at.page++;
	if (r->at.total >= 0)
		return rows && r->at.seen < r->at.total;
	return rows && !(rows < eg_settings_int(r->s, "page_size") && *text_of(r, "last_page") == 's');
}

/* The window was read to its end. */
static enum eg_rc close_window(struct eg_http_round *r, int64_t latest, struct eg_err *err)
{
	struct eg_http_place *p = &r->at;
	if (r->mode != EG_HTTP_CURSOR && p->total >= 0 && p->seen != p->total)
		return eg_fail(err, EG_CONFLICT, "the pages held %" PRId64 " rows, the peer said %" PRId64,
		               p->seen, p->total);
	if (r->mode == EG_HTTP_LIST)
		p->high = p->from;
	else if (r->mode == EG_HTTP_WINDOW && p->high < (p->to < latest ? p->to : latest))
		p->high = p->to < latest ? p->to : latest;
	p->from = p->to = 0;
	to_first_page(r);
	return EG_OK;
}

enum eg_rc eg_http_round_page(struct eg_http_round *r, const struct eg_doc_node *answer, unsigned rows,
                              int64_t now_us, enum eg_http_turn *turn, int64_t *said, struct eg_err *err)
{
	int64_t total;
	bool more = false;
	enum eg_rc rc = total_of(r, answer, &total, err);
	if (rc)
		return rc;
	*said = total;
	if (total >= 0 && r->at.total >= 0 && total != r->at.total) {
		if (r->mode == EG_HTTP_LIST || ++r->restarts > RESTARTS_MAX)
			return eg_fail(err, EG_CONFLICT, "the number of rows changes while they are read%s",
			               r->mode == EG_HTTP_LIST ? "" : "; a shorter max_window may help");
		*turn = EG_HTTP_ANEW;
		to_first_page(r);
		return EG_OK;
	}
	r->at.total = total;
	r->at.seen += rows;
	if (r->paging == EG_HTTP_BY_CURSOR)
		rc = next_cursor(r, answer, rows, &more, err);
	else if (r->paging == EG_HTTP_PAGES)
		more = next_page(r, rows);
	if (!rc && more && ++r->pages >= (uint64_t)eg_settings_int(r->s, "max_pages"))
		rc = eg_fail(err, EG_UNAVAILABLE,
		             "more than max_pages pages: the peer does not come to an end");
	*turn = more ? EG_HTTP_MORE : EG_HTTP_OVER;
	return rc || more ? rc : close_window(r, now_us - eg_settings_int(r->s, "delay"), err);
}
