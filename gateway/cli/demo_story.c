/* demo_story: lists, a death, a return: what the gateway is for. */
#include "cli/demo.h"

#include "cli/json.h"
#include "eldergate/v1/admin.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLIED     ELDERGATE__V1__OUTCOME__OUTCOME_APPLIED
#define UNCHANGED   ELDERGATE__V1__OUTCOME__OUTCOME_UNCHANGED
#define STALE       ELDERGATE__V1__OUTCOME__OUTCOME_STALE
#define QUARANTINED ELDERGATE__V1__OUTCOME__OUTCOME_QUARANTINED

enum { BATCH = 200, IN_FLIGHT = 8 };

/* ---- the lists ---- */

static enum eg_rc send_list(struct demo *d, struct demo_agency *a, struct eg_err *err)
{
	const struct population_dataset *truth = &population_truth(d->population)->datasets[a->section];
	struct eg_buf csv = {0};
	struct demo_sent sent = {0};
	enum eg_rc rc = demo_csv(d->population, a->section, &csv, err);
	if (!rc)
		rc = demo_send(d, a, &csv, BATCH, IN_FLIGHT, NULL, &sent, err);
	eg_buf_free(&csv);
	demo_sent_free(&sent);
	if (rc)
		return rc;
	const struct tally *t = &sent.tally;
	uint64_t kept = tally_of(t, APPLIED) + tally_of(t, STALE);
	a->tally = *t;
	demo_say("%-10s %5" PRIu64 " records in %.2f s: %" PRIu64 " applied, %" PRIu64 " stale, %" PRIu64
	         " unchanged, %" PRIu64 " quarantined",
	         a->name, t->records, (double)sent.us / 1e6, tally_of(t, APPLIED), tally_of(t, STALE),
	         tally_of(t, UNCHANGED), tally_of(t, QUARANTINED));
	if (t->records != truth->rows || tally_of(t, QUARANTINED) != truth->quarantined ||
	    tally_of(t, UNCHANGED) != truth->repeated ||
	    kept != truth->rows - truth->quarantined - truth->repeated)
		return demo_wrong(err,
		                  "of %s's %" PRIu64 " records %" PRIu64 " should be quarantined and %" PRIu64
		                  " unchanged, the others applied or stale",
		                  a->name, truth->rows, truth->quarantined, truth->repeated);
	return EG_OK;
}

enum eg_rc demo_lists(struct demo *d, struct eg_err *err)
{
	const struct population_truth *t = population_truth(d->population);
	uint64_t faults = t->unidentified;
	enum eg_rc rc = EG_OK;
	for (unsigned f = FAULT_none + 1; f < FAULTS; f++)
		faults += t->faults[f];
	demo_say("%" PRIu64 " made-up persons; each agency knows %" PRIu64 " of them, in part the same ones.",
	         t->persons, d->elders);
	demo_say("The data of %" PRIu64 " have a fault, as real data has; %" PRIu64
	         " were cremated and are still registered alive.",
	         faults, t->cremated_alive);
	for (unsigned i = 0; i < DEMO_AGENCIES && !rc; i++)
		rc = send_list(d, &d->agencies[i], err);
	if (!rc)
		demo_say("A receipt follows the commit to disk. Quarantined records wait for a correction; "
		         "the rest goes on.");
	return rc;
}

/* ---- the subscriber ---- */

