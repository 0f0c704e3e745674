/* verdicts: what a receipt means for the rows of its batch, as the connector is told.
 *
 * Texts live in the eg_verdicts until it is filled again or freed. Thread: one. */
#ifndef EG_ADAPTERS_VERDICTS_H
#define EG_ADAPTERS_VERDICTS_H

#include "base/buf.h"
#include "eldergate/connector.h"
#include "eldergate/v1/exchange.pb-c.h"

struct eg_verdicts {
	struct eg_verdict *v; /* owned; ascending by ref */
	unsigned n, cap;
	struct eg_buf texts;
	unsigned applied, unchanged, stale, quarantined, refused; /* how many of each */
};

/* Fills out from the receipt of a batch with these refs (ascending). EG_INVALID: it does not have exactly one
 * result per record. */
enum eg_rc eg_verdicts_of_receipt(struct eg_verdicts *out, const Eldergate__V1__Receipt *r,
                                  const uint64_t *refs, unsigned n, struct eg_err *err);
void eg_verdicts_free(struct eg_verdicts *v); /* what it owns, not v itself */

#endif
