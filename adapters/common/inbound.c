/* inbound: see inbound.h. */
#include "common/inbound.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "common/full_list.h"
#include "common/lane.h"
#include "common/list_region.h"
#include "common/mapper.h"
#include "common/port.h"
#include "common/refusals.h"
#include "common/row_log.h"
#include "common/urgent.h"
#include "model/record.h"

#include <stdio.h>
#include <stdlib.h>

enum { TURN_ROWS = 256 }; /* then the link has its turn: its heartbeats must not wait for a long source */
enum { URGENT, LIVE, LANES };

struct eg_inbound {
	struct eg_inbound_options o;
	const struct eg_mapping_info *info;
	struct eg_port port;
	struct eg_mapper *mapper;
	struct eg_lane *lanes[LANES];
	struct eg_full_list *list;
	struct eg_list_region region; /* of lists whose records have none */
	struct eg_refusals refusals;
	struct eg_row_log row_log;
	bool stopping, ended, working;
	struct eg_err gateway; /* the gateway refuses us; rc EG_OK: it does not */
};

/* ---- verdicts back ---- */

static void source_failed(struct eg_inbound *in, const struct eg_err *err)
{
	for (unsigned i = 0; i < LANES; i++)
		eg_lane_forget(in->lanes[i]);
	eg_full_list_forget(in->list);
	eg_refusals_reset(&in->refusals);
	in->ended = false;
	in->o.counts->source_failures++;
	eg_port_fail(&in->port, eg_mono_us(), err);
}

static void save(struct eg_inbound *in)
{
	struct eg_err err = {0};
	if (eg_checkpoint_save(in->o.checkpoint, &err)) {
		/* What was settled and not saved comes again: a repetition, not a loss. The next save has it.
		 */
		in->o.counts->checkpoint_failures++;
		eg_log_err(EG_LOG_ERROR, "agent.checkpoint_failed", &err);
		return;
	}
	eg_kill_point("agent.saved");
}

static bool settle(struct eg_inbound *in, const struct eg_verdict *v, unsigned n)
{
	struct eg_err err = {0};
	if (!in->port.connector || !n)
		return false;
	if (in->port.type->settle(in->port.connector, v, n, &err)) {
		source_failed(in, &err);
		return false;
	}
	eg_kill_point("agent.settled");
	eg_port_worked(&in->port);
	save(in);
	return true;
}

static void settle_receipt(void *arg, const struct eg_verdicts *v)
{
	struct eg_inbound *in = arg;
	struct eg_counts *c = in->o.counts;
	c->applied += v->applied;
	c->unchanged += v->unchanged;
	c->stale += v->stale;
	c->quarantined += v->quarantined;
	c->refused += v->refused;
	c->last_receipt_us = eg_now_us();
	for (unsigned i = 0; i < v->n; i++)
		if (v->v[i].seq > c->newest_seq)
			c->newest_seq = v->v[i].seq;
	in->gateway = (struct eg_err){0};
	settle(in, v->v, v->n);
}

/* The gateway wants none of these rows, for a reason that may be mended over there: they stay at the source.
 */
static void batch_refused(void *arg, const struct eg_err *err, unsigned rows)
{
	struct eg_inbound *in = arg;
	in->gateway = *err;
	if (!rows)
		return; /* the stream was refused; its batches wait */
	in->o.counts->batches_refused++;
	struct eg_err stays = *err;
	if (eg_rc_retryable(stays.rc))
		stays.rc = EG_PRECONDITION; /* the gateway said that repeating does not help */
	source_failed(in, &stays);
}

static bool settle_list(void *arg, const struct eg_verdict *v, unsigned n)
{
	return settle(arg, v, n);
}

static void list_failed(void *arg, const struct eg_err *err)
{
	struct eg_inbound *in = arg;
	in->o.counts->lists_abandoned++;
	source_failed(in, err);
}

static void list_turned_down(void *arg)
{
	struct eg_inbound *in = arg;
	in->o.counts->lists_abandoned++;
	eg_list_region_end(&in->region, false);
}

