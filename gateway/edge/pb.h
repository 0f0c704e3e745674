/* pb: protobuf-c with the strictness and the memory limits that it lacks.
 *
 * A message is checked over its descriptor before it is unpacked: truncation, wire types, UTF-8, embedded
 * NUL, depth. Everything unpacked lives in the arena given. Pure. */
#ifndef EG_EDGE_PB_H
#define EG_EDGE_PB_H

#include "base/arena.h"
#include "base/buf.h"
#include "edge/call.h"
#include "eldergate/err.h"

#include <protobuf-c/protobuf-c.h>

#define EG_PB_DEPTH_MAX 8 /* messages in messages; the protocol's deepest has 4 */

/* EG_INVALID with the field's path; EG_LIMIT: it does not fit the arena. Fields that are not known are
 * skipped. */
enum eg_rc eg_pb_read(const ProtobufCMessageDescriptor *d, struct eg_bytes in, struct eg_arena *a,
                      ProtobufCMessage **out, struct eg_err *err);
struct eg_out *eg_pb_out(const ProtobufCMessage *m); /* NULL: no memory */
enum eg_rc eg_pb_write(const ProtobufCMessage *m, struct eg_buf *out, struct eg_err *err);

#endif
