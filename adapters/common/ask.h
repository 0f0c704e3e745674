/* ask: a call with one request, which is sent as soon as there is credit for it. Thread: the agent's. */
#ifndef EG_ADAPTERS_ASK_H
#define EG_ADAPTERS_ASK_H

#include "base/buf.h"
#include "eldergate/link.h"

struct eg_ask {
	struct eg_link_call *call; /* NULL: none */
	struct eg_buf request;     /* until it is sent */
	bool sent;
};

/* request is filled. On failure nothing is open. */
enum eg_rc eg_ask_open(struct eg_ask *a, struct eg_link *l, const char *method, unsigned credit,
                       struct eg_err *err);
/* To be called on each turn; EG_OK also while there is no credit yet. */
enum eg_rc eg_ask_send(struct eg_ask *a, struct eg_err *err);
void eg_ask_close(struct eg_ask *a);

#endif
