/* writer: the loop: take tickets, commit them once, answer them, wake the log's readers.
 *
 *   waiting --tickets--> filling --ok--> committing --durable--> answering --> waiting
 *      |                    |                |failed
 *      | (idle: sign)       +--failed--------+--> rolled back: the disk is full or fails: all are answered so
 *      | (closed: stop)                                        else, and several: each ticket in a commit of
 * its own
 *
 * A failed commit leaves nothing: the store rolls back, the tail and the datasets go back to where they were,
 * the workset is dropped. On a full disk only reads go on, out of the store's reserve; when that is spent,
 * they stop too: no log, no read. Seeded faults of fault builds, for the checker to catch: ack_before_commit,
 * wrong_root. Thread: "writer"; start and stop: the owner's. */
#include "flow/writer.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "flow/commit.h"
#include "flow/lag.h"
#include "flow/marks.h"
#include "flow/opening.h"
#include "trust/checkpoint.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_RECORDS    1024
#define DEFAULT_CHECKPOINT EG_SECOND
#define TICKETS_MAX        1024                /* of one commit */
#define IDLE_US            EG_PULSE_WAIT_US    /* how often the idle writer looks at its timers */
#define COMMIT_BUDGET      ((size_t)512 << 20) /* memory of one commit */
#define COMMIT_KEEP        ((size_t)16 << 20) /* of it that stays for the next one: what a full commit takes */

struct eg_writer {
	struct eg_writer_options o;
	struct eg_conn *conn;
	struct eg_queue *queue;
	struct eg_wake *head, *lists;
	struct eg_thread *thread;
	struct eg_pulse pulse; /* turns with each commit that is begun */
	struct eg_tail tail;
	struct eg_commit commit;
	struct eg_opening log; /* as opened, and as commits moved it on */
	char origin[128];
	struct eg_ticket *tickets[TICKETS_MAX];
	_Atomic uint64_t seq; /* committed */
	bool spared;          /* the last commit left bulk where it was */
	int64_t signed_at;    /* monotonic */
	int64_t lag_looked;   /* when table lag was last looked at; monotonic */
	struct eg_marks marks;
	atomic_uint lists_standing;
};

void eg_writer_mark(struct eg_writer *w, const char *name, uint64_t seq)
{
	eg_marks_put(&w->marks, name, seq);
}

/* ---- one transaction ---- */

static bool checkpoint_due(const struct eg_writer *w)
{
	return w->tail.seq > w->log.signed_size && eg_mono_us() - w->signed_at >= w->o.checkpoint_us;
}

/* Signs the tree as this transaction leaves it; the note leaves the process only if the transaction is
 * committed. */
static enum eg_rc sign(struct eg_writer *w, struct eg_tx *tx, struct eg_err *err)
{
	struct eg_checkpoint c = {.size = w->tail.seq};
	struct eg_buf note = {0};
	snprintf(c.origin, sizeof c.origin, "%s", w->origin);
	eg_merkle_root(w->tail.tree, c.root);
	if (eg_unsafe("wrong_root"))
		c.root[0] ^= 1;
	enum eg_rc rc = eg_checkpoint_sign(w->o.vault, &c, &note, err);
	if (rc == EG_OK && note.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "a checkpoint could not be written");
	if (rc == EG_OK)
		eg_tx_put_checkpoint(tx, c.size, w->tail.time, eg_buf_bytes(&note));
	eg_buf_free(&note);
	return rc;
}

static void measure_commit(struct eg_writer *w, uint64_t entries, int64_t took_us)
{
	const struct eg_merge *m = &w->commit.merge;
	eg_metric_add(EG_M_COMMITS, NULL, 1);
	eg_metric_add(EG_M_COMMIT_ENTRIES, NULL, (double)entries);
	eg_metric_observe(EG_M_COMMIT_TIME, NULL, (double)took_us / (double)EG_SECOND);
	atomic_store(&w->seq, w->tail.seq);
	eg_metric_set(EG_M_LOG_SEQ, NULL, (double)w->tail.seq);
	eg_metric_set(EG_M_WAL_BYTES, NULL, (double)eg_store_wal_bytes(w->o.store));
	w->log.persons += (int64_t)m->created;
	eg_metric_set(EG_M_PERSONS, NULL, (double)w->log.persons);
	for (int k = EG_CASE_VERSION_CONFLICT; k <= EG_CASE_LIST_SHRINK; k++) {
		w->log.open_cases[k] += m->opened[k];
		if (m->opened[k])
			eg_metric_set(EG_M_OPEN_CASES, eg_case_kind_name((enum eg_case_kind)k),
			              (double)w->log.open_cases[k]);
	}
	eg_datasets_measure(&w->commit.datasets, eg_now_us());
}

