/* counts: see counts.h. */
#include "common/counts.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void text(struct eg_buf *b, const char *key, const char *value)
{
	eg_buf_printf(b, ",\"%s\":", key);
	if (value)
		eg_buf_json(b, eg_bytes_of(value));
	else
		eg_buf_printf(b, "null");
}

static void instant(struct eg_buf *b, const char *key, int64_t us)
{
	char at[32];
	eg_instant_format(us, at);
	text(b, key, us ? at : NULL);
}

static void number(struct eg_buf *b, const char *key, uint64_t v)
{
	eg_buf_printf(b, ",\"%s\":%llu", key, (unsigned long long)v);
}

void eg_counts_json(const struct eg_counts *c, const struct eg_standing *s, struct eg_buf *out)
{
	char now[32];
	eg_instant_format(eg_now_us(), now);
	eg_buf_printf(out, "{\"time\":\"%s\"", now);
	number(out, "pid", (uint64_t)getpid());
	text(out, "program", s->program);
	text(out, "agency", s->agency);
	text(out, "dataset", s->dataset);
	text(out, "state", s->state);
	text(out, "link", s->link_up ? "up" : "down");
	text(out, "source", s->source);
	text(out, "target", s->target);
	text(out, "trouble", s->trouble);
#define X(name, meaning) number(out, #name, c->name);
	EG_COUNTS(X)
#undef X
	number(out, "rows_in_flight", s->rows_in_flight);
	number(out, "batches_in_flight", s->batches_in_flight);
	number(out, "batches_resent", s->batches_resent);
	eg_buf_printf(out, ",\"list_open\":%s", s->list_open ? "true" : "false");
	instant(out, "last_receipt", c->last_receipt_us);
	instant(out, "last_delivery", c->last_delivery_us);
	text(out, "cursor_log", *s->cursor_log ? s->cursor_log : NULL);
	number(out, "cursor_seq", s->cursor_seq);
	number(out, "parked", s->parked);
	eg_buf_printf(out, "}\n");
}

enum eg_rc eg_counts_write(const struct eg_counts *c, const struct eg_standing *s, const char *path,
                           struct eg_err *err)
{
	char beside[4096];
	struct eg_buf line = {0};
	enum eg_rc rc = EG_OK;
	eg_counts_json(c, s, &line);
	snprintf(beside, sizeof beside, "%s.new", path);
	unlink(beside); /* of a process that died, or somebody's link: never written through */
	int fd = line.failed ? -1 : open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	bool good = fd >= 0 && write(fd, line.p, line.len) == (ssize_t)line.len;
	if (fd >= 0)
		good = close(fd) == 0 && good;
	if (!good || rename(beside, path) != 0)
		rc = eg_fail_errno(err, "the status file %s", path);
	eg_buf_free(&line);
	return rc;
}