static void list_reported(void *arg, uint64_t unchanged, uint64_t applied, uint64_t stale, uint64_t rejected)
{
	struct eg_inbound *in = arg;
	struct eg_counts *c = in->o.counts;
	eg_list_region_end(&in->region, true);
	c->lists++;
	c->unchanged += unchanged;
	c->applied += applied;
	c->stale += stale;
	c->quarantined += rejected;
	c->last_receipt_us = eg_now_us();
}

static void settle_refusals(struct eg_inbound *in)
{
	struct eg_refusals *r = &in->refusals;
	struct eg_err err = {0};
	if (!r->n)
		return;
	if (!eg_refusals_ready(r)) {
		eg_fail(&err, EG_NO_MEMORY, "no memory for refused rows");
		source_failed(in, &err);
		return;
	}
	settle(in, r->v, r->n); /* a failure has reset r already */
	eg_refusals_reset(r);
}

/* ---- rows in ---- */

static bool room(const struct eg_inbound *in)
{
	return in->refusals.n < EG_REFUSALS_MAX && eg_full_list_room(in->list) &&
	       eg_lane_room(in->lanes[URGENT]) && eg_lane_room(in->lanes[LIVE]);
}

/* A row that is refused here. In a full list its key must not be missing all the same. */
static enum eg_rc unread(struct eg_inbound *in, struct eg_bytes key, struct eg_err *err)
{
	in->o.counts->bad_rows++;
	return eg_full_list_is_open(in->list) ? eg_full_list_unread(in->list, key, err) : EG_OK;
}

static enum eg_rc forward(struct eg_inbound *in, const struct eg_in *from, const struct eg_mapped *row,
                          struct eg_err *err)
{
	uint64_t ref = from->ref;
	enum eg_rc rc;
	if (eg_full_list_is_open(in->list)) {
		rc = eg_full_list_row(in->list, ref, row->record, err);
	} else {
		unsigned lane = eg_urgent(in->info->section, row) ? URGENT : LIVE;
		rc = eg_lane_add(in->lanes[lane], ref, row->record, eg_mono_us(), err);
	}
	if (rc == EG_LIMIT) {
		eg_refusals_add(&in->refusals, ref, "RECORD_TOO_LARGE", "", "记录超过允许的大小。");
		eg_row_log_refused(&in->row_log, from, "RECORD_TOO_LARGE", "", "", eg_mono_us());
		return unread(in, row->key, err);
	}
	in->o.counts->sent += !rc;
	return rc;
}

static enum eg_rc take_row(struct eg_inbound *in, const struct eg_in *row, struct eg_err *err)
{
	struct eg_mapped mapped;
	in->o.counts->rows++;
	enum eg_rc rc = eg_mapper_row(in->mapper, row, &mapped, err);
	if (rc == EG_INVALID) {
		eg_refusals_faults(&in->refusals, row->ref, &mapped);
		eg_row_log_faults(&in->row_log, row, &mapped, eg_mono_us());
		return unread(in, mapped.key, err);
	}
	if (rc)
		return rc;
	if (mapped.skipped) {
		in->o.counts->skipped++;
		if (eg_full_list_is_open(in->list))
			eg_full_list_passed(in->list);
		eg_refusals_taken(&in->refusals, row->ref);
		return EG_OK;
	}
	return forward(in, row, &mapped, err);
}

static enum eg_rc take_bad(struct eg_inbound *in, const struct eg_in *row, struct eg_err *err)
{
	in->o.counts->rows++;
	eg_refusals_add(&in->refusals, row->ref, "MALFORMED_ROW", "", row->reason);
	eg_row_log_refused(&in->row_log, row, "MALFORMED_ROW", "", "", eg_mono_us());
	return unread(in, (struct eg_bytes){0}, err);
}

static enum eg_rc begin_list(struct eg_inbound *in, const struct eg_in *row, struct eg_err *err)
{
	struct eg_list_scope scope;
	enum eg_rc rc = eg_mapper_list(in->mapper, row, &scope, err);
	if (rc || (rc = eg_full_list_begin(in->list, row, &scope, err)) ||
	    eg_section_has_region(in->info->section))
		return rc;
	rc = eg_list_region_begin(&in->region, row, err);
	if (rc != EG_EXISTS)
		return rc;
	char text[EG_LIST_REGION_MAX + 200];
	snprintf(text, sizeof text,
	         "本数据集的记录不含地区，全量清单只接收地区%"
	         "s的；其他地区的清单会使其人员被误撤，整份未采用。",
	         in->region.only);
	eg_full_list_decline(in->list, "LIST_REGION", text, err);
	return EG_OK;
}

