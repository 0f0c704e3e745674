/* diff: the fields in which two views differ, by merging them. Thread: any.
 *
 * Only values count: that another claim now says the same is no change. A cleared field and an absent one
 * have the same value, none. */
#include "model/mutant.h"
#include "model/person.h"

#include <limits.h>

static bool empty(const struct eg_view_value *v)
{
	return !v || v->value.cleared;
}

static bool same_value(const struct eg_view_value *a, const struct eg_view_value *b)
{
	if (empty(a) || empty(b))
		return empty(a) && empty(b);
	return a->value.i == b->value.i && eg_bytes_equal(a->value.text, b->value.text);
}

enum eg_rc eg_view_diff(const struct eg_view *before, const struct eg_view *after, struct eg_arena *a,
                        struct eg_change **out, unsigned *n, struct eg_err *err)
{
	unsigned n_before = before ? before->n : 0, n_after = after ? after->n : 0;

	*n = 0;
	*out = eg_arena_alloc(a, (n_before + n_after) * sizeof **out);
	if (!*out)
		return eg_fail(err, EG_LIMIT,
		               "the changes of a person do not fit into the memory set aside for them");
	for (unsigned i = 0, j = 0; i < n_before || j < n_after;) {
		const struct eg_view_value *x = i < n_before ? &before->v[i] : NULL;
		const struct eg_view_value *y = j < n_after ? &after->v[j] : NULL;
		unsigned field = x ? x->field : UINT_MAX;
		if (y && y->field < field)
			field = y->field;
		x = x && x->field == field ? x : NULL;
		y = y && y->field == field ? y : NULL;
		i += x != NULL;
		j += y != NULL;
		if (EG_MUTANT_IS(32) && !y) /* what vanished is not told */
			continue;
		if (!same_value(x, y))
			(*out)[(*n)++] = (struct eg_change){field, x, y};
	}
	return EG_OK;
}
