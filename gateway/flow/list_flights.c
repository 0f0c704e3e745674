/* list_flights: see list_flights.h. */
#include "flow/list_flights.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define TICKET_BYTES  ((size_t)1 << 20)
#define TICKET_BUDGET ((size_t)64 << 20)
#define TURN_US       EG_SECOND /* a ticket that finds its lane full looks this often whether to stop */
#define HOLD_US       (EG_SECOND / 20) /* how often a held list looks again */

struct eg_flight {
	struct eg_flight *next;
	struct eg_list_flights *of;
	struct eg_ticket *ticket;
	unsigned tries; /* that failed */
	uint64_t index[EG_FLIGHT_ITEMS];
	uint8_t class[EG_FLIGHT_ITEMS];
};

enum eg_rc eg_list_closed(struct eg_err *err)
{
	return eg_fail(err, EG_CLOSED, "the gateway is shutting down; the list goes on after its next start");
}

void eg_flights_begin(struct eg_list_flights *x, struct eg_list *l)
{
	*x = (struct eg_list_flights){
	        .list = l, .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};
}

static void done(struct eg_ticket *t)
{
	struct eg_flight *f = t->done_arg;
	struct eg_list_flights *x = f->of;
	pthread_mutex_lock(&x->lock);
	f->next = x->back;
	x->back = f;
	pthread_cond_signal(&x->some);
	pthread_mutex_unlock(&x->lock);
}

static void flight_free(struct eg_flight *f)
{
	if (!f)
		return;
	eg_ticket_free(f->ticket);
	free(f);
}

/* The list's agency as it was, whatever the policy has become since. */
static enum eg_rc open_flight(struct eg_list_flights *x, struct eg_err *err)
{
	const struct eg_list_info *l = &x->list->info;
	struct eg_flight *f = calloc(1, sizeof *f);
	struct eg_ticket *t = f ? eg_ticket_new(EG_TICKET_SUBMISSION, TICKET_BUDGET, NULL, NULL) : NULL;
	struct eg_identity_rule *who = t ? eg_arena_alloc(t->arena, sizeof *who) : NULL;
	struct eg_dataset_rule *dataset = who ? eg_arena_alloc(t->arena, sizeof *dataset) : NULL;
	if (dataset) {
		t->submission.items = eg_arena_alloc(t->arena, EG_FLIGHT_ITEMS * sizeof *t->submission.items);
		t->operator_name = eg_arena_text(t->arena, l->operator_name, strlen(l->operator_name));
		t->submission.batch_id = eg_arena_text(t->arena, l->list_id, strlen(l->list_id));
	}
	if (!dataset || !t->submission.items || !t->operator_name || !t->submission.batch_id) {
		eg_ticket_free(t);
		free(f);
		return eg_fail(err, EG_NO_MEMORY, "no memory to apply a list");
	}
	memcpy(who->name, l->agency, strlen(l->agency) + 1);
	memcpy(dataset->name, l->dataset, strlen(l->dataset) + 1);
	t->who = who;
	t->lane = EG_LANE_BULK;
	t->submission.dataset = dataset;
	memcpy(t->submission.digest, l->digest, sizeof l->digest);
	t->done = done;
	t->done_arg = f;
	f->of = x;
	f->ticket = t;
	x->open = f;
	x->open_bytes = 0;
	return EG_OK;
}

/* Puts a filled ticket into the bulk lane; it is the writer's when EG_OK. */
static enum eg_rc put_flight(struct eg_list_flights *x, struct eg_flight *f, struct eg_err *err)
{
	enum eg_rc rc = EG_DEADLINE;
	while (x->list->of->o.hold && x->list->of->o.hold(x->list->of->o.hold_arg) &&
	       !atomic_load(&x->list->of->stopping))
		eg_wake_wait(x->list->of->wake, eg_wake_seen(x->list->of->wake), eg_mono_us() + HOLD_US);
	while (rc == EG_DEADLINE && !atomic_load(&x->list->of->stopping))
		rc = eg_intake_put(x->list->of->o.intake, f->ticket, eg_mono_us() + TURN_US, err);
	return rc == EG_DEADLINE ? eg_list_closed(err) : rc;
}

