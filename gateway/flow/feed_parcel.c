/* feed_parcel: see feed_parcel.h. */
#include "flow/feed_parcel.h"

#include <stdlib.h>
#include <string.h>

enum {
	WINDOW_BYTES = 16 << 20, /* arena budget of one window */
	KEEP_BYTES = 2 << 20,    /* of it that stays with an arena that waits for the next window */
	SPARE_MAX = 4,           /* arenas that wait */
	FRESH_MAX = 16           /* parcels of a turn that others may share */
};

struct eg_parcels {
	struct eg_parcel *fresh[FRESH_MAX];
	struct eg_arena *spare[SPARE_MAX];
	unsigned n_fresh, n_spare;
	size_t bytes;
};

struct eg_parcels *eg_parcels_new(void)
{
	return calloc(1, sizeof(struct eg_parcels));
}

void eg_parcels_free(struct eg_parcels *all)
{
	if (!all)
		return;
	while (all->n_spare)
		eg_arena_free(all->spare[--all->n_spare]);
	free(all);
}

static bool same_place(const struct eg_feed_place *a, const struct eg_feed_place *b)
{
	return a->seq == b->seq && a->row == b->row && a->log_changed == b->log_changed;
}

bool eg_parcel_begins(const struct eg_parcel *p, const struct eg_feed_place *at)
{
	return same_place(&p->from, at);
}

struct eg_parcel *eg_parcel_same(struct eg_parcels *all, const struct eg_scope *s,
                                 const struct eg_feed_place *at)
{
	for (unsigned i = 0; i < all->n_fresh; i++) {
		struct eg_parcel *p = all->fresh[i];
		if (eg_parcel_begins(p, at) && eg_scope_same(p->scope, s)) {
			p->refs++;
			return p;
		}
	}
	return NULL;
}

struct eg_parcel *eg_parcel_new(struct eg_parcels *all)
{
	struct eg_arena *a = all->n_spare ? all->spare[--all->n_spare] : eg_arena_new(WINDOW_BYTES);
	if (!a)
		return NULL;
	eg_arena_keep(a, KEEP_BYTES);
	struct eg_parcel *p = eg_arena_alloc(a, sizeof *p);
	if (!p) {
		eg_arena_free(a);
		return NULL;
	}
	p->arena = a;
	p->refs = 1;
	return p;
}

void eg_parcel_keep(struct eg_parcels *all, struct eg_parcel *p, const struct eg_scope *s,
                    const struct eg_feed_place *at)
{
	p->scope = s;
	p->from = *at;
	p->bytes = eg_arena_used(p->arena);
	all->bytes += p->bytes;
	if (all->n_fresh < FRESH_MAX)
		all->fresh[all->n_fresh++] = p;
}

void eg_parcel_release(struct eg_parcels *all, struct eg_parcel *p)
{
	if (!p || --p->refs)
		return;
	for (unsigned i = 0; i < all->n_fresh; i++)
		if (all->fresh[i] == p)
			all->fresh[i] = all->fresh[--all->n_fresh];
	if (p->made.what)
		p->made.free(p->made.what);
	all->bytes -= p->bytes;
	struct eg_arena *a = p->arena;
	if (all->n_spare < SPARE_MAX) {
		eg_arena_reset(a);
		all->spare[all->n_spare++] = a;
	} else {
		eg_arena_free(a);
	}
}

void eg_parcels_turn(struct eg_parcels *all)
{
	all->n_fresh = 0;
}

size_t eg_parcels_bytes(const struct eg_parcels *all)
{
	return all->bytes;
}
