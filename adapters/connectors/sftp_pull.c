/* sftp_pull: see sftp_pull.h.
 *
 *   away --connect--> pass --every file looked at--> rest --poll--> pass
 *     ^                 |failure                                      |failure
 *     +--retry----------+---------------------------------------------+
 *
 * `lock` guards what both threads see; all else is the pulling thread's. */
#include "connectors/sftp_pull.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "connectors/file_control.h"
#include "connectors/file_dir.h"
#include "trust/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_CAP = 320 };

/* A file there, and since when it has looked like this. */
struct remote {
	struct eg_sftp_file file;
	int64_t since_us;
	bool seen;
};

struct sftp_pull {
	const struct file_rules *rules;
	struct eg_sftp_options server;
	int inbox;
	bool keep;
	struct eg_thread *thread;

	struct remote *remotes;
	size_t n, cap;
	int64_t now_us;
	bool no_memory;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct eg_sftp *sftp; /* set under lock, used by the pulling thread */
	bool stop, waits;
	enum eg_rc rc; /* of the last pass */
	struct eg_err err;
	struct sftp_pull_token *known; /* those from `told` on are not fetched by the agent yet */
	size_t n_known, cap_known, told;
};

static bool stopped(struct sftp_pull *p)
{
	pthread_mutex_lock(&p->lock);
	bool stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

/* ---- what is known ---- */

static struct sftp_pull_token token_of(const struct eg_sftp_file *f)
{
	struct eg_buf b = {0};
	uint8_t hash[EG_HASH_SIZE];
	struct sftp_pull_token t;
	eg_buf_printf(&b, "%" PRIu64 " %" PRIu32 " %s", f->size, f->changed, f->name);
	struct eg_bytes bytes = eg_buf_bytes(&b);
	eg_sha256(&bytes, 1, hash);
	eg_buf_free(&b);
	memcpy(t.bytes, hash, sizeof t.bytes);
	return t;
}

static bool is_known(struct sftp_pull *p, const struct eg_sftp_file *f)
{
	struct sftp_pull_token t = token_of(f);
	bool found = false;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_known && !found; i++)
		found = memcmp(&p->known[i], &t, sizeof t) == 0;
	pthread_mutex_unlock(&p->lock);
	return found;
}

static enum eg_rc know(struct sftp_pull *p, const struct eg_sftp_file *f, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	pthread_mutex_lock(&p->lock);
	if (p->n_known == p->cap_known) {
		size_t cap = p->cap_known ? 2 * p->cap_known : 64;
		void *known = realloc(p->known, cap * sizeof *p->known);
		if (known) {
			p->known = known;
			p->cap_known = cap;
		} else {
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for fetched files");
		}
	}
	if (!rc)
		p->known[p->n_known++] = token_of(f);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

bool sftp_pull_fetched(struct sftp_pull *p, struct sftp_pull_token *out)
{
	pthread_mutex_lock(&p->lock);
	bool any = p->told < p->n_known;
	if (any)
		*out = p->known[p->told++];
	pthread_mutex_unlock(&p->lock);
	return any;
}

/* ---- the listing ---- */

static struct remote *find(struct sftp_pull *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->remotes[i].file.name, name) == 0)
			return &p->remotes[i];
	return NULL;
}

static bool wanted(const struct sftp_pull *p, const char *name)
{
	struct file_name parts;
	char file[256];
	size_t n = strlen(name), m = strlen(p->rules->control);
	snprintf(file, sizeof file, "%s", name);
	if (m && n > m && strcmp(name + n - m, p->rules->control) == 0)
		file[n - m] = 0;
	return file_pattern_match(&p->rules->pattern, file, &parts);
}

static bool look(void *arg, const struct eg_sftp_file *f)
{
	struct sftp_pull *p = arg;
	if (!f->regular || !wanted(p, f->name))
		return true;
	struct remote *r = find(p, f->name);
	if (r) {
		if (r->file.size != f->size || r->file.changed != f->changed)
			r->since_us = p->now_us;
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

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct remote *)a)->file.name, ((const struct remote *)b)->file.name);
}

static enum eg_rc list(struct sftp_pull *p, struct eg_err *err)
{
	p->now_us = eg_mono_us();
	p->no_memory = false;
	for (size_t i = 0; i < p->n; i++)
		p->remotes[i].seen = false;
	enum eg_rc rc = eg_sftp_each(p->sftp, look, p, err);
	if (!rc && p->no_memory)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a folder");
	if (rc)
		return rc;
	size_t kept = 0;
	for (size_t i = 0; i < p->n; i++)
		if (p->remotes[i].seen)
			p->remotes[kept++] = p->remotes[i];
	p->n = kept;
	if (p->n)
		qsort(p->remotes, p->n, sizeof *p->remotes, by_name);
	return EG_OK;
}

