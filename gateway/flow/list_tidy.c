/* list_tidy: which folders of lists are still needed: runs until the list is compared, the file of absent
 * keys until they are withdrawn, and as long as the list stands (listed.h).
 *
 * Thread: the applier's, or the starter's. */
#include "flow/lists_core.h"

#include "flow/listed.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int cmp_id(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static bool among(const uint8_t (*ids)[16], unsigned n, const uint8_t id[16])
{
	return n && bsearch(id, ids, n, sizeof *ids, cmp_id);
}

/* The folders of the lists that stand, ascending; for free(). */
static enum eg_rc read_ids(struct eg_listed *listed, uint8_t (**ids)[16], struct eg_err *err)
{
	uint8_t(*all)[16] = malloc((listed->n + 1) * sizeof *all);
	if (!all)
		return eg_fail(err, EG_NO_MEMORY, "no memory to look through the lists");
	for (unsigned i = 0; i < listed->n; i++)
		memcpy(all[i], listed->v[i]->spool, sizeof all[i]);
	qsort(all, listed->n, sizeof *all, cmp_id);
	*ids = all;
	return EG_OK;
}

/* What a crash left of lists that were compared. */
static void tidy_list(struct eg_lists *ls, const struct eg_list_info *l)
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
		eg_spool_remove(ls->dir, l->spool, !l->counts.missing);
		return;
	}
}

/* What it does not see, for want of descriptors say, the next start will. */
static void remove_unknown(struct eg_lists *ls, const uint8_t (*known)[16], unsigned n)
{
	DIR *d = opendir(ls->dir);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		uint8_t id[16];
		if (strlen(e->d_name) != 32 || !eg_unhex(e->d_name, id, sizeof id))
			continue; /* not ours */
		if (!among(known, n, id))
			eg_spool_remove(ls->dir, id, true);
	}
	closedir(d);
}

enum eg_rc eg_lists_tidy(struct eg_lists *ls, struct eg_conn *conn, bool all, struct eg_err *err)
{
	struct eg_listed listed = {0};
	uint8_t(*ids)[16] = NULL;
	enum eg_rc rc = eg_listed_load(&listed, conn, err);
	if (rc == EG_OK)
		rc = read_ids(&listed, &ids, err);
	if (rc == EG_OK && all) {
		remove_unknown(ls, (const uint8_t(*)[16])ids, listed.n);
		for (unsigned i = 0; i < listed.n; i++)
			tidy_list(ls, listed.v[i]);
	}
	/* Those that stood when it was last looked, and do no more. */
	for (unsigned i = 0; i < ls->n_stood && rc == EG_OK; i++)
		if (!among((const uint8_t(*)[16])ids, listed.n, ls->stood[i]))
			eg_spool_remove(ls->dir, ls->stood[i], true);
	if (rc == EG_OK) {
		free(ls->stood);
		ls->stood = ids;
		ls->n_stood = listed.n;
	}
	eg_listed_free(&listed);
	return rc;
}
