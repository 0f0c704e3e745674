/* rehearse: what a submission would do as the log stands, without doing it.
 *
 * Each record is judged as intake judges it, then put to a copy of its source key's list of versions as the
 * newest committed entry left it, by itself: records of one batch do not see each other. Joins with other
 * records and full lists are not looked at: what they say of other people's data is told only to what is
 * logged. Thread: the caller's; it reads the store in short transactions,
 * so that of a long batch the later records may see newer entries than the first. */
#ifndef EG_FLOW_REHEARSE_H
#define EG_FLOW_REHEARSE_H

#include "flow/intake.h"
#include "store/store.h"

/* The ticket stays the caller's, with outcomes, reasons and, of what is there already, its entry. *head: the
 * newest entry when it began: every record was judged by that one at least. Errors: as eg_intake_put's of a
 * ticket that it refuses, EG_LIMIT, EG_NO_MEMORY, the store's. */
enum eg_rc eg_rehearse(struct eg_intake *in, struct eg_conn *c, struct eg_ticket *t, uint64_t *head,
                       struct eg_err *err);

#endif
