/* odbc: unixODBC behind odbc.h.
 *
 * Drivers differ in what they do with text. PostgreSQL's and MariaDB's speak UTF-16 (SQL_C_WCHAR) and give
 * characters beyond the first plane as surrogate pairs; SQLite's has no wide functions and hands its UTF-8
 * through as bytes. The driver manager would convert between the two by the process's locale, so it never
 * gets the chance: the form is chosen once, by whether the driver offers a wide text type. */
#include "connectors/odbc.h"

#include "connectors/utf16.h"

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE      4096 /* bytes of a value asked for at once */
#define NAME_UNITS 256  /* of a column's name */
#define WORDS_MAX  160  /* of a driver's own message */

_Static_assert(sizeof(SQLWCHAR) == sizeof(uint16_t), "unixODBC is built for two-byte characters");

struct eg_odbc {
	SQLHENV env;
	SQLHDBC dbc;
	SQLHSTMT stmt;
	bool connected, wide, open, manual;
	char quote;
	unsigned query_s;
	char *sql; /* what stmt is prepared for; NULL: nothing */
	struct eg_odbc_column *columns;
	unsigned n_columns;
	struct eg_buf params; /* values as the driver is given them */
	SQLLEN lengths[EG_ODBC_PARAMS];
	char state[6];
};

static bool good(SQLRETURN r)
{
	return r == SQL_SUCCESS || r == SQL_SUCCESS_WITH_INFO;
}

static struct eg_bytes text_of(const char *s)
{
	return eg_bytes_of(s);
}

/* What a SQLSTATE means to a caller. */
static enum eg_rc class_of(const char *state, SQLINTEGER number)
{
	/* SQLite's driver says HY000 for everything: its number is SQLite's result code. */
	bool general = strcmp(state, "HY000") == 0;
	if (strncmp(state, "23", 2) == 0 || (general && number == 19))
		return EG_EXISTS;
	if (strncmp(state, "22", 2) == 0 || strcmp(state, "07006") == 0 || (general && number == 20))
		return EG_INVALID;
	if (strncmp(state, "40", 2) == 0 || (general && (number == 5 || number == 6)))
		return EG_CONFLICT;
	if (strncmp(state, "28", 2) == 0 || strncmp(state, "IM", 2) == 0)
		return EG_CONFIG;
	return EG_UNAVAILABLE;
}

