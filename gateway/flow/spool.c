/* spool: a spool's folder while it is filled. A run is a sequence of `length u32 | sealed block`; a block is
 * a sequence of rows, its first byte 1 in the last block of a run. */
#include "flow/spool_core.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX = 33, BUCKETS = 1 << 16 };

void eg_spool_path(const char *dir, const uint8_t id[16], char *out, size_t len)
{
	char hex[HEX];
	eg_hex(id, 16, hex);
	snprintf(out, len, "%s/%s", dir, hex);
}

void eg_spool_run_path(const struct eg_spool *s, unsigned number, char *out, size_t len)
{
	snprintf(out, len, "%s/run-%04u", s->path, number);
}

enum eg_rc eg_spool_disk_error(struct eg_err *err, const char *doing)
{
	bool full = errno == ENOSPC || errno == EDQUOT;
	return eg_fail(err, full ? EG_NO_SPACE : EG_IO, "%s a list's spool: %s", doing, strerror(errno));
}

struct eg_spool *eg_spool_make(const struct eg_spool_options *o)
{
	struct eg_spool *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->o = *o;
	if (s->o.memory < EG_SPOOL_MEMORY)
		s->o.memory = EG_SPOOL_MEMORY;
	return s;
}

enum eg_rc eg_spool_new(struct eg_spool **out, const struct eg_spool_options *o, struct eg_err *err)
{
	struct eg_spool *s = eg_spool_make(o);
	*out = s;
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	eg_random(s->id, sizeof s->id);
	eg_spool_path(o->dir, s->id, s->path, sizeof s->path);
	s->rows = malloc(s->o.memory);
	enum eg_rc rc = EG_OK;
	if (!s->rows)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	else if (mkdir(s->path, 0700) != 0)
		rc = eg_spool_disk_error(err, "making");
	if (rc) {
		eg_spool_close(s);
		*out = NULL;
	}
	return rc;
}

const uint8_t *eg_spool_id(const struct eg_spool *s)
{
	return s->id;
}

uint64_t eg_spool_bytes(const struct eg_spool *s)
{
	return s->bytes;
}

void eg_spool_aad(const struct eg_spool *s, unsigned run, unsigned block, uint8_t out[EG_SPOOL_AAD])
{
	memcpy(out, s->id, 16);
	eg_spool_be(out + 16, run, 4);
	eg_spool_be(out + 20, block, 4);
	memcpy(out + 24, "list", 4);
}

/* ---- writing ---- */

static int cmp_place(const struct eg_spool *s, const struct eg_spool_place *a, const struct eg_spool_place *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	const uint8_t *x = s->rows + a->at + EG_SPOOL_LENGTH, *y = s->rows + b->at + EG_SPOOL_LENGTH;
	return memcmp(x, y, 16 + 8); /* token, then index: both stand big-endian */
}

/* Tokens are evenly spread, so one pass over their first 16 bits leaves buckets of a few rows each. */
static enum eg_rc sort(struct eg_spool *s, struct eg_err *err)
{
	uint32_t *starts = calloc(BUCKETS + 1, sizeof *starts);
	if (!starts)
		return eg_fail(err, EG_NO_MEMORY, "no memory to sort a list");
	for (uint32_t i = 0; i < s->n; i++)
		starts[(s->places[i].prefix >> 48) + 1]++;
	for (unsigned i = 0; i < BUCKETS; i++)
		starts[i + 1] += starts[i];
	for (uint32_t i = 0; i < s->n; i++)
		s->sorted[starts[s->places[i].prefix >> 48]++] = s->places[i];
	for (uint32_t i = 1; i < s->n; i++) { /* ends where a bucket does */
		struct eg_spool_place x = s->sorted[i];
		uint32_t k = i;
		for (; k && cmp_place(s, &x, &s->sorted[k - 1]) < 0; k--)
			s->sorted[k] = s->sorted[k - 1];
		s->sorted[k] = x;
	}
	free(starts);
	return EG_OK;
}

