/* status: what a refused call or batch says about itself, in words and as a result code.
 *
 * The language is Chinese where the first of LC_ALL, LC_MESSAGES and LANG that is not empty begins with zh,
 * else English. Pure but for that.
 */
#ifndef EG_CLI_STATUS_H
#define EG_CLI_STATUS_H

#include "cli/grpc_client.h"
#include "common/refusal.h"

bool speaks_chinese(void);
void refusal_of_status(const struct rpc_status *s, struct eg_refusal *out);
void refusal_of_message(const Google__Rpc__Status *s, struct eg_refusal *out);
/* The refusal as an error; returns its code. */
enum eg_rc refusal_fail(const struct eg_refusal *r, struct eg_err *err);

#endif
