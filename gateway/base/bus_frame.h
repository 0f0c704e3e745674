/* bus_frame: the headers of the bus between adapters and the gateway, as bytes (proto/BUS.md).
 *
 * Pure; both sides use it. A header that reads back is one that the protocol allows, and writing it gives the
 * same bytes. Thread: any. */
#ifndef EG_BASE_BUS_FRAME_H
#define EG_BASE_BUS_FRAME_H

#include "eldergate/bytes.h"

#include <stdbool.h>

#define EG_BUS_VERSION    1
#define EG_BUS_HEADER_MAX 1024
#define EG_BUS_METHOD_MAX 128
#define EG_BUS_TEXT_MAX   512
/* Messages that may be on their way to one side of a call at once, at most. */
#define EG_BUS_CREDIT_MAX 1024

enum eg_bus_kind {
	EG_BUS_HELLO = 1,
	EG_BUS_WELCOME = 2,
	EG_BUS_OPEN = 3,
	EG_BUS_MESSAGE = 4, /* with a payload */
	EG_BUS_HALF_CLOSE = 5,
	EG_BUS_CREDIT = 6,
	EG_BUS_STATUS = 7, /* with a payload */
	EG_BUS_CANCEL = 8,
	EG_BUS_PING = 9,
	EG_BUS_PONG = 10,
	EG_BUS_GOODBYE = 11
};

struct eg_bus_frame {
	enum eg_bus_kind kind;
	uint64_t call;               /* OPEN to CANCEL; not 0 */
	uint64_t token;              /* PING, PONG */
	uint32_t credit;             /* OPEN, CREDIT: 1 to EG_BUS_CREDIT_MAX */
	uint32_t code;               /* STATUS, GOODBYE: google.rpc.Code */
	uint16_t first, last;        /* HELLO: versions spoken; WELCOME: both the one chosen */
	uint32_t heartbeat_ms;       /* HELLO, WELCOME; not 0 */
	uint32_t max_message;        /* HELLO, WELCOME: bytes; not 0 */
	uint32_t max_calls;          /* WELCOME; not 0 */
	struct eg_bytes method;      /* OPEN: "/package.Service/Method" */
	struct eg_bytes traceparent; /* OPEN; may be empty */
	struct eg_bytes text;        /* STATUS, GOODBYE: UTF-8, cut to EG_BUS_TEXT_MAX */
};

/* Bytes written. What is out of bounds is the caller's fault (and a 0). */
size_t eg_bus_frame_write(const struct eg_bus_frame *f, uint8_t out[EG_BUS_HEADER_MAX]);
/* False: no header of this protocol. The slices of *out are views into header. */
bool eg_bus_frame_read(struct eg_bytes header, struct eg_bus_frame *out);
bool eg_bus_has_payload(enum eg_bus_kind kind);

#endif
