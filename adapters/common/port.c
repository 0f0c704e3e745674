/* port: see port.h. */
#include "common/port.h"

#include "base/log.h"

bool eg_port_ready(struct eg_port *p, int64_t now)
{
	struct eg_err err = {0};
	if (p->connector)
		return true;
	if (now < p->not_before_us)
		return false;
	enum eg_rc (*open)(struct eg_connector **, const struct eg_connector_options *, struct eg_err *) =
	        p->target ? p->type->open_target : p->type->open_source;
	if (open(&p->connector, &p->options, &err)) {
		p->connector = NULL;
		eg_port_fail(p, now, &err);
		return false;
	}
	p->state = EG_PORT_OPEN;
	eg_log(EG_LOG_INFO, "agent.connector_open", EG_T("port", p->name), EG_T("connector", p->type->name));
	return true;
}

void eg_port_fail(struct eg_port *p, int64_t now, const struct eg_err *err)
{
	bool again = eg_rc_retryable(err->rc);
	int64_t wait = again ? eg_backoff_next(&p->backoff) : p->slow_us;
	eg_port_close(p);
	p->last = *err;
	p->failures++;
	p->state = again ? EG_PORT_RETRYING : EG_PORT_FAILED;
	p->not_before_us = now + wait;
	eg_log(again ? EG_LOG_WARN : EG_LOG_ERROR,
	       again ? "agent.connector_retrying" : "agent.connector_failed", EG_T("port", p->name),
	       EG_T("connector", p->type->name), EG_T("error", eg_rc_label(err->rc)),
	       EG_T("field", err->field), EG_T("reason", err->text),
	       EG_R("again_after_s", (double)wait / 1e6));
}

void eg_port_worked(struct eg_port *p)
{
	eg_backoff_reset(&p->backoff);
}

void eg_port_close(struct eg_port *p)
{
	if (p->connector)
		p->type->close(p->connector);
	p->connector = NULL;
	p->state = EG_PORT_CLOSED;
}

const char *eg_port_state_name(enum eg_port_state s)
{
	static const char *const names[] = {"closed", "open", "retrying", "failed"};
	return names[s];
}