static void stop_if_fatal(struct eg_writer *w, const struct eg_err *err)
{
	if (!err->fatal)
		return;
	eg_log_err(EG_LOG_ERROR, "writer.fatal", err);
	w->o.fatal(err);
	abort(); /* fatal must not return */
}

static void keep_lists(struct eg_writer *w)
{
	struct eg_listed *l = &w->commit.merge.listed;
	if (!w->commit.merge.lists_moved)
		return;
	eg_listed_keep(l);
	atomic_store(&w->lists_standing, l->n);
	eg_metric_set(EG_M_LISTS_STANDING, NULL, (double)l->n);
	eg_wake(w->lists);
}

static void answer(struct eg_writer *w, struct eg_ticket **tickets, unsigned n, enum eg_rc rc,
                   const struct eg_err *why)
{
	for (unsigned i = 0; i < n; i++) {
		struct eg_ticket *t = tickets[i];
		if (rc) {
			t->rc = rc;
			t->err = *why;
			t->seq = 0;
		}
		memcpy(t->log_id, w->log.id, sizeof t->log_id);
		if (t->done)
			t->done(t);
		else
			eg_ticket_free(t);
	}
}

/* A rolled back transaction must have left the log where it was. */
static void check_head(struct eg_writer *w)
{
	struct eg_err err = {0};
	uint64_t head = 0;
	if (eg_get_head(w->conn, &head, &err) == EG_OK && head != w->tail.seq) {
		eg_fail(&err, EG_INTERNAL, "a failed commit left %llu entries in the log",
		        (unsigned long long)(head - w->tail.seq));
		err.fatal = true;
		w->o.fatal(&err);
	}
}

/* Commits n tickets, or none of them. With n 0: a checkpoint and marks alone. */
static enum eg_rc attempt(struct eg_writer *w, struct eg_ticket **tickets, unsigned n, bool want_sign,
                          struct eg_err *err)
{
	struct eg_commit *c = &w->commit;
	struct eg_mark marks[EG_MARKS_MAX];
	unsigned n_marks;
	bool signs = false;
	int64_t began = eg_mono_us();

	*err = (struct eg_err){0};
	eg_pulse_turn(&w->pulse);
	eg_arena_reset(c->merge.arena);
	c->tickets = tickets;
	c->n_tickets = n;
	c->looks_at_lag = began - w->lag_looked >= IDLE_US;
	if (c->looks_at_lag)
		w->lag_looked = began;
	struct eg_tx tx = eg_tx_begin(w->o.store);
	enum eg_rc rc = eg_tail_begin(&w->tail, &tx, eg_now_us(), err);
	if (rc == EG_OK && tx.rc == EG_OK)
		rc = eg_arena_why(c->merge.arena, eg_commit_fill(c, &tx, w->conn, err), err);
	n_marks = eg_marks_moved(&w->marks, marks);
	for (unsigned i = 0; i < n_marks; i++)
		eg_tx_put_mark(&tx, marks[i].name, marks[i].seq);
	if (rc == EG_OK && tx.rc == EG_OK && (checkpoint_due(w) || want_sign) &&
	    w->tail.seq > w->log.signed_size) {
		signs = true;
		rc = sign(w, &tx, err);
	}
	if (rc && tx.rc == EG_OK) {
		tx.rc = rc;
		tx.err = *err;
	}
	eg_kill_point("writer.before_commit");
	if (eg_unsafe("ack_before_commit") && tx.rc == EG_OK) {
		answer(w, tickets, n, EG_OK, NULL);
		c->n_works = c->n_tickets = n = 0;
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* the receipts leave */
	}
	rc = eg_tx_end(&tx, err);
	if (rc) {
		eg_tail_back(&w->tail);
		eg_datasets_back(&c->datasets);
		eg_listed_back(&c->merge.listed);
		if (!err->fatal)
			check_head(w);
		return rc;
	}
	uint64_t entries = w->tail.seq - w->tail.kept_seq;
	eg_tail_keep(&w->tail);
	eg_commit_keep(c);
	eg_marks_keep(&w->marks, marks, n_marks);
	keep_lists(w);
	if (signs) {
		w->log.signed_size = w->tail.seq;
		w->signed_at = eg_mono_us();
	}
	measure_commit(w, entries, eg_mono_us() - began);
	eg_kill_point("writer.after_commit_before_receipt");
	answer(w, tickets, n, EG_OK, NULL);
	if (entries)
		eg_wake(w->head);
	return EG_OK;
}

