/* sqlite_pages: SQLite's own page cache behind one that knows its greatest page number.
 *
 * Of each cache: every page's number is at most `greatest`, or it is `odd`, one that a page has for a moment.
 * All else is SQLite's. Thread: a cache's calls come from its connection's; nothing is shared. */
#include "store/sqlite_pages.h"

#include <sqlite3.h>
#include <stdlib.h>

struct cache {
	sqlite3_pcache *own; /* SQLite's */
	unsigned greatest;
	unsigned odd; /* 0: none */
};

static sqlite3_pcache_methods2 own;

static struct cache *of(sqlite3_pcache *c)
{
	return (struct cache *)c;
}

static sqlite3_pcache *create(int page_bytes, int extra_bytes, int purgeable)
{
	struct cache *c = calloc(1, sizeof *c);
	if (c && !(c->own = own.xCreate(page_bytes, extra_bytes, purgeable))) {
		free(c);
		c = NULL;
	}
	return (sqlite3_pcache *)c;
}

static void destroy(sqlite3_pcache *c)
{
	own.xDestroy(of(c)->own);
	free(c);
}

static void set_size(sqlite3_pcache *c, int pages)
{
	own.xCachesize(of(c)->own, pages);
}

static int count(sqlite3_pcache *c)
{
	return own.xPagecount(of(c)->own);
}

static void shrink(sqlite3_pcache *c)
{
	own.xShrink(of(c)->own);
}

static sqlite3_pcache_page *fetch(sqlite3_pcache *c, unsigned number, int how)
{
	sqlite3_pcache_page *page = own.xFetch(of(c)->own, number, how);
	if (page && number > of(c)->greatest)
		of(c)->greatest = number;
	return page;
}

static void unpin(sqlite3_pcache *c, sqlite3_pcache_page *page, int discard)
{
	own.xUnpin(of(c)->own, page, discard);
}

static void rename_page(sqlite3_pcache *cache, sqlite3_pcache_page *page, unsigned from, unsigned to)
{
	struct cache *c = of(cache);
	own.xRekey(c->own, page, from, to);
	if (c->odd == from)
		c->odd = 0;
	if (to > c->greatest && c->odd)
		c->greatest = to;
	else if (to > c->greatest)
		c->odd = to;
}

/* Pages from this number on are no more. */
static void truncate_from(sqlite3_pcache *cache, unsigned number)
{
	struct cache *c = of(cache);
	if (number > c->greatest && number > c->odd)
		return;
	own.xTruncate(c->own, number);
	c->odd = 0;
	if (number <= c->greatest)
		c->greatest = number ? number - 1 : 0;
}

void eg_sqlite_pages_use(void)
{
	static sqlite3_pcache_methods2 ours;
	if (sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &own) != SQLITE_OK)
		return;
	ours = own;
	ours.xCreate = create;
	ours.xCachesize = set_size;
	ours.xPagecount = count;
	ours.xFetch = fetch;
	ours.xUnpin = unpin;
	ours.xRekey = rename_page;
	ours.xTruncate = truncate_from;
	ours.xDestroy = destroy;
	ours.xShrink = shrink;
	sqlite3_config(SQLITE_CONFIG_PCACHE2, &ours);
}
