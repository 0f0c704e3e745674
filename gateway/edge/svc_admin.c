/* svc_admin: AdminService.GetStatus: how the gateway stands. It names no person, so it is not logged. */
#include "edge/services.h"
#include "edge/views.h"

#include "base/clock.h"
#include "base/metric.h"
#include "eldergate/v1/admin.pb-c.h"
#include "flow/datasets.h"

#include <stdio.h>

enum { LISTS_SHOWN = 64, DATASET_NAME = 2 * EG_NAME_MAX };

static Google__Protobuf__Duration *make_duration(struct eg_maker *k, int64_t us)
{
	Google__Protobuf__Duration *m =
	        EG_MAKE(k, Google__Protobuf__Duration, google__protobuf__duration__init);
	if (m) {
		m->seconds = us / EG_SECOND;
		m->nanos = (int32_t)(us % EG_SECOND * 1000);
	}
	return m;
}

/* ---- the log ---- */

static enum eg_rc time_of(struct eg_ask *a, uint64_t seq, int64_t *out, struct eg_fault *f)
{
	struct eg_log_row row;
	struct eg_header h;
	*out = 0;
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	rc = eg_get_entry(a->conn, seq, a->arena, &row, &f->err);
	eg_read_end(a->conn);
	if (rc == EG_EMPTY)
		return EG_OK;
	if (!rc && !(rc = eg_header_read(row.header, &h, &f->err)))
		*out = h.time;
	return rc;
}

struct facts {
	uint64_t head, checkpoint;
	int64_t checkpoint_time, persons, open_cases;
	struct eg_dataset_row *datasets;
	unsigned n_datasets;
};

static enum eg_rc read_facts(struct eg_ask *a, struct facts *out, struct eg_fault *f)
{
	struct eg_bytes note;
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	if (!(rc = eg_get_head(a->conn, &out->head, &f->err)) &&
	    !(rc = eg_count(a->conn, &out->persons, &out->open_cases, &f->err)) &&
	    !(rc = eg_list_datasets(a->conn, a->arena, &out->datasets, &out->n_datasets, &f->err))) {
		rc = eg_get_checkpoint(a->conn, 0, a->arena, &out->checkpoint, &out->checkpoint_time, &note,
		                       &f->err);
		if (rc == EG_EMPTY)
			rc = EG_OK;
	}
	eg_read_end(a->conn);
	return rc;
}

/* ---- datasets ---- */

static Eldergate__V1__DatasetStatus *make_dataset(const struct eg_edge *e, struct eg_maker *k,
                                                  const char *agency, const char *name,
                                                  const struct eg_dataset_rule *rule,
                                                  const struct eg_dataset_row *row)
{
	Eldergate__V1__DatasetStatus *m =
	        EG_MAKE(k, Eldergate__V1__DatasetStatus, eldergate__v1__dataset_status__init);
	if (!m)
		return NULL;
	m->source = eg_make_source(k, eg_bytes_of(agency), eg_bytes_of(name), row ? row->event_time : 0);
	if (rule) {
		m->section = (Eldergate__V1__Section)rule->section;
		if (rule->rhythm_s)
			m->rhythm = make_duration(k, rule->rhythm_s * EG_SECOND);
	}
	m->punctuality = (Eldergate__V1__Punctuality)eg_dataset_punctuality(
	        rule, row, e->start_us, e->dataset_tolerance, eg_now_us());
	if (!row)
		return m;
	m->last_received = eg_make_time(k, row->heard);
	m->last_seq = row->seq;
	m->records = row->records;
	m->rejects = row->rejects;
	if (row->event_time) {
		int64_t lag = eg_now_us() - row->event_time;
		lag = lag > 0 ? lag : 0;
		m->lag = make_duration(k, lag);
	}
	return m;
}

