/* file_source: see file_source.h. */
#include "connectors/file_source.h"

#include "base/clock.h"
#include "base/log.h"
#include "connectors/file_moving.h"
#include "connectors/file_report.h"
#include "connectors/file_work.h"
#include "connectors/sftp_pull.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file that cannot be moved away is tried again after `retry`, then after twice as long, this many times.
 */
enum { STUCK_DOUBLES_MOST = 6 };

static const char WORK_FOLDER[] = ".eldergate"; /* in the inbox: what moves on must be on its file system */

struct file_source {
	struct file_rules rules;
	struct file_place place;
	struct sftp_pull *pull; /* NULL: a folder only */
	struct sftp_known *known;
	bool once, ending;
	enum eg_part part;
	struct file_work *work; /* NULL: none in work */
	uint64_t next_ref;
	int64_t scanned_us;
};

static enum eg_rc open_folders(struct file_source *s, struct eg_err *err)
{
	struct file_place *p = &s->place;
	enum eg_rc rc = file_inbox_open(&p->inbox, &s->rules, s->part, err);
	if (rc || p->dry)
		return rc;
	int inbox = file_inbox_dir(p->inbox);
	rc = file_dir_sub(&p->done, inbox, s->rules.done, true, false, err);
	if (!rc)
		rc = file_dir_sub(&p->refused, inbox, s->rules.refused, true, false, err);
	if (!rc)
		rc = file_dir_sub(&p->work, inbox, WORK_FOLDER, true, true, err);
	if (!rc)
		rc = file_memory_tidy(&p->memory, &s->rules.pattern, inbox, err);
	if (!rc)
		rc = file_moving_finish(p, err);
	if (!rc)
		file_report_tidy(p->work, inbox);
	return rc;
}

static enum eg_rc open_server(struct file_source *s, struct eg_err *err)
{
	struct sftp_pull_options o = {
	        .rules = &s->rules,
	        .inbox = file_inbox_dir(s->place.inbox),
	        .refused = s->place.refused,
	        .work = s->place.work,
	        .keep = s->place.dry ||
	                strcmp(eg_settings_text(s->rules.settings, "sftp_after"), "keep") == 0};
	enum eg_rc rc = eg_sftp_options_read(&o.server, s->rules.settings, err);
	if (rc || !*o.server.host)
		return rc;
	struct eg_buf known = {0};
	file_memory_pulled(&s->place.memory, &known);
	rc = known.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for known files")
	                  : sftp_known_new(&s->known, (const struct sftp_token *)known.p,
	                                   known.len / sizeof(struct sftp_token), err);
	eg_buf_free(&known);
	o.known = s->known;
	return rc ? rc : sftp_pull_start(&s->pull, &o, err);
}

enum eg_rc file_source_check(const struct eg_settings *s, struct eg_err *err)
{
	struct file_rules rules;
	struct eg_sftp_options server;
	enum eg_rc rc = file_rules_read(&rules, s, err);
	return rc ? rc : eg_sftp_options_read(&server, s, err);
}

enum eg_rc file_source_open(struct file_source **out, const struct eg_connector_options *o,
                            struct eg_err *err)
{
	*out = NULL;
	struct file_source *s = calloc(1, sizeof *s);
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the file connector");
	s->once = o->once;
	s->part = o->part;
	s->next_ref = 1;
	s->scanned_us = INT64_MIN / 2;
	s->place = (struct file_place){
	        .rules = &s->rules,
	        .done = -1,
	        .refused = -1,
	        .work = -1,
	        .columns = file_columns_new(),
	        .memory = {.checkpoint = o->checkpoint, .prefix = o->prefix, .revision = o->revision},
	        .part = o->part,
	        .dry = o->dry};
	enum eg_rc rc = s->place.columns ? file_rules_read(&s->rules, o->settings, err)
	                                 : eg_fail(err, EG_NO_MEMORY, "no memory for the file connector");
	s->place.memory.remember = s->rules.remember;
	if (!rc)
		rc = open_folders(s, err);
	if (!rc && s->part != EG_PART_LISTS) /* one of two fetches */
		rc = open_server(s, err);
	if (rc) {
		file_source_close(s);
		return rc;
	}
	*out = s;
	return EG_OK;
}

