/* listed: the full lists of which something is still asked, in memory.
 *
 * A list stands from its row's first commit until it failed (what it lacked may be what was lost), or is over
 * and a later one outdoes it in all that it could say of a source key (list_said.h). Which stand is table
 * `standing` too, so that the others are never read again; their rows stay for whoever asks for a report. A
 * list that moves is put inside a commit, with all the memory that it needs; keep, once the commit is
 * durable, cannot fail; back forgets what was put. Thread: one at a time. */
#ifndef EG_FLOW_LISTED_H
#define EG_FLOW_LISTED_H

#include "flow/list_info.h"

struct eg_listed_move;

struct eg_listed {
	unsigned n, cap;
	struct eg_list_info **v; /* by agency, dataset, then the latest position first; each is one block */
	struct eg_listed_move *moves; /* of the commit under way */
};

/* Reads anew those that stand. */
enum eg_rc eg_listed_load(struct eg_listed *l, struct eg_conn *c, struct eg_err *err);
void eg_listed_free(struct eg_listed *l);
/* Where the dataset's lists begin, and how many they are. */
unsigned eg_listed_of(const struct eg_listed *l, struct eg_bytes agency, struct eg_bytes dataset,
                      unsigned *first);
/* Does l outdo `than` in all that either could say? */
bool eg_listed_outdoes(const struct eg_list_info *l, const struct eg_list_info *than);

/* The list as this transaction leaves it; its row was put. Those that it outdoes, or itself, stand no more.
 */
enum eg_rc eg_listed_put(struct eg_listed *l, struct eg_tx *tx, const struct eg_list_info *info,
                         struct eg_err *err);
void eg_listed_keep(struct eg_listed *l);
void eg_listed_back(struct eg_listed *l);

#endif
