/* follow: one subscription that outlives its connections: when one breaks, the next goes on at the last
 * cursor.
 *
 * Thread: the caller's, in follow_run; `stop` may be set from any. */
#ifndef EG_CLI_FOLLOW_H
#define EG_CLI_FOLLOW_H

#include "cli/grpc_client.h"
#include "eldergate/v1/feed.pb-c.h"

#include <stdatomic.h>

struct follow {
	struct rpc_client *client;
	Eldergate__V1__SubscribeRequest *request; /* its start is replaced by the cursor; the caller's */
	bool patient;                             /* keeps trying even if the first connection fails */
	/* One window. The cursor moves past it when this returns EG_OK; anything else ends the subscription.
	 */
	enum eg_rc (*window)(void *arg, const Eldergate__V1__SubscribeResponse *w, struct eg_err *err);
	void *arg;
	atomic_bool stop; /* ends follow_run with EG_OK, in a fraction of a second */
	/* the cursor after the last window; of the request's start before */
	bool has_cursor;
	char log_id[40];
	Eldergate__V1__Cursor cursor;
	atomic_uint connections; /* made so far */
};

enum eg_rc follow_run(struct follow *f, struct eg_err *err);
void follow_cursor(struct follow *f, const Eldergate__V1__Cursor *c);

#endif
