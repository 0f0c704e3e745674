/* refusal: what google.rpc.Status says of a call or batch that the gateway refused, for the adapters and the
 * command line. Pure. */
#ifndef EG_ADAPTERS_REFUSAL_H
#define EG_ADAPTERS_REFUSAL_H

#include "eldergate/err.h"
#include "eldergate/link.h"
#include "google/rpc/status.pb-c.h"

#include <stdint.h>

enum { EG_REFUSAL_FIELDS = 4 };

struct eg_refusal {
	enum eg_rc rc;
	char reason[64]; /* name of a reason code, such as DATASET_NOT_PERMITTED; "" if it gave none */
	char text[512];  /* for people, in their language if it is there */
	unsigned n_fields;
	struct {
		char path[96], text[200];
	} fields[EG_REFUSAL_FIELDS]; /* the first ones at fault */
	int64_t retry_us;            /* the same may work after this; -1: repeating does not help */
};

/* chinese: the zh-CN text is wanted, else the English one. */
void eg_refusal_of_message(const Google__Rpc__Status *s, bool chinese, struct eg_refusal *out);
/* Of a call's end: google.rpc.Code, the text beside it, google.rpc.Status encoded. False: without such
 * details, so it comes from the transport; then the text beside it is taken. */
bool eg_refusal_of_end(int code, const char *text, struct eg_bytes details, bool chinese,
                       struct eg_refusal *out);
/* The same of EG_LINK_STATUS, in Chinese. A gateway that goes away is always worth another attempt. */
void eg_refusal_of_status(const struct eg_link_event *e, struct eg_refusal *out);
enum eg_rc eg_refusal_fail(const struct eg_refusal *r, struct eg_err *err);

#endif