void file_source_close(struct file_source *s)
{
	if (!s)
		return;
	sftp_pull_stop(s->pull);
	sftp_known_free(s->known);
	file_work_close(s->work);
	file_inbox_close(s->place.inbox);
	file_columns_free(s->place.columns);
	int *folders[] = {&s->place.done, &s->place.refused, &s->place.work};
	for (unsigned i = 0; i < 3; i++)
		if (*folders[i] >= 0)
			close(*folders[i]);
	free(s);
}

/* ---- choosing ---- */

static enum eg_rc scan(struct file_source *s, struct eg_err *err)
{
	s->scanned_us = eg_mono_us();
	return file_inbox_scan(s->place.inbox, s->scanned_us, err);
}

/* It holds back its region, until somebody mends the folders: nobody can tell us when that is. */
static void stuck(const struct file_source *s, struct file_candidate *c, const struct eg_err *why)
{
	int64_t pause_us = s->rules.retry_us > s->rules.poll_us ? s->rules.retry_us : s->rules.poll_us;
	pause_us <<= c->stuck < STUCK_DOUBLES_MOST ? c->stuck : STUCK_DOUBLES_MOST;
	c->stuck++;
	c->not_before_us = eg_mono_us() + pause_us;
	eg_log(EG_LOG_WARN, "file.refused_stays", EG_T("file", c->fits ? c->name.name : ""),
	       EG_I("try", c->stuck), EG_R("again_after_s", (double)pause_us / 1e6),
	       EG_T("reason", why->text));
}

enum eg_rc file_source_trouble(const struct file_source *s, struct eg_err *err)
{
	const struct file_candidate *c = file_inbox_stuck(s->place.inbox);
	if (!c)
		return EG_OK;
	return eg_fail(
	        err, EG_DENIED,
	        "%s cannot be moved out of the inbox and holds back later files: see who may write to the "
	        "folders (log: file.refused_stays)",
	        c->fits ? c->name.name : "a file");
}

/* Out of the way: moved, or, where that is not possible, tried again later. */
static enum eg_rc refuse(struct file_source *s, struct file_candidate *c, enum file_reason reason,
                         struct eg_err *err)
{
	struct eg_err why = {0};
	enum eg_rc rc = file_refuse(&s->place, c, reason, &why);
	if (!rc && !s->place.dry) {
		file_inbox_forget(s->place.inbox, c->entry);
		return EG_OK;
	}
	if (rc == EG_CONFLICT) /* another one by now: the scan tells */
		return scan(s, err);
	if (!rc || rc == EG_DENIED || rc == EG_INVALID) {
		if (rc)
			stuck(s, c, &why);
		else
			c->not_before_us = INT64_MAX; /* dry: once is enough */
		return EG_OK;
	}
	if (err)
		*err = why;
	return rc;
}

static enum eg_rc begin(struct file_source *s, struct file_candidate *c, const struct file_control *control,
                        struct eg_err *err)
{
	struct eg_err why = {0};
	enum eg_rc rc = file_work_open(&s->work, &s->place, c, control, s->next_ref, &why);
	switch (rc) {
	case EG_NOT_FOUND:
	case EG_CONFLICT:
	case EG_INVALID: /* a link now, where a file was: the scan tells */
		return scan(s, err);
	case EG_DENIED:
		return refuse(s, c, FILE_REASON_UNREADABLE, err);
	default:
		if (rc && err)
			*err = why;
		return rc;
	}
}

/* EG_OK: a file is in work, or something was moved away: look again. EG_EMPTY: nothing now. EG_CLOSED: once,
 * and nothing will come. */