static enum eg_rc take(struct eg_inbound *in, const struct eg_in *row, struct eg_err *err)
{
	switch (row->kind) {
	case EG_IN_ROW:
		eg_kill_point("agent.row_pulled");
		return take_row(in, row, err);
	case EG_IN_BAD:
		return take_bad(in, row, err);
	case EG_IN_LIST_BEGIN:
		return begin_list(in, row, err);
	case EG_IN_LIST_END:
		return eg_full_list_end(in->list, row, err);
	case EG_IN_LIST_ABANDON:
		in->o.counts->lists_abandoned += eg_full_list_is_open(in->list);
		eg_full_list_abandon(in->list, row->ref);
		return EG_OK;
	case EG_IN_END:
		in->ended = true;
		return EG_OK;
	}
	return eg_fail(err, EG_INTERNAL, "the connector handed out something that is nothing");
}

/* Rows until there is no room, or no more come. False: the source has nothing now. */
static bool pull(struct eg_inbound *in, int64_t deadline)
{
	struct eg_in row;
	struct eg_err err = {0};
	for (unsigned i = 0; i < TURN_ROWS && room(in) && !in->ended; i++) {
		enum eg_rc rc = in->port.type->next(in->port.connector, i ? 0 : deadline, &row, &err);
		in->working = i > 0 || rc == EG_BUSY || !rc;
		if (rc == EG_EMPTY || (rc == EG_BUSY && in->o.part != EG_PART_ALL))
			return i > 0;
		if (!rc)
			rc = take(in, &row, &err);
		if (rc) {
			source_failed(in, &err);
			return false;
		}
	}
	return true;
}

void eg_inbound_turn(struct eg_inbound *in, int64_t now, int64_t deadline, bool *waited)
{
	bool more = false;
	*waited = in->working = false;
	if (!in->stopping && !in->ended && room(in) && eg_port_ready(&in->port, now)) {
		more = pull(in, deadline);
		*waited = more || eg_mono_us() >= deadline;
	}
	settle_refusals(in);
	now = eg_mono_us();
	eg_row_log_turn(&in->row_log, now);
	for (unsigned i = 0; i < LANES; i++) /* deaths do not linger while the source has nothing more */
		eg_lane_turn(in->lanes[i], now, in->stopping || in->ended || (i == URGENT && !more));
	eg_full_list_turn(in->list, now);
}

bool eg_inbound_event(struct eg_inbound *in, const struct eg_link_event *e, int64_t now)
{
	for (unsigned i = 0; i < LANES; i++)
		if (eg_lane_event(in->lanes[i], e, now))
			return true;
	return eg_full_list_event(in->list, e, now);
}

bool eg_inbound_working(const struct eg_inbound *in)
{
	return in->working;
}

int64_t eg_inbound_due(const struct eg_inbound *in)
{
	int64_t due = eg_full_list_due(in->list);
	for (unsigned i = 0; i < LANES; i++)
		if (eg_lane_due(in->lanes[i]) < due)
			due = eg_lane_due(in->lanes[i]);
	if (!in->port.connector && !in->stopping && room(in) && in->port.not_before_us < due)
		due = in->port.not_before_us;
	return due;
}

/* ---- the whole ---- */

void eg_inbound_stop(struct eg_inbound *in)
{
	in->stopping = true;
	if (eg_full_list_is_open(
	            in->list)) /* one that was sent whole may still be reported within the grace */
		eg_full_list_forget(in->list);
}

bool eg_inbound_idle(const struct eg_inbound *in)
{
	return eg_lane_empty(in->lanes[URGENT]) && eg_lane_empty(in->lanes[LIVE]) &&
	       !eg_full_list_busy(in->list) && !in->refusals.n;
}

bool eg_inbound_done(const struct eg_inbound *in)
{
	return in->ended && eg_inbound_idle(in);
}

