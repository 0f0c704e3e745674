/* table_world: an agency's database, beside a table connector that reads or fills it.
 *
 * Which engine: EG_ODBC_CONNECTION (a connection's text) and EG_ODBC_ENGINE (sqlite, postgres, mariadb);
 * without them a SQLite file of its own. EG_ODBC_SERVER: a program that is called with stop, cont or restart.
 */
#ifndef EG_TEST_TABLE_WORLD_H
#define EG_TEST_TABLE_WORLD_H

#include "base/clock.h"
#include "common/checkpoint.h"
#include "common/settings.h"
#include "connectors/aside.h"
#include "connectors/odbc.h"
#include "eldergate/adapter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TAKE_MAX 4096
#define LATE     (eg_mono_us() + 60 * EG_SECOND) /* passes only if something hangs */

struct world {
	char dir[64], connection[512], engine[16];
	struct eg_odbc *agency;
	struct eg_checkpoint *checkpoint;
	struct eg_settings *settings;
	struct eg_connector *c;
};

static inline bool engine_is(const struct world *w, const char *name)
{
	return strcmp(w->engine, name) == 0;
}

static inline struct eg_odbc *connect_agency(const struct world *w)
{
	struct eg_err err = {0};
	struct eg_odbc *o = NULL;
	struct eg_odbc_options options = {
	        .connection = w->connection, .user = "", .password = "", .login_s = 20};
	if (eg_odbc_open(&o, &options, &err))
		fail_msg("%s", err.text);
	return o;
}

static inline enum eg_rc try_on(struct eg_odbc *o, const char *sql)
{
	struct eg_err err = {0};
	int64_t rows;
	enum eg_rc rc = eg_odbc_prepare(o, sql, &err);
	if (!rc)
		rc = eg_odbc_run(o, NULL, 0, &rows, &err);
	eg_odbc_forget(o); /* tables change behind the same text */
	if (rc)
		print_message("%s: %s\n", sql, err.text);
	return rc;
}

static inline void sql_on(struct eg_odbc *o, const char *sql)
{
	assert_int_equal(try_on(o, sql), EG_OK);
}

__attribute__((format(printf, 2, 3))) static inline void sql(struct world *w, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sql_on(w->agency, text);
}

/* All values of a query, with blanks between columns and bars behind rows: "1 0|2 NULL|". */
static inline const char *ask(struct world *w, const char *query)
{
	static char all[65536];
	struct eg_err err = {0};
	const struct eg_odbc_column *columns;
	unsigned n = 0;
	size_t len = 0;
	eg_odbc_forget(w->agency);
	if (eg_odbc_prepare(w->agency, query, &err) || eg_odbc_run(w->agency, NULL, 0, NULL, &err) ||
	    eg_odbc_columns(w->agency, &columns, &n, &err))
		fail_msg("%s: %s", query, err.text);
	all[0] = 0;
	while (eg_odbc_fetch(w->agency, &err) == EG_OK)
		for (unsigned i = 0; i < n; i++) {
			struct eg_buf b = {0};
			bool null;
			assert_int_equal(eg_odbc_value(w->agency, i, 1 << 20, &b, &null, &err), EG_OK);
			len += (size_t)snprintf(all + len, sizeof all - len, "%.*s%c", null ? 4 : (int)b.len,
			                        null  ? "NULL"
			                        : b.p ? (char *)b.p
			                              : "",
			                        i + 1 == n ? '|' : ' ');
			assert_true(len < sizeof all);
			eg_buf_free(&b);
		}
	eg_odbc_done(w->agency);
	eg_odbc_forget(w->agency);
	return all;
}

static inline void assert_asked(struct world *w, const char *query, const char *answer)
{
	assert_string_equal(ask(w, query), answer);
}

static inline int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	const char *connection = getenv("EG_ODBC_CONNECTION"), *engine = getenv("EG_ODBC_ENGINE");
	snprintf(w->dir, sizeof w->dir, "/tmp/eg-table-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->engine, sizeof w->engine, "%s", engine ? engine : "sqlite");
	if (connection)
		snprintf(w->connection, sizeof w->connection, "%s", connection);
	else
		snprintf(w->connection, sizeof w->connection,
		         "Driver=SQLite3;Database=%s/agency.db;Timeout=20000", w->dir);
	w->agency = connect_agency(w);
	struct eg_err err = {0};
	if (eg_checkpoint_open(&w->checkpoint, w->dir, &err))
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

static inline void shut(struct world *w)
{
	eg_connector_table.close(w->c);
	eg_settings_free(w->settings);
	w->c = NULL;
	w->settings = NULL;
}

static inline int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];
	shut(w);
	eg_odbc_close(w->agency);
	eg_checkpoint_close(w->checkpoint);
	snprintf(command, sizeof command, "rm -rf %s", w->dir);
	int rc = system(command); // NOLINT(cert-env33-c): a folder of our own
	free(w);
	return rc;
}

/* As after a restart of the process: only what was saved is left. */
static inline void reopen_checkpoint(struct world *w)
{
	struct eg_err err = {0};
	eg_checkpoint_close(w->checkpoint);
	w->checkpoint = NULL;
	if (eg_checkpoint_open(&w->checkpoint, w->dir, &err))
		fail_msg("%s", err.text);
}

