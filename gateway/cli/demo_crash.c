/* demo_crash: the daemon is killed in the middle of a list, and Kafka is held against the subscriber. */
#include "cli/demo.h"

#include "cli/csv.h"
#include "flow/kafka.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define APPLIED   ELDERGATE__V1__OUTCOME__OUTCOME_APPLIED
#define UNCHANGED ELDERGATE__V1__OUTCOME__OUTCOME_UNCHANGED

enum { BATCH = 20, IN_FLIGHT = 8, END_US = 5000000 };

static void set(struct made_row *r, const char *const *columns, unsigned n, const char *name,
                const char *value)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(columns[i], name) == 0)
			snprintf(r->values[i], sizeof r->values[i], "%s", value);
}

/* A new version of each person's registration: the streets were given new names. */
static enum eg_rc write_moves(struct demo *d, struct eg_buf *out, uint64_t *n, struct eg_err *err)
{
	struct made_row *rows = calloc(MADE_ROWS, sizeof *rows);
	unsigned n_columns;
	const char *const *columns = made_columns(EG_REGISTRATION, &n_columns);
	*n = 0;
	population_header(EG_REGISTRATION, out);
	for (uint64_t i = 0; rows && i < d->elders; i++) {
		struct made m;
		made_person(&d->options, i, &m);
		unsigned k = made_rows(&d->options, &m, EG_REGISTRATION, rows);
		if (!k || made_quarantined(&m, EG_REGISTRATION))
			continue;
		set(&rows[k - 1], columns, n_columns, "version", "20250801080000");
		set(&rows[k - 1], columns, n_columns, "event_time", "2025-08-01 08:00:00");
		set(&rows[k - 1], columns, n_columns, "address_text", "\u65b0\u6837\u4f8b\u8def1\u53f7");
		for (unsigned c = 0; c < n_columns; c++) {
			if (c)
				eg_buf_add_u8(out, ',');
			eg_csv_write(out, eg_bytes_of(rows[k - 1].values[c]));
		}
		eg_buf_add_u8(out, '\n');
		++*n;
	}
	bool ok = rows && !out->failed;
	free(rows);
	return ok ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for rows");
}

