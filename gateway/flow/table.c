/* table: open addressing with linear probing, at most half full. */
#include "flow/table.h"

#include <string.h>

#define CAP_FIRST 64

static size_t hash(const uint8_t key[16])
{
	uint64_t a, b;
	memcpy(&a, key, 8);
	memcpy(&b, key + 8, 8);
	a = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
	return (size_t)(a ^ a >> 32);
}

static struct eg_table_slot *place(const struct eg_table *t, const uint8_t key[16])
{
	size_t i = hash(key) & (t->cap - 1);
	while (t->slots[i].value && memcmp(t->slots[i].key, key, 16) != 0)
		i = (i + 1) & (t->cap - 1);
	return &t->slots[i];
}

void *eg_table_get(const struct eg_table *t, const uint8_t key[16])
{
	return t->n ? place(t, key)->value : NULL;
}

static bool grow(struct eg_table *t, struct eg_arena *a)
{
	struct eg_table bigger = {.n = t->n, .cap = t->cap ? 2 * t->cap : CAP_FIRST};
	bigger.slots = eg_arena_alloc(a, bigger.cap * sizeof *bigger.slots);
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].value)
			*place(&bigger, t->slots[i].key) = t->slots[i];
	*t = bigger;
	return true;
}

bool eg_table_put(struct eg_table *t, struct eg_arena *a, const uint8_t key[16], void *value)
{
	if (2 * (t->n + 1) > t->cap && !grow(t, a))
		return false;
	struct eg_table_slot *s = place(t, key);
	t->n += !s->value;
	memcpy(s->key, key, 16);
	s->value = value;
	return true;
}

void eg_table_row_key(int64_t row, uint8_t key[16])
{
	memset(key, 0, 16);
	memcpy(key, &row, sizeof row);
}
