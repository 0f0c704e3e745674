/* list_late: the records that came between a list's pinned entry and its own.
 *
 * While a list is compared nobody can say yet what it found of a key; so a record from before its position is
 * applied as if the list were not there. Before the list's own entry such records are looked for in the log
 * (eg_list_late), and where the list, without versions of its own, had found unchanged what one of them
 * replaced, that is stated again at the list's position: what stands is what would in the other order. The
 * applier looks through all but the newest entries, the writer through these inside the commit of the list's
 * entry, so that none comes in between. Thread: one at a time. */
#ifndef EG_FLOW_LIST_LATE_H
#define EG_FLOW_LIST_LATE_H

#include "flow/list_said.h"

/* So many entries at most are left to the writer. */
#define EG_LIST_LATE_MAX 4096

/* Calls each for the key of each record of the dataset in (after, until] that is from before the list's
 * position and not of the list. page: what is read on the way; it is reset. */
enum eg_rc eg_list_late(const struct eg_list_ask *a, const struct eg_list_info *l, uint64_t after,
                        uint64_t until, struct eg_arena *page,
                        enum eg_rc (*each)(void *arg, const uint8_t token[EG_TOKEN_SIZE], struct eg_err *err),
                        void *arg, struct eg_err *err);
/* Is a key, as it stands now, to be stated again? Then *out is what the list had found. The list was compared
 * to its end: its counts and the file of what it lacks are there. */
enum eg_rc eg_list_restates(const struct eg_list_ask *a, const struct eg_list_info *l,
                            const struct eg_versions *now, const uint8_t token[EG_TOKEN_SIZE], bool *yes,
                            struct eg_version *out, struct eg_err *err);
/* The judged item that states v, a version of the key, at the list's position. Its bytes are the arena's. */
enum eg_rc eg_list_restate(const struct eg_list_ask *a, const struct eg_list_info *l,
                           const uint8_t token[EG_TOKEN_SIZE], const struct eg_version *v,
                           struct eg_arena *arena, struct eg_item *item, struct eg_err *err);

#endif
