/* demo_peer: the funeral homes' interface of the demo: records as pages of JSON over HTTP, for whoever signs.
 *
 *   GET /remains?cursor=N&size=M  ->  {"code":0,"data":{"list":[...],"next":"N","more":false}}
 *
 * One request a connection, one connection at a time, loopback only. Thread: its own serves; every function
 * here may be called from any. */
#ifndef EG_CLI_DEMO_PEER_H
#define EG_CLI_DEMO_PEER_H

#include "base/buf.h"
#include "eldergate/err.h"

struct demo_peer;

struct demo_peer_counts {
	uint64_t records, pages; /* with records in them */
	uint64_t strangers;      /* requests without a good signature: refused */
	uint64_t given;          /* records that were handed out at least once */
};

enum eg_rc demo_peer_start(struct demo_peer **out, const char *secret, struct eg_err *err);
void demo_peer_stop(struct demo_peer *p); /* NULL is fine */
unsigned demo_peer_port(const struct demo_peer *p);
/* One JSON object; served from the next call of show on. */
enum eg_rc demo_peer_add(struct demo_peer *p, struct eg_bytes json, struct eg_err *err);
void demo_peer_show(struct demo_peer *p);
void demo_peer_counts(struct demo_peer *p, struct demo_peer_counts *out);

#endif