static enum eg_rc persons_by_status(struct demo *d, int64_t *out, struct eg_err *err)
{
	Eldergate__V1__GetStatusRequest request = ELDERGATE__V1__GET_STATUS_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	enum eg_rc rc = call_unary(d->operator_client, "/eldergate.v1.AdminService/GetStatus", &request.base,
	                           DEMO_PATIENCE, true, &eldergate__v1__get_status_response__descriptor,
	                           &answer, err);
	if (!rc)
		*out = ((const Eldergate__V1__GetStatusResponse *)answer)->persons;
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

enum eg_rc demo_converge(struct demo *d, struct eg_err *err)
{
	const struct population_truth *t = population_truth(d->population);
	struct watch_counts c;
	int64_t began = eg_mono_us(), persons = 0;
	uint64_t last = 0;
	for (unsigned i = 0; i < DEMO_AGENCIES; i++)
		if (d->agencies[i].tally.last_seq > last)
			last = d->agencies[i].tally.last_seq;
	enum eg_rc rc = watch_until(d->watch, last, DEMO_PATIENCE, err);
	if (!rc)
		rc = persons_by_status(d, &persons, err);
	if (rc)
		return rc;
	watch_counts(d->watch, &c);
	demo_say("%" PRIu64 " events; %.2f s after the last receipt it has them all and holds %" PRIu64
	         " persons:",
	         c.events, (double)(eg_mono_us() - began) / 1e6, c.persons);
	demo_say("%" PRIu64 " alive, %" PRIu64 " suspected deceased, %" PRIu64 " deceased, %" PRIu64
	         " unknown: what the truth about the made-up persons says.",
	         c.life[EG_LIFE_ALIVE], c.life[EG_LIFE_SUSPECTED], c.life[EG_LIFE_DECEASED],
	         c.life[EG_LIFE_UNKNOWN]);
	if (c.persons != t->views || c.persons != (uint64_t)persons)
		return demo_wrong(err, "the gateway has %" PRId64 " persons, the truth is %" PRIu64, persons,
		                  t->views);
	for (unsigned l = EG_LIFE_ALIVE; l <= EG_LIFE_UNKNOWN; l++)
		if (c.life[l] != t->life[l])
			return demo_wrong(err, "%" PRIu64 " persons should be %s", t->life[l],
			                  eg_life_name((enum eg_life)l));
	return c.skipped ? demo_wrong(err, "%" PRIu64 " events are missing", c.skipped) : EG_OK;
}

/* ---- two persons ---- */

static const char registration_header[] = "source_key,version,event_time,id_number,id_type,name,sex,birth_"
                                          "date,address_region,registration_status\n";
static const char funeral_header[] =
        "source_key,version,operation,event_time,id_number,id_type,name,sex,organisation_code,"
        "remains_number,death_date,death_certificate_number,death_certificate_status,"
        "funeral_certificate_number,cremation_time,disposal\n";

static const char *life_name(Eldergate__V1__LifeStatus l, char out[64])
{
	return enum_short(&eldergate__v1__life_status__descriptor, (int)l, out);
}

/* One row; *seq: its entry. */
static enum eg_rc send_row(struct demo *d, struct demo_agency *a, const struct eg_buf *csv, uint64_t *seq,
                           struct eg_err *err)
{
	struct demo_sent sent = {0};
	enum eg_rc rc = demo_send(d, a, csv, 1, 1, NULL, &sent, err);
	if (!rc && sent.outcomes[0] != APPLIED)
		rc = demo_wrong(err, "a single record of %s was not applied", a->name);
	*seq = rc ? 0 : sent.seqs[0];
	demo_sent_free(&sent);
	return rc;
}

/* A person of their own, beyond the population, registered alive. */
static enum eg_rc registered(struct demo *d, uint64_t number, struct made *m, struct watch_event *e,
                             struct eg_err *err)
{
	struct eg_buf csv = {0};
	char birth[16];
	uint64_t seq;
	made_person(&d->options, made_total(&d->options) + number, m);
	eg_date_format(eg_date_of_instant((int64_t)m->birth * 86400 * EG_SECOND, 0), birth);
	eg_buf_printf(&csv,
	              "%sDEMO-%" PRIu64
	              ",20250701090000,2025-07-01 09:00:00,%s,RESIDENT,%s,%u,%s,330326,NORMAL\n",
	              registration_header, number, m->id18, m->name, m->sex, birth);
	enum eg_rc rc = send_row(d, &d->agencies[POLICE], &csv, &seq, err);
	eg_buf_free(&csv);
	if (!rc)
		rc = watch_event(d->watch, seq, DEMO_PATIENCE, e, err);
	if (!rc && e->after != ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE)
		rc = demo_wrong(err, "somebody just registered is not ALIVE");
	return rc;
}

static enum eg_rc ask_life(struct demo *d, uint64_t number, Eldergate__V1__LifeStatus *out,
                           struct eg_err *err)
{
	Eldergate__V1__CheckLifeStatusRequest request = ELDERGATE__V1__CHECK_LIFE_STATUS_REQUEST__INIT;
	Eldergate__V1__PersonSelector who = ELDERGATE__V1__PERSON_SELECTOR__INIT, *list = &who;
	Eldergate__V1__SourceRecordSelector record = ELDERGATE__V1__SOURCE_RECORD_SELECTOR__INIT;
	ProtobufCMessage *answer = NULL;
	char key[32];
	snprintf(key, sizeof key, "DEMO-%" PRIu64, number);
	record.dataset = (char *)(uintptr_t)d->agencies[POLICE].dataset;
	record.source_key = key;
	who.selector_case = ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_SOURCE_RECORD;
	who.source_record = &record;
	request.persons = &list;
	request.n_persons = 1;
	request.purpose = (char *)(uintptr_t) "life-check";
	request.legal_basis = (char *)(uintptr_t) "the demo";
	enum eg_rc rc = call_unary(
	        d->agencies[POLICE].client, "/eldergate.v1.ExchangeService/CheckLifeStatus", &request.base,
	        DEMO_PATIENCE, true, &eldergate__v1__check_life_status_response__descriptor, &answer, err);
	const Eldergate__V1__CheckLifeStatusResponse *r =
	        (const Eldergate__V1__CheckLifeStatusResponse *)answer;
	if (!rc && (r->n_answers != 1 || r->answers[0]->match != ELDERGATE__V1__MATCH__MATCH_FOUND))
		rc = demo_wrong(err, "the police do not find a person of their own");
	if (!rc)
		*out = r->answers[0]->life_status;
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

enum eg_rc demo_cremation(struct demo *d, struct eg_err *err)
{
	struct made m;
	struct watch_event e;
	struct eg_buf csv = {0};
	char before[64], after[64], told[64];
	Eldergate__V1__LifeStatus asked;
	uint64_t seq;
	enum eg_rc rc = registered(d, 1, &m, &e, err);
	if (rc)
		return rc;
	eg_buf_printf(&csv,
	              "%sBYG-DEMO/1,20250704100000,ASSERT,2025-07-04 "
	              "10:00:00,%s,RESIDENT,%s,%u,BYG-DEMO,1,2025-07-02,,,HH-DEMO-1,"
	              "2025-07-04 09:30:00,STORAGE\n",
	              funeral_header, m.id18, m.name, m.sex);
	rc = send_row(d, &d->agencies[FUNERAL], &csv, &seq, err);
	int64_t answered = eg_mono_us();
	eg_buf_free(&csv);
	if (!rc)
		rc = watch_event(d->watch, seq, DEMO_PATIENCE, &e, err);
	if (!rc)
		rc = ask_life(d, 1, &asked, err);
	if (rc)
		return rc;
	demo_say("The funeral home reports a cremation; the police still have the person as registered.");
	demo_say("%.1f ms after the receipt the platform hears: %s -> %s (entry #%" PRIu64
	         "). The police ask: %s.",
	         e.heard > answered ? (double)(e.heard - answered) / 1e3 : 0, life_name(e.before, before),
	         life_name(e.after, after), seq, life_name(asked, told));
	if (e.before != ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE ||
	    e.after != ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_SUSPECTED_DECEASED || asked != e.after)
		return demo_wrong(err, "a cremation alone should make an ALIVE person SUSPECTED_DECEASED");
	return EG_OK;
}

enum eg_rc demo_return(struct demo *d, struct eg_err *err)
{
	struct made m;
	struct watch_event died, back;
	struct eg_buf csv = {0};
	char a[64], b[64], kind[64];
	uint64_t seq;
	enum eg_rc rc = registered(d, 2, &m, &died, err);
	if (rc)
		return rc;
	eg_buf_printf(&csv,
	              "%sBYG-DEMO/2,20250705100000,ASSERT,2025-07-05 "
	              "10:00:00,%s,RESIDENT,%s,%u,BYG-DEMO,2,2025-07-04,RD-DEMO-2,"
	              "VALID,,,\n",
	              funeral_header, m.id18, m.name, m.sex);
	rc = send_row(d, &d->agencies[FUNERAL], &csv, &d->certificate_seq, err);
	if (!rc)
		rc = watch_event(d->watch, d->certificate_seq, DEMO_PATIENCE, &died, err);
	if (!rc)
		demo_say("A death certificate arrives (entry #%" PRIu64 "): %s -> %s.", d->certificate_seq,
		         life_name(died.before, a), life_name(died.after, b));
	eg_buf_reset(&csv);
	eg_buf_printf(&csv,
	              "%sBYG-DEMO/2,20250712100000,ASSERT,2025-07-12 "
	              "10:00:00,%s,RESIDENT,%s,%u,BYG-DEMO,2,2025-07-04,RD-DEMO-2,"
	              "VOID,,,\n",
	              funeral_header, m.id18, m.name, m.sex);
	if (!rc)
		rc = send_row(d, &d->agencies[FUNERAL], &csv, &seq, err);
	eg_buf_free(&csv);
	if (!rc)
		rc = watch_event(d->watch, seq, DEMO_PATIENCE, &back, err);
	if (rc)
		return rc;
	demo_say("It was another person's, and is voided (entry #%" PRIu64
	         "): %s -> %s, told as %s of entry #%" PRIu64 ".",
	         seq, life_name(back.before, a), life_name(back.after, b),
	         enum_short(&eldergate__v1__change_kind__descriptor, (int)back.kind, kind), back.corrects);
	if (died.after != ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_DECEASED ||
	    back.before != ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_DECEASED ||
	    back.after != ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE)
		return demo_wrong(err,
		                  "a certificate should make the person DECEASED, and its void ALIVE again");
	if (back.kind != ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_CORRECTED ||
	    back.corrects != d->certificate_seq)
		return demo_wrong(err, "the return should be CORRECTED and name entry %" PRIu64,
		                  d->certificate_seq);
	return strcmp(died.person, back.person) == 0 ? EG_OK
	                                             : demo_wrong(err, "the two events are of two persons");
}
