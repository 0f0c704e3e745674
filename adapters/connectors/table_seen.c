/* table_seen: open addressing with linear probing; the tokens are random, so they are their own hash. */
#include "connectors/table_seen.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64 };

struct slot {
	bool used;
	struct eg_seen_row row;
};
struct eg_seen {
	struct slot *slots;
	size_t cap; /* a power of two */
	unsigned n;
};

struct eg_seen *eg_seen_new(void)
{
	struct eg_seen *s = calloc(1, sizeof *s);
	if (s && !(s->slots = calloc(FIRST_CAP, sizeof *s->slots))) {
		free(s);
		return NULL;
	}
	if (s)
		s->cap = FIRST_CAP;
	return s;
}

void eg_seen_free(struct eg_seen *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s);
}

unsigned eg_seen_count(const struct eg_seen *s)
{
	return s->n;
}

static size_t home_of(const uint8_t key[16], size_t cap)
{
	size_t h;
	memcpy(&h, key, sizeof h);
	return h & (cap - 1);
}

static struct slot *find(const struct eg_seen *s, const uint8_t key[16])
{
	size_t i = home_of(key, s->cap);
	while (s->slots[i].used && memcmp(s->slots[i].row.key, key, 16) != 0)
		i = (i + 1) & (s->cap - 1);
	return &s->slots[i];
}

const struct eg_seen_row *eg_seen_get(const struct eg_seen *s, const uint8_t key[16])
{
	const struct slot *at = find(s, key);
	return at->used ? &at->row : NULL;
}

static void insert(struct eg_seen *s, const struct eg_seen_row *row)
{
	struct slot *at = find(s, row->key);
	s->n += !at->used;
	at->used = true;
	at->row = *row;
}

/* Into a table of cap slots, without those below `at`. */
static bool rebuild(struct eg_seen *s, size_t cap, int64_t at)
{
	struct eg_seen old = *s;
	struct slot *slots = calloc(cap, sizeof *slots);
	if (!slots)
		return false;
	*s = (struct eg_seen){.slots = slots, .cap = cap};
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].used && old.slots[i].row.at >= at)
			insert(s, &old.slots[i].row);
	free(old.slots);
	return true;
}

bool eg_seen_put(struct eg_seen *s, const struct eg_seen_row *row)
{
	if (s->n * 4 >= s->cap * 3 && !rebuild(s, s->cap * 2, INT64_MIN))
		return false;
	insert(s, row);
	return true;
}

void eg_seen_drop(struct eg_seen *s, const uint8_t key[16], const uint8_t state[8])
{
	struct slot *at = find(s, key);
	if (!at->used || memcmp(at->row.state, state, sizeof at->row.state) != 0)
		return;
	size_t hole = (size_t)(at - s->slots);
	/* Those that stand behind because of it move up. */
	for (size_t i = (hole + 1) & (s->cap - 1); s->slots[i].used; i = (i + 1) & (s->cap - 1)) {
		size_t home = home_of(s->slots[i].row.key, s->cap);
		if (((i - home) & (s->cap - 1)) >= ((i - hole) & (s->cap - 1))) {
			s->slots[hole] = s->slots[i];
			hole = i;
		}
	}
	s->slots[hole].used = false;
	s->n--;
}

void eg_seen_drop_below(struct eg_seen *s, int64_t at)
{
	size_t below = 0, cap = FIRST_CAP;
	for (size_t i = 0; i < s->cap; i++)
		below += s->slots[i].used && s->slots[i].row.at < at;
	while ((s->n - below) * 2 > cap)
		cap *= 2;
	if (below)
		rebuild(s, cap, at); /* without memory it stays as large as it is */
}

void eg_seen_pack(const struct eg_seen *s, uint8_t *out)
{
	for (size_t i = 0; i < s->cap; i++) {
		if (!s->slots[i].used)
			continue;
		const struct eg_seen_row *row = &s->slots[i].row;
		memcpy(out, row->key, 16);
		memcpy(out + 16, row->state, 8);
		for (int b = 0; b < 8; b++)
			out[24 + b] = (uint8_t)((uint64_t)row->at >> (56 - 8 * b));
		out += EG_SEEN_ROW_BYTES;
	}
}

bool eg_seen_unpack(struct eg_seen *s, struct eg_bytes packed)
{
	for (; packed.len >= EG_SEEN_ROW_BYTES;
	     packed.p += EG_SEEN_ROW_BYTES, packed.len -= EG_SEEN_ROW_BYTES) {
		struct eg_seen_row row = {0};
		uint64_t at = 0;
		memcpy(row.key, packed.p, 16);
		memcpy(row.state, packed.p + 16, 8);
		for (int b = 0; b < 8; b++)
			at = at << 8 | packed.p[24 + b];
		row.at = (int64_t)at;
		if (!eg_seen_put(s, &row))
			return false;
	}
	return true;
}
