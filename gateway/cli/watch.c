/* watch: see watch.h. Locks: lock, for everything but `follow`, which is the receiving thread's. */
#include "cli/watch.h"

#include "base/clock.h"
#include "base/thread.h"
#include "cli/follow.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct person {
	char ref[WATCH_REF]; /* "": an empty place */
	int64_t version;
	Eldergate__V1__LifeStatus life;
	bool merged;
};

struct watch {
	struct follow follow;
	Eldergate__V1__SubscribeRequest request;
	Eldergate__V1__FeedStart start;
	Eldergate__V1__SnapshotStart snapshot;
	struct eg_thread *thread;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct person *persons; /* open addressing; room is a power of two */
	size_t n_persons, room;
	struct watch_event *events; /* ascending by seq: events come in the log's order */
	size_t n_events, events_room;
	uint64_t repeated, skipped, cursor;
	bool over;
	struct eg_err fault;
};

/* ---- what is held ---- */

static size_t place_of(const struct person *persons, size_t room, const char *ref)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */
	for (const char *p = ref; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	size_t at = h & (room - 1);
	while (*persons[at].ref && strcmp(persons[at].ref, ref) != 0)
		at = (at + 1) & (room - 1);
	return at;
}

static bool grow(struct watch *w)
{
	size_t room = w->room ? 2 * w->room : 1024;
	struct person *bigger = calloc(room, sizeof *bigger);
	if (!bigger)
		return false;
	for (size_t i = 0; i < w->room; i++)
		if (*w->persons[i].ref)
			bigger[place_of(bigger, room, w->persons[i].ref)] = w->persons[i];
	free(w->persons);
	w->persons = bigger;
	w->room = room;
	return true;
}

/* The person's place; a new one has version 0. NULL: no memory. */
static struct person *person_of(struct watch *w, const char *ref)
{
	if (2 * (w->n_persons + 1) > w->room && !grow(w))
		return NULL;
	struct person *p = &w->persons[place_of(w->persons, w->room, ref)];
	if (!*p->ref) {
		snprintf(p->ref, sizeof p->ref, "%s", ref);
		w->n_persons++;
	}
	return p;
}

static bool remember(struct watch *w, const Eldergate__V1__ChangeEvent *e)
{
	if (w->n_events == w->events_room) {
		size_t room = w->events_room ? 2 * w->events_room : 4096;
		struct watch_event *bigger = realloc(w->events, room * sizeof *bigger);
		if (!bigger)
			return false;
		w->events = bigger;
		w->events_room = room;
	}
	struct watch_event *x = &w->events[w->n_events++];
	*x = (struct watch_event){.seq = e->seq,
	                          .corrects = e->corrects_seq,
	                          .kind = e->kind,
	                          .version = e->person_version,
	                          .heard = eg_mono_us(),
	                          .before = e->life_status_before,
	                          .after = e->life_status_after};
	snprintf(x->person, sizeof x->person, "%s", e->person_ref);
	return true;
}

static bool take_change(struct watch *w, const Eldergate__V1__ChangeEvent *e)
{
	struct person *p = person_of(w, e->person_ref);
	if (!p)
		return false;
	if (e->person_version <= p->version || (w->n_events && e->seq <= w->events[w->n_events - 1].seq)) {
		w->repeated++;
		return true;
	}
	w->skipped += e->person_version != p->version + 1;
	p->version = e->person_version;
	p->life = e->life_status_after;
	p->merged = *e->merged_into != 0;
	return remember(w, e);
}

static bool take_state(struct watch *w, const Eldergate__V1__PersonState *s)
{
	struct person *p = person_of(w, s->person_ref);
	if (p && s->person_version > p->version) {
		p->version = s->person_version;
		p->life = s->life_status;
		p->merged = *s->merged_into != 0;
	}
	return p != NULL;
}

static enum eg_rc window(void *arg, const Eldergate__V1__SubscribeResponse *m, struct eg_err *err)
{
	struct watch *w = arg;
	bool ok = true;
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < m->n_items && ok; i++) {
		const Eldergate__V1__FeedItem *item = m->items[i];
		if (item->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE)
			ok = take_change(w, item->change);
		else if (item->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_SNAPSHOT)
			ok = take_state(w, item->snapshot);
	}
	if (ok && m->next && !m->next->snapshot_row)
		w->cursor = m->next->seq;
	pthread_cond_broadcast(&w->news);
	pthread_mutex_unlock(&w->lock);
	return ok ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for what the subscriber hears");
}

static void run(void *arg)
{
	struct watch *w = arg;
	struct eg_err err = {0};
	follow_run(&w->follow, &err);
	pthread_mutex_lock(&w->lock);
	w->fault = err;
	w->over = true;
	pthread_cond_broadcast(&w->news);
	pthread_mutex_unlock(&w->lock);
}

