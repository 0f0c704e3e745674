/* spool: see spool.h. A run is a sequence of `length u32 | sealed block`; a block is a sequence of rows, its
 * first byte 1 in the last block of a run.
 *
 * Rows in memory: `length u32 | token 16 | index u64 | version i64 | mapping revision u32 | flags u8 | digest
 * 16 | key 24 | reasons u8, each: code u16, length u8, field | canon`. */
#include "flow/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX = 33, FIXED = 16 + 8 + 8 + 4 + 1 + 16 + 24 + 1, LENGTH = 4, BUCKETS = 1 << 16 };
enum { F_FAULTY = 1, F_OWN = 2, F_ASSERTED = 4, F_KEY = 8, F_CURRENT = 16, F_PROPOSAL = 32 };

struct place { /* of a row in memory */
	uint64_t prefix;
	uint32_t at;
};

struct run {
	int fd;
	unsigned number, blocks; /* read so far */
	bool last;               /* this is its last block */
	struct eg_buf block;
	size_t at; /* of the next row */
	bool has;
	struct eg_spool_row row; /* its first row not given yet */
};

struct eg_spool {
	struct eg_spool_options o;
	uint8_t id[16];
	char path[512];
	uint64_t bytes;
	/* filling */
	uint8_t *rows;
	size_t used;
	struct place *places, *sorted;
	uint32_t n, cap;
	unsigned n_runs;
	struct eg_buf clear, sealed; /* a block */
	/* reading */
	struct run *runs;
	unsigned *heap, n_heap; /* runs by their first row */
	bool given;             /* the top's row was given out */
};

static void path_of(const char *dir, const uint8_t id[16], char *out, size_t len)
{
	char hex[HEX];
	eg_hex(id, 16, hex);
	snprintf(out, len, "%s/%s", dir, hex);
}

static void run_path(const struct eg_spool *s, unsigned number, char *out, size_t len)
{
	snprintf(out, len, "%s/run-%04u", s->path, number);
}

static enum eg_rc disk_error(struct eg_err *err, const char *doing)
{
	bool full = errno == ENOSPC || errno == EDQUOT;
	return eg_fail(err, full ? EG_NO_SPACE : EG_IO, "%s a list's spool: %s", doing, strerror(errno));
}

static struct eg_spool *make(const struct eg_spool_options *o)
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
	struct eg_spool *s = make(o);
	*out = s;
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	eg_random(s->id, sizeof s->id);
	path_of(o->dir, s->id, s->path, sizeof s->path);
	s->rows = malloc(s->o.memory);
	enum eg_rc rc = EG_OK;
	if (!s->rows)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	else if (mkdir(s->path, 0700) != 0)
		rc = disk_error(err, "making");
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

/* ---- rows as bytes ---- */

static uint8_t *be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i--; v >>= 8)
		p[i] = (uint8_t)v;
	return p + bytes;
}

