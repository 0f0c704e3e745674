/* neighbours: the closed set of source keys around a change, found breadth first.
 *
 * Invariant: what joining decides about a source key of the set depends on source keys of the set alone, and
 * so does what it decided before the change. Thread: the writer's. */
#include "flow/merge.h"

#include <stdlib.h>
#include <string.h>

static int cmp_key(const void *a, const void *b)
{
	return memcmp(a, b, EG_JOIN_KEY_SIZE);
}

enum eg_rc eg_alias_keys(struct eg_merge *m, const struct eg_versions *l, uint8_t (**out)[EG_JOIN_KEY_SIZE],
                         unsigned *n, struct eg_err *err)
{
	unsigned found = 0, kept = 0;
	uint8_t(*keys)[EG_JOIN_KEY_SIZE];
	for (unsigned i = 0; i < l->n; i++)
		found += l->v[i].asserted && !l->v[i].voided && (l->v[i].has_key || l->v[i].has_proposal);
	*n = 0;
	*out = keys = eg_arena_alloc(m->arena, found * sizeof *keys);
	if (!keys)
		return eg_ws_no_memory(err);
	found = 0;
	for (unsigned i = 0; i < l->n; i++) {
		const struct eg_version *v = &l->v[i];
		if (!v->asserted || v->voided || !(v->has_key || v->has_proposal))
			continue;
		memcpy(keys[found], v->key,
		       v->has_key ? EG_JOIN_KEY_SIZE : EG_TOKEN_SIZE); /* the rest is zero */
		if (!found || memcmp(keys[found - 1], keys[found], EG_JOIN_KEY_SIZE) != 0)
			found++;
		else
			memset(keys[found], 0, EG_JOIN_KEY_SIZE);
	}
	qsort(keys, found, sizeof *keys, cmp_key);
	for (unsigned i = 0; i < found; i++)
		if (!kept || memcmp(keys[kept - 1], keys[i], EG_JOIN_KEY_SIZE) != 0)
			memmove(keys[kept++], keys[i], EG_JOIN_KEY_SIZE);
	*n = kept;
	return EG_OK;
}

struct search {
	struct eg_merge *m;
	struct eg_neighbours *out;
	uint64_t step;
};

static enum eg_rc reach(struct search *x, struct eg_ws_source *s, struct eg_err *err)
{
	struct eg_neighbours *o = x->out;
	if (s->step == x->step || o->too_many)
		return EG_OK;
	if (o->n == EG_NEIGHBOURHOOD_MAX) {
		o->too_many = true;
		return EG_OK;
	}
	if (o->n == o->cap) {
		unsigned cap = o->cap ? 2 * o->cap : 8;
		struct eg_ws_source **more = eg_arena_alloc(x->m->arena, cap * sizeof(struct eg_ws_source *));
		if (!more)
			return eg_ws_no_memory(err);
		if (o->n)
			memcpy(more, o->v, o->n * sizeof(struct eg_ws_source *));
		o->v = more;
		o->cap = cap;
	}
	s->step = x->step;
	o->v[o->n++] = s;
	return EG_OK;
}

static enum eg_rc reach_number(struct search *x, const uint8_t id18[16], struct eg_err *err)
{
	struct eg_ws_prefix *p = NULL;
	enum eg_rc rc = eg_ws_aliases(&x->m->set, id18, &p, err);
	if (rc || p->step == x->step)
		return rc;
	p->step = x->step;
	for (struct eg_ws_alias *a = p->first; a && rc == EG_OK && !x->out->too_many; a = a->next) {
		struct eg_ws_source *s = NULL;
		if (!a->present)
			continue;
		rc = eg_ws_alias_source(&x->m->set, a, &s, err);
		if (rc == EG_OK)
			rc = reach(x, s, err);
	}
	return rc;
}

static enum eg_rc reach_token(struct search *x, const uint8_t token[16], struct eg_err *err)
{
	struct eg_ws_source *s = NULL;
	enum eg_rc rc = eg_ws_source(&x->m->set, token, &s, err);
	return rc ? rc : reach(x, s, err);
}

static enum eg_rc reach_keys(struct search *x, const uint8_t (*keys)[EG_JOIN_KEY_SIZE], unsigned n,
                             struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < n && rc == EG_OK; i++)
		if (!i || memcmp(keys[i - 1], keys[i], EG_TOKEN_SIZE) != 0)
			rc = reach_number(x, keys[i], err);
	return rc;
}

size_t eg_person_bytes(const struct eg_ws_person *p)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < p->now.n_held; i++)
		bytes += p->now.held[i].canon.len;
	return bytes;
}

static enum eg_rc reach_from(struct search *x, struct eg_ws_source *s, struct eg_err *err)
{
	struct eg_ws_person *p = NULL;
	uint8_t(*keys)[EG_JOIN_KEY_SIZE];
	unsigned n = 0;
	enum eg_rc rc = eg_alias_keys(x->m, &s->versions, &keys, &n, err);
	if (rc == EG_OK)
		rc = reach_keys(x, (const uint8_t(*)[EG_JOIN_KEY_SIZE])keys, n, err);
	if (rc == EG_OK)
		rc = eg_ws_links(&x->m->set, s, err);
	for (unsigned i = 0; i < s->n_links && rc == EG_OK; i++) {
		bool first = memcmp(s->links[i].a, s->row.token, 16) == 0;
		rc = reach_token(x, first ? s->links[i].b : s->links[i].a, err);
	}
	if (rc == EG_OK)
		rc = eg_ws_person_of(&x->m->set, s, &p, err);
	if (rc || !p || p->step == x->step)
		return rc;
	p->step = x->step;
	x->out->bytes += eg_person_bytes(p);
	if (x->out->bytes > EG_PERSON_BYTES_MAX)
		x->out->too_many = true;
	for (unsigned i = 0; i < p->now.n_held && rc == EG_OK; i++)
		rc = reach_token(x, p->now.held[i].token, err);
	return rc;
}

enum eg_rc eg_neighbours_of(struct eg_merge *m, struct eg_ws_source **start, unsigned n_start,
                            const uint8_t (*keys)[EG_JOIN_KEY_SIZE], unsigned n_keys,
                            struct eg_neighbours *out, struct eg_err *err)
{
	struct search x = {.m = m, .out = out, .step = eg_ws_step(&m->set)};
	enum eg_rc rc = EG_OK;
	*out = (struct eg_neighbours){0};
	for (unsigned i = 0; i < n_start && rc == EG_OK; i++)
		rc = reach(&x, start[i], err);
	if (rc == EG_OK)
		rc = reach_keys(&x, keys, n_keys, err);
	for (unsigned i = 0; i < out->n && rc == EG_OK && !out->too_many; i++)
		rc = reach_from(&x, out->v[i], err);
	return rc;
}

enum eg_rc eg_alias_update(struct eg_merge *m, struct eg_ws_source *s,
                           const uint8_t (*before)[EG_JOIN_KEY_SIZE], unsigned n_before,
                           const uint8_t (*after)[EG_JOIN_KEY_SIZE], unsigned n_after, struct eg_err *err)
{
	unsigned i = 0, j = 0;
	enum eg_rc rc = EG_OK;
	while ((i < n_before || j < n_after) && rc == EG_OK) {
		int c = i == n_before ? 1 : j == n_after ? -1 : cmp_key(before[i], after[j]);
		if (c < 0)
			rc = eg_ws_alias_set(&m->set, before[i], s, false, err);
		else if (c > 0)
			rc = eg_ws_alias_set(&m->set, after[j], s, true, err);
		i += c <= 0;
		j += c >= 0;
	}
	return rc;
}
