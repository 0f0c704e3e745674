/* pump: sends batches of records until each has its receipt, over as many connections as that takes.
 *
 *   slot:  free → waiting → sent → free
 *                    ↑_______|  (the stream broke, or the gateway asked to send it again later)
 *
 * Bounded: at most in_flight batches of at most 1 MB are held. Sending is safe at any time, so nothing is
 * asked of the state of an earlier run. Thread: pump_run's caller reads the source and sends; receipts come
 * on a thread of the pump's own, one at a time. */
#ifndef EG_CLI_PUMP_H
#define EG_CLI_PUMP_H

#include "base/buf.h"
#include "cli/grpc_client.h"
#include "cli/sheet.h"
#include "eldergate/err.h"
#include "eldergate/v1/exchange.pb-c.h"

enum { PUMP_IN_FLIGHT_MAX = 256, PUMP_BATCH_MAX = 1000, PUMP_BATCH_BYTES = 1000000 };

struct pump_options {
	struct rpc_client *client;
	const char *dataset;
	const char *batch_prefix; /* batch names are PREFIX-000001, ... */
	Eldergate__V1__Lane lane;
	unsigned batch, in_flight;
	int64_t patience_us; /* gives up when the gateway was lost for this long; 0: a minute */
	/* Appends the next record, encoded, to out. EG_EMPTY: no more. */
	enum eg_rc (*next)(void *arg, struct eg_buf *out, struct origin *where, struct eg_err *err);
	/* Told once per batch. where: one per result. */
	void (*receipt)(void *arg, const Eldergate__V1__Receipt *r, const struct origin *where, unsigned n);
	void (*reconnecting)(void *arg, const struct eg_err *why); /* may be NULL */
	void *arg;
};

struct pump_result {
	uint64_t batches, records,
	        sent_again; /* of records and batches with a receipt; batches sent more than once */
	unsigned connections;
};

/* Ends when the source is empty and every batch has its receipt. *result is set in any case. */
enum eg_rc pump_run(const struct pump_options *o, struct pump_result *result, struct eg_err *err);

#endif
