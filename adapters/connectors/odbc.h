/* odbc: one connection to a database through unixODBC, in UTF-8; it is the only file that calls ODBC.
 *
 * One statement at a time: prepare, run, fetch its rows. Every value goes in as text with the SQL type it is
 * bound to and comes out as text, so a number stays exact. A call may take as long as the driver likes, so
 * the agent's thread never makes one: see aside.h. Errors name SQLSTATE and the driver's number; its own
 * words only where no row's value can be in them. Thread: one at a time. */
#ifndef EG_ADAPTERS_ODBC_H
#define EG_ADAPTERS_ODBC_H

#include "base/buf.h"
#include "eldergate/err.h"

struct eg_odbc;

enum eg_odbc_text {
	EG_ODBC_AUTO, /* wide where the driver has a wide text type, else UTF-8 */
	EG_ODBC_WIDE, /* UTF-16 between us and the driver */
	EG_ODBC_UTF8  /* bytes between us and the driver */
};
struct eg_odbc_options {
	const char *connection;      /* "Driver=...;..." or "DSN=..." */
	const char *user, *password; /* "" leaves them to the connection's text */
	unsigned login_s, query_s;   /* what the driver is told; 0: nothing */
	enum eg_odbc_text text;
};

struct eg_odbc_column {
	char *name;   /* UTF-8 */
	int type;     /* SQL data type, as the driver says it; what eg_odbc_param.type wants */
	size_t size;  /* characters or digits; 0: unknown */
	int decimals; /* of a number, or of a second */
};

/* A value of a statement's `?`. */
struct eg_odbc_param {
	struct eg_bytes value; /* p NULL: SQL NULL */
	size_t size;
	int type; /* of the column it meets; 0: text */
	int decimals;
};

/* EG_UNAVAILABLE: not now; EG_CONFIG: the connection's text or the login is wrong. */
enum eg_rc eg_odbc_open(struct eg_odbc **out, const struct eg_odbc_options *o, struct eg_err *err);
void eg_odbc_close(struct eg_odbc *o); /* rolls back; NULL is fine */

char eg_odbc_quote(const struct eg_odbc *o); /* the character around identifiers; 0: it has none */
bool eg_odbc_wide(const struct eg_odbc *o);

/* Nothing to do if this text is prepared already. */
enum eg_rc eg_odbc_prepare(struct eg_odbc *o, const char *sql, struct eg_err *err);
void eg_odbc_forget(struct eg_odbc *o); /* the next prepare asks the database anew */
/* Runs what is prepared; rows is NULL, or gets how many rows it changed. At most EG_ODBC_PARAMS values, which
 * must live until the next prepare or run. EG_EXISTS: a constraint forbids it; EG_INVALID: a value does not
 * fit; EG_CONFLICT: deadlock and the like; EG_UNAVAILABLE: all else. */
#define EG_ODBC_PARAMS 256
enum eg_rc eg_odbc_run(struct eg_odbc *o, const struct eg_odbc_param *params, unsigned n, int64_t *rows,
                       struct eg_err *err);
/* Columns of what is prepared and ran; they live until the next prepare. */
enum eg_rc eg_odbc_columns(struct eg_odbc *o, const struct eg_odbc_column **out, unsigned *n,
                           struct eg_err *err);
enum eg_rc eg_odbc_fetch(struct eg_odbc *o, struct eg_err *err); /* EG_EMPTY: no more */
/* The value of a column of the fetched row, added to `into`; columns must be asked in ascending order. At
 * most max bytes: EG_LIMIT, with what fits added. EG_INVALID: it is no text. */
enum eg_rc eg_odbc_value(struct eg_odbc *o, unsigned column, size_t max, struct eg_buf *into, bool *null,
                         struct eg_err *err);
void eg_odbc_done(struct eg_odbc *o); /* no more rows wanted */

enum eg_rc eg_odbc_begin(struct eg_odbc *o, struct eg_err *err);
enum eg_rc eg_odbc_commit(struct eg_odbc *o, struct eg_err *err); /* on failure the outcome is unknown */
void eg_odbc_rollback(struct eg_odbc *o);
/* "23505", of the last failure. */
const char *eg_odbc_state(const struct eg_odbc *o);

#endif