/* ---- failures ---- */

static bool is_read(const struct eg_ticket *t)
{
	return t->kind == EG_TICKET_QUERY || t->kind == EG_TICKET_DELIVERY;
}

/* Moves the reads to the front, each kind in its order; how many they are. */
static unsigned reads_first(struct eg_ticket **tickets, unsigned n)
{
	unsigned reads = 0;
	for (unsigned i = 0; i < n; i++) {
		struct eg_ticket *t = tickets[i];
		if (!is_read(t))
			continue;
		memmove(&tickets[reads + 1], &tickets[reads], (i - reads) * sizeof(struct eg_ticket *));
		tickets[reads++] = t;
	}
	return reads;
}

/* Can another try with fewer tickets do better? Not where the disk or the memory of the machine is the
 * trouble. */
static bool one_may_be_bad(enum eg_rc rc)
{
	return rc != EG_NO_SPACE && rc != EG_IO && rc != EG_BUSY && rc != EG_NO_MEMORY;
}

/* Room that the reserve gave back is for reads: everything else is refused at once. How many are left. */
static unsigned leave_reads(struct eg_writer *w, unsigned n)
{
	struct eg_err err = {0};
	if (!eg_store_on_reserve(w->o.store))
		return n;
	unsigned reads = reads_first(w->tickets, n);
	enum eg_rc rc =
	        eg_fail(&err, EG_NO_SPACE, "the disk is full: what is left of the reserve is for reads");
	answer(w, w->tickets + reads, n - reads, rc, &err);
	return reads;
}

static void process(struct eg_writer *w, unsigned n)
{
	struct eg_err err;
	if (!(n = leave_reads(w, n)))
		return;
	enum eg_rc rc = attempt(w, w->tickets, n, false, &err);
	if (rc == EG_OK)
		return;
	stop_if_fatal(w, &err);
	eg_log_err(EG_LOG_ERROR, "writer.commit_failed", &err);
	unsigned reads = rc == EG_NO_SPACE ? reads_first(w->tickets, n) : 0;
	if (reads && eg_store_spend_reserve(w->o.store)) {
		struct eg_err again;
		enum eg_rc read_rc = attempt(w, w->tickets, reads, false, &again);
		stop_if_fatal(w, &again);
		if (read_rc)
			answer(w, w->tickets, reads, read_rc, &again);
		answer(w, w->tickets + reads, n - reads, rc, &err);
		return;
	}
	if (n == 1 || !one_may_be_bad(rc)) {
		answer(w, w->tickets, n, rc, &err);
		return;
	}
	for (unsigned i = 0; i < n; i++) { /* one bad ticket does not spoil the others */
		rc = attempt(w, &w->tickets[i], 1, false, &err);
		stop_if_fatal(w, &err);
		if (rc)
			answer(w, &w->tickets[i], 1, rc, &err);
	}
}

/* ---- the loop ---- */

static void measure_queue(struct eg_writer *w)
{
	static const char *const names[EG_QUEUE_LANES] = {"urgent", "read", "live", "bulk"};
	struct eg_queue_depth d = eg_queue_depth(w->queue);
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++) {
		eg_metric_set(EG_M_QUEUE_ITEMS, names[i], (double)d.items[i]);
		eg_metric_set(EG_M_QUEUE_BYTES, names[i], (double)d.bytes[i]);
	}
}

