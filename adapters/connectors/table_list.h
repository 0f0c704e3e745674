/* table_list: when a table is due as a full list, and what that list is called.
 *
 *   due --begin--> reading --end--> read --settle--> due after list_every (or soon, if it must come again)
 *
 * The beginning of the last list that was taken stands in the checkpoint, so a restart brings no list of its
 * own. Thread: the agent's. */
#ifndef EG_ADAPTERS_TABLE_LIST_H
#define EG_ADAPTERS_TABLE_LIST_H

#include "connectors/table_conf.h"
#include "eldergate/connector.h"

struct eg_table_list {
	const struct eg_table_conf *conf;
	struct eg_checkpoint *checkpoint;
	char name[80], since_name[80]; /* of the list; in the checkpoint */
	int64_t began_us;              /* wall clock */
	uint64_t end_ref;              /* of the list that waits for its verdict; 0: none */
	bool reading;
};

/* Returns when the first is due on the monotonic clock; once: at once. */
int64_t eg_table_list_open(struct eg_table_list *l, const struct eg_table_conf *c,
                           struct eg_checkpoint *checkpoint, const char *prefix, bool once);
void eg_table_list_begin(struct eg_table_list *l);
/* Puts the verdict into the checkpoint, if it is that of the list; *due_us changes with it. */
enum eg_rc eg_table_list_settle(struct eg_table_list *l, const struct eg_verdict *v, int64_t *due_us,
                                struct eg_err *err);

#endif
