/* ask: see ask.h. */
#include "common/ask.h"

enum eg_rc eg_ask_open(struct eg_ask *a, struct eg_link *l, const char *method, unsigned credit,
                       struct eg_err *err)
{
	enum eg_rc rc = a->request.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a request")
	                                  : eg_link_call(l, method, credit, a, &a->call, err);
	a->sent = false;
	if (rc) {
		a->call = NULL;
		eg_ask_close(a);
		return rc;
	}
	return eg_ask_send(a, err);
}

enum eg_rc eg_ask_send(struct eg_ask *a, struct eg_err *err)
{
	if (!a->call || a->sent)
		return EG_OK;
	enum eg_rc rc = eg_link_send(a->call, eg_buf_bytes(&a->request), err);
	if (rc == EG_BUSY || rc == EG_CLOSED)
		return EG_OK; /* credit, or the call's end, comes as an event */
	if (!rc)
		rc = eg_link_half_close(a->call, err);
	a->sent = true;
	eg_buf_free(&a->request);
	if (rc)
		eg_ask_close(a);
	return rc;
}

void eg_ask_close(struct eg_ask *a)
{
	if (a->call)
		eg_link_drop(a->call);
	a->call = NULL;
	eg_buf_free(&a->request);
}
