/* status: what a refused call or batch says about itself, in words and as a result code.
 *
 * The language is Chinese where LC_ALL, LC_MESSAGES or LANG begins with zh, else English. Pure but for that.
 */
#ifndef EG_CLI_STATUS_H
#define EG_CLI_STATUS_H

#include "cli/grpc_client.h"
#include "google/rpc/status.pb-c.h"

enum { REFUSAL_FIELDS = 4 };

struct refusal {
	enum eg_rc rc;
	char reason[64]; /* name of a reason code; "" if the gateway gave none */
	char text[512];  /* for people, in their language */
	unsigned n_fields;
	struct {
		char path[96], text[200];
	} fields[REFUSAL_FIELDS]; /* the first ones */
	int64_t retry_us;         /* the same call may work after this; -1: repeating does not help */
};

bool speaks_chinese(void);
void refusal_of_status(const struct rpc_status *s, struct refusal *out);
void refusal_of_message(const Google__Rpc__Status *s, struct refusal *out);
/* The refusal as an error; returns its code. */
enum eg_rc refusal_fail(const struct refusal *r, struct eg_err *err);

#endif
