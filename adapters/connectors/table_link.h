/* table_link: a table connector's connection, made on first use, and the jobs that run on it.
 *
 * A driver that says nothing for longer than the query timeout is given up with the connection (aside.h): the
 * caller gets EG_UNAVAILABLE, and so does every later call. Thread: the owner's. */
#ifndef EG_ADAPTERS_TABLE_LINK_H
#define EG_ADAPTERS_TABLE_LINK_H

#include "connectors/aside.h"
#include "connectors/table_sql.h"
#include "eldergate/settings.h"

/* Settings of a connection, for both directions. */
#define EG_TABLE_LINK_SETTINGS                                                                               \
	{"connection",                                                                                       \
	 EG_SET_TEXT,                                                                                        \
	 true,                                                                                               \
	 NULL,                                                                                               \
	 1,                                                                                                  \
	 2000,                                                                                               \
	 NULL,                                                                                               \
	 "ODBC connection text such as \"DSN=police\" or \"Driver={PostgreSQL Unicode};Server=...;"          \
	 "Database=...\"; without user and password"},                                                       \
	        {"user", EG_SET_TEXT, false, NULL, 0, 256, NULL, "login name (UID)"},                        \
	        {"password", EG_SET_SECRET, false, NULL, 0, 256, NULL, "its password (PWD)"},                \
	        {"text",                                                                                     \
	         EG_SET_CHOICE,                                                                              \
	         false,                                                                                      \
	         "auto",                                                                                     \
	         0,                                                                                          \
	         0,                                                                                          \
	         "auto|wide|utf8",                                                                           \
	         "how text passes the driver: UTF-16, or its bytes as UTF-8; auto: wide where the driver "   \
	         "has a wide text type"},                                                                    \
	        {"login_timeout", EG_SET_TIME, false, "15s",                                                 \
	         1000000,         600000000,   NULL,  "how long connecting may take"},                       \
	{                                                                                                    \
		"query_timeout", EG_SET_TIME, false, "60s", 1000000, 3600000000, NULL,                       \
		        "how long one call of the driver may take before the connection is given up"         \
	}

struct eg_table_link;

/* EG_CONFIG: what is wrong with these without a database. */
enum eg_rc eg_table_link_check(const struct eg_settings *s, struct eg_err *err);
enum eg_rc eg_table_link_open(struct eg_table_link **out, const struct eg_settings *s, struct eg_err *err);
/* Frees the work that it was lent, if nobody has waited for its end. NULL is fine. */
void eg_table_link_close(struct eg_table_link *l);

/* What a job does on the connection. */
struct eg_table_work {
	struct eg_aside_job job; /* set by begin, but for job.free, which is the caller's */
	enum eg_rc (*work)(struct eg_table_work *w, struct eg_odbc *o, struct eg_aside *a,
	                   struct eg_err *err);
	enum eg_rc rc; /* after its end */
	struct eg_err err;
};
/* Lends w to the link, which must be idle. */
void eg_table_link_begin(struct eg_table_link *l, struct eg_table_work *w);
bool eg_table_link_busy(const struct eg_table_link *l);
/* Waits for it, at most until the deadline: EG_EMPTY: it still runs; EG_OK: w is the caller's again, w->rc
 * tells how it ended; EG_UNAVAILABLE: it hung; w is gone. */
enum eg_rc eg_table_link_wait(struct eg_table_link *l, int64_t mono_deadline_us, struct eg_err *err);
/* Begins it and waits as long as the driver shows life; frees w unless the rc is EG_OK. deadline: 0: none. */
enum eg_rc eg_table_link_do(struct eg_table_link *l, struct eg_table_work *w, int64_t mono_deadline_us,
                            struct eg_err *err);

#endif
