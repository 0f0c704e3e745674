/* chunk: see chunk.h. */
#include "common/chunk.h"

#include <stdlib.h>
#include <string.h>

enum eg_rc eg_chunk_open(struct eg_chunk *c, unsigned max, struct eg_err *err)
{
	*c = (struct eg_chunk){.max = max,
	                       .arena = eg_arena_new(EG_CHUNK_BYTES),
	                       .deliveries = calloc(max, sizeof *c->deliveries),
	                       .results = calloc(max, sizeof *c->results),
	                       .items = calloc(max, sizeof *c->items)};
	if (c->arena && c->deliveries && c->results && c->items)
		return EG_OK;
	eg_chunk_close(c);
	return eg_fail(err, EG_NO_MEMORY, "no memory for deliveries");
}

void eg_chunk_close(struct eg_chunk *c)
{
	eg_arena_free(c->arena);
	free(c->deliveries);
	free(c->results);
	free(c->items);
	*c = (struct eg_chunk){0};
}

void eg_chunk_reset(struct eg_chunk *c)
{
	eg_arena_reset(c->arena);
	c->n = 0;
}

bool eg_chunk_takes(const struct eg_chunk *c, const char *person_ref)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->items[i].person_ref, person_ref) == 0)
			return false;
	return c->n < c->max;
}

enum eg_rc eg_chunk_add(struct eg_chunk *c, const struct eg_delivery *d, const struct eg_chunk_item *item,
                        struct eg_err *err)
{
	const char **names = eg_arena_alloc(c->arena, (d->n + 1) * sizeof *names);
	struct eg_bytes *values = eg_arena_alloc(c->arena, (d->n + 1) * sizeof *values);
	char *id = eg_arena_text(c->arena, d->event_id, strlen(d->event_id));
	bool good = names && values && id;
	for (unsigned i = 0; i < d->n && good; i++) {
		names[i] = eg_arena_text(c->arena, d->names[i], strlen(d->names[i]));
		values[i] = d->values[i];
		if (values[i].p) /* NULL is SQL's NULL, an empty text is not */
			values[i].p = eg_arena_copy(c->arena, values[i].len ? values[i].p : (const void *)"",
			                            values[i].len ? values[i].len : 1);
		good = names[i] && (values[i].p || !d->values[i].p);
	}
	if (!good)
		return eg_fail(err, EG_LIMIT, "a delivery is larger than %d MiB", EG_CHUNK_BYTES >> 20);
	c->deliveries[c->n] =
	        (struct eg_delivery){.event_id = id, .n = d->n, .names = names, .values = values};
	c->results[c->n] = (struct eg_delivery_result){.rc = EG_BUSY};
	c->items[c->n++] = *item;
	return EG_OK;
}
