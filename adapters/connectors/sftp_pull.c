/* sftp_pull: see sftp_pull.h.
 *
 *   away --connect--> pass --every file looked at--> rest --poll--> pass
 *     ^                 |failure                                      |failure
 *     +--retry----------+---------------------------------------------+
 *
 * `lock` guards what both threads see; all else is the pulling thread's. */
#include "connectors/sftp_pull.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/thread.h"
#include "connectors/file_control.h"
#include "connectors/file_dir.h"
#include "connectors/file_reason.h"
#include "connectors/file_report.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_CAP = 320, REPORT_MAX = 64 * 1024 };

/* A file there that is not known, and since when it has looked like this. */
struct remote {
	struct eg_sftp_file file, control;
	int64_t since_us;
	int64_t not_before_us; /* it failed: when it is tried again */
	bool seen, has_control;
};

struct sftp_pull {
	struct sftp_pull_options o;
	const struct file_rules *rules;
	struct eg_thread *thread;

	struct remote *remotes; /* by name, but for those that the listing under way adds */
	size_t n, n_sorted, cap;
	int64_t now_us;
	bool no_memory;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct eg_sftp *sftp; /* set under lock, used by the pulling thread */
	bool stop, waits;
	enum eg_rc rc; /* of the last pass */
	struct eg_err err;
};

static bool stopped(struct sftp_pull *p)
{
	pthread_mutex_lock(&p->lock);
	bool stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

/* ---- the listing ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct remote *)a)->file.name, ((const struct remote *)b)->file.name);
}

static struct remote *find(struct sftp_pull *p, const char *name)
{
	struct remote key = {0};
	snprintf(key.file.name, sizeof key.file.name, "%s", name);
	return p->n_sorted ? bsearch(&key, p->remotes, p->n_sorted, sizeof key, by_name) : NULL;
}

/* Known ones take no room: a folder where everything stays may hold any number of them. */
static bool look(void *arg, const struct eg_sftp_file *f)
{
	struct sftp_pull *p = arg;
	struct file_name parts;
	if (!f->regular || !file_pattern_match(&p->rules->pattern, f->name, &parts) ||
	    sftp_known_has(p->o.known, f))
		return true;
	struct remote *r = find(p, f->name);
	if (r) {
		if (r->file.size != f->size || r->file.changed != f->changed) {
			r->since_us = p->now_us;
			r->not_before_us = 0; /* another one */
		}
		r->file = *f;
		r->seen = true;
		return true;
	}
	if (p->n == SFTP_PULL_LISTED)
		return false; /* the rest after these */
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 64;
		struct remote *remotes = realloc(p->remotes, cap * sizeof *remotes);
		if (!remotes) {
			p->no_memory = true;
			return false;
		}
		p->remotes = remotes;
		p->cap = cap;
	}
	p->remotes[p->n++] = (struct remote){.file = *f, .since_us = p->now_us, .seen = true};
	return true;
}

/* Control files are looked for afterwards, so that those of known files take no room either. */
static bool look_for_control(void *arg, const struct eg_sftp_file *f)
{
	struct sftp_pull *p = arg;
	char file[256];
	size_t n = strlen(f->name), m = strlen(p->rules->control);
	if (!f->regular || n <= m || strcmp(f->name + n - m, p->rules->control) != 0)
		return true;
	snprintf(file, sizeof file, "%.*s", (int)(n - m), f->name);
	struct remote *r = find(p, file);
	if (r) {
		r->control = *f;
		r->has_control = true;
	}
	return true;
}

static enum eg_rc list(struct sftp_pull *p, struct eg_err *err)
{
	p->now_us = eg_mono_us();
	p->no_memory = false;
	p->n_sorted = p->n;
	for (size_t i = 0; i < p->n; i++)
		p->remotes[i].seen = p->remotes[i].has_control = false;
	enum eg_rc rc = eg_sftp_each(p->sftp, look, p, err);
	if (!rc && p->no_memory)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a folder");
	size_t kept = 0;
	for (size_t i = 0; i < p->n; i++)
		if (rc || p->remotes[i].seen)
			p->remotes[kept++] = p->remotes[i];
	p->n = kept;
	if (p->n)
		qsort(p->remotes, p->n, sizeof *p->remotes, by_name);
	p->n_sorted = p->n;
	return rc || !p->n || !*p->rules->control ? rc : eg_sftp_each(p->sftp, look_for_control, p, err);
}

