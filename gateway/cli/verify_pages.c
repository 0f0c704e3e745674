/* verify_pages: see verify_pages.h. */
#include "cli/verify_pages.h"

#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_ARENA = 64 << 20, WORK_ARENA = 64 << 20, KEPT = 4 << 20 };

struct crew;

struct hand {
	struct crew *crew;
	struct eg_thread *thread; /* NULL: the caller's */
	unsigned number;
	struct verify_page page;
};

struct crew {
	const struct verify_pass *pass;
	void *arg;
	pthread_mutex_t reading; /* of read, and of next */
	uint64_t next;           /* page to read */
	atomic_bool over;        /* nothing more is to be read */
	pthread_mutex_t judging; /* of judge, and of judged, rc, err */
	pthread_cond_t moved;    /* judged, or rc */
	uint64_t judged;         /* pages */
	enum eg_rc rc;
	struct eg_err err;
	unsigned n; /* hands that work, the caller's among them */
	struct hand hand[VERIFY_THREADS];
};

/* ---- a page ---- */

static void free_seen(struct verify_page *p)
{
	if (p->seen)
		explicit_bzero(p->seen, p->seen_room);
	free(p->seen);
	p->seen = NULL;
	p->seen_room = 0;
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

static bool page_new(struct verify_page *p)
{
	p->arena = eg_arena_new(PAGE_ARENA);
	p->work = eg_arena_new(WORK_ARENA);
	if (!p->arena || !p->work)
		return false;
	eg_arena_keep(p->arena, KEPT);
	eg_arena_keep(p->work, KEPT);
	return true;
}

static void page_reset(struct verify_page *p)
{
	eg_arena_reset(p->arena);
	eg_arena_reset(p->work);
	p->rows = NULL;
	p->n = 0;
}

static void page_free(struct verify_page *p)
{
	free_seen(p);
	eg_arena_free(p->arena);
	eg_arena_free(p->work);
}

/* ---- one hand ---- */

/* Which page it was; its rows are none when the pass is at its end, or the read failed. */
static enum eg_rc read_next(struct crew *c, struct verify_page *p, uint64_t *number, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	pthread_mutex_lock(&c->reading);
	if (!c->over) {
		*number = c->next++;
		rc = c->pass->read(c->arg, p, err);
		if (rc)
			p->n = 0;
		if (!p->n)
			c->over = true;
	}
	pthread_mutex_unlock(&c->reading);
	return rc;
}

static enum eg_rc look(struct crew *c, struct hand *h, struct eg_err *err)
{
	struct verify_page *p = &h->page;
	if (!make_room(p, p->n * c->pass->seen_size))
		return eg_fail(err, EG_NO_MEMORY, "no memory to verify with");
	for (unsigned i = 0; i < p->n; i++)
		c->pass->look(c->arg, p, h->number, i);
	return EG_OK;
}

static enum eg_rc judge(struct crew *c, struct verify_page *p)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < p->n && !rc; i++)
		rc = c->pass->judge(c->arg, p, i, &c->err);
	return rc;
}

/* Judges the page once all before it are; of one that failed, that is what stands. False: something is wrong,
 * in this page or in one before it. */
static bool take_turn(struct crew *c, struct verify_page *p, uint64_t number, enum eg_rc failed,
                      const struct eg_err *why)
{
	pthread_mutex_lock(&c->judging);
	while (c->judged != number && !c->rc)
		pthread_cond_wait(&c->moved, &c->judging);
	if (!c->rc && failed) {
		c->err = *why;
		c->rc = !p->n && c->pass->unread ? c->pass->unread(c->arg, failed, &c->err) : failed;
	} else if (!c->rc) {
		c->rc = judge(c, p);
	}
	c->judged++;
	bool good = !c->rc;
	if (!good)
		c->over = true;
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->judging);
	return good;
}

static void work(void *arg)
{
	struct hand *h = arg;
	struct crew *c = h->crew;
	bool good = true;
	while (good) {
		struct eg_err why = {0};
		uint64_t number = 0;
		enum eg_rc rc = read_next(c, &h->page, &number, &why);
		if (!rc && !h->page.n)
			return;
		if (!rc)
			rc = look(c, h, &why);
		good = take_turn(c, &h->page, number, rc, &why);
		page_reset(&h->page);
	}
}

/* ---- all of them ---- */

static enum eg_rc crew_begin(struct crew *c, struct eg_err *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cpus > VERIFY_THREADS ? VERIFY_THREADS : cpus > 1 ? (unsigned)cpus : 1;
	enum eg_rc rc = EG_OK;
	pthread_mutex_init(&c->reading, NULL);
	pthread_mutex_init(&c->judging, NULL);
	pthread_cond_init(&c->moved, NULL);
	for (; c->n < n && !rc; c->n++) {
		struct hand *h = &c->hand[c->n];
		char name[16];
		*h = (struct hand){.crew = c, .number = c->n};
		snprintf(name, sizeof name, "verify-%u", h->number);
		if (!page_new(&h->page))
			rc = eg_fail(err, EG_NO_MEMORY, "no memory to verify with");
		else if (h->number)
			rc = eg_thread_start(&h->thread, name, work, h, err);
	}
	if (rc)
		c->over = true; /* for those that have begun */
	return rc;
}

static void crew_end(struct crew *c)
{
	for (unsigned i = 0; i < c->n; i++)
		eg_thread_join(c->hand[i].thread);
	for (unsigned i = 0; i < c->n; i++)
		page_free(&c->hand[i].page);
	pthread_cond_destroy(&c->moved);
	pthread_mutex_destroy(&c->judging);
	pthread_mutex_destroy(&c->reading);
}

enum eg_rc verify_pages(const struct verify_pass *pass, void *arg, struct eg_err *err)
{
	struct crew c = {.pass = pass, .arg = arg};
	enum eg_rc rc = crew_begin(&c, err);
	if (!rc)
		work(&c.hand[0]);
	crew_end(&c);
	if (rc || !c.rc)
		return rc;
	if (err)
		*err = c.err;
	return c.rc;
}