/* The first diagnostic as an error. words: the driver's own may be shown, but for hidden. */
static enum eg_rc fail(struct eg_odbc *o, SQLSMALLINT kind, SQLHANDLE handle, const char *what, bool words,
                       const char *hidden, struct eg_err *err)
{
	SQLWCHAR state[6] = {0}, message[512] = {0};
	SQLINTEGER number = 0;
	SQLSMALLINT len = 0;
	if (!good(SQLGetDiagRecW(kind, handle, 1, state, &number, message, 512, &len))) {
		snprintf(o->state, sizeof o->state, "HY000");
		return eg_fail(err, EG_UNAVAILABLE, "%s: the driver failed without a reason", what);
	}
	for (int i = 0; i < 5; i++)
		o->state[i] = (char)state[i];
	o->state[5] = 0;
	enum eg_rc rc = class_of(o->state, number);
	struct eg_buf b = {0};
	uint16_t pending = 0;
	size_t units = 0;
	while (units < 511 && message[units])
		units++;
	if (words)
		eg_utf16_add(&b, message, units, &pending);
	eg_buf_add_u8(&b, 0);
	char *said = b.failed ? "" : (char *)b.p;
	if (hidden && *hidden && strstr(said, hidden))
		said = "";
	for (char *p = said; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	rc = eg_fail(err, rc, "%s: SQLSTATE %s, driver's number %d%s%.*s", what, o->state, (int)number,
	             *said ? ": " : "", WORDS_MAX, said);
	eg_buf_free(&b);
	return rc;
}

static enum eg_rc fail_statement(struct eg_odbc *o, const char *what, bool words, struct eg_err *err)
{
	return fail(o, SQL_HANDLE_STMT, o->stmt, what, words, NULL, err);
}

/* --- opening */

/* A value of the connection's text: in braces, if it holds what would end it. */
static void add_attribute(struct eg_buf *b, const char *name, const char *value)
{
	eg_buf_printf(b, "%s%s=", b->len && b->p[b->len - 1] != ';' ? ";" : "", name);
	if (!strpbrk(value, "[]{}(),;?*=!@ ")) {
		eg_buf_add(b, value, strlen(value));
		return;
	}
	eg_buf_add_u8(b, '{');
	for (const char *p = value; *p; p++) {
		if (*p == '}')
			eg_buf_add_u8(b, '}');
		eg_buf_add_u8(b, (uint8_t)*p);
	}
	eg_buf_add_u8(b, '}');
}

static enum eg_rc connect_to(struct eg_odbc *o, const struct eg_odbc_options *options, struct eg_err *err)
{
	struct eg_buf narrow = {0}, wide = {0};
	enum eg_rc rc = EG_OK;
	eg_buf_printf(&narrow, "%s", options->connection);
	if (*options->user)
		add_attribute(&narrow, "UID", options->user);
	if (*options->password)
		add_attribute(&narrow, "PWD", options->password);
	if (!eg_utf16_of(&wide, eg_buf_bytes(&narrow)))
		rc = eg_fail(err, EG_CONFIG, "the connection's text is not UTF-8");
	else if (narrow.failed || wide.failed || wide.len / 2 > INT16_MAX)
		rc = eg_fail(err, EG_CONFIG, "the connection's text is too long");
	if (rc == EG_OK &&
	    !good(SQLDriverConnectW(o->dbc, NULL, (SQLWCHAR *)(void *)wide.p, (SQLSMALLINT)(wide.len / 2),
	                            NULL, 0, NULL, SQL_DRIVER_NOPROMPT)))
		rc = fail(o, SQL_HANDLE_DBC, o->dbc, "connecting to the database", true, options->password,
		          err);
	eg_buf_free(&narrow);
	eg_buf_free(&wide);
	o->connected = rc == EG_OK;
	return rc;
}

/* Does the driver offer a wide text type? One that has no such question does not. */
static bool has_wide(struct eg_odbc *o)
{
	bool yes = good(SQLGetTypeInfo(o->stmt, SQL_WVARCHAR)) && good(SQLFetch(o->stmt));
	SQLFreeStmt(o->stmt, SQL_CLOSE);
	return yes;
}

static void set_number(SQLHDBC dbc, SQLINTEGER attribute, SQLULEN value)
{
	SQLSetConnectAttr(dbc, attribute, (SQLPOINTER)value, SQL_IS_UINTEGER); // NOLINT: as ODBC wants it
}

enum eg_rc eg_odbc_open(struct eg_odbc **out, const struct eg_odbc_options *options, struct eg_err *err)
{
	enum eg_rc rc;
	struct eg_odbc *o = calloc(1, sizeof *o);
	if (!o)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a connection");
	o->query_s = options->query_s;
	if (!good(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &o->env)) ||
	    !good(SQLSetEnvAttr(o->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0)) || // NOLINT
	    !good(SQLAllocHandle(SQL_HANDLE_DBC, o->env, &o->dbc))) {
		rc = eg_fail(err, EG_NO_MEMORY, "unixODBC gave no handle");
		goto out;
	}
	if (options->login_s)
		set_number(o->dbc, SQL_ATTR_LOGIN_TIMEOUT, options->login_s);
	if ((rc = connect_to(o, options, err)) != EG_OK)
		goto out;
	if (!good(SQLAllocHandle(SQL_HANDLE_STMT, o->dbc, &o->stmt))) {
		rc = fail(o, SQL_HANDLE_DBC, o->dbc, "making a statement", true, NULL, err);
		goto out;
	}
	o->wide = options->text == EG_ODBC_WIDE || (options->text == EG_ODBC_AUTO && has_wide(o));
	SQLWCHAR quote[8] = {0};
	SQLSMALLINT len = 0;
	if (good(SQLGetInfoW(o->dbc, SQL_IDENTIFIER_QUOTE_CHAR, quote, sizeof quote, &len)) &&
	    quote[0] > ' ' && quote[0] < 0x7f)
		o->quote = (char)quote[0];
	*out = o;
	return EG_OK;
out:
	eg_odbc_close(o);
	return rc;
}

