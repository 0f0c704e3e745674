/* verify_pages: rows of the store page by page: what each row is by itself is looked at by several threads,
 * what follows from all before it is judged in order.
 *
 * Each thread reads the next page when it is its turn to read, looks at it, and judges it when it is its turn
 * to judge: what a thread looks at is in its own CPU's cache, and none waits for the others at the end of a
 * page. Thread: one calls, which is one of those that work; they live as long as the run. */
#ifndef EG_CLI_VERIFY_PAGES_H
#define EG_CLI_VERIFY_PAGES_H

#include "base/arena.h"
#include "eldergate/err.h"

enum { VERIFY_THREADS = 8 }; /* at most; one a CPU */

struct verify_page {
	struct eg_arena *arena; /* of the rows */
	struct eg_arena *work;  /* of what is made of them; lives until the page is judged */
	void *rows;
	unsigned n;
	void *seen; /* what was found of each row: n items of seen_size, zeroed before */
	size_t seen_room;
};

/* Each is called by any of the threads. */
struct verify_pass {
	size_t seen_size;
	/* The next rows, into the page's arena; none: the pass is at its end. One thread at a time, the pages
	 * in their order. It touches nothing that judge writes. */
	enum eg_rc (*read)(void *arg, struct verify_page *p, struct eg_err *err);
	/* In any order, several at a time. It reads neither store nor what judge writes. */
	void (*look)(void *arg, struct verify_page *p, unsigned thread, unsigned i);
	/* One thread at a time, in the rows' order. */
	enum eg_rc (*judge)(void *arg, struct verify_page *p, unsigned i, struct eg_err *err);
	/* What read failed with, in judge's turn: nothing before it was found wrong. NULL: nothing to add. */
	enum eg_rc (*unread)(void *arg, enum eg_rc rc, struct eg_err *err);
};

enum eg_rc verify_pages(const struct verify_pass *pass, void *arg, struct eg_err *err);

#endif
