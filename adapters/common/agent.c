/* agent: see agent.h. */
#include "common/agent.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "common/deliver.h"
#include "common/inbound.h"
#include "common/requests.h"

#include <stdlib.h>

/* The source is asked this long at a time: while something is under way, while nothing is, and while changes
 * wait for an answer of the gateway. What comes from there meanwhile waits for it. */
#define BUSY_WAIT_US (EG_SECOND / 50)
#define IDLE_WAIT_US (EG_SECOND / 5)
#define ASKS_WAIT_US (EG_SECOND / 1000)
enum { TURN_EVENTS = 256, PINGS_OF_ONE = 3 /* in the time that the service manager waits for one */ };

struct agent {
	const struct eg_agent_options *o;
	struct eg_inbound *inbound; /* rows, and lists too unless the connector splits */
	struct eg_inbound *lists;   /* NULL: it does not */
	struct eg_deliver *deliver; /* NULL: the mapping has no outbound section */
	bool stopping, link_up;
	int64_t stop_deadline_us, status_due_us, moved_us;
	int64_t ping_us, ping_due_us; /* the service manager's watchdog; 0: it asks for none */
	uint64_t moved;               /* sum of what counts as progress, when it was last seen to grow */
	struct eg_err told;           /* trouble that was logged */
};

/* ---- trouble and standing ---- */

static void trouble(const struct agent *a, struct eg_err *err, bool *needs_mending)
{
	eg_inbound_trouble(a->inbound, err, needs_mending);
	if (!err->rc && a->lists)
		eg_inbound_trouble(a->lists, err, needs_mending);
	if (!err->rc && a->deliver)
		eg_deliver_trouble(a->deliver, err, needs_mending);
}

static void write_status(struct agent *a)
{
	struct eg_err err = {0}, now = {0};
	bool mend;
	struct eg_standing s = {.program = a->o->program,
	                        .state = a->stopping ? "stopping" : "running",
	                        .link_up = eg_link_connected(a->o->link)};
	trouble(a, &now, &mend);
	s.trouble = now.rc ? now.text : "";
	eg_inbound_standing(a->inbound, &s);
	if (a->lists)
		eg_inbound_standing(a->lists, &s);
	if (a->deliver)
		eg_deliver_standing(a->deliver, &s);
	if (a->o->status_file && eg_counts_write(a->o->counts, &s, a->o->status_file, &err))
		eg_log_err(EG_LOG_WARN, "agent.status_failed", &err);
}

static void housekeeping(struct agent *a, int64_t now)
{
	bool up = eg_link_connected(a->o->link);
	if (up != a->link_up) {
		eg_log(up ? EG_LOG_INFO : EG_LOG_WARN, up ? "agent.link_up" : "agent.link_down");
		eg_notify_status(up ? "connected to the gateway" : "the gateway cannot be reached");
	}
	a->link_up = up;
	if (a->ping_us && now >= a->ping_due_us) {
		eg_notify("WATCHDOG=1");
		a->ping_due_us = now + a->ping_us;
	}
	if (now < a->status_due_us)
		return;
	a->status_due_us = now + a->o->limits->status_us;
	eg_requests_take(a->o->checkpoint, eg_mapping_info(a->o->mapping)->state_dir);
	write_status(a);
}

/* ---- the end ---- */

static uint64_t progress(const struct agent *a)
{
	const struct eg_counts *c = a->o->counts;
	return c->rows + c->applied + c->unchanged + c->stale + c->quarantined + c->refused + c->lists +
	       c->delivered + c->not_for_us;
}

/* once: what keeps it from getting done; EG_OK: nothing yet. */
static enum eg_rc hopeless(struct agent *a, int64_t now, struct eg_err *err)
{
	struct eg_err why = {0};
	bool needs_mending = false;
	trouble(a, &why, &needs_mending);
	if (needs_mending) {
		*err = why;
		return why.rc;
	}
	if (progress(a) != a->moved || !a->moved_us) {
		a->moved = progress(a);
		a->moved_us = now;
	}
	if (now - a->moved_us < a->o->limits->patience_us)
		return EG_OK;
	if (why.rc) {
		*err = why;
		return why.rc;
	}
	return eg_fail(err, EG_UNAVAILABLE, "%s",
	               eg_link_connected(a->o->link) ? "the gateway answers nothing"
	                                             : "the gateway cannot be reached");
}

static bool idle(const struct agent *a)
{
	return eg_inbound_idle(a->inbound) && (!a->lists || eg_inbound_idle(a->lists));
}

static bool done(const struct agent *a, int64_t now)
{
	if (a->stopping)
		return idle(a) || now >= a->stop_deadline_us;
	return a->o->once && eg_inbound_done(a->inbound) && (!a->deliver || eg_deliver_done(a->deliver));
}

static void look_for_stop(struct agent *a, int64_t now)
{
	if (a->stopping || !a->o->stop || !*a->o->stop)
		return;
	a->stopping = true;
	a->stop_deadline_us = now + a->o->limits->grace_us;
	eg_inbound_stop(a->inbound);
	if (a->lists)
		eg_inbound_stop(a->lists);
	if (a->deliver)
		eg_deliver_stop(a->deliver);
	eg_notify("STOPPING=1");
	eg_log(EG_LOG_INFO, "agent.stopping");
}

/* ---- the loop ---- */