/* On the receipts' thread, while further batches are on their way. */
static void kill_it(struct demo *d, const struct demo_sent *so_far)
{
	if (d->kill.done || so_far->tally.records < d->kill.after)
		return;
	d->kill.done = true;
	d->kill.acknowledged = so_far->tally.records;
	d->kill.rc = process_end(&d->daemon, SIGKILL, END_US, &d->kill.status, &d->kill.err);
	if (!d->kill.rc)
		d->kill.rc = demo_start_daemon(d, &d->kill.err);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Every record once more: each must be known, by the entry that its first receipt named. */
static enum eg_rc send_again(struct demo *d, const struct eg_buf *csv, const struct demo_sent *first,
                             struct eg_err *err)
{
	struct demo_sent again = {0};
	uint64_t moved = 0, other = 0;
	enum eg_rc rc = demo_send(d, &d->agencies[POLICE], csv, BATCH * 10, IN_FLIGHT, NULL, &again, err);
	for (uint64_t i = 0; i < first->n && !rc; i++) {
		moved += again.outcomes[i] != UNCHANGED;
		other += again.seqs[i] != first->seqs[i];
	}
	if (!rc)
		demo_say("Everything is sent once more: %" PRIu64 " of %" PRIu64
		         " records are unchanged, each under the entry that "
		         "its first receipt named.",
		         tally_of(&again.tally, UNCHANGED), again.n);
	if (!rc && (moved || other))
		rc = demo_wrong(
		        err, "%" PRIu64 " records were lost or applied twice, %" PRIu64 " have another entry",
		        moved, other);
	demo_sent_free(&again);
	return rc;
}

static enum eg_rc check_once(struct demo *d, struct demo_sent *sent, struct eg_err *err)
{
	struct watch_counts c;
	uint64_t heard = 0;
	qsort(sent->seqs, sent->n, sizeof *sent->seqs, by_value);
	enum eg_rc rc = sent->n ? watch_until(d->watch, sent->seqs[sent->n - 1], DEMO_PATIENCE, err) : EG_OK;
	for (uint64_t i = 0; i < sent->n && !rc; i++) {
		if (i && sent->seqs[i] == sent->seqs[i - 1])
			return demo_wrong(err, "two records share entry %" PRIu64, sent->seqs[i]);
		heard += watch_has(d->watch, sent->seqs[i]);
	}
	if (rc)
		return rc;
	watch_counts(d->watch, &c);
	demo_say("The subscriber connected again by itself (connection %u) and heard of %" PRIu64
	         " changes, each once; %" PRIu64 " of all versions are missing.",
	         c.connections, heard, c.skipped);
	if (heard != sent->n || c.skipped)
		return demo_wrong(err,
		                  "%" PRIu64 " changes should have been heard of, and no version be missing",
		                  sent->n);
	return EG_OK;
}

enum eg_rc demo_crash(struct demo *d, struct eg_err *err)
{
	struct eg_buf csv = {0};
	struct demo_sent sent = {0};
	uint64_t n = 0;
	int64_t ready;
	enum eg_rc rc = write_moves(d, &csv, &n, err);
	d->kill.after = n / 3;
	if (!rc)
		rc = demo_send(d, &d->agencies[POLICE], &csv, BATCH, IN_FLIGHT, kill_it, &sent, err);
	if (d->kill.rc) {
		if (err)
			*err = d->kill.err;
		rc = d->kill.rc;
	}
	if (!rc && (!d->kill.done || !WIFSIGNALED(d->kill.status) || WTERMSIG(d->kill.status) != SIGKILL))
		rc = demo_wrong(err, "the daemon was not killed in the middle of the list");
	if (!rc)
		rc = demo_ready(d, &ready, err);
	if (!rc) {
		demo_say("The police send %" PRIu64 " new versions. After receipts for %" PRIu64
		         " of them: kill -9, and a new start.",
		         n, d->kill.acknowledged);
		demo_say("%" PRIu64 " batches without a receipt were sent again: %" PRIu64
		         " records applied in all, %" PRIu64 " had been committed just before the kill.",
		         sent.pump.sent_again, tally_of(&sent.tally, APPLIED),
		         tally_of(&sent.tally, UNCHANGED));
		if (tally_of(&sent.tally, APPLIED) + tally_of(&sent.tally, UNCHANGED) != n)
			rc = demo_wrong(err,
			                "%" PRIu64
			                " records should be applied, or unchanged where they were committed",
			                n);
	}
	if (!rc)
		rc = send_again(d, &csv, &sent, err);
	if (!rc)
		rc = check_once(d, &sent, err);
	demo_sent_free(&sent);
	eg_buf_free(&csv);
	return rc;
}

/* ---- Kafka ---- */

struct topic {
	uint64_t *seqs;
	size_t n, room;
};

static enum eg_rc take_message(void *arg, const struct eg_kafka_found *m, struct eg_err *err)
{
	struct topic *t = arg;
	Eldergate__V1__ChangeEvent *e = eldergate__v1__change_event__unpack(NULL, m->value.len, m->value.p);
	enum eg_rc rc = EG_OK;
	if (!e || !eg_bytes_equal(m->key, eg_bytes_of(e->person_ref))) {
		rc = demo_wrong(err,
		                "a message of the topic is no event, or has another key than its person");
	} else if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 4096;
		uint64_t *bigger = realloc(t->seqs, room * sizeof *bigger);
		if (bigger) {
			t->seqs = bigger;
			t->room = room;
		} else {
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for the topic");
		}
	}
	if (!rc)
		t->seqs[t->n++] = e->seq;
	eldergate__v1__change_event__free_unpacked(e, NULL);
	return rc;
}

enum eg_rc demo_topics(struct demo *d, struct eg_err *err)
{
	struct eg_kafka_options o = {.bootstrap = d->broker};
	struct watch_counts c = {0};
	struct topic t = {0};
	uint64_t different = 0, both = 0;
	int64_t deadline = eg_mono_us() + DEMO_PATIENCE;
	struct eg_kafka_reader *reader = NULL;
	enum eg_rc rc = eg_kafka_reader_open(&reader, &o, true, err);
	if (rc)
		return rc;
	/* The relay follows by itself; each reading waits for the topic's end as it is then. */
	do {
		t.n = different = both = 0;
		rc = eg_kafka_read(reader, "elder.changes.v1", take_message, &t, err);
		watch_counts(d->watch, &c);
		if (!rc)
			qsort(t.seqs, t.n, sizeof *t.seqs, by_value);
		for (size_t i = 0; i < t.n && !rc; i++) {
			if (i && t.seqs[i] == t.seqs[i - 1])
				continue;
			different++;
			both += watch_has(d->watch, t.seqs[i]);
		}
	} while (!rc && (different != c.events || both != different) && eg_mono_us() < deadline);
	eg_kafka_reader_close(reader);
	free(t.seqs);
	if (rc)
		return rc;
	demo_say("elder.changes.v1 holds %" PRIu64 " events, the subscriber has heard %" PRIu64
	         ": the same %" PRIu64 " entries of the log.",
	         different, c.events, both);
	demo_say("(The broker is the development one: it keeps nothing, and its transactions are cosmetic; "
	         "%" PRIu64 " messages came twice around the kill.)",
	         t.n - different);
	if (different != c.events || both != different)
		return demo_wrong(err, "Kafka and the subscriber should have the same events");
	return EG_OK;
}
