/* listing: sends one full list over one stream, and hears what became of it.
 *
 * A list that breaks off has no effect, so it is sent from its beginning again or not at all: that is the
 * caller's to decide. Thread: listing_send's caller sends; what is told comes on a thread of its own. */
#ifndef EG_CLI_LISTING_H
#define EG_CLI_LISTING_H

#include "cli/grpc_client.h"
#include "cli/sheet.h"
#include "eldergate/v1/exchange.pb-c.h"

enum { LISTING_RECORDS = 500, LISTING_BYTES = 1000000 };

struct listing_options {
	struct rpc_client *client;
	const Eldergate__V1__ReconcileBegin *begin;
	/* Appends the next record, encoded, to out. EG_EMPTY: no more. */
	enum eg_rc (*next)(void *arg, struct eg_buf *out, struct eg_err *err);
	void (*sent)(void *arg, uint64_t records); /* may be NULL */
	/* On the thread that hears. */
	void (*progress)(void *arg, const Eldergate__V1__ReconcileProgress *p);
	void (*rejects)(void *arg, const Eldergate__V1__ReconcileRejects *r);
	void *arg;
};

/* EG_OK: *report is the caller's to free (eldergate__v1__reconcile_report__free_unpacked). */
enum eg_rc listing_send(const struct listing_options *o, Eldergate__V1__ReconcileReport **report,
                        struct eg_err *err);

#endif