struct how {
	bool once, dry, target;
	const char *yaml; /* without the connection */
};

static inline enum eg_rc try_open(struct world *w, struct how how, struct eg_err *err)
{
	char yaml[4096];
	const struct eg_connector_type *t = &eg_connector_table;
	shut(w);
	snprintf(yaml, sizeof yaml, "connection: '%s'\n%s", w->connection, how.yaml);
	enum eg_rc rc =
	        eg_settings_parse(yaml, "mapping.yaml", how.target ? t->target_settings : t->source_settings,
	                          &w->settings, err);
	if (rc)
		return rc;
	struct eg_connector_options o = {.settings = w->settings,
	                                 .checkpoint = w->checkpoint,
	                                 .prefix = "source.",
	                                 .once = how.once,
	                                 .dry = how.dry};
	return how.target ? t->open_target(&w->c, &o, err) : t->open_source(&w->c, &o, err);
}

static inline void open_table(struct world *w, struct how how)
{
	struct eg_err err = {0};
	if (try_open(w, how, &err))
		fail_msg("%s", err.text);
}

/* What came: "key value|" for each row, with the columns' values. */
struct taken {
	unsigned n;
	uint64_t refs[TAKE_MAX];
	enum eg_in_kind kinds[TAKE_MAX];
	int64_t count, as_of, taken_at; /* of the list that came last */
	char name[65];
	uint64_t generation;
	char columns[512];
	char text[262144];
	size_t len;
};

static inline void note(struct taken *t, const struct eg_in *in)
{
	assert_true(t->n < TAKE_MAX);
	t->refs[t->n] = in->ref;
	t->kinds[t->n++] = in->kind;
	if (in->kind == EG_IN_LIST_BEGIN || in->kind == EG_IN_LIST_END || in->kind == EG_IN_LIST_ABANDON) {
		t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s|",
		                           in->kind == EG_IN_LIST_BEGIN ? "BEGIN"
		                           : in->kind == EG_IN_LIST_END ? "END"
		                                                        : "ABANDON");
		t->count = in->list.count;
		t->as_of = in->list.as_of;
		t->taken_at = in->list.taken_at;
		snprintf(t->name, sizeof t->name, "%s", in->list.name);
		return;
	}
	t->generation = in->columns->generation;
	t->columns[0] = 0;
	for (unsigned i = 0; i < in->columns->n; i++) {
		const struct eg_bytes v = in->values[i];
		snprintf(t->columns + strlen(t->columns), sizeof t->columns - strlen(t->columns), "%s%s",
		         i ? " " : "", in->columns->names[i]);
		t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s%.*s", i ? " " : "",
		                           v.p ? (int)v.len : 4, v.p ? (const char *)v.p : "NULL");
	}
	t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s|",
	                           in->kind == EG_IN_BAD ? " BAD" : "");
	assert_true(t->len < sizeof t->text);
}

/* Takes until the end (once), an error, or `most` rows. */
static inline enum eg_rc take_some(struct world *w, struct taken *t, unsigned most, struct eg_err *err)
{
	int64_t late = LATE;
	memset(t, 0, sizeof *t);
	while (t->n < most) {
		struct eg_in in;
		enum eg_rc rc = eg_connector_table.next(w->c, eg_mono_us() + 50000, &in, err);
		if (rc == EG_EMPTY) {
			assert_true(eg_mono_us() < late);
			continue;
		}
		if (rc || in.kind == EG_IN_END)
			return rc;
		note(t, &in);
	}
	return EG_OK;
}

static inline struct taken *take(struct world *w, unsigned most)
{
	static struct taken t;
	struct eg_err err = {0};
	if (take_some(w, &t, most, &err))
		fail_msg("%s", err.text);
	return &t;
}

#define ALL TAKE_MAX

/* Nothing may come for so long. */
static inline void take_none(struct world *w, int64_t us)
{
	struct eg_in in;
	struct eg_err err = {0};
	for (int64_t until = eg_mono_us() + us; eg_mono_us() < until;)
		assert_int_equal(eg_connector_table.next(w->c, until, &in, &err), EG_EMPTY);
}

static inline struct eg_verdict verdict_of(uint64_t ref, enum eg_verdict_code code)
{
	struct eg_verdict v = {.ref = ref, .code = code, .reason = "", .field = "", .text = ""};
	if (code == EG_VERDICT_REFUSED) {
		v.reason = "ID_CHECK_DIGIT NAME_MISSING";
		v.field = "registration.id_number";
		v.text = "请核对证件号码";
	}
	return v;
}

static inline enum eg_rc try_settle(struct world *w, const struct taken *t, enum eg_verdict_code code,
                                    struct eg_err *err)
{
	static struct eg_verdict v[TAKE_MAX];
	for (unsigned i = 0; i < t->n; i++)
		v[i] = verdict_of(t->refs[i], code);
	return eg_connector_table.settle(w->c, v, t->n, err);
}

static inline void settle(struct world *w, const struct taken *t, enum eg_verdict_code code)
{
	struct eg_err err = {0};
	if (try_settle(w, t, code, &err))
		fail_msg("%s", err.text);
}

#endif
