/* table_list: when a table is due as a full list, what that list is called, where it stands, whether it is
 * whole.
 *
 *   due --counted--> begin --> reading --whole--> read --settle--> due after list_every
 *    ^                           `--rows came or went--+   `--it must come again--+
 *    +------ after list_retry; as trouble with the list_tries'th in a row --------+
 *
 * A list is read in pages, each of them as the table is then. Only if as many rows were read as the table had
 * before and has after it, nobody is taken for missing who stood there all the time: an agency may empty a
 * table and fill it again meanwhile. A list's place among the versions of rows is on the database's clock, as
 * they are. The beginning of the last list that was taken stands in the checkpoint, so a restart brings no
 * list of its own. Thread: the agent's. */
#ifndef EG_ADAPTERS_TABLE_LIST_H
#define EG_ADAPTERS_TABLE_LIST_H

#include "connectors/table_conf.h"
#include "connectors/table_page.h"
#include "eldergate/connector.h"

struct eg_table_list {
	const struct eg_table_conf *conf;
	struct eg_checkpoint *checkpoint;
	bool once, dry;
	char name[80];                       /* of the list */
	char since_name[80], moved_name[80]; /* in the checkpoint */
	int64_t began_us;                    /* wall clock */
	int64_t position_us;                 /* the same by the database's clock */
	int64_t count;                       /* rows of the table before the first page */
	int64_t rows;                        /* handed out */
	unsigned moved;                      /* readings in a row while which rows came or went */
	uint64_t end_ref;                    /* of the list that waits for its verdict; 0: none */
	bool reading;
	bool whole; /* of the list that was read */
};

/* Returns when the first is due on the monotonic clock; once: at once. */
int64_t eg_table_list_open(struct eg_table_list *l, const struct eg_table_conf *c,
                           struct eg_checkpoint *checkpoint, const char *prefix, bool once, bool dry);
/* Takes the answer of eg_table_select_count before the first page. EG_INVALID: it says nothing. */
enum eg_rc eg_table_list_counted(struct eg_table_list *l, const struct eg_table_page *page,
                                 struct eg_err *err);
/* And of the one behind the last. EG_EMPTY: the list is abandoned, and comes again; EG_PRECONDITION: it was
 * abandoned too often, or with once: somebody must look. */
enum eg_rc eg_table_list_whole(struct eg_table_list *l, const struct eg_table_page *page, struct eg_err *err);
void eg_table_list_begin(struct eg_table_list *l);
/* Puts the verdict into the checkpoint, if it is that of the list; *due_us changes with it. */
enum eg_rc eg_table_list_settle(struct eg_table_list *l, const struct eg_verdict *v, int64_t *due_us,
                                struct eg_err *err);

#endif