static uint64_t of_be(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static uint8_t *bytes_to(uint8_t *p, const void *from, size_t len)
{
	if (len)
		memcpy(p, from, len);
	return p + len;
}

static size_t size_of(const struct eg_spool_row *r)
{
	size_t size = FIXED + r->canon.len;
	for (unsigned i = 0; i < r->reasons.n; i++)
		size += 3 + strlen(r->reasons.v[i].field);
	return size;
}

static void write_row(uint8_t *p, const struct eg_spool_row *r)
{
	const struct eg_version *v = &r->version;
	p = bytes_to(p, r->token, 16);
	p = be(p, r->index, 8);
	p = be(p, (uint64_t)v->version, 8);
	p = be(p, v->mapping_revision, 4);
	*p++ = (uint8_t)((r->faulty ? F_FAULTY : 0) | (r->own_version ? F_OWN : 0) |
	                 (v->asserted ? F_ASSERTED : 0) | (v->has_key ? F_KEY : 0) |
	                 (v->current ? F_CURRENT : 0) | (v->has_proposal ? F_PROPOSAL : 0));
	p = bytes_to(p, v->digest, EG_DIGEST_SIZE);
	p = bytes_to(p, v->key, EG_JOIN_KEY_SIZE);
	*p++ = (uint8_t)r->reasons.n;
	for (unsigned i = 0; i < r->reasons.n; i++) {
		size_t len = strlen(r->reasons.v[i].field);
		p = be(p, (uint64_t)r->reasons.v[i].code, 2);
		*p++ = (uint8_t)len;
		p = bytes_to(p, r->reasons.v[i].field, len);
	}
	bytes_to(p, r->canon.p, r->canon.len);
}

static bool read_row(struct eg_bytes b, struct eg_spool_row *r)
{
	const uint8_t *p = b.p, *end = b.p + b.len;
	struct eg_version *v = &r->version;
	if (b.len < FIXED)
		return false;
	memset(v, 0, sizeof *v);
	memcpy(r->token, p, 16);
	r->index = of_be(p + 16, 8);
	v->version = (int64_t)of_be(p + 24, 8);
	v->mapping_revision = (uint32_t)of_be(p + 32, 4);
	unsigned flags = p[36];
	r->faulty = flags & F_FAULTY;
	r->own_version = flags & F_OWN;
	v->asserted = flags & F_ASSERTED;
	v->has_key = flags & F_KEY;
	v->current = flags & F_CURRENT;
	v->has_proposal = flags & F_PROPOSAL;
	memcpy(v->digest, p + 37, EG_DIGEST_SIZE);
	memcpy(v->key, p + 53, EG_JOIN_KEY_SIZE);
	r->reasons.n = 0;
	unsigned n = p[77];
	p += FIXED;
	if (n > EG_REASONS_MAX)
		return false;
	for (unsigned i = 0; i < n; i++) {
		size_t len = end - p >= 3 ? p[2] : 0;
		if (end - p < 3 || (size_t)(end - p) < 3 + len || len >= sizeof r->reasons.v[i].field)
			return false;
		r->reasons.v[i].code = (enum eg_reason_code)of_be(p, 2);
		memcpy(r->reasons.v[i].field, p + 3, len);
		r->reasons.v[i].field[len] = 0;
		p += 3 + len;
	}
	r->reasons.n = n;
	r->canon = (struct eg_bytes){p, (size_t)(end - p)};
	return true;
}

/* ---- writing ---- */

static int cmp_place(const struct eg_spool *s, const struct place *a, const struct place *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	const uint8_t *x = s->rows + a->at + LENGTH, *y = s->rows + b->at + LENGTH;
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
		struct place x = s->sorted[i];
		uint32_t k = i;
		for (; k && cmp_place(s, &x, &s->sorted[k - 1]) < 0; k--)
			s->sorted[k] = s->sorted[k - 1];
		s->sorted[k] = x;
	}
	free(starts);
	return EG_OK;
}

static void aad_of(const struct eg_spool *s, unsigned run, unsigned block, uint8_t out[28])
{
	memcpy(out, s->id, 16);
	be(out + 16, run, 4);
	be(out + 20, block, 4);
	memcpy(out + 24, "list", 4);
}