static enum eg_rc drain_link(struct agent *a, int64_t deadline, struct eg_err *err)
{
	struct eg_link_event e;
	for (unsigned i = 0; i < TURN_EVENTS; i++) {
		enum eg_rc rc = eg_link_wait(a->o->link, i ? 0 : deadline, &e, err);
		if (rc == EG_DEADLINE || rc == EG_EMPTY)
			return EG_OK;
		if (rc)
			return rc;
		int64_t now = eg_mono_us();
		if (eg_inbound_event(a->inbound, &e, now) ||
		    (a->lists && eg_inbound_event(a->lists, &e, now)))
			continue;
		if (a->deliver)
			eg_deliver_event(a->deliver, &e, now);
	}
	return EG_OK;
}

static int64_t wake_at(const struct agent *a, int64_t now)
{
	int64_t at = now + (idle(a) ? IDLE_WAIT_US : BUSY_WAIT_US);
	if (eg_inbound_due(a->inbound) < at)
		at = eg_inbound_due(a->inbound);
	if (a->lists && eg_inbound_due(a->lists) < at)
		at = eg_inbound_due(a->lists);
	if (a->deliver && eg_deliver_due(a->deliver) < at)
		at = eg_deliver_due(a->deliver);
	return at > now ? at : now;
}

static int64_t source_wait(const struct agent *a, bool more)
{
	if (a->deliver && eg_deliver_asks(a->deliver))
		return ASKS_WAIT_US;
	return eg_inbound_idle(a->inbound) && !more ? IDLE_WAIT_US : BUSY_WAIT_US;
}

/* The lists' turn, which never waits. True: the other source is not to wait either. */
static bool turn_lists(struct agent *a, int64_t now)
{
	bool waited;
	if (!a->lists)
		return false;
	eg_inbound_turn(a->lists, now, now, &waited);
	return eg_inbound_working(a->lists) || !eg_inbound_idle(a->lists);
}

static enum eg_rc turn(struct agent *a, struct eg_err *err)
{
	bool waited = false, more = false, busy;
	int64_t now = eg_mono_us();
	look_for_stop(a, now);
	housekeeping(a, now);
	if (a->deliver)
		more = eg_deliver_turn(a->deliver, now);
	/* The source gets its time even when others are busy: one that fetches over a network could otherwise
	 * never finish. */
	busy = turn_lists(a, now);
	eg_inbound_turn(a->inbound, now, busy ? now : now + source_wait(a, more), &waited);
	if (busy) /* nobody has waited, so that says nothing */
		waited = eg_inbound_working(a->lists) || eg_inbound_working(a->inbound);
	now = eg_mono_us();
	return drain_link(a, waited || more ? 0 : wake_at(a, now), err);
}

static enum eg_rc open_parts(struct agent *a, struct eg_err *err)
{
	const struct eg_agent_options *o = a->o;
	struct eg_inbound_options in = {.mapping = o->mapping,
	                                .link = o->link,
	                                .checkpoint = o->checkpoint,
	                                .limits = o->limits,
	                                .counts = o->counts,
	                                .once = o->once};
	struct eg_deliver_options out = {.mapping = o->mapping,
	                                 .link = o->link,
	                                 .checkpoint = o->checkpoint,
	                                 .limits = o->limits,
	                                 .counts = o->counts,
	                                 .once = o->once};
	/* With once nobody waits for rows, and the end is told once. */
	bool split = eg_mapping_info(o->mapping)->connector->splits && !o->once;
	in.part = split ? EG_PART_ROWS : EG_PART_ALL;
	enum eg_rc rc = eg_inbound_open(&a->inbound, &in, err);
	in.part = EG_PART_LISTS;
	if (!rc && split)
		rc = eg_inbound_open(&a->lists, &in, err);
	if (!rc && eg_mapping_info(o->mapping)->has_outbound)
		rc = eg_deliver_open(&a->deliver, &out, err);
	return rc;
}

enum eg_rc eg_agent_run(const struct eg_agent_options *o, struct eg_err *err)
{
	struct agent a = {.o = o, .ping_us = eg_notify_watchdog_us() / PINGS_OF_ONE};
	enum eg_rc rc = open_parts(&a, err);
	if (!rc) {
		eg_log(EG_LOG_INFO, "agent.started", EG_T("dataset", eg_mapping_info(o->mapping)->dataset),
		       EG_B("once", o->once));
		eg_notify_ready("waiting for the gateway");
	}
	while (!rc && !done(&a, eg_mono_us())) {
		rc = turn(&a, err);
		if (!rc && o->once && !a.stopping)
			rc = hopeless(&a, eg_mono_us(), err);
	}
	if (a.inbound) {
		if (!rc && a.stopping && !idle(&a))
			eg_log(EG_LOG_WARN, "agent.grace_over"); /* what has no receipt comes again */
		struct eg_err save = {0};
		if (eg_checkpoint_save(o->checkpoint, &save))
			eg_log_err(EG_LOG_ERROR, "agent.checkpoint_failed", &save);
		a.stopping = true;
		write_status(&a);
	}
	eg_deliver_close(a.deliver);
	eg_inbound_close(a.lists);
	eg_inbound_close(a.inbound);
	eg_log(EG_LOG_INFO, "agent.stopped", EG_I("rows", o->counts->rows),
	       EG_I("applied", o->counts->applied));
	return rc;
}