static bool only_bulk(struct eg_writer *w)
{
	struct eg_queue_depth d = eg_queue_depth(w->queue);
	return !d.items[EG_LANE_URGENT] && !d.items[EG_LANE_READ] && !d.items[EG_LANE_LIVE] &&
	       d.items[EG_LANE_BULK];
}

/* Tickets for one commit: one by one, so that what is left keeps its place behind what comes into an earlier
 * lane. A death does not wait until its commit is filled up with bulk; every other commit takes bulk along
 * all the same, or deaths in a row would starve it. */
static unsigned take(struct eg_writer *w, int64_t deadline)
{
	unsigned n = 0, records = 0;
	bool urgent = false, spared = false;
	void *item = NULL;
	while (n < TICKETS_MAX && records < w->o.max_records &&
	       !(spared = urgent && !w->spared && only_bulk(w)) &&
	       eg_queue_get(w->queue, &item, 1, n ? 0 : deadline)) {
		w->tickets[n] = item;
		urgent |= w->tickets[n]->lane == EG_LANE_URGENT;
		records += w->tickets[n]->kind == EG_TICKET_SUBMISSION ? w->tickets[n]->submission.n : 1;
		n++;
	}
	w->spared = spared;
	measure_queue(w);
	return n;
}

static bool lag_waits(struct eg_writer *w)
{
	bool waits = false;
	if (!w->o.lag_grace_us || eg_mono_us() - w->lag_looked < IDLE_US)
		return false;
	eg_arena_reset(w->commit.merge.arena);
	if (eg_lag_waits(w->conn, eg_now_us() - w->o.lag_grace_us, w->commit.merge.arena, &waits, NULL))
		return true; /* the commit will meet the same error, and tell it */
	if (!waits)
		w->lag_looked = eg_mono_us();
	return waits;
}

static void idle(struct eg_writer *w, bool last)
{
	struct eg_mark marks[EG_MARKS_MAX];
	struct eg_err err;
	bool due = checkpoint_due(w) || (last && w->tail.seq > w->log.signed_size);
	if (eg_store_check(w->o.store, &err))
		stop_if_fatal(w, &err);
	eg_datasets_measure(&w->commit.datasets, eg_now_us());
	if (!due && !eg_marks_moved(&w->marks, marks) && !lag_waits(w))
		return;
	if (attempt(w, NULL, 0, last, &err)) {
		stop_if_fatal(w, &err);
		eg_log_err(EG_LOG_ERROR, "writer.checkpoint_failed", &err);
		w->signed_at = eg_mono_us(); /* not again at once */
	}
}

static void run(void *arg)
{
	struct eg_writer *w = arg;
	eg_pulse_begin(&w->pulse, "writer");
	for (;;) {
		eg_pulse_turn(&w->pulse);
		int64_t now = eg_mono_us(), deadline = now + IDLE_US;
		if (w->tail.seq > w->log.signed_size && w->signed_at + w->o.checkpoint_us < deadline)
			deadline = w->signed_at + w->o.checkpoint_us;
		unsigned n = take(w, deadline > now ? deadline : now + 1);
		if (n)
			process(w, n);
		else if (eg_queue_closed(w->queue))
			break;
		else
			idle(w, false);
	}
	idle(w, true);
	eg_pulse_end(&w->pulse);
}

/* ---- start and stop ---- */

static void abort_on_fatal(const struct eg_err *err)
{
	(void)err;
	abort();
}

static void set_open_cases(struct eg_writer *w)
{
	for (int k = EG_CASE_VERSION_CONFLICT; k <= EG_CASE_LIST_SHRINK; k++)
		eg_metric_set(EG_M_OPEN_CASES, eg_case_kind_name((enum eg_case_kind)k),
		              (double)w->log.open_cases[k]);
}

