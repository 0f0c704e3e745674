/* listed: see listed.h. */
#include "flow/listed.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 256, PAGE_MEMORY = 64 << 20, CAP_FIRST = 16 };

/* One list that moves in the commit under way, and the rows that stand no more for it. */
struct eg_listed_move {
	struct eg_listed_move *next;
	struct eg_list_info *info; /* NULL: it stands no more itself */
	int64_t row;
	unsigned n_gone;
	int64_t gone[];
};

static int cmp_dataset(const struct eg_list_info *l, struct eg_bytes agency, struct eg_bytes dataset)
{
	int c = eg_bytes_cmp(eg_bytes_of(l->agency), agency);
	return c ? c : eg_bytes_cmp(eg_bytes_of(l->dataset), dataset);
}

static int cmp(const struct eg_list_info *a, const struct eg_list_info *b)
{
	int c = cmp_dataset(a, eg_bytes_of(b->agency), eg_bytes_of(b->dataset));
	if (c)
		return c;
	if (a->as_of != b->as_of)
		return a->as_of > b->as_of ? -1 : 1;
	return (a->row < b->row) - (a->row > b->row);
}

unsigned eg_listed_of(const struct eg_listed *l, struct eg_bytes agency, struct eg_bytes dataset,
                      unsigned *first)
{
	unsigned low = 0, high = l->n, n = 0;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (cmp_dataset(l->v[mid], agency, dataset) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*first = low;
	while (low + n < l->n && cmp_dataset(l->v[low + n], agency, dataset) == 0)
		n++;
	return n;
}

static bool over(const struct eg_list_info *l)
{
	return l->phase == EG_LIST_DONE || l->phase == EG_LIST_REFUSED;
}

/* Only one that is done: while it withdraws it may fail still, and then it says nothing. Of keys that it
 * rejected it says nothing either, nor of those that it lacked and left as they are. */
bool eg_listed_outdoes(const struct eg_list_info *l, const struct eg_list_info *than)
{
	return l->seq && l->phase == EG_LIST_DONE && over(than) && !l->counts.unsaid && !l->counts.skipped &&
	       (l->versionless || !than->versionless) && strcmp(l->agency, than->agency) == 0 &&
	       strcmp(l->dataset, than->dataset) == 0 && l->as_of >= than->as_of &&
	       l->pinned >= than->pinned && l->row > than->row && eg_list_includes(l, than);
}

static enum eg_rc no_memory(struct eg_err *err)
{
	return eg_fail(err, EG_NO_MEMORY, "no memory for the full lists that stand");
}

static enum eg_rc reserve(struct eg_listed *l, unsigned n, struct eg_err *err)
{
	unsigned cap = l->cap ? l->cap : CAP_FIRST;
	while (cap < n)
		cap *= 2;
	if (cap == l->cap)
		return EG_OK;
	struct eg_list_info **more = realloc(l->v, cap * sizeof *more);
	if (!more)
		return no_memory(err);
	l->v = more;
	l->cap = cap;
	return EG_OK;
}

/* There is room. */
static void insert(struct eg_listed *l, struct eg_list_info *info)
{
	unsigned low = 0, high = l->n;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (cmp(l->v[mid], info) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	memmove(&l->v[low + 1], &l->v[low], (l->n - low) * sizeof(struct eg_list_info *));
	l->v[low] = info;
	l->n++;
}

static void drop(struct eg_listed *l, int64_t row)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->v[i]->row != row)
			continue;
		free(l->v[i]);
		l->n--;
		memmove(&l->v[i], &l->v[i + 1], (l->n - i) * sizeof(struct eg_list_info *));
		return;
	}
}

static enum eg_rc add_row(struct eg_listed *l, const struct eg_list_row *row, struct eg_arena *a,
                          struct eg_err *err)
{
	struct eg_list_info info;
	enum eg_rc rc = eg_list_info_read(row, a, &info, err);
	if (rc == EG_OK)
		rc = reserve(l, l->n + 1, err);
	if (rc)
		return rc;
	struct eg_list_info *own = eg_list_info_clone(&info);
	if (!own)
		return no_memory(err);
	insert(l, own);
	return EG_OK;
}

enum eg_rc eg_listed_load(struct eg_listed *l, struct eg_conn *c, struct eg_err *err)
{
	struct eg_arena *page = eg_arena_new(PAGE_MEMORY);
	int64_t after = 0;
	unsigned n = PAGE;
	enum eg_rc rc = page ? EG_OK : no_memory(err);
	eg_listed_free(l);
	while (n == PAGE && rc == EG_OK) {
		struct eg_list_row *rows = NULL;
		eg_arena_reset(page);
		rc = eg_list_standing(c, after, PAGE, page, &rows, &n, err);
		for (unsigned i = 0; i < n && rc == EG_OK; i++) {
			after = rows[i].row;
			rc = add_row(l, &rows[i], page, err);
		}
	}
	rc = eg_arena_why(page, rc, err);
	eg_arena_free(page);
	return rc;
}

void eg_listed_free(struct eg_listed *l)
{
	eg_listed_back(l);
	for (unsigned i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct eg_listed){0};
}

/* ---- moves ---- */

enum eg_rc eg_listed_put(struct eg_listed *l, struct eg_tx *tx, const struct eg_list_info *info,
                         struct eg_err *err)
{
	unsigned first, coming = 1;
	unsigned n = eg_listed_of(l, eg_bytes_of(info->agency), eg_bytes_of(info->dataset), &first);
	bool outdone = info->phase == EG_LIST_FAILED; /* it says nothing */
	struct eg_listed_move *m = malloc(sizeof *m + n * sizeof m->gone[0]);
	if (!m)
		return no_memory(err);
	*m = (struct eg_listed_move){.row = info->row};
	for (unsigned i = first; i < first + n; i++) {
		outdone |= eg_listed_outdoes(l->v[i], info);
		if (eg_listed_outdoes(info, l->v[i]))
			m->gone[m->n_gone++] = l->v[i]->row;
	}
	struct eg_listed_move **last = &l->moves;
	for (; *last; last = &(*last)->next)
		coming++;
	enum eg_rc rc = reserve(l, l->n + coming, err);
	if (rc == EG_OK && !outdone && !(m->info = eg_list_info_clone(info)))
		rc = no_memory(err);
	if (rc) {
		free(m);
		return rc;
	}
	*last = m;
	for (unsigned i = 0; i < m->n_gone; i++)
		eg_tx_drop_standing(tx, m->gone[i]);
	if (outdone)
		eg_tx_drop_standing(tx, info->row);
	return EG_OK;
}

static void end_moves(struct eg_listed *l, bool keep)
{
	for (struct eg_listed_move *m = l->moves, *next; m; m = next) {
		next = m->next;
		if (keep) {
			for (unsigned i = 0; i < m->n_gone; i++)
				drop(l, m->gone[i]);
			drop(l, m->row);
			if (m->info)
				insert(l, m->info);
		} else {
			free(m->info);
		}
		free(m);
	}
	l->moves = NULL;
}

void eg_listed_keep(struct eg_listed *l)
{
	end_moves(l, true);
}

void eg_listed_back(struct eg_listed *l)
{
	end_moves(l, false);
}
