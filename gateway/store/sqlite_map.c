/* sqlite_map: see sqlite_map.h. A mapping of our own, because SQLite's ends at 2 GiB, and shows pages that
 * may not be there.
 *
 *   not tried --first page asked for--> mapped or not
 */
#include "store/sqlite_map.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pieces that were read lately: who walks through a file asks for them again and again. Few enough that they
 * are in memory still. */
enum { PIECE = 256 << 10, PIECES = 64 };

struct map {
	sqlite3_io_methods methods; /* the file's own but for the last three */
	const sqlite3_io_methods *real;
	const char *name;
	bool tried;
	uint8_t *base; /* NULL: not mapped */
	uint64_t size;
	uint64_t read[PIECES]; /* piece number + 1, where it falls; 0: none */
};

size_t eg_map_bytes(void)
{
	return sizeof(struct map);
}

static struct map *map_of(sqlite3_file *file)
{
	return (struct map *)(void *)file->pMethods; /* its first member; the bytes are ours to write */
}

/* Asks the kernel for part of the file; false: it cannot be had, or the kernel does not know how. */
static bool populate(struct map *m, uint64_t from, uint64_t len)
{
	return madvise(m->base + from, len, MADV_POPULATE_READ) == 0;
}

static void map_whole(struct map *m)
{
	struct stat st;
	int fd = open(m->name, O_RDONLY | O_CLOEXEC);
	m->tried = true;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		m->base = p != MAP_FAILED ? p : NULL;
		m->size = (uint64_t)st.st_size;
	}
	close(fd);
	if (m->base && !populate(m, 0, 1)) { /* before Linux 5.14 */
		munmap(m->base, m->size);
		m->base = NULL;
	}
}

static bool piece_is_there(struct map *m, uint64_t piece)
{
	uint64_t from = piece * PIECE, rest = m->size - from;
	uint64_t *read = &m->read[piece % PIECES];
	if (*read != piece + 1)
		*read = populate(m, from, rest < PIECE ? rest : PIECE) ? piece + 1 : 0;
	return *read;
}

/* A page, or NULL: then SQLite reads it. */
static int fetch(sqlite3_file *file, sqlite3_int64 offset, int len, void **out)
{
	struct map *m = map_of(file);
	uint64_t from = (uint64_t)offset, n = (uint64_t)len;
	*out = NULL;
	if (!m->tried)
		map_whole(m);
	if (m->base && n && from < m->size && n <= m->size - from && from / PIECE == (from + n - 1) / PIECE &&
	    piece_is_there(m, from / PIECE))
		*out = m->base + from;
	return SQLITE_OK;
}

static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
	(void)file;
	(void)offset;
	(void)page; /* the mapping lasts as long as the file */
	return SQLITE_OK;
}

static int close_both(sqlite3_file *file)
{
	struct map *m = map_of(file);
	if (m->base)
		munmap(m->base, m->size);
	file->pMethods = m->real;
	return m->real->xClose(file);
}

void eg_map_begin(sqlite3_file *file, void *bytes, const char *name)
{
	struct map *m = bytes;
	if (!file->pMethods || file->pMethods->iVersion < 3) /* it knows nothing of pages shown */
		return;
	memset(m, 0, sizeof *m);
	m->methods = *file->pMethods;
	m->real = file->pMethods;
	m->name = name;
	m->methods.xClose = close_both;
	m->methods.xFetch = fetch;
	m->methods.xUnfetch = unfetch;
	file->pMethods = &m->methods;
}
