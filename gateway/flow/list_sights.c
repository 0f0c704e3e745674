/* list_sights: which lists are under way or have failed, for whoever asks how the gateway is. */
#include "flow/lists_core.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 64, PAGE_MEMORY = 8 << 20 };

unsigned eg_lists_see(struct eg_lists *ls, struct eg_list_sight *out, unsigned max)
{
	unsigned n = 0;
	pthread_mutex_lock(&ls->lock);
	for (const struct eg_list *l = ls->all; l && n < max; l = l->next) {
		if (l->over || l->twin || !l->told.agency)
			continue;
		struct eg_list_sight *s = &out[n++];
		*s = (struct eg_list_sight){.phase = l->phase,
		                            .dry_run = l->dry_run,
		                            .received = l->received,
		                            .compared = l->compared,
		                            .applied = l->applied,
		                            .of = l->total};
		snprintf(s->agency, sizeof s->agency, "%s", l->told.agency);
		snprintf(s->dataset, sizeof s->dataset, "%s", l->told.dataset);
		snprintf(s->list_id, sizeof s->list_id, "%s", l->told.list_id);
	}
	pthread_mutex_unlock(&ls->lock);
	return n;
}

static bool same_source(const struct eg_list_info *a, const struct eg_list_info *b)
{
	return strcmp(a->agency, b->agency) == 0 && strcmp(a->dataset, b->dataset) == 0;
}

/* Does a later row make good that one failed, or fail in its stead? */
static bool in_stead(const struct eg_list_info *later, const struct eg_list_info *failed)
{
	if (!same_source(later, failed))
		return false;
	if (later->phase == EG_LIST_FAILED)
		return strcmp(later->list_id, failed->list_id) == 0;
	return later->seq && later->as_of >= failed->as_of && eg_list_includes(later, failed);
}

enum eg_rc eg_lists_failed(struct eg_conn *conn, struct eg_arena *a, struct eg_list_info *out, unsigned max,
                           unsigned *n, struct eg_err *err)
{
	struct eg_arena *page = eg_arena_new(PAGE_MEMORY);
	enum eg_rc rc = page ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory to look through the lists");
	int64_t after = 0;
	*n = 0;
	for (unsigned got = PAGE; got == PAGE && rc == EG_OK;) {
		struct eg_list_row *rows = NULL;
		eg_arena_reset(page);
		rc = eg_list_lists(conn, after, 0, PAGE, page, &rows, &got, err);
		for (unsigned i = 0; i < got && rc == EG_OK; i++) {
			struct eg_list_info l;
			unsigned kept = 0;
			after = rows[i].row;
			if ((rc = eg_list_info_read(&rows[i], page, &l, err)))
				break;
			for (unsigned k = 0; k < *n; k++)
				if (!in_stead(&l, &out[k]))
					out[kept++] = out[k];
			*n = kept;
			if (l.phase != EG_LIST_FAILED)
				continue;
			if (*n == max) /* the oldest gives way */
				memmove(out, out + 1, --*n * sizeof *out);
			rc = eg_list_info_copy(&l, a, &out[*n], err);
			*n += rc == EG_OK;
		}
	}
	eg_arena_free(page);
	return rc;
}