/* ---- fetching ---- */

static enum eg_rc fetch_one(struct sftp_pull *p, const char *name, uint64_t max, struct eg_err *err)
{
	char beside[NAME_CAP];
	snprintf(beside, sizeof beside, ".%s.fetch", name);
	int fd = openat(p->inbox, beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return eg_fail_errno(err, "making a file in the inbox");
	enum eg_rc rc = eg_sftp_fetch(p->sftp, name, max, fd, err);
	if (!rc)
		rc = file_sync(fd, err);
	if (close(fd) != 0 && !rc)
		rc = eg_fail_errno(err, "closing a file in the inbox");
	if (!rc)
		rc = file_move(p->inbox, beside, p->inbox, name, err);
	if (rc)
		unlinkat(p->inbox, beside, 0);
	return rc;
}

static enum eg_rc away(struct sftp_pull *p, const char *name, struct eg_err *err)
{
	char other[NAME_CAP];
	enum eg_rc rc = eg_sftp_move(p->sftp, name, p->rules->done, name, err);
	for (unsigned i = 2; rc == EG_EXISTS && i < 1000; i++) {
		snprintf(other, sizeof other, "%s.%u", name, i);
		rc = eg_sftp_move(p->sftp, name, p->rules->done, other, err);
	}
	return rc;
}

static bool in_inbox(const struct sftp_pull *p, const char *name)
{
	struct file_id id;
	return file_stat(p->inbox, name, &id, NULL) != EG_NOT_FOUND;
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

/* One file with its control file. *waits: it does not count as whole yet, or has no room. */
static enum eg_rc take(struct sftp_pull *p, const struct remote *r, bool *waits, struct eg_err *err)
{
	char control[NAME_CAP];
	struct file_name parts;
	const char *name = r->file.name;
	const struct remote *c = NULL;
	if (!file_pattern_match(&p->rules->pattern, name, &parts) || is_known(p, &r->file))
		return EG_OK;
	if (*p->rules->control) {
		snprintf(control, sizeof control, "%s%s", name, p->rules->control);
		c = find(p, control);
		if (!c)
			return EG_OK;
	}
	*waits = true;
	if (!c && p->now_us - r->since_us < p->rules->settle_us)
		return EG_OK;
	struct waiting w = {.pull = p};
	enum eg_rc rc = file_each(p->inbox, count, &w, err);
	/* A former fetch still waits to be read; afterwards this one is known as repeated. */
	if (rc || w.n >= SFTP_PULL_AHEAD || in_inbox(p, name) || (c && in_inbox(p, control)))
		return rc;
	if (r->file.size > p->rules->max_bytes) {
		eg_log(EG_LOG_WARN, "file.too_large_there", EG_T("file", name));
		rc = EG_OK;
	} else {
		rc = fetch_one(p, name, p->rules->max_bytes, err);
		if (!rc && c)
			rc = fetch_one(p, control, FILE_CONTROL_MAX, err);
	}
	if (!rc)
		rc = p->keep ? know(p, &r->file, err) : away(p, name, err);
	if (!rc && !p->keep && c)
		rc = away(p, control, err);
	if (rc == EG_CONFLICT || rc == EG_NOT_FOUND)
		return EG_OK; /* it is being written, or somebody took it: the next pass sees */
	if (!rc) {
		*waits = false;
		eg_log(EG_LOG_INFO, "file.fetched", EG_T("file", name), EG_I("bytes", r->file.size));
	}
	return rc;
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
	struct eg_sftp *s = eg_sftp_new(&p->server);
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
	p->rules = o->rules;
	p->server = o->server;
	p->inbox = o->inbox;
	p->keep = o->keep;
	p->rc = EG_EMPTY;
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	enum eg_rc rc = EG_OK;
	if (o->n_known) {
		p->known = malloc(o->n_known * sizeof *p->known);
		if (!p->known)
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for fetched files");
		else
			memcpy(p->known, o->known, o->n_known * sizeof *p->known);
		p->n_known = p->cap_known = p->told = p->known ? o->n_known : 0;
	}
	if (!rc)
		rc = eg_thread_start(&p->thread, "sftp-pull", run, p, err);
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
	free(p->known);
	free(p);
}