static void count_row(struct eg_list_flights *x, struct eg_flight *f, unsigned i)
{
	const struct eg_item *item = &f->ticket->submission.items[i];
	if (item->outcome != EG_QUARANTINED || f->class[i] == EG_FLIGHT_NO_ROW)
		return;
	x->set_aside.changed += f->class[i] == EG_ROW_CHANGED;
	x->set_aside.added += f->class[i] == EG_ROW_ADDED;
	x->set_aside.stale += f->class[i] == EG_ROW_STALE;
	eg_list_tell_reject(x->list, f->index[i], item->seq, &item->reasons);
}

static void count_flight(struct eg_list_flights *x, struct eg_flight *f)
{
	struct eg_list_counts *n = &x->list->info.counts;
	const struct eg_submission *s = &f->ticket->submission;
	for (unsigned i = 0; i < s->n; i++) {
		enum eg_outcome o = s->items[i].outcome;
		if (s->items[i].claim.op == EG_WITHDRAW) {
			n->withdrawn += o == EG_APPLIED || o == EG_UNCHANGED;
			n->skipped += o != EG_APPLIED && o != EG_UNCHANGED;
		} else {
			count_row(x, f, i);
		}
	}
	pthread_mutex_lock(&x->list->of->lock);
	x->list->applied += s->n;
	pthread_mutex_unlock(&x->list->of->lock);
}

/* Takes back what the writer has answered; waits until at most `most` are under way. A ticket that failed for
 * a reason that may pass is put again: nothing of it was stored. No deadline: the writer answers every ticket
 * that it was given, and at its end drains its queue. */
static enum eg_rc land(struct eg_list_flights *x, unsigned most, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	while (x->flying > most || (rc && x->flying)) {
		pthread_mutex_lock(&x->lock);
		while (!x->back)
			pthread_cond_wait(&x->some, &x->lock);
		struct eg_flight *f = x->back;
		x->back = f->next;
		pthread_mutex_unlock(&x->lock);
		struct eg_ticket *t = f->ticket;
		if (t->rc == EG_OK) {
			count_flight(x, f);
		} else if (rc == EG_OK && eg_list_again(t->rc, &f->tries) &&
		           !atomic_load(&x->list->of->stopping)) {
			eg_log_err(EG_LOG_ERROR, "list.ticket_failed", &t->err);
			eg_wake_wait(x->list->of->wake, eg_wake_seen(x->list->of->wake),
			             eg_mono_us() + TURN_US);
			rc = put_flight(x, f, err);
			if (rc == EG_OK)
				continue;
		} else if (rc == EG_OK) {
			rc = t->rc;
			*err = t->err;
		}
		x->flying--;
		flight_free(f);
	}
	return rc;
}

static enum eg_rc send(struct eg_list_flights *x, struct eg_err *err)
{
	struct eg_flight *f = x->open;
	if (!f || !f->ticket->submission.n)
		return EG_OK;
	enum eg_rc rc = land(x, EG_FLIGHTS - 1, err);
	if (rc)
		return rc;
	f->ticket->bytes = x->open_bytes;
	x->open = NULL;
	rc = put_flight(x, f, err);
	if (rc)
		flight_free(f);
	else
		x->flying++;
	return rc;
}

enum eg_rc eg_flights_item(struct eg_list_flights *x, struct eg_item **out, struct eg_arena **arena,
                           struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	if (x->open &&
	    (x->open->ticket->submission.n == EG_FLIGHT_ITEMS ||
	     eg_arena_used(x->open->ticket->arena) > TICKET_BYTES + EG_FLIGHT_ITEMS * sizeof(struct eg_item)))
		rc = send(x, err);
	if (rc == EG_OK && !x->open)
		rc = open_flight(x, err);
	if (rc)
		return rc;
	*out = &x->open->ticket->submission.items[x->open->ticket->submission.n];
	*arena = x->open->ticket->arena;
	return EG_OK;
}

void eg_flights_took(struct eg_list_flights *x, const struct eg_item *item, uint64_t index, unsigned class)
{
	struct eg_submission *s = &x->open->ticket->submission;
	x->open->index[s->n] = index;
	x->open->class[s->n++] = (uint8_t) class;
	x->open_bytes += item->canon.len + item->sealed.len;
}

enum eg_rc eg_flights_finish(struct eg_list_flights *x, struct eg_err *err)
{
	enum eg_rc rc = send(x, err);
	return rc ? rc : land(x, 0, err);
}

void eg_flights_end(struct eg_list_flights *x)
{
	struct eg_err ignored;
	flight_free(x->open);
	x->open = NULL;
	land(x, 0, &ignored);
	pthread_mutex_destroy(&x->lock);
	pthread_cond_destroy(&x->some);
}
