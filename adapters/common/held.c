/* held: see held.h. */
#include "common/held.h"

#include <stdlib.h>

bool eg_held_add(struct eg_held *h, uint64_t ref)
{
	struct eg_held_run *last = h->n_runs ? &h->runs[h->n_runs - 1] : NULL;
	if (last && last->index + last->n == h->next_index && last->ref + last->n == ref) {
		last->n++;
		h->next_index++;
		return true;
	}
	if (h->n_runs == h->cap) {
		unsigned cap = h->cap ? 2 * h->cap : 16;
		struct eg_held_run *grown = realloc(h->runs, cap * sizeof *grown);
		if (!grown)
			return false;
		h->runs = grown;
		h->cap = cap;
	}
	h->runs[h->n_runs++] = (struct eg_held_run){.index = h->next_index++, .ref = ref, .n = 1};
	return true;
}

void eg_held_skip(struct eg_held *h)
{
	h->next_index++;
}

bool eg_held_ref(const struct eg_held *h, uint64_t index, uint64_t *ref)
{
	unsigned low = 0, high = h->n_runs; /* the run that begins at or before index lies below high */
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (h->runs[middle].index <= index)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || index - h->runs[low - 1].index >= h->runs[low - 1].n)
		return false;
	*ref = h->runs[low - 1].ref + (index - h->runs[low - 1].index);
	return true;
}

void eg_held_reset(struct eg_held *h)
{
	free(h->runs);
	*h = (struct eg_held){0};
}