static void forget_statement(struct eg_odbc *o)
{
	for (unsigned i = 0; i < o->n_columns; i++)
		free(o->columns[i].name);
	free(o->columns);
	free(o->sql);
	o->columns = NULL;
	o->n_columns = 0;
	o->sql = NULL;
}

void eg_odbc_close(struct eg_odbc *o)
{
	if (!o)
		return;
	forget_statement(o);
	if (o->stmt)
		SQLFreeHandle(SQL_HANDLE_STMT, o->stmt);
	if (o->connected) {
		if (o->manual)
			SQLEndTran(SQL_HANDLE_DBC, o->dbc, SQL_ROLLBACK);
		SQLDisconnect(o->dbc);
	}
	if (o->dbc)
		SQLFreeHandle(SQL_HANDLE_DBC, o->dbc);
	if (o->env)
		SQLFreeHandle(SQL_HANDLE_ENV, o->env);
	eg_buf_free(&o->params);
	free(o);
}

char eg_odbc_quote(const struct eg_odbc *o)
{
	return o->quote;
}

bool eg_odbc_wide(const struct eg_odbc *o)
{
	return o->wide;
}

const char *eg_odbc_state(const struct eg_odbc *o)
{
	return o->state;
}

/* --- statements */

void eg_odbc_done(struct eg_odbc *o)
{
	if (o->open)
		SQLFreeStmt(o->stmt, SQL_CLOSE);
	o->open = false;
}

void eg_odbc_forget(struct eg_odbc *o)
{
	eg_odbc_done(o);
	forget_statement(o);
}

enum eg_rc eg_odbc_prepare(struct eg_odbc *o, const char *sql, struct eg_err *err)
{
	eg_odbc_done(o);
	if (o->sql && strcmp(o->sql, sql) == 0)
		return EG_OK;
	forget_statement(o);
	/* A fresh handle: some drivers keep the old statement's columns with a reused one. */
	SQLFreeHandle(SQL_HANDLE_STMT, o->stmt);
	o->stmt = NULL;
	if (!good(SQLAllocHandle(SQL_HANDLE_STMT, o->dbc, &o->stmt)))
		return fail(o, SQL_HANDLE_DBC, o->dbc, "making a statement", true, NULL, err);
	if (o->query_s) /* a driver without it is watched from outside anyway */
		SQLSetStmtAttr(o->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)(SQLULEN)o->query_s, 0); // NOLINT
	SQLRETURN r;
	if (o->wide) {
		struct eg_buf b = {0};
		if (!eg_utf16_of(&b, text_of(sql)) || b.failed) {
			eg_buf_free(&b);
			return eg_fail(err, EG_CONFIG, "a statement's text is not UTF-8");
		}
		r = SQLPrepareW(o->stmt, (SQLWCHAR *)(void *)b.p, (SQLINTEGER)(b.len / 2));
		eg_buf_free(&b);
	} else {
		r = SQLPrepare(o->stmt, (SQLCHAR *)sql, (SQLINTEGER)strlen(sql));
	}
	if (!good(r)) /* values come later: the words are about names */
		return fail_statement(o, "preparing a statement", true, err);
	o->sql = strdup(sql);
	return o->sql ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for a statement");
}

/* The SQL type that a text is declared with where it meets a column of another type. */
static SQLSMALLINT type_of(const struct eg_odbc *o, const struct eg_odbc_param *p)
{
	switch (p->type) {
	case SQL_INTEGER:
	case SQL_SMALLINT:
	case SQL_TINYINT:
	case SQL_BIGINT:
	case SQL_NUMERIC:
	case SQL_DECIMAL:
	case SQL_TYPE_DATE:
	case SQL_TYPE_TIME:
	case SQL_TYPE_TIMESTAMP:
		return (SQLSMALLINT)p->type;
	default:
		return o->wide ? SQL_WVARCHAR : SQL_VARCHAR;
	}
}

