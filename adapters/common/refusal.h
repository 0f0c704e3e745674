/* refusal: what google.rpc.Status says of a call or batch that the gateway refused. Pure. */
#ifndef EG_ADAPTERS_REFUSAL_H
#define EG_ADAPTERS_REFUSAL_H

#include "eldergate/err.h"
#include "eldergate/link.h"
#include "google/rpc/status.pb-c.h"

#include <stdint.h>

struct eg_refusal {
	enum eg_rc rc;
	char reason[64];  /* name of a reason code, such as DATASET_NOT_PERMITTED; "" if it gave none */
	char field[96];   /* the first field at fault, or "" */
	char text[320];   /* zh-CN if there is one */
	int64_t retry_us; /* the same may work after this; -1: repeating does not help */
};

void eg_refusal_of_message(const Google__Rpc__Status *s, struct eg_refusal *out);
/* Of a call's end (EG_LINK_STATUS). A gateway that goes away is always worth another attempt. */
void eg_refusal_of_status(const struct eg_link_event *e, struct eg_refusal *out);
enum eg_rc eg_refusal_fail(const struct eg_refusal *r, struct eg_err *err);

#endif
