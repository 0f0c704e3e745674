/* sqlite_pages: spares SQLite's page cache a walk over all of its pages at the end of most commits.
 *
 * Whenever SQLite puts the pages of a node in order, it swaps two of them by way of a page number that no
 * page has (the one at 1 GiB, for its locks). Its cache keeps that as the greatest number it ever held, and a
 * commit tells the cache to drop whatever lies behind the end of the file: in a store smaller than 1 GiB it
 * then looks at each page for one that is not there.
 *
 * Registered once for the process, before SQLite starts; where that is too late, the walks stay. */
#ifndef EG_STORE_SQLITE_PAGES_H
#define EG_STORE_SQLITE_PAGES_H

void eg_sqlite_pages_use(void);

#endif
