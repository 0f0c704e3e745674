/* file_report: see file_report.h.
 *
 * In the working folder each line of NAME.report and NAME.bad begins with the number of the file's line, so a
 * restart keeps those that are settled; the rest comes again with its verdicts. */
#include "connectors/file_report.h"

#include "base/buf.h"
#include "connectors/file_dir.h"
#include "trust/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_CAP = 256, FLUSH = 64 * 1024 };

struct part {
	int fd;
	char name[NAME_CAP];
	struct eg_buf pending;
	bool dirty; /* written since the last sync */
};

struct file_report {
	int work; /* the caller's */
	struct part report, bad;
};

static const char HEAD[] = "\xef\xbb\xbfline,outcome,reason,field,text\r\n";

/* A new file under a temporary name; -1: errno says why. What a crash left there is nobody's, and what
 * somebody put there is not written into. */
static int make_new(int dir, const char *name, int flags)
{
	if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
		return -1;
	return openat(dir, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* ---- one growing file ---- */

static enum eg_rc flush(struct part *p, struct eg_err *err)
{
	if (p->pending.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a report");
	if (!p->pending.len)
		return EG_OK;
	/* Whole or not at all, so that trying again leaves no torn line in the middle. */
	off_t before = lseek(p->fd, 0, SEEK_END);
	enum eg_rc rc = file_write_all(p->fd, eg_buf_bytes(&p->pending), err);
	if (rc && before >= 0 && ftruncate(p->fd, before) != 0)
		return rc;
	if (rc)
		return rc;
	eg_buf_reset(&p->pending);
	p->dirty = true;
	return EG_OK;
}

static enum eg_rc add(struct part *p, struct eg_err *err)
{
	return p->pending.len >= FLUSH || p->pending.failed ? flush(p, err) : EG_OK;
}

/* Keeps the whole lines of numbers up to keep. */
static enum eg_rc keep_settled(struct part *p, int work, uint64_t keep, struct eg_err *err)
{
	struct stat st;
	int fd = openat(work, p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *old = fd >= 0 ? fdopen(fd, "re") : NULL;
	if (!old && fd >= 0)
		close(fd);
	char beside[NAME_CAP + 8], *line = NULL;
	size_t cap = 0;
	snprintf(beside, sizeof beside, ".%s.tmp", p->name);
	p->fd = make_new(work, beside, O_RDWR | O_APPEND);
	enum eg_rc rc = p->fd < 0 ? eg_fail_errno(err, "making a report") : EG_OK;
	for (ssize_t n; !rc && old && keep && (n = getline(&line, &cap, old)) > 0;) {
		uint64_t number = strtoull(line, NULL, 10);
		if (line[n - 1] == '\n' && number && number <= keep)
			eg_buf_add(&p->pending, line, (size_t)n);
		rc = add(p, err);
	}
	free(line);
	if (old)
		fclose(old);
	if (!rc)
		rc = flush(p, err);
	if (!rc && (fstat(p->fd, &st) != 0 || renameat(work, beside, work, p->name) != 0))
		rc = eg_fail_errno(err, "naming a report");
	return rc;
}

/* ---- the report ---- */

enum eg_rc file_report_open(struct file_report **out, int work, const char *name, uint64_t keep,
                            struct eg_err *err)
{
	*out = NULL;
	struct file_report *r = calloc(1, sizeof *r);
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a report");
	r->work = work;
	r->report.fd = r->bad.fd = -1;
	enum eg_rc rc = EG_OK;
	if (snprintf(r->report.name, NAME_CAP, "%s.report", name) >= NAME_CAP ||
	    snprintf(r->bad.name, NAME_CAP, "%s.bad", name) >= NAME_CAP)
		rc = eg_fail(err, EG_INVALID, "a file name is too long");
	if (!rc)
		rc = keep_settled(&r->report, work, keep, err);
	if (!rc)
		rc = keep_settled(&r->bad, work, keep, err);
	if (rc) {
		file_report_close(r);
		return rc;
	}
	*out = r;
	return EG_OK;
}

/* One CSV field; line ends and control characters become spaces. */
static void field(struct eg_buf *b, const char *text)
{
	eg_buf_add(b, ",\"", 2);
	for (const char *c = text ? text : ""; *c; c++) {
		if (*c == '"')
			eg_buf_add(b, "\"\"", 2);
		else
			eg_buf_add_u8(b, (uint8_t)*c < 0x20 ? ' ' : (uint8_t)*c);
	}
	eg_buf_add_u8(b, '"');
}

enum eg_rc file_report_add(struct file_report *r, const struct file_report_entry *e, struct eg_err *err)
{
	struct eg_buf *b = &r->report.pending;
	eg_buf_printf(b, "%" PRIu64, e->line);
	field(b, e->outcome);
	field(b, e->reason);
	field(b, e->field);
	field(b, e->text);
	eg_buf_add(b, "\r\n", 2);
	return add(&r->report, err);
}

enum eg_rc file_report_bad(struct file_report *r, uint64_t line, struct eg_bytes raw, struct eg_err *err)
{
	eg_buf_printf(&r->bad.pending, "%" PRIu64 " ", line);
	eg_base64(raw.p, raw.len, &r->bad.pending);
	eg_buf_add(&r->bad.pending, "\n", 1);
	return add(&r->bad, err);
}

static enum eg_rc sync_part(struct part *p, struct eg_err *err)
{
	enum eg_rc rc = flush(p, err);
	if (!rc && p->dirty)
		rc = file_sync(p->fd, err);
	p->dirty = p->dirty && rc;
	return rc;
}

enum eg_rc file_report_sync(struct file_report *r, struct eg_err *err)
{
	enum eg_rc rc = sync_part(&r->report, err);
	return rc ? rc : sync_part(&r->bad, err);
}

/* A part under its last name: a head, what was written, an end. */
static enum eg_rc publish(int from, int to, const char *name, struct eg_bytes head, struct eg_bytes end,
                          struct eg_err *err)
{
	char beside[NAME_CAP + 8];
	snprintf(beside, sizeof beside, ".%s.tmp", name);
	int fd = make_new(to, beside, O_WRONLY);
	if (fd < 0)
		return eg_fail_errno(err, "making a report");
	uint8_t piece[4096];
	enum eg_rc rc = file_write_all(fd, head, err);
	off_t at = 0;
	for (ssize_t n = 1; !rc && n > 0; at += n) {
		n = pread(from, piece, sizeof piece, at);
		rc = n < 0 ? eg_fail_errno(err, "reading a report")
		           : file_write_all(fd, (struct eg_bytes){piece, (size_t)n}, err);
	}
	explicit_bzero(piece, sizeof piece);
	if (!rc)
		rc = file_write_all(fd, end, err);
	if (!rc)
		rc = file_sync(fd, err);
	if (close(fd) != 0 && !rc)
		rc = eg_fail_errno(err, "closing a report");
	if (!rc && renameat(to, beside, to, name) != 0)
		rc = eg_fail_errno(err, "naming a report");
	if (rc)
		unlinkat(to, beside, 0);
	return rc;
}

enum eg_rc file_report_publish(struct file_report *r, int to, const char *as_name, const char *outcome,
                               const char *reason, const char *text, struct file_counts counts,
                               struct eg_err *err)
{
	char name[NAME_CAP], bad[NAME_CAP];
	if (snprintf(name, sizeof name, "%s.report.csv", as_name) >= (int)sizeof name ||
	    snprintf(bad, sizeof bad, "%s.bad", as_name) >= (int)sizeof bad)
		return eg_fail(err, EG_INVALID, "a file name is too long");
	enum eg_rc rc = file_report_sync(r, err);
	if (rc)
		return rc;
	struct eg_buf said = {0}, last = {0};
	eg_buf_printf(&said, "%s%s接收 %" PRIu64 " 行，退回 %" PRIu64 " 行，无法读取 %" PRIu64 " 行", text,
	              *text ? "；" : "", counts.taken, counts.refused, counts.bad);
	eg_buf_add_u8(&said, 0);
	field(&last, outcome);
	field(&last, reason);
	field(&last, "");
	field(&last, said.failed ? "" : (const char *)said.p);
	eg_buf_add(&last, "\r\n", 2);
	rc = publish(r->report.fd, to, name, (struct eg_bytes){(const uint8_t *)HEAD, sizeof HEAD - 1},
	             eg_buf_bytes(&last), err);
	eg_buf_free(&said);
	eg_buf_free(&last);
	struct stat st;
	if (!rc && fstat(r->bad.fd, &st) == 0 && st.st_size)
		rc = publish(r->bad.fd, to, bad, (struct eg_bytes){0}, (struct eg_bytes){0}, err);
	return rc ? rc : file_sync(to, err);
}

void file_report_withdraw(int to, const char *as_name)
{
	static const char *const ends[] = {"report.csv", "bad"};
	char part[NAME_CAP];
	for (unsigned i = 0; i < 2; i++)
		if (snprintf(part, sizeof part, "%s.%s", as_name, ends[i]) < NAME_CAP)
			unlinkat(to, part, 0);
}

void file_report_close(struct file_report *r)
{
	if (!r)
		return;
	struct part *parts[] = {&r->report, &r->bad};
	for (unsigned i = 0; i < 2; i++) {
		eg_buf_free(&parts[i]->pending);
		if (parts[i]->fd >= 0)
			close(parts[i]->fd);
	}
	free(r);
}

void file_report_drop(int work, const char *name)
{
	static const char *const ends[] = {"report", "bad"};
	char part[NAME_CAP];
	for (unsigned i = 0; i < 2; i++)
		if (snprintf(part, sizeof part, "%s.%s", name, ends[i]) < NAME_CAP)
			unlinkat(work, part, 0);
}

struct tidy {
	int work, inbox;
};

static bool drop_orphan(void *arg, const char *name)
{
	const struct tidy *t = arg;
	char file[NAME_CAP];
	struct file_id id;
	snprintf(file, sizeof file, "%s", name);
	char *dot = strrchr(file, '.');
	if (!dot || (strcmp(dot, ".report") != 0 && strcmp(dot, ".bad") != 0))
		return true;
	*dot = 0;
	if (*file && file_stat(t->inbox, file, &id, NULL) == EG_NOT_FOUND)
		unlinkat(t->work, name, 0);
	return true;
}

void file_report_tidy(int work, int inbox)
{
	struct tidy t = {work, inbox};
	file_each(work, drop_orphan, &t, NULL);
}
