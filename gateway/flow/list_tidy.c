/* list_tidy: which folders of lists are still needed: runs until the list is compared, the file of absent
 * keys until they are withdrawn, and as long as it tells of late records (listed.h).
 *
 * Thread: the applier's, or the starter's. */
#include "flow/lists_core.h"

#include "flow/listed.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

enum { PAGE = 64, MEMORY = 64 << 20 };

static bool is_listed(const struct eg_listed *listed, const struct eg_list_info *l)
{
	for (unsigned i = 0; i < listed->n; i++)
		if (listed->v[i].row == l->row)
			return true;
	return false;
}

static void tidy_list(struct eg_lists *ls, const struct eg_listed *listed, const struct eg_list_info *l)
{
	switch (l->phase) {
	case EG_LIST_RECEIVED:
	case EG_LIST_COMPARING:
	case EG_LIST_RECEIVING:
		return;
	case EG_LIST_HELD:
	case EG_LIST_WITHDRAWING:
		eg_spool_remove(ls->dir, l->spool, false);
		return;
	case EG_LIST_DONE:
	case EG_LIST_REFUSED:
	case EG_LIST_FAILED:
		eg_spool_remove(ls->dir, l->spool, !is_listed(listed, l) || !l->counts.missing);
		return;
	}
}

/* Each row's folder; all: those that are in no row are counted as unfinished and removed. */
static enum eg_rc tidy_rows(struct eg_lists *ls, struct eg_conn *conn, const struct eg_listed *listed,
                            uint8_t (**known)[16], unsigned *n_known, struct eg_arena *a, struct eg_err *err)
{
	struct eg_arena *page = eg_arena_new(MEMORY);
	int64_t after = 0;
	unsigned n = 1, cap = 0;
	enum eg_rc rc = page ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory to look through the lists");
	*n_known = 0;
	while (rc == EG_OK && n) {
		struct eg_list_row *rows = NULL;
		eg_arena_reset(page);
		rc = eg_list_lists(conn, after, 0, PAGE, page, &rows, &n, err);
		for (unsigned i = 0; i < n && rc == EG_OK; i++) {
			struct eg_list_info info;
			after = rows[i].row;
			if (*n_known == cap) {
				uint8_t(*more)[16] =
				        eg_arena_alloc(a, (cap = cap ? 2 * cap : 64) * sizeof *more);
				if (!more) {
					rc = eg_fail(err, EG_LIMIT, "there are too many lists");
					break;
				}
				if (*n_known)
					memcpy(more, *known, *n_known * sizeof *more);
				*known = more;
			}
			memcpy((*known)[(*n_known)++], rows[i].spool, 16);
			rc = eg_list_info_read(&rows[i], page, &info, err);
			if (rc == EG_OK)
				tidy_list(ls, listed, &info);
		}
	}
	eg_arena_free(page);
	return rc;
}

static void remove_unknown(struct eg_lists *ls, const uint8_t (*known)[16], unsigned n)
{
	DIR *d = opendir(ls->dir);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		uint8_t id[16];
		bool found = false;
		if (strlen(e->d_name) != 32 || !eg_unhex(e->d_name, id, sizeof id))
			continue; /* not ours */
		for (unsigned i = 0; i < n && !found; i++)
			found = memcmp(known[i], id, 16) == 0;
		if (!found)
			eg_spool_remove(ls->dir, id, true);
	}
	closedir(d);
}

enum eg_rc eg_lists_tidy(struct eg_lists *ls, struct eg_conn *conn, bool all, struct eg_err *err)
{
	struct eg_listed listed = {0};
	struct eg_arena *a = eg_arena_new(MEMORY);
	uint8_t(*known)[16] = NULL;
	unsigned n = 0;
	enum eg_rc rc = a ? eg_listed_load(&listed, conn, err)
	                  : eg_fail(err, EG_NO_MEMORY, "no memory to look through the lists");
	if (rc == EG_OK)
		rc = tidy_rows(ls, conn, &listed, &known, &n, a, err);
	if (rc == EG_OK && all)
		remove_unknown(ls, (const uint8_t(*)[16])known, n);
	eg_listed_free(&listed);
	eg_arena_free(a);
	return rc;
}