/* Those of the policy, whether or not anything came, and those that the policy has no more. */
static void add_datasets(const struct eg_edge *e, struct eg_maker *k, const struct eg_policy *policy,
                         const struct facts *s, Eldergate__V1__GetStatusResponse *r)
{
	unsigned n = s->n_datasets;
	for (unsigned i = 0; i < policy->n; i++)
		n += policy->identities[i].n_datasets;
	r->datasets = EG_MAKE_LIST(k, n);
	for (unsigned i = 0; i < policy->n && r->datasets; i++) {
		const struct eg_identity_rule *who = &policy->identities[i];
		for (unsigned d = 0; d < who->n_datasets; d++) {
			const struct eg_dataset_rule *rule = &who->datasets[d];
			r->datasets[r->n_datasets++] = make_dataset(
			        e, k, who->name, rule->name, rule,
			        eg_dataset_row_of(s->datasets, s->n_datasets, who->name, rule->name));
		}
	}
	for (unsigned i = 0; i < s->n_datasets && r->datasets; i++) {
		char agency[DATASET_NAME + 1];
		snprintf(agency, sizeof agency, "%s", s->datasets[i].name);
		char *slash = strchr(agency, '/');
		if (!slash)
			continue;
		*slash = 0;
		const struct eg_identity_rule *who = eg_policy_by_name(policy, agency);
		if (!who || !eg_policy_dataset(who, eg_bytes_of(slash + 1)))
			r->datasets[r->n_datasets++] =
			        make_dataset(e, k, agency, slash + 1, NULL, &s->datasets[i]);
	}
}

/* ---- readers, lanes, relay ---- */

static void add_relay(struct eg_ask *a, struct eg_maker *k, const struct facts *s,
                      Eldergate__V1__GetStatusResponse *r)
{
	struct eg_relay_status status;
	if (!a->edge->o.relay)
		return;
	eg_relay_status(a->edge->o.relay, &status);
	r->relay = EG_MAKE(k, Eldergate__V1__RelayStatus, eldergate__v1__relay_status__init);
	r->marks = EG_MAKE_LIST(k, 1);
	Eldergate__V1__MarkStatus *m =
	        EG_MAKE(k, Eldergate__V1__MarkStatus, eldergate__v1__mark_status__init);
	if (k->failed)
		return;
	r->relay->connected = status.connected;
	r->relay->development_broker = a->edge->o.relay_development;
	r->relay->last_error = eg_make_text(k, eg_bytes_of(status.last_error));
	m->name = (char *)(uintptr_t) "kafka";
	m->seq = status.mark;
	m->behind = s->head > status.mark ? s->head - status.mark : 0;
	if (status.oldest_unpublished_us) {
		int64_t age = eg_now_us() - status.oldest_unpublished_us;
		m->oldest_age = make_duration(k, age > 0 ? age : 0);
	}
	r->marks[r->n_marks++] = m;
}

static void add_lanes(struct eg_ask *a, struct eg_maker *k, Eldergate__V1__GetStatusResponse *r)
{
	static const char *const names[EG_QUEUE_LANES] = {"urgent", "read", "live", "bulk"};
	struct eg_queue_depth d = eg_queue_depth(eg_intake_queue(a->edge->o.intake));
	r->lanes = EG_MAKE_LIST(k, EG_QUEUE_LANES);
	for (unsigned i = 0; i < EG_QUEUE_LANES && r->lanes; i++) {
		Eldergate__V1__LaneStatus *m =
		        EG_MAKE(k, Eldergate__V1__LaneStatus, eldergate__v1__lane_status__init);
		if (!m)
			return;
		m->name = (char *)(uintptr_t)names[i];
		m->items = (int64_t)d.items[i];
		m->bytes = (int64_t)d.bytes[i];
		r->lanes[r->n_lanes++] = m;
	}
}

/* ---- full lists ---- */

static void add_list(struct eg_maker *k, const struct eg_list_sight *s, const char *reason,
                     Eldergate__V1__GetStatusResponse *r)
{
	Eldergate__V1__ListStatus *m =
	        EG_MAKE(k, Eldergate__V1__ListStatus, eldergate__v1__list_status__init);
	if (!m || !(m->progress = EG_MAKE(k, Eldergate__V1__ReconcileProgress,
	                                  eldergate__v1__reconcile_progress__init)))
		return;
	m->source = eg_make_source(k, eg_bytes_of(s->agency), eg_bytes_of(s->dataset), 0);
	m->list_id = eg_make_text(k, eg_bytes_of(s->list_id));
	m->dry_run = s->dry_run;
	m->reason = eg_make_text(k, eg_bytes_of(reason));
	m->progress->phase = (Eldergate__V1__ListPhase)s->phase;
	m->progress->received = s->received;
	m->progress->compared = s->compared;
	m->progress->applied = s->applied;
	m->progress->of = s->of;
	r->lists[r->n_lists++] = m;
}

