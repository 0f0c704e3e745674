/* sqlite_map: lets SQLite look at the pages of a database that nobody writes instead of copying each.
 *
 * What cannot be read must be an error of the one page, and never the SIGBUS by which a mapping tells of it:
 * before a page is shown, the kernel is made to read the piece of the file that it lies in. Where it cannot,
 * SQLite reads the page as ever, and hears why not. Thread: the connection's. */
#ifndef EG_STORE_SQLITE_MAP_H
#define EG_STORE_SQLITE_MAP_H

#include <sqlite3.h>
#include <stddef.h>

size_t eg_map_bytes(void); /* that a file needs for it, aligned as pointers are */
/* Of a file that was opened under this name, which lasts until it is closed. It is used where a connection
 * asks for it (PRAGMA mmap_size), and goes when the file is closed. */
void eg_map_begin(sqlite3_file *file, void *bytes, const char *name);

#endif