static enum eg_rc write_all(int fd, struct eg_bytes b, struct eg_err *err)
{
	while (b.len) {
		ssize_t n = write(fd, b.p, b.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return eg_spool_disk_error(err, "writing");
		b.p += n;
		b.len -= (size_t)n;
	}
	return EG_OK;
}

static enum eg_rc write_block(struct eg_spool *s, int fd, unsigned block, bool last, struct eg_err *err)
{
	uint8_t aad[EG_SPOOL_AAD];
	s->clear.p[0] = last;
	eg_spool_aad(s, s->n_runs, block, aad);
	eg_buf_reset(&s->sealed);
	eg_buf_add_be(&s->sealed, 0, EG_SPOOL_LENGTH);
	enum eg_rc rc = eg_vault_seal(s->o.vault, (struct eg_bytes){aad, sizeof aad}, eg_buf_bytes(&s->clear),
	                              &s->sealed, err);
	if (rc == EG_OK && s->sealed.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a block of a list");
	if (rc)
		return rc;
	eg_spool_be(s->sealed.p, s->sealed.len - EG_SPOOL_LENGTH, EG_SPOOL_LENGTH);
	if (s->o.room && !s->o.room(s->o.arg, s->sealed.len))
		return eg_fail(err, EG_NO_SPACE,
		               "the lists under way have all the room that is set for them");
	s->bytes += s->sealed.len;
	eg_buf_reset(&s->clear);
	eg_buf_add_u8(&s->clear, 0);
	return write_all(fd, eg_buf_bytes(&s->sealed), err);
}

/* Writes the rows in memory as one run. */
static enum eg_rc flush(struct eg_spool *s, bool durable, struct eg_err *err)
{
	char path[600];
	unsigned block = 0;
	if (s->n_runs == EG_SPOOL_RUNS_MAX)
		return eg_fail(err, EG_NO_SPACE, "the list is too long for the memory set for lists");
	enum eg_rc rc = sort(s, err);
	if (rc)
		return rc;
	eg_spool_run_path(s, s->n_runs, path, sizeof path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return eg_spool_disk_error(err, "making");
	eg_buf_reset(&s->clear);
	eg_buf_add_u8(&s->clear, 0);
	for (uint32_t i = 0; i < s->n && rc == EG_OK; i++) {
		const uint8_t *row = s->rows + s->sorted[i].at;
		size_t len = EG_SPOOL_LENGTH + (size_t)eg_spool_of_be(row, EG_SPOOL_LENGTH);
		if (s->clear.len > 1 && s->clear.len + len > EG_SPOOL_BLOCK)
			rc = write_block(s, fd, block++, false, err);
		eg_buf_add(&s->clear, row, len);
		if (rc == EG_OK && s->clear.failed)
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for a block of a list");
	}
	if (rc == EG_OK)
		rc = write_block(s, fd, block, true, err);
	if (rc == EG_OK && durable && fdatasync(fd) != 0)
		rc = eg_spool_disk_error(err, "keeping");
	else if (rc == EG_OK) /* the disk may begin: the end of the list will wait for all of it */
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	close(fd);
	s->n_runs++;
	s->n = 0;
	if (s->used) /* an empty list has no rows */
		explicit_bzero(s->rows, s->used);
	s->used = 0;
	return rc;
}

static bool grow(struct eg_spool *s)
{
	uint32_t cap = s->cap ? 2 * s->cap : 4096;
	struct eg_spool_place *places = realloc(s->places, cap * sizeof *places);
	if (places)
		s->places = places;
	struct eg_spool_place *sorted = places ? realloc(s->sorted, cap * sizeof *sorted) : NULL;
	if (sorted)
		s->sorted = sorted;
	if (!sorted)
		return false;
	s->cap = cap;
	return true;
}

enum eg_rc eg_spool_add(struct eg_spool *s, const struct eg_spool_row *row, struct eg_err *err)
{
	size_t len = eg_spool_row_size(row), memory = s->o.memory;
	/* The places of the rows count too: they are sorted into a second array. */
	if (s->n &&
	    s->used + EG_SPOOL_LENGTH + len + (s->n + 1) * 2 * sizeof(struct eg_spool_place) > memory) {
		enum eg_rc rc = flush(s, false, err);
		if (rc)
			return rc;
	}
	if (EG_SPOOL_LENGTH + len > memory)
		return eg_fail(err, EG_LIMIT, "a row is larger than the memory set for lists");
	if (s->n == s->cap && !grow(s))
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	eg_spool_be(s->rows + s->used, len, EG_SPOOL_LENGTH);
	eg_spool_row_write(s->rows + s->used + EG_SPOOL_LENGTH, row);
	s->places[s->n++] = (struct eg_spool_place){eg_spool_of_be(row->token, 8), (uint32_t)s->used};
	s->used += EG_SPOOL_LENGTH + len;
	return EG_OK;
}

static enum eg_rc sync_path(const char *path, int flags, struct eg_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	enum eg_rc rc = EG_OK;
	if (fd < 0 || fsync(fd) != 0)
		rc = eg_spool_disk_error(err, "keeping");
	if (fd >= 0)
		close(fd);
	return rc;
}

enum eg_rc eg_spool_finish(struct eg_spool *s, struct eg_err *err)
{
	char path[600];
	enum eg_rc rc = flush(s, true, err);
	for (unsigned i = 0; i + 1 < s->n_runs && rc == EG_OK; i++) {
		eg_spool_run_path(s, i, path, sizeof path);
		rc = sync_path(path, 0, err);
	}
	if (rc == EG_OK)
		rc = sync_path(s->path, O_DIRECTORY, err);
	if (rc == EG_OK)
		rc = sync_path(s->o.dir, O_DIRECTORY, err);
	free(s->rows);
	free(s->places);
	free(s->sorted);
	s->rows = NULL;
	s->places = s->sorted = NULL;
	s->cap = 0;
	eg_buf_free(&s->clear);
	eg_buf_free(&s->sealed);
	return rc;
}

void eg_spool_close(struct eg_spool *s)
{
	if (!s)
		return;
	eg_spool_close_runs(s);
	if (s->rows)
		explicit_bzero(s->rows, s->used);
	free(s->rows);
	free(s->places);
	free(s->sorted);
	eg_buf_free(&s->clear);
	eg_buf_free(&s->sealed);
	free(s);
}

static bool is_own(const char *name, bool all)
{
	return strncmp(name, "run-", 4) == 0 || (all && strcmp(name, "absent") == 0);
}

/* Somebody else's files are left, and what a link leads to above all: this runs as whoever the daemon is.
 * What cannot be looked at or removed stays until the daemon starts again, which looks through all folders;
 * nobody reads it meanwhile, since lists are known by the store alone. */
void eg_spool_remove(const char *dir, const uint8_t id[16], bool all)
{
	char path[512];
	eg_spool_path(dir, id, path, sizeof path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d));)
		if (is_own(e->d_name, all))
			unlinkat(fd, e->d_name, 0);
	closedir(d);
	if (all)
		rmdir(path);
}