static enum eg_rc open_log(struct eg_writer *w, struct eg_err *err)
{
	enum eg_rc rc =
	        eg_opening_read(&w->log, w->o.store, w->o.vault, &w->tail, w->commit.merge.arena, err);
	if (rc == EG_OK)
		rc = eg_datasets_open(&w->commit.datasets, w->conn, err);
	if (rc == EG_OK && w->commit.merge.lists_dir)
		rc = eg_listed_load(&w->commit.merge.listed, w->conn, err);
	atomic_store(&w->lists_standing, w->commit.merge.listed.n);
	eg_metric_set(EG_M_LISTS_STANDING, NULL, (double)w->commit.merge.listed.n);
	if (rc == EG_OK)
		set_open_cases(w);
	return rc;
}

static void name_origin(struct eg_writer *w)
{
	char hex[33];
	if (w->o.origin && *w->o.origin) {
		snprintf(w->origin, sizeof w->origin, "%s", w->o.origin);
		return;
	}
	eg_hex(w->log.id, sizeof w->log.id, hex);
	snprintf(w->origin, sizeof w->origin, "eldergate.%s", hex);
}

static void writer_free(struct eg_writer *w)
{
	eg_tail_close(&w->tail);
	eg_datasets_close(&w->commit.datasets);
	eg_buf_free(&w->commit.merge.scratch);
	eg_arena_free(w->commit.merge.arena);
	eg_wake_free(w->head);
	eg_wake_free(w->lists);
	eg_listed_free(&w->commit.merge.listed);
	eg_marks_destroy(&w->marks);
	free(w);
}

enum eg_rc eg_writer_start(struct eg_writer **out, const struct eg_writer_options *o, struct eg_err *err)
{
	struct eg_writer *w = calloc(1, sizeof *w);
	*out = NULL;
	if (!w)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the writer");
	eg_marks_init(&w->marks);
	w->o = *o;
	if (!w->o.max_records)
		w->o.max_records = DEFAULT_RECORDS;
	if (w->o.checkpoint_us <= 0)
		w->o.checkpoint_us = DEFAULT_CHECKPOINT;
	if (!w->o.fatal)
		w->o.fatal = abort_on_fatal;
	w->conn = eg_store_writer(o->store);
	w->queue = eg_intake_queue(o->intake);
	w->head = eg_wake_new();
	w->lists = eg_wake_new();
	w->commit.merge.lists_dir = o->lists_dir;
	w->commit.merge.vault = o->vault;
	w->commit.merge.authority = o->authority;
	w->commit.lag_grace_us = o->lag_grace_us;
	w->commit.merge.tail = &w->tail;
	w->commit.merge.arena = eg_arena_new(COMMIT_BUDGET);
	enum eg_rc rc = EG_OK;
	if (!w->head || !w->lists || !w->commit.merge.arena)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the writer");
	else
		eg_arena_keep(w->commit.merge.arena, COMMIT_KEEP);
	if (rc == EG_OK)
		rc = eg_arena_why(w->commit.merge.arena, open_log(w, err), err);
	if (rc == EG_OK) {
		name_origin(w);
		atomic_store(&w->seq, w->tail.seq);
		eg_metric_set(EG_M_LOG_SEQ, NULL, (double)w->tail.seq);
		eg_metric_set(EG_M_PERSONS, NULL, (double)w->log.persons);
		eg_arena_reset(w->commit.merge.arena);
		rc = eg_thread_start(&w->thread, "writer", run, w, err);
	}
	if (rc)
		writer_free(w);
	else
		*out = w;
	return rc;
}

void eg_writer_drain(struct eg_writer *w)
{
	eg_intake_close(w->o.intake);
	eg_thread_join(w->thread);
	w->thread = NULL;
}

void eg_writer_stop(struct eg_writer *w)
{
	if (!w)
		return;
	eg_writer_drain(w);
	writer_free(w);
}

struct eg_wake *eg_writer_head(struct eg_writer *w)
{
	return w->head;
}

struct eg_wake *eg_writer_lists(struct eg_writer *w)
{
	return w->lists;
}

uint64_t eg_writer_seq(struct eg_writer *w)
{
	return atomic_load(&w->seq);
}

unsigned eg_writer_lists_standing(struct eg_writer *w)
{
	return atomic_load(&w->lists_standing);
}

const uint8_t *eg_writer_log_id(const struct eg_writer *w)
{
	return w->log.id;
}

const char *eg_writer_origin(const struct eg_writer *w)
{
	return w->origin;
}
