/* verify_pages: rows of the store page by page: what each row is by itself is looked at by several threads,
 * what follows from all before it is judged in order by one.
 *
 * While the threads look at one page, the caller's thread judges the page before it and reads the next.
 * Thread: one, which is also one of those that look; threads live as long as the run. */
#ifndef EG_CLI_VERIFY_PAGES_H
#define EG_CLI_VERIFY_PAGES_H

#include "base/arena.h"
#include "eldergate/err.h"

enum { VERIFY_THREADS = 8 }; /* at most; one a CPU */

struct verify_page {
	struct eg_arena *arena; /* of the rows */
	struct eg_arena
	        *work[VERIFY_THREADS]; /* of what each thread makes of them; lives until the page is judged */
	void *rows;
	unsigned n;
	void *seen; /* what was found of each row: n items of seen_size, zeroed before */
	size_t seen_room;
};

struct verify_pass {
	size_t seen_size;
	/* The next rows, into the page's arena; none: the pass is at its end. */
	enum eg_rc (*read)(void *arg, struct verify_page *p, struct eg_err *err);
	/* Any thread, any order. It reads neither store nor what judge writes. */
	void (*look)(void *arg, struct verify_page *p, unsigned thread, unsigned i);
	/* The caller's thread, in the rows' order. */
	enum eg_rc (*judge)(void *arg, struct verify_page *p, unsigned i, struct eg_err *err);
};

enum eg_rc verify_pages(const struct verify_pass *pass, void *arg, struct eg_err *err);

#endif
