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

/* Does a later row of the dataset make good that one failed, or fail in its stead? */
static bool in_stead(const struct eg_list_info *later, const struct eg_list_info *failed)
{
	if (later->phase == EG_LIST_FAILED)
		return strcmp(later->list_id, failed->list_id) == 0;
	return later->seq && later->as_of >= failed->as_of && eg_list_includes(later, failed);
}

/* Is there such a later row? */
static enum eg_rc made_good(struct eg_conn *conn, const struct eg_list_info *failed, struct eg_arena *page,
                            bool *yes, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	int64_t after = failed->row;
	*yes = false;
	for (unsigned got = PAGE; got == PAGE && rc == EG_OK && !*yes;) {
		struct eg_list_row *rows = NULL;
		eg_arena_reset(page);
		rc = eg_list_lists_of(conn, failed->agency, failed->dataset, after, PAGE, page, &rows, &got,
		                      err);
		for (unsigned i = 0; i < got && rc == EG_OK && !*yes; i++) {
			struct eg_list_info l;
			after = rows[i].row;
			rc = eg_list_info_read(&rows[i], page, &l, err);
			*yes = rc == EG_OK && in_stead(&l, failed);
		}
	}
	return rc;
}

/* The rows of failed lists lead, by their index; of others only those are read that came behind one. */
enum eg_rc eg_lists_failed(struct eg_conn *conn, struct eg_arena *a, struct eg_list_info *out, unsigned max,
                           unsigned *n, struct eg_err *err)
{
	struct eg_arena *failed = eg_arena_new(PAGE_MEMORY), *page = eg_arena_new(PAGE_MEMORY);
	enum eg_rc rc =
	        failed && page ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory to look through the lists");
	int64_t after = 0;
	*n = 0;
	for (unsigned got = PAGE; got == PAGE && rc == EG_OK;) {
		struct eg_list_row *rows = NULL;
		eg_arena_reset(failed);
		rc = eg_list_lists(conn, after, EG_LIST_FAILED, PAGE, failed, &rows, &got, err);
		for (unsigned i = 0; i < got && rc == EG_OK; i++) {
			struct eg_list_info l;
			bool good = false;
			after = rows[i].row;
			rc = eg_list_info_read(&rows[i], failed, &l, err);
			if (rc == EG_OK)
				rc = made_good(conn, &l, page, &good, err);
			if (rc || good)
				continue;
			if (*n == max) /* the oldest gives way */
				memmove(out, out + 1, --*n * sizeof *out);
			rc = eg_list_info_copy(&l, a, &out[*n], err);
			*n += rc == EG_OK;
		}
	}
	rc = eg_arena_why(failed, eg_arena_why(page, rc, err), err);
	eg_arena_free(failed);
	eg_arena_free(page);
	return rc;
}
