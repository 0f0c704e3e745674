/* spool_core: what the files of the spool share. */
#ifndef EG_FLOW_SPOOL_CORE_H
#define EG_FLOW_SPOOL_CORE_H

#include "flow/spool.h"

enum { EG_SPOOL_LENGTH = 4, EG_SPOOL_AAD = 28 };

struct eg_spool_place { /* of a row in memory */
	uint64_t prefix;
	uint32_t at;
};

struct eg_spool_run {
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
	struct eg_spool_place *places, *sorted;
	uint32_t n, cap;
	unsigned n_runs;
	struct eg_buf clear, sealed; /* a block */
	/* reading */
	struct eg_spool_run *runs;
	unsigned *heap, n_heap; /* runs by their first row */
	bool given;             /* the top's row was given out */
};

/* ---- spool.c ---- */

struct eg_spool *eg_spool_make(const struct eg_spool_options *o); /* NULL: no memory */
void eg_spool_path(const char *dir, const uint8_t id[16], char *out, size_t len);
void eg_spool_run_path(const struct eg_spool *s, unsigned number, char *out, size_t len);
/* What errno says. */
enum eg_rc eg_spool_disk_error(struct eg_err *err, const char *doing);
/* The associated data of a block. */
void eg_spool_aad(const struct eg_spool *s, unsigned run, unsigned block, uint8_t out[EG_SPOOL_AAD]);

/* ---- spool_row.c ---- */

size_t eg_spool_row_size(const struct eg_spool_row *r);
void eg_spool_row_write(uint8_t *p, const struct eg_spool_row *r); /* so many bytes */
/* Slices are b's. false: it is no row. */
bool eg_spool_row_read(struct eg_bytes b, struct eg_spool_row *r);

/* ---- spool_read.c ---- */

void eg_spool_close_runs(struct eg_spool *s);

static inline uint8_t *eg_spool_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i--; v >>= 8)
		p[i] = (uint8_t)v;
	return p + bytes;
}

static inline uint64_t eg_spool_of_be(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

#endif
