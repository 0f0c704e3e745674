/* demo_table: the police's front-end database of the demo, a SQLite file behind ODBC.
 *
 * It holds registrations to be taken, with EXCH_FLAG, and clues of deaths that come back. It is used as the
 * agency would use it: nothing here knows what the adapter does. Thread: one. */
#ifndef EG_CLI_DEMO_TABLE_H
#define EG_CLI_DEMO_TABLE_H

#include "cli/made.h"

struct demo_table;

/* connection: as an ODBC connection text. Makes both tables. */
enum eg_rc demo_table_open(struct demo_table **out, const char *connection, struct eg_err *err);
void demo_table_close(struct demo_table *t); /* NULL is fine */
/* Rows are seen by others after the commit. */
enum eg_rc demo_table_add(struct demo_table *t, const struct made_row *r, struct eg_err *err);
enum eg_rc demo_table_commit(struct demo_table *t, struct eg_err *err);
/* Runs a statement; text, if given, is the value of its only `?`. number, if given: the first value of its
 * first row.
 */
enum eg_rc demo_table_ask(struct demo_table *t, const char *sql, const char *text, uint64_t *number,
                          struct eg_err *err);

#endif
