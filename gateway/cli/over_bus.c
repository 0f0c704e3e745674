/* over_bus: see over_bus.h. */
#include "cli/over_bus.h"

#include "base/clock.h"
#include "cli/status.h"
#include "common/ask.h"

static enum eg_rc trouble(struct eg_link *l, struct eg_err *err)
{
	enum eg_rc rc = eg_link_trouble(l, err);
	return rc ? rc
	          : eg_fail(err, EG_DEADLINE, "the gateway took the connection, and did not answer in time");
}

enum eg_rc over_bus(const struct eg_link_options *o, const char *method, struct eg_bytes request,
                    int64_t timeout_us, struct eg_buf *answer, struct eg_refusal *why, bool *refused,
                    struct eg_err *err)
{
	int64_t deadline = eg_mono_us() + timeout_us;
	struct eg_link *l = NULL;
	struct eg_ask ask = {0};
	struct eg_link_event e;
	bool over = false;
	*refused = false;
	enum eg_rc rc = eg_link_open(&l, o, err);
	eg_buf_add(&ask.request, request.p, request.len);
	if (!rc)
		rc = eg_ask_open(&ask, l, method, 0, err);
	while (!rc && !over) {
		enum eg_rc got = eg_link_wait(l, deadline, &e, err);
		if (got == EG_DEADLINE && eg_mono_us() < deadline) /* a signal */
			continue;
		if (got == EG_DEADLINE || (!got && e.kind == EG_LINK_LOST)) {
			rc = trouble(l, err);
		} else if (got) {
			rc = got;
		} else if (e.kind == EG_LINK_MESSAGE) {
			eg_buf_add(answer, e.bytes.p, e.bytes.len);
			over = true;
		} else if (e.kind == EG_LINK_STATUS) {
			eg_refusal_of_end(e.code, e.text, e.bytes, speaks_chinese(), why);
			*refused = over = true;
		} else {
			rc = eg_ask_send(&ask, err);
		}
	}
	eg_ask_close(&ask);
	eg_link_close(l);
	return rc;
}