/* ---- fetching ---- */

/* *ours: nothing is wrong with the file there. */
static enum eg_rc fetch_one(struct sftp_pull *p, const char *name, uint64_t max, bool *ours,
                            struct eg_err *err)
{
	char beside[NAME_CAP];
	bool writing = false;
	snprintf(beside, sizeof beside, ".%s.fetch", name);
	*ours = true;
	int fd = openat(p->o.inbox, beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return eg_fail_errno(err, "making a file in the inbox");
	enum eg_rc rc = eg_sftp_fetch(p->sftp, name, max, fd, &writing, err);
	*ours = !rc || writing;
	if (!rc)
		rc = file_sync(fd, err);
	if (close(fd) != 0 && !rc)
		rc = eg_fail_errno(err, "closing a file in the inbox");
	eg_kill_point("sftp.fetched");
	if (!rc)
		rc = file_move(p->o.inbox, beside, p->o.inbox, name, err);
	if (rc)
		unlinkat(p->o.inbox, beside, 0);
	return rc;
}

/* Into a folder there, under a name that is free; new_name holds NAME_CAP. */
static enum eg_rc move_there(struct sftp_pull *p, const char *name, const char *folder, char *new_name,
                             struct eg_err *err)
{
	snprintf(new_name, NAME_CAP, "%s", name);
	enum eg_rc rc = eg_sftp_move(p->sftp, name, folder, new_name, err);
	for (unsigned i = 2; rc == EG_EXISTS && i < 1000; i++) {
		snprintf(new_name, NAME_CAP, "%s.%u", name, i);
		rc = eg_sftp_move(p->sftp, name, folder, new_name, err);
	}
	return rc;
}

/* Is it the server that failed, or the connection, and not what this file is? */
static bool of_server(enum eg_rc rc)
{
	return rc == EG_UNAVAILABLE || rc == EG_UNAUTHENTICATED || rc == EG_NO_MEMORY || rc == EG_CLOSED;
}

static void told(const struct remote *r, const char *event, const struct eg_err *why)
{
	eg_log(EG_LOG_WARN, event, EG_T("file", r->file.name), EG_T("error", eg_rc_name(why->rc)),
	       EG_T("text", why->text));
}

/* It will not be looked at again: moved, or remembered. One that cannot be moved would be fetched for ever.
 */
static enum eg_rc done_with(struct sftp_pull *p, const struct remote *r, const char *folder, char *new_name,
                            struct eg_err *err)
{
	char other[NAME_CAP];
	enum eg_rc rc = EG_DENIED;
	eg_kill_point("sftp.before_away");
	if (!p->o.keep) {
		rc = move_there(p, r->file.name, folder, new_name, err);
		eg_kill_point("sftp.between_aways");
		if (!rc && r->has_control)
			rc = move_there(p, r->control.name, folder, other, err);
		if (rc == EG_NOT_FOUND) /* somebody took it */
			rc = EG_OK;
		if (rc && of_server(rc))
			return rc;
		if (rc)
			told(r, "file.stays_there", err);
	}
	return rc ? sftp_known_add(p->o.known, &r->file, err) : EG_OK;
}

/* What the report in our own folder says is told beside the file there, too. */
static void report_there(struct sftp_pull *p, const struct remote *r, const char *report, const char *beside)
{
	char name[NAME_CAP];
	struct eg_buf text = {0};
	struct eg_err err = {0};
	snprintf(name, sizeof name, "%.290s.report.csv", beside);
	enum eg_rc rc = file_get(p->o.refused, report, REPORT_MAX, &text, &err);
	if (!rc)
		rc = eg_sftp_put(p->sftp, name, eg_buf_bytes(&text), &err);
	if (!rc)
		rc = eg_sftp_move(p->sftp, name, p->rules->refused, name, &err);
	if (rc)
		told(r, "file.report_not_there", &err);
	eg_buf_free(&text);
}

/* Never fetched, so there is nothing to move here: only the report. */
static enum eg_rc refuse_there(struct sftp_pull *p, const struct remote *r, enum file_reason reason,
                               struct eg_err *err)
{
	const struct file_counts none = {0};
	char name[256], there[NAME_CAP], published[NAME_CAP];
	struct file_report *report = NULL;
	eg_log(EG_LOG_WARN, "file.refused_there", EG_T("file", r->file.name),
	       EG_T("reason", file_reason_code(reason)), EG_I("bytes", r->file.size));
	if (p->o.refused < 0) /* dry: told, and not looked at again */
		return sftp_known_add(p->o.known, &r->file, err);
	enum eg_rc rc = file_free_name(p->o.refused, r->file.name, name, err);
	if (!rc)
		rc = file_report_open(&report, p->o.work, r->file.name, 0, err);
	if (!rc)
		rc = file_report_publish(report, p->o.refused, name, "refused", file_reason_code(reason),
		                         file_reason_text(reason), none, err);
	file_report_close(report);
	if (rc)
		return rc;
	file_report_drop(p->o.work, r->file.name);
	snprintf(there, sizeof there, "%s", r->file.name);
	rc = done_with(p, r, p->rules->refused, there, err);
	snprintf(published, sizeof published, "%s.report.csv", name);
	if (!rc && !p->o.keep)
		report_there(p, r, published, there);
	return rc;
}

static bool in_inbox(const struct sftp_pull *p, const char *name)
{
	struct file_id id;
	return file_stat(p->o.inbox, name, &id, NULL) != EG_NOT_FOUND;
}

struct waiting {
	const struct sftp_pull *pull;
	unsigned n;
};

static bool count(void *arg, const char *name)
{
	struct waiting *w = arg;
	w->n += name[0] != '.' && strcmp(name, w->pull->rules->done) != 0 &&
	        strcmp(name, w->pull->rules->refused) != 0;
	return w->n < SFTP_PULL_AHEAD;
}

/* Fetches both. *reason: what is wrong with it for good. */
static enum eg_rc fetch_both(struct sftp_pull *p, const struct remote *r, enum file_reason *reason,
                             bool *ours, struct eg_err *err)
{
	*reason = FILE_REASON_NONE;
	*ours = false;
	if (r->file.size > p->rules->max_bytes) {
		*reason = FILE_REASON_TOO_LARGE;
		return eg_fail(err, EG_LIMIT, "SFTP: a file is larger than max_size");
	}
	enum eg_rc rc = fetch_one(p, r->file.name, p->rules->max_bytes, ours, err);
	if (rc == EG_LIMIT)
		*reason = FILE_REASON_TOO_LARGE;
	if (!rc && r->has_control) {
		rc = fetch_one(p, r->control.name, FILE_CONTROL_MAX, ours, err);
		if (rc == EG_LIMIT)
			*reason = FILE_REASON_CONTROL_INVALID;
		if (rc)
			unlinkat(p->o.inbox, r->file.name, 0);
	}
	if (rc == EG_DENIED && !*ours)
		*reason = FILE_REASON_UNREADABLE;
	return rc;
}

/* One file with its control file. *waits: it does not count as whole yet, or has no room. */
static enum eg_rc take(struct sftp_pull *p, struct remote *r, bool *waits, struct eg_err *err)
{
	const char *name = r->file.name;
	char there[NAME_CAP];
	enum file_reason reason;
	bool ours = true;
	if ((*p->rules->control && !r->has_control) || p->now_us < r->not_before_us)
		return EG_OK;
	*waits = true;
	if (!r->has_control && p->now_us - r->since_us < p->rules->settle_us)
		return EG_OK;
	struct waiting w = {.pull = p};
	enum eg_rc rc = file_each(p->o.inbox, count, &w, err);
	bool file = in_inbox(p, name), control = r->has_control && in_inbox(p, r->control.name);
	/* A fetch that was cut off between the two: as long as its control file is missing nobody reads it.
	 */
	if (!rc && file && r->has_control && !control) {
		unlinkat(p->o.inbox, name, 0);
		file = false;
	}
	/* A former fetch still waits to be read; afterwards this one is known as repeated. */
	if (rc || w.n >= SFTP_PULL_AHEAD || file || control)
		return rc;
	rc = fetch_both(p, r, &reason, &ours, err);
	if (!rc) {
		eg_log(EG_LOG_INFO, "file.fetched", EG_T("file", name), EG_I("bytes", r->file.size));
		*waits = false;
		return done_with(p, r, p->rules->done, there, err);
	}
	if (rc == EG_CONFLICT || rc == EG_NOT_FOUND)
		return EG_OK; /* it is being written, or somebody took it: the next pass sees */
	if (ours || of_server(rc))
		return rc;
	*waits = false;
	if (reason)
		return refuse_there(p, r, reason, err);
	told(r, "file.not_fetched", err);
	r->not_before_us = eg_mono_us() + p->rules->retry_us;
	return EG_OK;
}

static enum eg_rc pass(struct sftp_pull *p, bool *waits, struct eg_err *err)
{
	enum eg_rc rc = list(p, err);
	for (size_t i = 0; !rc && i < p->n && !stopped(p); i++) {
		bool one = false;
		rc = take(p, &p->remotes[i], &one, err);
		*waits = *waits || one;
	}
	return rc;
}

/* ---- the thread ---- */

static void disconnect(struct sftp_pull *p)
{
	pthread_mutex_lock(&p->lock);
	struct eg_sftp *s = p->sftp;
	p->sftp = NULL;
	pthread_mutex_unlock(&p->lock);
	eg_sftp_close(s);
}

static enum eg_rc connect_again(struct sftp_pull *p, struct eg_err *err)
{
	struct eg_sftp *s = eg_sftp_new(&p->o.server);
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a connection");
	pthread_mutex_lock(&p->lock);
	p->sftp = s;
	if (p->stop)
		eg_sftp_cut(s);
	pthread_mutex_unlock(&p->lock);
	return eg_sftp_connect(s, err);
}

static void run(void *arg)
{
	struct sftp_pull *p = arg;
	while (!stopped(p)) {
		struct eg_err err = {0};
		bool waits = false;
		enum eg_rc rc = p->sftp ? EG_OK : connect_again(p, &err);
		if (!rc)
			rc = pass(p, &waits, &err);
		if (rc) {
			if (!stopped(p))
				eg_log_err(EG_LOG_WARN, "file.sftp_failed", &err);
			disconnect(p);
		}
		pthread_mutex_lock(&p->lock);
		p->rc = rc;
		p->err = err;
		p->waits = waits;
		struct timespec until =
		        eg_mono_deadline(eg_mono_us() + (rc ? p->rules->retry_us : p->rules->poll_us));
		int over = 0;
		while (!p->stop && !over)
			over = pthread_cond_timedwait(&p->changed, &p->lock, &until);
		pthread_mutex_unlock(&p->lock);
	}
	disconnect(p);
}

enum eg_rc sftp_pull_start(struct sftp_pull **out, const struct sftp_pull_options *o, struct eg_err *err)
{
	*out = NULL;
	struct sftp_pull *p = calloc(1, sizeof *p);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a connection");
	p->o = *o;
	p->rules = o->rules;
	p->rc = EG_EMPTY;
	pthread_mutex_init(&p->lock, NULL);
	eg_mono_cond(&p->changed);
	enum eg_rc rc = eg_thread_start(&p->thread, "sftp-pull", run, p, err);
	if (rc) {
		sftp_pull_stop(p);
		return rc;
	}
	*out = p;
	return EG_OK;
}

enum eg_rc sftp_pull_state(struct sftp_pull *p, bool *waits, struct eg_err *err)
{
	pthread_mutex_lock(&p->lock);
	enum eg_rc rc = p->rc;
	*waits = p->waits;
	if (rc && err)
		*err = p->err;
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void sftp_pull_stop(struct sftp_pull *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	if (p->sftp)
		eg_sftp_cut(p->sftp);
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	eg_thread_join(p->thread);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->remotes);
	free(p);
}
