/* table_list: see table_list.h. */
#include "connectors/table_list.h"

#include "base/clock.h"
#include "base/log.h"
#include "common/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct eg_bytes kept(const struct eg_table_list *l, const char *name, char text[32])
{
	struct eg_bytes v = eg_checkpoint_get(l->checkpoint, name);
	if (v.len >= 32)
		v.len = 0;
	memcpy(text, v.len ? v.p : (const uint8_t *)"", v.len);
	text[v.len] = 0;
	return v;
}

static enum eg_rc keep(struct eg_table_list *l, const char *name, int64_t n, struct eg_err *err)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRId64, n);
	return eg_checkpoint_put(l->checkpoint, name, eg_bytes_of(text), err);
}

int64_t eg_table_list_open(struct eg_table_list *l, const struct eg_table_conf *c,
                           struct eg_checkpoint *checkpoint, const char *prefix, bool once, bool dry)
{
	*l = (struct eg_table_list){.conf = c, .checkpoint = checkpoint, .once = once, .dry = dry};
	snprintf(l->since_name, sizeof l->since_name, "%slist", prefix);
	snprintf(l->moved_name, sizeof l->moved_name, "%slist.moved", prefix);
	char text[32];
	if (kept(l, l->moved_name, text).len)
		l->moved = (unsigned)strtoul(text, NULL, 10);
	if (once || !kept(l, l->since_name, text).len)
		return 0;
	int64_t left = strtoll(text, NULL, 10) + c->list_every_us - eg_now_us();
	/* A clock that was set back must not put it off for longer than once. */
	return eg_mono_us() + (left > c->list_every_us ? c->list_every_us : left);
}

static int64_t count_of(const struct eg_table_page *page)
{
	char digits[32] = "";
	struct eg_bytes v = page->n_rows ? eg_table_page_value(page, 0, 0) : (struct eg_bytes){0};
	if (v.len && v.len < sizeof digits)
		memcpy(digits, v.p, v.len);
	return *digits && strspn(digits, "0123456789") == v.len ? strtoll(digits, NULL, 10) : -1;
}

enum eg_rc eg_table_list_counted(struct eg_table_list *l, const struct eg_table_page *page,
                                 struct eg_err *err)
{
	struct eg_when any;
	const char *why;
	struct eg_bytes clock = page->n_rows ? eg_table_page_value(page, 0, 1) : (struct eg_bytes){0};
	l->began_us = eg_now_us();
	l->rows = 0;
	l->count = count_of(page);
	if (l->count < 0)
		return eg_fail(err, EG_INVALID, "table %s: the database does not say how many rows it has",
		               l->conf->table);
	if (!eg_when_compile("auto", &any, &why) ||
	    !eg_when_instant(&any, clock, (int32_t)(l->conf->utc_offset_us / EG_SECOND), &l->position_us))
		return eg_fail(
		        err, EG_INVALID,
		        "table %s: what the database's clock (%s) says is no instant; a list's place is "
		        "on that clock, so write `clock`",
		        l->conf->table, l->conf->clock);
	return EG_OK;
}

enum eg_rc eg_table_list_whole(struct eg_table_list *l, const struct eg_table_page *page, struct eg_err *err)
{
	int64_t now = count_of(page);
	bool whole = l->rows == l->count && l->rows == now;
	l->moved = whole ? 0 : l->moved + 1;
	enum eg_rc rc = l->dry ? EG_OK : keep(l, l->moved_name, l->moved, err);
	if (rc || whole)
		return rc;
	eg_log(EG_LOG_WARN, "table.list_moved", EG_T("table", l->conf->table), EG_I("rows", l->rows),
	       EG_I("before", l->count), EG_I("after", now), EG_I("try", l->moved));
	if (!l->once && l->moved < l->conf->list_tries)
		return EG_EMPTY;
	return eg_fail(err, EG_PRECONDITION,
	               "table %s: it had %" PRId64 " rows before its full list was read and %" PRId64
	               " after it, and %" PRId64
	               " were read: nobody is withdrawn by such a list. Let it be read while the table rests "
	               "(list_every), or from a copy that is complete (where, query)",
	               l->conf->table, l->count, now, l->rows);
}

/* "elders-2026-03-01T02-00-00.000000Z" */
void eg_table_list_begin(struct eg_table_list *l)
{
	char when[32], safe[32];
	size_t n = 0;
	eg_instant_format(l->position_us, when);
	for (const char *p = l->conf->table; *p && n < sizeof safe - 1; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    *p == '_')
			safe[n++] = *p;
	safe[n] = 0;
	for (char *p = when; *p; p++)
		if (*p == ':')
			*p = '-';
	snprintf(l->name, sizeof l->name, "%s%s%s", safe, n ? "-" : "", when);
	l->reading = true;
}

enum eg_rc eg_table_list_settle(struct eg_table_list *l, const struct eg_verdict *v, int64_t *due_us,
                                struct eg_err *err)
{
	if (!l->end_ref || v->ref != l->end_ref)
		return EG_OK;
	l->end_ref = 0;
	if (v->code == EG_VERDICT_AGAIN) {
		*due_us = eg_mono_us() + l->conf->list_retry_us;
		return EG_OK;
	}
	return keep(l, l->since_name, l->began_us, err);
}