static enum eg_rc write_all(int fd, struct eg_bytes b, struct eg_err *err)
{
	while (b.len) {
		ssize_t n = write(fd, b.p, b.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return disk_error(err, "writing");
		b.p += n;
		b.len -= (size_t)n;
	}
	return EG_OK;
}

static enum eg_rc write_block(struct eg_spool *s, int fd, unsigned block, bool last, struct eg_err *err)
{
	uint8_t aad[28];
	s->clear.p[0] = last;
	aad_of(s, s->n_runs, block, aad);
	eg_buf_reset(&s->sealed);
	eg_buf_add_be(&s->sealed, 0, LENGTH);
	enum eg_rc rc = eg_vault_seal(s->o.vault, (struct eg_bytes){aad, sizeof aad}, eg_buf_bytes(&s->clear),
	                              &s->sealed, err);
	if (rc == EG_OK && s->sealed.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a block of a list");
	if (rc)
		return rc;
	be(s->sealed.p, s->sealed.len - LENGTH, LENGTH);
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
	run_path(s, s->n_runs, path, sizeof path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_error(err, "making");
	eg_buf_reset(&s->clear);
	eg_buf_add_u8(&s->clear, 0);
	for (uint32_t i = 0; i < s->n && rc == EG_OK; i++) {
		const uint8_t *row = s->rows + s->sorted[i].at;
		size_t len = LENGTH + (size_t)of_be(row, LENGTH);
		if (s->clear.len > 1 && s->clear.len + len > EG_SPOOL_BLOCK)
			rc = write_block(s, fd, block++, false, err);
		eg_buf_add(&s->clear, row, len);
		if (rc == EG_OK && s->clear.failed)
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for a block of a list");
	}
	if (rc == EG_OK)
		rc = write_block(s, fd, block, true, err);
	if (rc == EG_OK && durable && fdatasync(fd) != 0)
		rc = disk_error(err, "keeping");
	else if (rc == EG_OK) /* the disk may begin: the end of the list will wait for all of it */
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	close(fd);
	s->n_runs++;
	s->n = 0;
	explicit_bzero(s->rows, s->used);
	s->used = 0;
	return rc;
}

static bool grow(struct eg_spool *s)
{
	uint32_t cap = s->cap ? 2 * s->cap : 4096;
	struct place *places = realloc(s->places, cap * sizeof *places);
	if (places)
		s->places = places;
	struct place *sorted = places ? realloc(s->sorted, cap * sizeof *sorted) : NULL;
	if (sorted)
		s->sorted = sorted;
	if (!sorted)
		return false;
	s->cap = cap;
	return true;
}

enum eg_rc eg_spool_add(struct eg_spool *s, const struct eg_spool_row *row, struct eg_err *err)
{
	size_t len = size_of(row), memory = s->o.memory;
	/* The places of the rows count too: they are sorted into a second array. */
	if (s->n && s->used + LENGTH + len + (s->n + 1) * 2 * sizeof(struct place) > memory) {
		enum eg_rc rc = flush(s, false, err);
		if (rc)
			return rc;
	}
	if (LENGTH + len > memory)
		return eg_fail(err, EG_LIMIT, "a row is larger than the memory set for lists");
	if (s->n == s->cap && !grow(s))
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	be(s->rows + s->used, len, LENGTH);
	write_row(s->rows + s->used + LENGTH, row);
	s->places[s->n++] = (struct place){of_be(row->token, 8), (uint32_t)s->used};
	s->used += LENGTH + len;
	return EG_OK;
}

static enum eg_rc sync_path(const char *path, int flags, struct eg_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	enum eg_rc rc = EG_OK;
	if (fd < 0 || fsync(fd) != 0)
		rc = disk_error(err, "keeping");
	if (fd >= 0)
		close(fd);
	return rc;
}

enum eg_rc eg_spool_finish(struct eg_spool *s, struct eg_err *err)
{
	char path[600];
	enum eg_rc rc = flush(s, true, err);
	for (unsigned i = 0; i + 1 < s->n_runs && rc == EG_OK; i++) {
		run_path(s, i, path, sizeof path);
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
	return rc;
}

/* ---- reading ---- */

enum eg_rc eg_spool_open(struct eg_spool **out, const struct eg_spool_options *o, const uint8_t id[16],
                         struct eg_err *err)
{
	struct eg_spool *s = make(o);
	char path[600];
	struct stat st;
	*out = s;
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	memcpy(s->id, id, sizeof s->id);
	path_of(o->dir, id, s->path, sizeof s->path);
	for (run_path(s, 0, path, sizeof path); stat(path, &st) == 0;
	     run_path(s, s->n_runs, path, sizeof path)) {
		s->bytes += (uint64_t)st.st_size;
		s->n_runs++;
	}
	if (s->n_runs)
		return EG_OK;
	eg_spool_close(s);
	*out = NULL;
	return eg_fail(err, EG_CORRUPT, "the spool of a list is not there");
}

static enum eg_rc cut(struct eg_err *err)
{
	return eg_fail(err, EG_CORRUPT, "the spool of a list is cut off or altered");
}

static enum eg_rc read_all(int fd, uint8_t *to, size_t len, struct eg_err *err)
{
	while (len) {
		ssize_t n = read(fd, to, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return disk_error(err, "reading");
		if (n == 0)
			return cut(err);
		to += n;
		len -= (size_t)n;
	}
	return EG_OK;
}

static enum eg_rc read_block(struct eg_spool *s, struct run *r, struct eg_err *err)
{
	uint8_t head[LENGTH], aad[28];
	enum eg_rc rc = read_all(r->fd, head, sizeof head, err);
	size_t len = rc ? 0 : (size_t)of_be(head, LENGTH);
	if (rc)
		return rc;
	if (len > s->o.memory + EG_SPOOL_BLOCK)
		return cut(err);
	eg_buf_reset(&s->sealed);
	uint8_t *p = eg_buf_grow(&s->sealed, len);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a block of a list");
	if ((rc = read_all(r->fd, p, len, err)))
		return rc;
	aad_of(s, r->number, r->blocks++, aad);
	eg_buf_reset(&r->block);
	rc = eg_vault_open_sealed(s->o.vault, (struct eg_bytes){aad, sizeof aad}, eg_buf_bytes(&s->sealed),
	                          &r->block, err);
	if (rc == EG_OK && (r->block.failed || !r->block.len))
		rc = cut(err);
	if (rc)
		return rc;
	r->last = r->block.p[0];
	r->at = 1;
	return EG_OK;
}

/* The run's next row: has is false at its end. */
static enum eg_rc advance(struct eg_spool *s, struct run *r, struct eg_err *err)
{
	while (r->at == r->block.len) {
		if (r->last) {
			r->has = false;
			return EG_OK;
		}
		enum eg_rc rc = read_block(s, r, err);
		if (rc)
			return rc;
	}
	size_t left = r->block.len - r->at;
	size_t len = left >= LENGTH ? (size_t)of_be(r->block.p + r->at, LENGTH) : left;
	if (left < LENGTH || len > left - LENGTH ||
	    !read_row((struct eg_bytes){r->block.p + r->at + LENGTH, len}, &r->row))
		return cut(err);
	r->at += LENGTH + len;
	r->has = true;
	return EG_OK;
}

static bool before(const struct eg_spool *s, unsigned a, unsigned b)
{
	const struct eg_spool_row *x = &s->runs[a].row, *y = &s->runs[b].row;
	int c = memcmp(x->token, y->token, EG_TOKEN_SIZE);
	return c ? c < 0 : x->index < y->index;
}

static void sink(struct eg_spool *s, unsigned i)
{
	for (unsigned child; (child = 2 * i + 1) < s->n_heap; i = child) {
		if (child + 1 < s->n_heap && before(s, s->heap[child + 1], s->heap[child]))
			child++;
		if (!before(s, s->heap[child], s->heap[i]))
			return;
		unsigned t = s->heap[i];
		s->heap[i] = s->heap[child];
		s->heap[child] = t;
	}
}

static void close_runs(struct eg_spool *s)
{
	for (unsigned i = 0; s->runs && i < s->n_runs; i++) {
		if (s->runs[i].fd >= 0)
			close(s->runs[i].fd);
		eg_buf_free(&s->runs[i].block);
	}
	free(s->runs);
	free(s->heap);
	s->runs = NULL;
	s->heap = NULL;
	s->n_heap = 0;
}

enum eg_rc eg_spool_rewind(struct eg_spool *s, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	close_runs(s);
	s->given = false;
	s->runs = calloc(s->n_runs, sizeof *s->runs);
	s->heap = calloc(s->n_runs, sizeof *s->heap);
	if (!s->runs || !s->heap)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read a list");
	for (unsigned i = 0; i < s->n_runs; i++)
		s->runs[i] = (struct run){.fd = -1, .number = i};
	for (unsigned i = 0; i < s->n_runs && rc == EG_OK; i++) {
		struct run *r = &s->runs[i];
		char path[600];
		run_path(s, i, path, sizeof path);
		r->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (r->fd < 0)
			return disk_error(err, "opening");
		if ((rc = advance(s, r, err)) == EG_OK && r->has)
			s->heap[s->n_heap++] = i;
	}
	for (unsigned i = s->n_heap / 2; i-- > 0;)
		sink(s, i);
	return rc;
}

enum eg_rc eg_spool_next(struct eg_spool *s, struct eg_spool_row *row, struct eg_err *err)
{
	if (s->given) {
		struct run *r = &s->runs[s->heap[0]];
		enum eg_rc rc = advance(s, r, err);
		if (rc)
			return rc;
		if (!r->has)
			s->heap[0] = s->heap[--s->n_heap];
		sink(s, 0);
	}
	s->given = s->n_heap > 0;
	if (!s->given)
		return EG_EMPTY;
	const struct eg_spool_row *top = &s->runs[s->heap[0]].row;
	memcpy(row->token, top->token, sizeof row->token);
	row->index = top->index;
	row->version = top->version;
	row->faulty = top->faulty;
	row->own_version = top->own_version;
	row->canon = top->canon;
	row->reasons.n = top->reasons.n; /* most have none: the array is large */
	memcpy(row->reasons.v, top->reasons.v, top->reasons.n * sizeof *top->reasons.v);
	return EG_OK;
}

void eg_spool_close(struct eg_spool *s)
{
	if (!s)
		return;
	close_runs(s);
	if (s->rows)
		explicit_bzero(s->rows, s->used);
	free(s->rows);
	free(s->places);
	free(s->sorted);
	eg_buf_free(&s->clear);
	eg_buf_free(&s->sealed);
	free(s);
}

void eg_spool_remove(const char *dir, const uint8_t id[16], bool all)
{
	char path[512], file[1024];
	path_of(dir, id, path, sizeof path);
	DIR *d = opendir(path);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (!all && strncmp(e->d_name, "run-", 4) != 0))
			continue;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		unlink(file);
	}
	closedir(d);
	if (all)
		rmdir(path);
}
