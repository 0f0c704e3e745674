/* spool_read: the rows of a whole spool, its runs merged. */
#include "flow/spool_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum eg_rc eg_spool_open(struct eg_spool **out, const struct eg_spool_options *o, const uint8_t id[16],
                         struct eg_err *err)
{
	struct eg_spool *s = eg_spool_make(o);
	char path[600];
	struct stat st;
	*out = s;
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	memcpy(s->id, id, sizeof s->id);
	eg_spool_path(o->dir, id, s->path, sizeof s->path);
	for (eg_spool_run_path(s, 0, path, sizeof path); stat(path, &st) == 0;
	     eg_spool_run_path(s, s->n_runs, path, sizeof path)) {
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
			return eg_spool_disk_error(err, "reading");
		if (n == 0)
			return cut(err);
		to += n;
		len -= (size_t)n;
	}
	return EG_OK;
}

static enum eg_rc read_block(struct eg_spool *s, struct eg_spool_run *r, struct eg_err *err)
{
	uint8_t head[EG_SPOOL_LENGTH], aad[EG_SPOOL_AAD];
	enum eg_rc rc = read_all(r->fd, head, sizeof head, err);
	size_t len = rc ? 0 : (size_t)eg_spool_of_be(head, EG_SPOOL_LENGTH);
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
	eg_spool_aad(s, r->number, r->blocks++, aad);
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
static enum eg_rc advance(struct eg_spool *s, struct eg_spool_run *r, struct eg_err *err)
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
	size_t len =
	        left >= EG_SPOOL_LENGTH ? (size_t)eg_spool_of_be(r->block.p + r->at, EG_SPOOL_LENGTH) : left;
	if (left < EG_SPOOL_LENGTH || len > left - EG_SPOOL_LENGTH ||
	    !eg_spool_row_read((struct eg_bytes){r->block.p + r->at + EG_SPOOL_LENGTH, len}, &r->row))
		return cut(err);
	r->at += EG_SPOOL_LENGTH + len;
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

void eg_spool_close_runs(struct eg_spool *s)
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
	eg_spool_close_runs(s);
	s->given = false;
	s->runs = calloc(s->n_runs, sizeof *s->runs);
	s->heap = calloc(s->n_runs, sizeof *s->heap);
	if (!s->runs || !s->heap)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read a list");
	for (unsigned i = 0; i < s->n_runs; i++)
		s->runs[i] = (struct eg_spool_run){.fd = -1, .number = i};
	for (unsigned i = 0; i < s->n_runs && rc == EG_OK; i++) {
		struct eg_spool_run *r = &s->runs[i];
		char path[600];
		eg_spool_run_path(s, i, path, sizeof path);
		r->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (r->fd < 0)
			return eg_spool_disk_error(err, "opening");
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
		struct eg_spool_run *r = &s->runs[s->heap[0]];
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