static void add_stored(struct eg_maker *k, const struct eg_list_info *l, Eldergate__V1__GetStatusResponse *r)
{
	struct eg_list_sight s = {.phase = l->phase, .received = l->rows, .of = l->counts.missing};
	s.compared = l->phase == EG_LIST_HELD ? l->rows : 0;
	snprintf(s.agency, sizeof s.agency, "%s", l->agency);
	snprintf(s.dataset, sizeof s.dataset, "%s", l->dataset);
	snprintf(s.list_id, sizeof s.list_id, "%s", l->list_id);
	add_list(k, &s, l->why, r);
}

/* Those under way, those that wait for a reviewer, and those that failed. */
static enum eg_rc add_lists(struct eg_ask *a, struct eg_maker *k, Eldergate__V1__GetStatusResponse *r,
                            struct eg_fault *f)
{
	struct eg_list_sight *seen = eg_make(k, LISTS_SHOWN * sizeof *seen);
	struct eg_list_row *rows = NULL;
	struct eg_list_info *failed = eg_make(k, LISTS_SHOWN * sizeof *failed);
	unsigned n = 0, n_failed = 0;
	r->lists = EG_MAKE_LIST(k, 3 * LISTS_SHOWN);
	if (!seen || !failed || !r->lists || !a->edge->o.lists)
		return EG_OK;
	unsigned n_seen = eg_lists_see(a->edge->o.lists, seen, LISTS_SHOWN);
	for (unsigned i = 0; i < n_seen; i++)
		add_list(k, &seen[i], "", r);
	enum eg_rc rc = eg_list_lists(a->conn, 0, EG_LIST_HELD, LISTS_SHOWN, a->arena, &rows, &n, &f->err);
	for (unsigned i = 0; i < n && !rc; i++) {
		struct eg_list_info l;
		if ((rc = eg_list_info_read(&rows[i], a->arena, &l, &f->err)))
			break;
		add_stored(k, &l, r);
	}
	if (!rc)
		rc = eg_lists_failed(a->conn, a->arena, failed, LISTS_SHOWN, &n_failed, &f->err);
	for (unsigned i = 0; i < n_failed && !rc; i++)
		add_stored(k, &failed[i], r);
	return rc;
}

enum eg_rc eg_get_status(struct eg_ask *a, struct eg_fault *f)
{
	struct eg_maker k = {.arena = a->arena};
	struct facts s = {0};
	int64_t head_time;
	enum eg_rc rc = read_facts(a, &s, f);
	if (rc || (rc = time_of(a, s.head, &head_time, f)))
		return rc;
	Eldergate__V1__GetStatusResponse *r =
	        EG_MAKE(&k, Eldergate__V1__GetStatusResponse, eldergate__v1__get_status_response__init);
	if (!r)
		return eg_ask_no_memory(f);
	r->version = eg_make_text(&k, eg_bytes_of(a->edge->o.version));
	r->start_time = eg_make_time(&k, a->edge->start_us);
	r->log_id = eg_make_id(&k, eg_writer_log_id(a->edge->o.writer));
	r->head_seq = s.head;
	r->head_time = eg_make_time(&k, head_time);
	r->checkpoint_size = s.checkpoint;
	r->checkpoint_time = eg_make_time(&k, s.checkpoint_time);
	r->persons = s.persons;
	r->open_cases = s.open_cases;
	r->subscribers = (int64_t)eg_metric_get(EG_M_SUBSCRIBERS, NULL);
	r->wal_bytes = eg_store_wal_bytes(a->edge->o.store);
	r->policy_version = a->caller.policy->version;
	add_datasets(a->edge, &k, a->caller.policy, &s, r);
	add_relay(a, &k, &s, r);
	add_lanes(a, &k, r);
	if ((rc = add_lists(a, &k, r, f)))
		return rc;
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	return EG_OK;
}