static enum eg_rc bind(struct eg_odbc *o, const struct eg_odbc_param *params, unsigned n, struct eg_err *err)
{
	size_t starts[EG_ODBC_PARAMS];
	if (n > EG_ODBC_PARAMS)
		return eg_fail(err, EG_LIMIT, "a statement takes at most %d values", EG_ODBC_PARAMS);
	eg_buf_reset(&o->params);
	for (unsigned i = 0; i < n; i++) {
		starts[i] = o->params.len;
		if (!params[i].value.p)
			o->lengths[i] = SQL_NULL_DATA;
		else if (!o->wide)
			eg_buf_add(&o->params, params[i].value.p, params[i].value.len);
		else if (!eg_utf16_of(&o->params, params[i].value))
			return eg_fail(err, EG_INVALID, "a value is not UTF-8");
		if (params[i].value.p)
			o->lengths[i] = (SQLLEN)(o->params.len - starts[i]);
		eg_buf_add_be(&o->params, 0, 2); /* ends it, for drivers that look; keeps the next aligned */
		if (o->params.len % 2)
			eg_buf_add_u8(&o->params, 0);
	}
	if (o->params.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a statement's values");
	for (unsigned i = 0; i < n; i++) {
		SQLSMALLINT type = type_of(o, &params[i]);
		size_t size = params[i].value.len ? params[i].value.len : 1;
		SQLSMALLINT decimals = 0;
		if (type != SQL_WVARCHAR && type != SQL_VARCHAR) {
			size = params[i].size;
			decimals = (SQLSMALLINT)params[i].decimals;
		}
		if (!good(SQLBindParameter(o->stmt, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT,
		                           o->wide ? SQL_C_WCHAR : SQL_C_CHAR, type, size, decimals,
		                           o->params.p + starts[i], o->lengths[i] < 0 ? 0 : o->lengths[i],
		                           &o->lengths[i])))
			return fail_statement(o, "binding a value", false, err);
	}
	return EG_OK;
}

enum eg_rc eg_odbc_run(struct eg_odbc *o, const struct eg_odbc_param *params, unsigned n, int64_t *rows,
                       struct eg_err *err)
{
	eg_odbc_done(o);
	if (!o->sql)
		return eg_fail(err, EG_INTERNAL, "no statement is prepared");
	enum eg_rc rc = bind(o, params, n, err);
	if (rc != EG_OK)
		return rc;
	SQLRETURN r = SQLExecute(o->stmt);
	if (!good(r) && r != SQL_NO_DATA) /* an UPDATE that met no row */
		return fail_statement(o, "running a statement", n == 0, err);
	o->open = true;
	SQLLEN count = 0;
	if (rows) {
		if (r != SQL_NO_DATA && !good(SQLRowCount(o->stmt, &count)))
			return fail_statement(o, "counting changed rows", false, err);
		*rows = count;
		eg_odbc_done(o);
	}
	return EG_OK;
}

static enum eg_rc describe(struct eg_odbc *o, unsigned i, struct eg_odbc_column *c, struct eg_err *err)
{
	union {
		SQLWCHAR wide[NAME_UNITS];
		SQLCHAR narrow[NAME_UNITS * 2];
	} name = {0};
	SQLSMALLINT len = 0, type = 0, decimals = 0, nullable = 0;
	SQLULEN size = 0;
	SQLUSMALLINT number = (SQLUSMALLINT)(i + 1);
	SQLRETURN r = o->wide ? SQLDescribeColW(o->stmt, number, name.wide, NAME_UNITS, &len, &type, &size,
	                                        &decimals, &nullable)
	                      : SQLDescribeCol(o->stmt, number, name.narrow, sizeof name.narrow, &len, &type,
	                                       &size, &decimals, &nullable);
	if (!good(r))
		return fail_statement(o, "describing a column", true, err);
	struct eg_buf b = {0};
	uint16_t pending = 0;
	if (o->wide)
		for (size_t n = 0; n < NAME_UNITS && name.wide[n]; n++)
			eg_utf16_add(&b, &name.wide[n], 1, &pending);
	else
		eg_buf_add(&b, name.narrow, strnlen((char *)name.narrow, sizeof name.narrow));
	eg_buf_add_u8(&b, 0);
	if (b.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a column's name");
	*c = (struct eg_odbc_column){.name = (char *)b.p, .type = type, .size = size, .decimals = decimals};
	return EG_OK;
}

enum eg_rc eg_odbc_columns(struct eg_odbc *o, const struct eg_odbc_column **out, unsigned *n,
                           struct eg_err *err)
{
	SQLSMALLINT count = 0;
	if (!o->columns) {
		if (!good(SQLNumResultCols(o->stmt, &count)))
			return fail_statement(o, "counting columns", true, err);
		o->columns = calloc((size_t)count + 1, sizeof *o->columns);
		if (!o->columns)
			return eg_fail(err, EG_NO_MEMORY, "no memory for columns");
		for (; o->n_columns < (unsigned)count; o->n_columns++) {
			enum eg_rc rc = describe(o, o->n_columns, &o->columns[o->n_columns], err);
			if (rc != EG_OK)
				return rc;
		}
	}
	*out = o->columns;
	*n = o->n_columns;
	return EG_OK;
}

enum eg_rc eg_odbc_fetch(struct eg_odbc *o, struct eg_err *err)
{
	SQLRETURN r = SQLFetch(o->stmt);
	if (good(r))
		return EG_OK;
	if (r == SQL_NO_DATA)
		return EG_EMPTY;
	return fail_statement(o, "reading a row", false, err);
}

enum eg_rc eg_odbc_value(struct eg_odbc *o, unsigned column, size_t max, struct eg_buf *into, bool *null,
                         struct eg_err *err)
{
	uint16_t piece[PIECE / 2];
	uint16_t pending = 0;
	size_t start = into->len;
	bool clean = true, more = true;
	*null = false;
	while (more) {
		SQLLEN left = 0;
		SQLRETURN r = SQLGetData(o->stmt, (SQLUSMALLINT)(column + 1),
		                         o->wide ? SQL_C_WCHAR : SQL_C_CHAR, piece, sizeof piece, &left);
		if (r == SQL_NO_DATA) /* the end, of a driver that does not count ahead */
			break;
		if (!good(r))
			return fail_statement(o, "reading a value", false, err);
		if (left == SQL_NULL_DATA) {
			*null = true;
			return EG_OK;
		}
		size_t room = sizeof piece - (o->wide ? 2 : 1);
		more = left == SQL_NO_TOTAL || (size_t)left > room;
		size_t got = more ? room : (size_t)left;
		if (o->wide)
			clean = eg_utf16_add(into, piece, got / 2, &pending) && clean;
		else
			eg_buf_add(into, piece, got);
		if (into->failed)
			return eg_fail(err, EG_NO_MEMORY, "no memory for a value");
		if (into->len - start > max) {
			into->len = start + max;
			return eg_fail(err, EG_LIMIT, "a value is longer than %zu bytes", max);
		}
	}
	struct eg_bytes whole = {into->p + start, into->len - start};
	while (clean && !o->wide && whole.len) {
		size_t n = eg_utf8_step(whole, &clean);
		whole.p += n;
		whole.len -= n;
	}
	return clean && !pending ? EG_OK : eg_fail(err, EG_INVALID, "a value is no text");
}

/* --- transactions */

enum eg_rc eg_odbc_begin(struct eg_odbc *o, struct eg_err *err)
{
	eg_odbc_done(o);
	if (!good(SQLSetConnectAttr(o->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)SQL_AUTOCOMMIT_OFF,
	                            0))) // NOLINT
		return fail(o, SQL_HANDLE_DBC, o->dbc, "beginning a transaction", true, NULL, err);
	o->manual = true;
	return EG_OK;
}

static void automatic(struct eg_odbc *o)
{
	/* If this fails, so will the next statement. */
	if (good(SQLSetConnectAttr(o->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)SQL_AUTOCOMMIT_ON, 0))) // NOLINT
		o->manual = false;
}

enum eg_rc eg_odbc_commit(struct eg_odbc *o, struct eg_err *err)
{
	eg_odbc_done(o);
	if (!good(SQLEndTran(SQL_HANDLE_DBC, o->dbc, SQL_COMMIT)))
		return fail(o, SQL_HANDLE_DBC, o->dbc, "committing", false, NULL, err);
	automatic(o);
	return EG_OK;
}

void eg_odbc_rollback(struct eg_odbc *o)
{
	eg_odbc_done(o);
	SQLEndTran(SQL_HANDLE_DBC, o->dbc, SQL_ROLLBACK);
	automatic(o);
}
