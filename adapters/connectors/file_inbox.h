/* file_inbox: which file of the inbox may be taken next.
 *
 *   seen --whole by its control file, or unchanged for `settle` without one--> ready
 *        --wrong (name, size, control file) and unchanged for `settle`-------> rejected
 *
 * Files go in order within their region: one that is not ready holds the later ones back, until it is
 * rejected for want of its control file (`incomplete_after`). What only its bytes can tell (digest, rows) is
 * judged by whoever reads it. Names that uploads use until they are whole (hidden, *.tmp, *.part, *.filepart,
 * *~) are left alone. Thread: the agent's. */
#ifndef EG_CONNECTORS_FILE_INBOX_H
#define EG_CONNECTORS_FILE_INBOX_H

#include "connectors/file_control.h"
#include "connectors/file_dir.h"
#include "connectors/file_reason.h"
#include "connectors/file_rules.h"
#include "eldergate/connector.h"

#define FILE_ENTRIES_MAX 100000 /* of one folder; more is EG_LIMIT */

struct file_candidate {
	char entry[256];       /* its name in the folder */
	bool fits;             /* the pattern: then `name` is set */
	struct file_name name; /* an orphan's control file: that of the missing file */
	struct file_id id, control_id;
	bool has_control, orphan; /* orphan: a control file without its file */
	int64_t since_us;         /* unchanged since, as seen here (monotonic) */
	int64_t first_us;         /* first seen */
	int64_t not_before_us;    /* rests until then */
	unsigned stuck;           /* how often it could not be moved away */
	bool seen;
};

enum file_choice { CHOICE_NOTHING, CHOICE_WAIT, CHOICE_READY, CHOICE_REJECTED };

struct file_inbox;

/* part: of LISTS only full lists are told, each after the increments before it; of ROWS all else, which does
 * not wait for lists. */
enum eg_rc file_inbox_open(struct file_inbox **out, const struct file_rules *rules, enum eg_part part,
                           struct eg_err *err);
int file_inbox_dir(const struct file_inbox *i); /* its own */
enum eg_rc file_inbox_scan(struct file_inbox *i, int64_t now_us, struct eg_err *err);
/* READY: *out may be read, *control is what its control file says. REJECTED: *out must be moved away because
 * of *reason. WAIT: something is there that is not ready yet. *out lives until the next scan or forget. */
enum file_choice file_inbox_next(struct file_inbox *i, int64_t now_us, struct file_candidate **out,
                                 struct file_control *control, enum file_reason *reason);
/* Is it unchanged for `settle`? Then what is wrong with it now stays wrong. */
bool file_inbox_settled(const struct file_inbox *i, const struct file_candidate *c, int64_t now_us);
/* Does a file become ready, or wrong for good, by nothing but staying as it is for `settle`? *when_us becomes
 * sooner if so. */
bool file_inbox_settling(const struct file_inbox *i, int64_t now_us, int64_t *when_us);
/* The first one that could not be moved away and is still there; NULL: none. */
const struct file_candidate *file_inbox_stuck(const struct file_inbox *i);
struct file_candidate *file_inbox_find(struct file_inbox *i, const char *entry); /* NULL: gone */
void file_inbox_forget(struct file_inbox *i, const char *entry);                 /* it was moved away */
/* Waits until something changes in the folder, or the deadline. True: something did, or nobody can tell. */
bool file_inbox_wait(struct file_inbox *i, int64_t mono_deadline_us);
void file_inbox_close(struct file_inbox *i); /* NULL is fine */

#endif
