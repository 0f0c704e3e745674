/* case_view: a case as the protocol shows it: its parties, who they are for the caller, what the grant allows
 * of them.
 *
 * Thread: a worker's, on its own connection. */
#ifndef EG_EDGE_CASE_VIEW_H
#define EG_EDGE_CASE_VIEW_H

#include "edge/queries.h"
#include "edge/views.h"
#include "eldergate/v1/cases.pb-c.h"
#include "flow/sealed.h"
#include "flow/ticket.h"

struct eg_case_reader {
	struct eg_finder find;
	struct eg_maker *maker;
	const struct eg_purpose_rule *grant; /* NULL: parties come without fields */
	/* persons shown so far, for the log of reads */
	uint8_t (*persons)[16];
	unsigned n_persons, cap_persons;
};

/* Failing for want of memory is told by the maker. */
enum eg_rc eg_make_case(struct eg_case_reader *r, const struct eg_case_row *row, Eldergate__V1__Case **out,
                        struct eg_err *err);
int64_t eg_case_entry_time(struct eg_case_reader *r, uint64_t seq); /* 0: not known */
bool eg_case_offers(int case_kind, enum eg_decision_kind decision);

#endif
