/* status: why a call or a batch is refused, and how the caller is told: google.rpc.Status with its details.
 * Pure. */
#ifndef EG_EDGE_STATUS_H
#define EG_EDGE_STATUS_H

#include "base/arena.h"
#include "edge/call.h"
#include "google/rpc/status.pb-c.h"
#include "model/grade.h"

struct eg_fault {
	enum eg_reason_code reason; /* 0: follows from err.rc */
	struct eg_err err;
	const char *more_fields[8]; /* further fields at fault; NULL ends them */
};

/* Fills f and returns rc. field may be "". */
enum eg_rc eg_refuse(struct eg_fault *f, enum eg_rc rc, enum eg_reason_code reason, const char *field,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* For a step that took memory of this arena and failed: what only the system's want of memory made fail is
 * told as that, whatever the step took it for (eg_arena_why). */
enum eg_rc eg_fault_why(struct eg_fault *f, const struct eg_arena *a, enum eg_rc rc);
/* The reason that the caller is told: the fault's own, or the one that stands for its result code. */
enum eg_reason_code eg_fault_reason(const struct eg_fault *f);
/* After how long the same call may work; 0: repeating does not help. */
int64_t eg_fault_retry_us(const struct eg_fault *f);

Google__Rpc__Status *eg_status(struct eg_arena *a, const struct eg_fault *f); /* NULL: no room in the arena */
/* Ends the call with the fault, and counts it in the metrics. */
void eg_call_fail(struct eg_call *c, const struct eg_fault *f);
const char *eg_grpc_code_name(int code); /* "PERMISSION_DENIED" */

#endif
