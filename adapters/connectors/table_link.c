/* table_link: see table_link.h. */
#include "connectors/table_link.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GRACE_US (2 * EG_SECOND) /* for a driver that keeps its timeout by itself */
#define CLOSE_US EG_SECOND       /* that closing waits for a driver */

/* What the aside owns. */
struct context {
	char *connection, *user, *password;
	struct eg_odbc_options options;
	struct eg_odbc *odbc; /* NULL: not connected yet */
};

struct eg_table_link {
	struct eg_aside *aside; /* NULL: given up */
	struct eg_table_work *lent;
	int64_t query_us, login_us;
	bool connected;
};

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void end(void *p)
{
	struct context *c = p;
	eg_odbc_close(c->odbc);
	free(c->connection);
	free(c->user);
	wipe(c->password);
	free(c);
}

static bool holds_secret(const char *connection)
{
	for (const char *p = connection; p; p = strchr(p, ';')) {
		p += strspn(p, "; ");
		if (strncasecmp(p, "PWD", 3) == 0 || strncasecmp(p, "PASSWORD", 8) == 0)
			return true;
	}
	return false;
}

static unsigned seconds(int64_t us)
{
	return (unsigned)((us + EG_SECOND - 1) / EG_SECOND);
}

enum eg_rc eg_table_link_check(const struct eg_settings *s, struct eg_err *err)
{
	return holds_secret(eg_settings_text(s, "connection"))
	               ? eg_settings_fail(s, "connection", err, "the password belongs into `password`")
	               : EG_OK;
}

enum eg_rc eg_table_link_open(struct eg_table_link **out, const struct eg_settings *s, struct eg_err *err)
{
	const char *text = eg_settings_text(s, "text");
	enum eg_rc rc = eg_table_link_check(s, err);
	if (rc)
		return rc;
	struct eg_table_link *l = calloc(1, sizeof *l);
	struct context *c = calloc(1, sizeof *c);
	if (!l || !c)
		goto memory;
	l->query_us = eg_settings_int(s, "query_timeout");
	l->login_us = eg_settings_int(s, "login_timeout");
	c->connection = strdup(eg_settings_text(s, "connection"));
	c->user = strdup(eg_settings_text(s, "user"));
	c->password = strdup(eg_settings_text(s, "password"));
	if (!c->connection || !c->user || !c->password)
		goto memory;
	c->options = (struct eg_odbc_options){.connection = c->connection,
	                                      .user = c->user,
	                                      .password = c->password,
	                                      .login_s = seconds(l->login_us),
	                                      .query_s = seconds(l->query_us),
	                                      .text = *text == 'w'   ? EG_ODBC_WIDE
	                                              : *text == 'u' ? EG_ODBC_UTF8
	                                                             : EG_ODBC_AUTO};
	if ((rc = eg_aside_open(&l->aside, "adapter-odbc", c, end, err)) != EG_OK)
		goto out;
	*out = l;
	return EG_OK;
memory:
	rc = eg_fail(err, EG_NO_MEMORY, "no memory for a connection");
out:
	if (c)
		end(c);
	free(l);
	return rc;
}

/* The job that nobody has waited for goes with it, whether it has ended or not. */
static void close_aside(struct eg_table_link *l, int64_t mono_deadline_us)
{
	if (eg_aside_close(l->aside, mono_deadline_us) && l->lent)
		l->lent->job.free(&l->lent->job);
	l->aside = NULL;
	l->lent = NULL;
}

void eg_table_link_close(struct eg_table_link *l)
{
	if (!l)
		return;
	close_aside(l, eg_mono_us() + CLOSE_US);
	free(l);
}

/* --- jobs */

static void run(struct eg_aside_job *job, void *context, struct eg_aside *a)
{
	struct eg_table_work *w = (struct eg_table_work *)job;
	struct context *c = context;
	w->rc = c->odbc ? EG_OK : eg_odbc_open(&c->odbc, &c->options, &w->err);
	if (w->rc == EG_OK && !eg_aside_alive(a))
		w->rc = EG_CLOSED;
	if (w->rc == EG_OK)
		w->rc = w->work(w, c->odbc, a, &w->err);
}

void eg_table_link_begin(struct eg_table_link *l, struct eg_table_work *w)
{
	w->job.run = run;
	w->rc = EG_INTERNAL;
	l->lent = w;
	if (l->aside)
		eg_aside_put(l->aside, &w->job);
}

bool eg_table_link_busy(const struct eg_table_link *l)
{
	return l->lent != NULL;
}

static enum eg_rc give_up(struct eg_table_link *l, struct eg_err *err)
{
	close_aside(l, 0);
	return eg_fail(err, EG_UNAVAILABLE,
	               "the database did not answer within its timeout; the connection was given up");
}

enum eg_rc eg_table_link_wait(struct eg_table_link *l, int64_t mono_deadline_us, struct eg_err *err)
{
	if (!l->aside)
		return give_up(l, err);
	int64_t allowed = (l->connected ? l->query_us : l->login_us + l->query_us) + GRACE_US;
	for (;;) {
		int64_t hangs_at = eg_mono_us() + allowed - eg_aside_silent_us(l->aside);
		bool near = hangs_at <= mono_deadline_us;
		if (eg_aside_wait(l->aside, near ? hangs_at : mono_deadline_us))
			break;
		if (eg_aside_silent_us(l->aside) >= allowed)
			return give_up(l, err);
		if (!near)
			return EG_EMPTY;
	}
	l->connected |= l->lent && l->lent->rc == EG_OK;
	l->lent = NULL;
	return EG_OK;
}

enum eg_rc eg_table_link_do(struct eg_table_link *l, struct eg_table_work *w, int64_t mono_deadline_us,
                            struct eg_err *err)
{
	eg_table_link_begin(l, w);
	enum eg_rc rc = eg_table_link_wait(l, mono_deadline_us ? mono_deadline_us : INT64_MAX, err);
	if (rc == EG_EMPTY)
		rc = give_up(l, err);
	if (rc != EG_OK)
		return rc;
	if ((rc = w->rc) != EG_OK) {
		if (err)
			*err = w->err;
		w->job.free(&w->job);
	}
	return rc;
}