void eg_inbound_standing(const struct eg_inbound *in, struct eg_standing *out)
{
	out->agency = in->info->agency;
	out->dataset = in->info->dataset;
	if (!out->source || in->port.state > out->source_state) {
		out->source_state = in->port.state;
		out->source = eg_port_state_name(in->port.state);
	}
	for (unsigned i = 0; i < LANES; i++) {
		out->rows_in_flight += eg_lane_rows(in->lanes[i]);
		out->batches_in_flight += eg_lane_batches(in->lanes[i]);
		out->batches_resent += eg_lane_resent(in->lanes[i]);
	}
	out->list_open |= eg_full_list_busy(in->list);
}

void eg_inbound_trouble(const struct eg_inbound *in, struct eg_err *err, bool *needs_mending)
{
	bool failed = in->port.state == EG_PORT_FAILED;
	*needs_mending = failed || in->gateway.rc;
	if (in->gateway.rc)
		*err = in->gateway;
	else if (failed || in->port.state == EG_PORT_RETRYING)
		*err = in->port.last;
	else if (!in->port.connector || !in->port.type->trouble ||
	         !in->port.type->trouble(in->port.connector, err))
		*err = (struct eg_err){0};
}

static enum eg_rc open_lanes(struct eg_inbound *in, struct eg_err *err)
{
	static const int numbers[LANES] = {ELDERGATE__V1__LANE__LANE_URGENT, ELDERGATE__V1__LANE__LANE_LIVE};
	const struct eg_limits *l = in->o.limits;
	struct eg_lane_options o = {.link = in->o.link,
	                            .dataset = in->info->dataset,
	                            .batch_records = l->batch_records,
	                            .batch_bytes = l->batch_bytes,
	                            .linger_us = l->linger_us,
	                            .in_flight = l->in_flight,
	                            .receipt_us = l->receipt_us,
	                            .backoff_least_us = l->backoff_least_us,
	                            .backoff_most_us = l->backoff_most_us,
	                            .settle = settle_receipt,
	                            .refused = batch_refused,
	                            .arg = in};
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < LANES && !rc; i++) {
		o.lane = numbers[i];
		rc = eg_lane_open(&in->lanes[i], &o, err);
	}
	return rc;
}

static enum eg_rc open_list(struct eg_inbound *in, struct eg_err *err)
{
	struct eg_full_list_options o = {.link = in->o.link,
	                                 .dataset = in->info->dataset,
	                                 .revision = in->info->revision,
	                                 .limits = in->o.limits,
	                                 .settle = settle_list,
	                                 .failed = list_failed,
	                                 .turned_down = list_turned_down,
	                                 .reported = list_reported,
	                                 .arg = in};
	return eg_full_list_new(&in->list, &o, err);
}

enum eg_rc eg_inbound_open(struct eg_inbound **out, const struct eg_inbound_options *o, struct eg_err *err)
{
	struct eg_inbound *in = calloc(1, sizeof *in);
	if (!in)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the agent");
	in->o = *o;
	in->info = eg_mapping_info(o->mapping);
	in->port = (struct eg_port){
	        .type = in->info->connector,
	        .options = {.settings = in->info->source,
	                    .checkpoint = o->checkpoint,
	                    .prefix = "source/",
	                    .part = o->part,
	                    .revision = eg_mapping_info(o->mapping)->revision,
	                    .once = o->once},
	        .name = "source",
	        .backoff = {.least_us = o->limits->backoff_least_us, .most_us = o->limits->backoff_most_us},
	        .slow_us = o->limits->slow_us};
	in->region = (struct eg_list_region){.checkpoint = o->checkpoint, .revision = in->info->revision};
	eg_list_region_read(&in->region);
	enum eg_rc rc = eg_mapper_new(&in->mapper, o->mapping, err);
	if (!rc)
		rc = open_lanes(in, err);
	if (!rc)
		rc = open_list(in, err);
	if (rc) {
		eg_inbound_close(in);
		return rc;
	}
	*out = in;
	return EG_OK;
}

void eg_inbound_close(struct eg_inbound *in)
{
	if (!in)
		return;
	eg_row_log_end(&in->row_log);
	eg_full_list_free(in->list);
	for (unsigned i = 0; i < LANES; i++)
		eg_lane_close(in->lanes[i]);
	eg_port_close(&in->port);
	eg_refusals_free(&in->refusals);
	eg_mapper_free(in->mapper);
	free(in);
}