enum eg_rc watch_start(struct watch **out, struct rpc_client *client, const char *purpose, struct eg_err *err)
{
	struct watch *w = calloc(1, sizeof *w);
	if (!w)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a subscriber");
	eldergate__v1__subscribe_request__init(&w->request);
	eldergate__v1__feed_start__init(&w->start);
	eldergate__v1__snapshot_start__init(&w->snapshot);
	w->start.position_case = ELDERGATE__V1__FEED_START__POSITION_SNAPSHOT;
	w->start.snapshot = &w->snapshot;
	w->request.start = &w->start;
	w->request.purpose = (char *)(uintptr_t)purpose;
	w->follow.client = client;
	w->follow.request = &w->request;
	w->follow.window = window;
	w->follow.arg = w;
	w->follow.patient = true;
	pthread_mutex_init(&w->lock, NULL);
	eg_mono_cond(&w->news);
	*out = w;
	return eg_thread_start(&w->thread, "subscriber", run, w, err);
}

void watch_stop(struct watch *w)
{
	if (!w)
		return;
	atomic_store(&w->follow.stop, true);
	eg_thread_join(w->thread);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->news);
	free(w->persons);
	free(w->events);
	free(w);
}

/* ---- questions ---- */

static struct watch_event *find(struct watch *w, uint64_t seq)
{
	size_t low = 0, high = w->n_events;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (w->events[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low < w->n_events && w->events[low].seq == seq ? &w->events[low] : NULL;
}

bool watch_has(struct watch *w, uint64_t seq)
{
	pthread_mutex_lock(&w->lock);
	bool has = find(w, seq) != NULL;
	pthread_mutex_unlock(&w->lock);
	return has;
}

struct wanted {
	uint64_t seq;
	watch_is *is; /* NULL: the cursor */
	const void *arg;
	struct watch_event *out;
};

static bool there(struct watch *w, const struct wanted *x)
{
	if (!x->is)
		return w->cursor >= x->seq;
	for (size_t i = 0; i < w->n_events; i++) {
		if (w->events[i].seq <= x->seq || !x->is(x->arg, &w->events[i]))
			continue;
		*x->out = w->events[i];
		return true;
	}
	return false;
}

static enum eg_rc wait_for(struct watch *w, const struct wanted *x, int64_t timeout_us, struct eg_err *err)
{
	struct timespec deadline = eg_mono_deadline(eg_mono_us() + timeout_us);
	enum eg_rc rc = EG_OK;
	bool had = false, in_time = true;
	pthread_mutex_lock(&w->lock);
	while (!(had = there(w, x)) && !w->over && in_time)
		in_time = pthread_cond_timedwait(&w->news, &w->lock, &deadline) == 0;
	if (!had && w->over && w->fault.rc) {
		if (err)
			*err = w->fault;
		rc = w->fault.rc;
	} else if (!had) {
		rc = eg_fail(err, EG_DEADLINE, "the subscriber has not heard of %sentry %llu; it is at %llu",
		             x->is ? "what should come of what followed " : "", (unsigned long long)x->seq,
		             (unsigned long long)w->cursor);
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

enum eg_rc watch_until(struct watch *w, uint64_t seq, int64_t timeout_us, struct eg_err *err)
{
	struct wanted x = {.seq = seq};
	return wait_for(w, &x, timeout_us, err);
}

enum eg_rc watch_event(struct watch *w, uint64_t after, watch_is *is, const void *arg, int64_t timeout_us,
                       struct watch_event *out, struct eg_err *err)
{
	struct wanted x = {.seq = after, .is = is, .arg = arg, .out = out};
	return wait_for(w, &x, timeout_us, err);
}

uint64_t watch_number(struct watch *w, uint64_t after, watch_is *is, const void *arg)
{
	uint64_t n = 0;
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n_events; i++)
		n += w->events[i].seq > after && is(arg, &w->events[i]);
	pthread_mutex_unlock(&w->lock);
	return n;
}

void watch_counts(struct watch *w, struct watch_counts *out)
{
	*out = (struct watch_counts){0};
	pthread_mutex_lock(&w->lock);
	out->events = w->n_events;
	out->repeated = w->repeated;
	out->skipped = w->skipped;
	out->cursor = w->cursor;
	out->connections = atomic_load(&w->follow.connections);
	for (size_t i = 0; i < w->room; i++) {
		const struct person *p = &w->persons[i];
		if (!*p->ref || p->merged)
			continue;
		out->persons++;
		if ((unsigned)p->life < WATCH_LIVES)
			out->life[p->life]++;
	}
	pthread_mutex_unlock(&w->lock);
}
