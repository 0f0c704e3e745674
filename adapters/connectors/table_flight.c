/* table_flight: see table_flight.h. */
#include "connectors/table_flight.h"

#include <stdlib.h>
#include <string.h>

struct eg_flights {
	struct eg_flight *all;
	unsigned n, cap, waiting;
	struct eg_seen *states; /* of those that wait */
};

struct eg_flights *eg_flights_new(void)
{
	struct eg_flights *f = calloc(1, sizeof *f);
	if (f && !(f->states = eg_seen_new())) {
		free(f);
		return NULL;
	}
	return f;
}

static void drop_values(struct eg_flight *flight)
{
	for (unsigned i = 0; i < flight->n; i++)
		if (flight->values[i].len)
			explicit_bzero((void *)flight->values[i].p, flight->values[i].len);
	free(flight->values);
	flight->values = NULL;
	flight->n = 0;
}

void eg_flights_free(struct eg_flights *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->n; i++)
		drop_values(&f->all[i]);
	eg_seen_free(f->states);
	free(f->all);
	free(f);
}

unsigned eg_flights_count(const struct eg_flights *f)
{
	return f->waiting;
}

static bool copy_values(struct eg_flight *to, const struct eg_flight *from)
{
	size_t size = (from->n + 1) * sizeof *to->values;
	for (unsigned i = 0; i < from->n; i++)
		size += from->values[i].len + 1; /* so that an empty text is not NULL */
	if (!(to->values = malloc(size)))
		return false;
	uint8_t *at = (uint8_t *)(to->values + from->n + 1);
	for (unsigned i = 0; i < from->n; i++) {
		to->values[i] = (struct eg_bytes){from->values[i].p ? at : NULL, from->values[i].len};
		if (from->values[i].len)
			memcpy(at, from->values[i].p, from->values[i].len);
		at += from->values[i].len + 1;
	}
	return true;
}

bool eg_flights_add(struct eg_flights *f, const struct eg_flight *flight)
{
	if (f->n == f->cap) {
		unsigned cap = f->cap ? f->cap * 2 : 256;
		struct eg_flight *all = realloc(f->all, cap * sizeof *all);
		if (!all)
			return false;
		f->all = all;
		f->cap = cap;
	}
	struct eg_flight *to = &f->all[f->n];
	*to = *flight;
	if (!copy_values(to, flight))
		return false;
	if (!eg_seen_put(f->states, &flight->row)) {
		drop_values(to);
		return false;
	}
	f->n++;
	f->waiting++;
	return true;
}

struct eg_flight *eg_flights_find(struct eg_flights *f, uint64_t ref)
{
	unsigned low = 0, high = f->n;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (f->all[middle].ref < ref)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->n && f->all[low].ref == ref && !f->all[low].over && !f->all[low].owed ? &f->all[low]
	                                                                                      : NULL;
}

bool eg_flights_has(const struct eg_flights *f, const struct eg_seen_row *row)
{
	const struct eg_seen_row *there = eg_seen_get(f->states, row->key);
	return there && memcmp(there->state, row->state, sizeof row->state) == 0;
}

void eg_flights_over(struct eg_flights *f, struct eg_flight *flight, bool owed, uint64_t sweep)
{
	eg_seen_drop(f->states, flight->row.key, flight->row.state);
	drop_values(flight);
	flight->over = !owed;
	flight->owed = owed;
	flight->sweep = sweep;
	f->waiting--;
}

void eg_flights_paid(struct eg_flights *f, uint64_t sweep)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->all[i].owed && f->all[i].sweep < sweep) {
			f->all[i].owed = false;
			f->all[i].over = true;
		}
}

int64_t eg_flights_lowest(const struct eg_flights *f)
{
	int64_t lowest = INT64_MAX;
	for (unsigned i = 0; i < f->n; i++)
		if (!f->all[i].over && f->all[i].row.at < lowest)
			lowest = f->all[i].row.at;
	return lowest;
}

void eg_flights_tidy(struct eg_flights *f)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < f->n; i++)
		if (!f->all[i].over)
			f->all[kept++] = f->all[i];
	f->n = kept;
}
