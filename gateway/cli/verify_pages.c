/* verify_pages: see verify_pages.h. */
#include "cli/verify_pages.h"

#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PAGE_ARENA = 64 << 20,
	WORK_ARENA = 64 << 20,
	WORK_KEPT = 4 << 20,
	SHARE = 16 /* rows that a thread takes at once */
};

struct crew;

struct hand {
	struct crew *crew;
	struct eg_thread *thread;
	unsigned number;
};

/* Lock: of round, busy, over. */
struct crew {
	const struct verify_pass *pass;
	void *arg;
	struct verify_page *page; /* that is looked at */
	atomic_uint next;         /* its first row that nobody has taken */
	unsigned round, busy;
	bool over;
	pthread_mutex_t lock;
	pthread_cond_t begins, ends;
	unsigned n; /* hands, the caller's thread, number 0, left out */
	struct hand hand[VERIFY_THREADS];
};

static void look(struct crew *c, struct verify_page *p, unsigned thread)
{
	for (;;) {
		unsigned from = atomic_fetch_add(&c->next, SHARE);
		if (from >= p->n)
			return;
		for (unsigned i = from; i < p->n && i < from + SHARE; i++)
			c->pass->look(c->arg, p, thread, i);
	}
}

static void work(void *arg)
{
	struct hand *h = arg;
	struct crew *c = h->crew;
	unsigned done = 0;
	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (c->round == done && !c->over)
			pthread_cond_wait(&c->begins, &c->lock);
		if (c->over)
			break;
		done = c->round;
		struct verify_page *p = c->page;
		pthread_mutex_unlock(&c->lock);
		look(c, p, h->number);
		pthread_mutex_lock(&c->lock);
		if (--c->busy == 0)
			pthread_cond_signal(&c->ends);
	}
	pthread_mutex_unlock(&c->lock);
}

static void begin(struct crew *c, struct verify_page *p)
{
	pthread_mutex_lock(&c->lock);
	c->page = p;
	atomic_store(&c->next, 0);
	c->busy = c->n;
	c->round++;
	pthread_cond_broadcast(&c->begins);
	pthread_mutex_unlock(&c->lock);
}

static void end(struct crew *c, struct verify_page *p)
{
	look(c, p, 0);
	pthread_mutex_lock(&c->lock);
	while (c->busy)
		pthread_cond_wait(&c->ends, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

static enum eg_rc crew_begin(struct crew *c, struct eg_err *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cpus > VERIFY_THREADS ? VERIFY_THREADS : cpus > 1 ? (unsigned)cpus : 1;
	enum eg_rc rc = EG_OK;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->begins, NULL);
	pthread_cond_init(&c->ends, NULL);
	while (c->n + 1 < n && !rc) {
		struct hand *h = &c->hand[c->n];
		char name[16];
		*h = (struct hand){.crew = c, .number = c->n + 1};
		snprintf(name, sizeof name, "verify-%u", h->number);
		if (!(rc = eg_thread_start(&h->thread, name, work, h, err)))
			c->n++;
	}
	return rc;
}

static void crew_end(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	c->over = true;
	pthread_cond_broadcast(&c->begins);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n; i++)
		eg_thread_join(c->hand[i].thread);
	pthread_cond_destroy(&c->begins);
	pthread_cond_destroy(&c->ends);
	pthread_mutex_destroy(&c->lock);
}

static bool page_new(struct verify_page *p)
{
	p->arena = eg_arena_new(PAGE_ARENA);
	bool good = p->arena != NULL;
	for (unsigned i = 0; i < VERIFY_THREADS; i++) {
		p->work[i] = eg_arena_new(WORK_ARENA);
		good = good && p->work[i];
		if (p->work[i])
			eg_arena_keep(p->work[i], WORK_KEPT);
	}
	if (p->arena)
		eg_arena_keep(p->arena, WORK_KEPT);
	return good;
}

static void free_seen(struct verify_page *p)
{
	if (p->seen)
		explicit_bzero(p->seen, p->seen_room);
	free(p->seen);
	p->seen = NULL;
}

static void page_free(struct verify_page *p)
{
	free_seen(p);
	eg_arena_free(p->arena);
	for (unsigned i = 0; i < VERIFY_THREADS; i++)
		eg_arena_free(p->work[i]);
}

/* For what is seen: zeroed, and kept from page to page. */
static bool make_room(struct verify_page *p, size_t size)
{
	if (size > p->seen_room) {
		free_seen(p);
		p->seen = malloc(size);
		p->seen_room = p->seen ? size : 0;
	}
	if (p->seen)
		memset(p->seen, 0, size);
	return p->seen;
}

static enum eg_rc read_page(struct crew *c, struct verify_page *p, struct eg_err *err)
{
	eg_arena_reset(p->arena);
	for (unsigned i = 0; i < VERIFY_THREADS; i++)
		eg_arena_reset(p->work[i]);
	p->rows = NULL;
	p->n = 0;
	enum eg_rc rc = c->pass->read(c->arg, p, err);
	if (rc || !p->n)
		return rc;
	return make_room(p, p->n * c->pass->seen_size)
	               ? EG_OK
	               : eg_fail(err, EG_NO_MEMORY, "no memory to verify with");
}

static enum eg_rc judge(struct crew *c, struct verify_page *p, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < p->n && !rc; i++)
		rc = c->pass->judge(c->arg, p, i, err);
	return rc;
}

/* Two pages take turns: while one is looked at, the other is judged and read anew. */
static enum eg_rc turn(struct crew *c, struct verify_page page[2], struct eg_err *err)
{
	enum eg_rc rc = read_page(c, &page[0], err);
	page[1].n = 0;
	for (unsigned at = 0; !rc && page[at].n; at = !at) {
		struct verify_page *now = &page[at], *other = &page[!at];
		struct eg_err why = {0};
		begin(c, now);
		rc = judge(c, other, err); /* the one before */
		enum eg_rc unread = rc ? EG_OK : read_page(c, other, &why);
		end(c, now);
		if (rc || (!unread && other->n))
			continue;
		/* It is the last, or what comes behind it cannot be read: a fault in it comes first. */
		if ((rc = judge(c, now, err)) || !unread)
			return rc;
		if (err)
			*err = why;
		return unread;
	}
	return rc;
}

enum eg_rc verify_pages(const struct verify_pass *pass, void *arg, struct eg_err *err)
{
	struct crew c = {.pass = pass, .arg = arg};
	struct verify_page page[2] = {0};
	bool good = page_new(&page[0]);
	good = page_new(&page[1]) && good;
	enum eg_rc rc = good ? crew_begin(&c, err) : eg_fail(err, EG_NO_MEMORY, "no memory to verify with");
	if (!rc)
		rc = turn(&c, page, err);
	if (good)
		crew_end(&c);
	page_free(&page[0]);
	page_free(&page[1]);
	return rc;
}
