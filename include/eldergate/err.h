/* err: the one error type, on the caller's stack.
 *
 * A function that can fail returns eg_rc and, on failure, fills the struct eg_err it was given (which may be
 * NULL). The text names what was wrong and what to do; it never holds an ID number, a name or any other
 * record value. Thread: any. Owns nothing. */
#ifndef ELDERGATE_ERR_H
#define ELDERGATE_ERR_H

#include <stdbool.h>

enum eg_rc {
#define X(name, number, retryable, grpc, exit_code, label, text) EG_##name = (number),
#include "eldergate/errors.def"
#undef X
};

struct eg_err {
	enum eg_rc rc;
	bool fatal; /* the process must stop: going on could break a promise (fsync failed, store corrupt) */
	char field[96]; /* path of the offending field ("records[3].registration.name"), or "" */
	char text[320]; /* one sentence, no record values */
};

/* Sets *err (if not NULL) and returns rc, so that `return eg_fail(err, EG_IO, "...")` is one line. */
enum eg_rc eg_fail(struct eg_err *err, enum eg_rc rc, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* The same with the field's path. */
enum eg_rc eg_fail_field(struct eg_err *err, enum eg_rc rc, const char *field, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
/* The same with strerror(errno) behind the text; EMFILE, ENOSPC and ENOMEM choose their own code. */
enum eg_rc eg_fail_errno(struct eg_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *eg_rc_name(enum eg_rc rc); /* "NO_SPACE" */
const char *eg_rc_text(enum eg_rc rc);
const char *eg_rc_label(enum eg_rc rc); /* metric label */
bool eg_rc_retryable(enum eg_rc rc);
int eg_rc_grpc(enum eg_rc rc); /* google.rpc.Code */
int eg_rc_exit(enum eg_rc rc);

#endif
