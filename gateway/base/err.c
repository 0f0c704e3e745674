/* err: result codes with their table, rendered into the caller's struct eg_err. Thread: any; no state. */
#include "eldergate/err.h"

#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *name, *label, *text;
	bool retryable;
	int grpc, exit_code;
};

static const struct row *row(enum eg_rc rc)
{
	static const struct row rows[] = {
#define X(name_, number_, retryable_, grpc_, exit_, label_, text_)                                           \
	[number_] = {#name_, label_, text_, retryable_, grpc_, exit_},
#include "eldergate/errors.def"
#undef X
	};
	size_t i = (size_t)rc;
	/* A number that is no row is a fault of ours, and is told as one. */
	if (i >= sizeof rows / sizeof rows[0] || !rows[i].name)
		i = EG_INTERNAL;
	return &rows[i];
}

/* A text that was too long ends before the character that did not fit, not inside it. */
static void cut_whole(char *text)
{
	struct eg_bytes rest = eg_bytes_of(text);
	while (rest.len) {
		bool valid;
		size_t n = eg_utf8_step(rest, &valid);
		if (!valid && n == rest.len) {
			text[rest.p - (const uint8_t *)text] = '\0';
			return;
		}
		rest.p += n;
		rest.len -= n;
	}
}

__attribute__((format(printf, 4, 0))) static enum eg_rc fill(struct eg_err *err, enum eg_rc rc,
                                                             const char *field, const char *fmt, va_list ap)
{
	if (!err)
		return rc;
	err->rc = rc;
	err->fatal = false;
	snprintf(err->field, sizeof err->field, "%s", field ? field : "");
	cut_whole(err->field);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	cut_whole(err->text);
	return rc;
}

enum eg_rc eg_fail(struct eg_err *err, enum eg_rc rc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(err, rc, "", fmt, ap);
	va_end(ap);
	return rc;
}

enum eg_rc eg_fail_field(struct eg_err *err, enum eg_rc rc, const char *field, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(err, rc, field, fmt, ap);
	va_end(ap);
	return rc;
}

static enum eg_rc rc_of_errno(int number)
{
	switch (number) {
	case EMFILE:
	case ENFILE:
		return EG_BUSY; /* descriptors come back when calls end: worth a retry */
	case ENOSPC:
	case EDQUOT:
		return EG_NO_SPACE;
	case ENOMEM:
		return EG_NO_MEMORY;
	default:
		return EG_IO;
	}
}

enum eg_rc eg_fail_errno(struct eg_err *err, const char *fmt, ...)
{
	int number = errno;
	enum eg_rc rc = rc_of_errno(number);
	char buf[128], text[sizeof err->text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	eg_fail(err, rc, "%s: %s", text, strerror_r(number, buf, sizeof buf));
	errno = number;
	return rc;
}

const char *eg_rc_name(enum eg_rc rc)
{
	return row(rc)->name;
}

const char *eg_rc_text(enum eg_rc rc)
{
	return row(rc)->text;
}

const char *eg_rc_label(enum eg_rc rc)
{
	return row(rc)->label;
}

bool eg_rc_retryable(enum eg_rc rc)
{
	return row(rc)->retryable;
}

int eg_rc_grpc(enum eg_rc rc)
{
	return row(rc)->grpc;
}

int eg_rc_exit(enum eg_rc rc)
{
	return row(rc)->exit_code;
}
