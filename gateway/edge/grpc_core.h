/* grpc_core: what the gRPC server needs of its calls; private to grpc_call.c and grpc_server.c. */
#ifndef EG_EDGE_GRPC_CORE_H
#define EG_EDGE_GRPC_CORE_H

#include "edge/call.h"

#include <grpc/grpc.h>

/* What stands behind a completion. */
enum eg_tag_kind { EG_TAG_ARM, EG_TAG_READ, EG_TAG_SEND, EG_TAG_CLOSE, EG_TAG_SHUTDOWN };
struct eg_tag {
	enum eg_tag_kind kind;
	void *of;
};

struct eg_arrival {
	const struct eg_method *method; /* NULL: one that is not offered */
	grpc_call *call;
	gpr_timespec deadline;
	grpc_metadata_array metadata;
	grpc_byte_buffer *payload;
};

struct eg_grpc;
/* Makes the call of an arrival, whose contents become its own. NULL: no memory; the call was cancelled. */
struct eg_call *eg_grpc_call_new(struct eg_grpc *server, struct eg_arrival *arrived);
void eg_grpc_call_begin(struct eg_call *c);                            /* on a poller */
void eg_grpc_call_completed(void *of, enum eg_tag_kind kind, bool ok); /* on a poller */

/* Of the server: */
void *eg_grpc_owner(const struct eg_grpc *g);
bool eg_grpc_local_uid(const struct eg_grpc *g, int fd, uint32_t *uid);
void eg_grpc_gone(struct eg_grpc *g); /* a call has left the wire */

#endif
