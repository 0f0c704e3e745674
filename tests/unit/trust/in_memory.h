/* in_memory: for tests, the store's key table and a log's tiles and leaves, in memory; a broken promise
 * aborts. */
#ifndef EG_TESTS_IN_MEMORY_H
#define EG_TESTS_IN_MEMORY_H

#include "trust/merkle.h"
#include "trust/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

/* ---- keys ---- */

enum { KEY_TABLE = 16 };

struct key_table {
	unsigned n;
	struct {
		char name[32];
		uint8_t wrapped[60];
	} row[KEY_TABLE];
	bool refuse; /* put fails and keeps nothing */
	unsigned puts;
};

static inline enum eg_rc key_table_get(void *arg, const char *name, uint8_t wrapped[60], struct eg_err *err)
{
	struct key_table *t = arg;
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->row[i].name, name) == 0) {
			memcpy(wrapped, t->row[i].wrapped, 60);
			return EG_OK;
		}
	return eg_fail(err, EG_NOT_FOUND, "no such key");
}

static inline enum eg_rc key_table_put(void *arg, unsigned n, const char *const *names,
                                       const uint8_t (*wrapped)[60], struct eg_err *err)
{
	struct key_table *t = arg;
	t->puts++;
	if (t->refuse)
		return eg_fail(err, EG_NO_SPACE, "the disk is full");
	for (unsigned i = 0; i < n; i++) {
		MUST(t->n < KEY_TABLE && strlen(names[i]) < sizeof t->row->name);
		MUST(key_table_get(t, names[i], t->row[t->n].wrapped, NULL) == EG_NOT_FOUND);
		strcpy(t->row[t->n].name, names[i]);
		memcpy(t->row[t->n++].wrapped, wrapped[i], 60);
	}
	return EG_OK;
}

static inline enum eg_rc key_table_list(void *arg, const char *prefix, void (*each)(void *, const char *),
                                        void *each_arg, struct eg_err *err)
{
	const struct key_table *t = arg;
	(void)err;
	for (unsigned i = t->n; i--;) /* in no helpful order */
		if (strncmp(t->row[i].name, prefix, strlen(prefix)) == 0)
			each(each_arg, t->row[i].name);
	return EG_OK;
}

static inline struct eg_vault_keys key_table_keys(struct key_table *t)
{
	return (struct eg_vault_keys){
	        .arg = t, .get = key_table_get, .put = key_table_put, .list = key_table_list};
}

/* ---- a log's tree ---- */

enum { MEMORY_LEVELS = 3 };

struct memory {
	uint8_t (*leaves)[32]; /* leaf data */
	uint64_t size;         /* of the tree that is read: nothing beyond it may be asked for */
	uint8_t *tiles[MEMORY_LEVELS];
	uint64_t full[MEMORY_LEVELS]; /* tiles kept of each level */
	bool refuse;                  /* keeping a tile fails */
	unsigned reads, fail_at;      /* the nth read fails; 0: none */
};

static inline enum eg_rc memory_tile(void *arg, unsigned level, uint64_t index, uint8_t hashes[EG_TILE_BYTES],
                                     struct eg_err *err)
{
	struct memory *m = arg;
	if (m->fail_at && ++m->reads == m->fail_at)
		return eg_fail(err, EG_IO, "the disk failed");
	MUST(level < MEMORY_LEVELS);
	MUST((index + 1) << 8 * (level + 1) <= m->size && index < m->full[level]);
	memcpy(hashes, m->tiles[level] + index * EG_TILE_BYTES, EG_TILE_BYTES);
	return EG_OK;
}

static inline enum eg_rc memory_leaves(void *arg, uint64_t first, unsigned n, uint8_t *leaf_data,
                                       struct eg_err *err)
{
	struct memory *m = arg;
	if (m->fail_at && ++m->reads == m->fail_at)
		return eg_fail(err, EG_IO, "the disk failed");
	MUST(n > 0 && n < 256 && first + n <= m->size);
	memcpy(leaf_data, m->leaves[first], 32 * (size_t)n);
	return EG_OK;
}

static inline enum eg_rc memory_keep(void *arg, unsigned level, uint64_t index,
                                     const uint8_t hashes[EG_TILE_BYTES], struct eg_err *err)
{
	struct memory *m = arg;
	if (m->refuse)
		return eg_fail(err, EG_NO_SPACE, "the disk is full");
	MUST(level < MEMORY_LEVELS && index == m->full[level]); /* each once, in order */
	if (index % 64 == 0)
		m->tiles[level] = realloc(m->tiles[level], (index + 64) * EG_TILE_BYTES);
	MUST(m->tiles[level]);
	memcpy(m->tiles[level] + index * EG_TILE_BYTES, hashes, EG_TILE_BYTES);
	m->full[level]++;
	return EG_OK;
}

static inline struct eg_tile_source memory_source(struct memory *m, uint64_t size)
{
	m->size = size;
	return (struct eg_tile_source){m, memory_tile, memory_leaves};
}

static inline void memory_free(struct memory *m)
{
	free(m->leaves);
	for (unsigned l = 0; l < MEMORY_LEVELS; l++)
		free(m->tiles[l]);
}

#endif