static enum eg_rc choose(struct file_source *s, struct eg_err *err)
{
	bool fresh = eg_mono_us() - s->scanned_us < s->rules.poll_us;
	for (;;) {
		struct file_candidate *c;
		struct file_control control;
		enum file_reason reason;
		enum eg_rc rc = fresh ? EG_OK : scan(s, err);
		if (rc)
			return rc;
		enum file_choice choice =
		        file_inbox_next(s->place.inbox, eg_mono_us(), &c, &control, &reason);
		switch (choice) {
		case CHOICE_READY:
			return begin(s, c, &control, err);
		case CHOICE_REJECTED:
			return refuse(s, c, reason, err);
		case CHOICE_WAIT:
		case CHOICE_NOTHING:
			/* Beside another source this is asked many times a second. What comes is seen by
			 * idle, but not what the other moves away. */
			if (!fresh || s->part == EG_PART_ROWS ||
			    (s->part == EG_PART_LISTS && choice == CHOICE_NOTHING))
				return EG_EMPTY;
			fresh = false;
		}
	}
}

/* ---- waiting ---- */

/* Tokens of fetched files move into the checkpoint; the thread cannot do that. */
static enum eg_rc remember_fetched(struct file_source *s, struct eg_err *err)
{
	struct sftp_token t;
	enum eg_rc rc = EG_OK;
	while (!rc && s->pull && sftp_known_take(s->known, &t))
		if (!s->place.dry)
			rc = file_memory_put_pulled(&s->place.memory, t.bytes, err);
	return rc;
}

/* Nothing to read now. EG_OK: look again; EG_CLOSED: the end, *out says it; EG_EMPTY: the deadline passed. */
static enum eg_rc idle(struct file_source *s, int64_t mono_deadline_us, struct eg_in *out, struct eg_err *err)
{
	int64_t now_us = eg_mono_us(), when_us = now_us + s->rules.poll_us;
	bool there = false;
	struct eg_err why = {0};
	enum eg_rc rc = s->pull ? sftp_pull_state(s->pull, &there, &why) : EG_OK;
	if (rc && rc != EG_EMPTY) {
		if (err)
			*err = why;
		return rc;
	}
	bool settling = file_inbox_settling(s->place.inbox, now_us, &when_us);
	if (s->once && !settling && !there && rc != EG_EMPTY) {
		if (s->ending) {
			*out = (struct eg_in){.kind = EG_IN_END, .place = "", .reason = ""};
			return EG_CLOSED;
		}
		/* Once more: what was fetched after the last scan is in the inbox by now. */
		s->ending = true;
		s->scanned_us = INT64_MIN / 2;
		return EG_OK;
	}
	if (now_us >= mono_deadline_us && s->part == EG_PART_ALL)
		return EG_EMPTY;
	/* Beside another source there is often no time to wait, but what has come must be seen all the same.
	 */
	bool come = file_inbox_wait(s->place.inbox, when_us < mono_deadline_us ? when_us : mono_deadline_us);
	if (now_us >= mono_deadline_us && !come)
		return EG_EMPTY;
	s->scanned_us = INT64_MIN / 2;
	return EG_OK;
}

enum eg_rc file_source_next(struct file_source *s, int64_t mono_deadline_us, struct eg_in *out,
                            struct eg_err *err)
{
	for (;;) {
		enum file_step step = STEP_MORE;
		enum eg_rc rc = remember_fetched(s, err);
		if (rc)
			return rc;
		if (!s->work) {
			rc = choose(s, err);
			if (rc == EG_EMPTY)
				rc = idle(s, mono_deadline_us, out, err);
			if (rc)
				return rc == EG_CLOSED ? EG_OK : rc;
			continue;
		}
		s->ending = false;
		rc = file_work_step(s->work, &step, out, err);
		s->next_ref = file_work_next_ref(s->work);
		if (rc || step == STEP_ITEM)
			return rc;
		if (step == STEP_VERDICTS)
			return EG_EMPTY;
		if (step == STEP_OVER) {
			file_work_close(s->work);
			s->work = NULL;
		}
		if (eg_mono_us() >= mono_deadline_us)
			return s->part == EG_PART_ALL ? EG_EMPTY : EG_BUSY;
	}
}

enum eg_rc file_source_settle(struct file_source *s, const struct eg_verdict *v, unsigned n,
                              struct eg_err *err)
{
	if (!n)
		return EG_OK;
	if (!s->work)
		return eg_fail(err, EG_PRECONDITION, "a verdict for a row that waits for none");
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; !rc && i < n; i++)
		rc = file_work_settle(s->work, &v[i], err);
	return rc ? rc : file_work_save(s->work, err);
}
