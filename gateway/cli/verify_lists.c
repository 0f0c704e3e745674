/* verify_lists: each full list's row against its LIST entry. */
#include "cli/verify.h"

#include "flow/list_info.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 100 };

static enum eg_rc wrong(struct verify *v, const struct eg_list_info *l, const char *what, struct eg_err *err)
{
	return verify_fail(v, l->seq, err, "the list of row %" PRId64 " %s", l->row, what);
}

/* The entry tells of the list as it was when it was compared; what it withdrew came behind it. */
static enum eg_rc check_list(struct verify *v, const struct eg_list_row *row, struct eg_err *err)
{
	struct eg_list_info l;
	struct eg_entry e;
	struct eg_buf part = {0};
	enum eg_rc rc = eg_list_info_read(row, v->arena, &l, err);
	if (rc || !l.seq)
		return rc;
	v->result->lists++;
	rc = verify_entry(v, l.seq, true, false, &e, err);
	if (rc)
		return verify_blame(v, l.seq, rc, err);
	const struct eg_header *h = &e.header;
	if (h->kind != EG_ENTRY_LIST || h->digest.len != sizeof l.digest ||
	    memcmp(h->digest.p, l.digest, sizeof l.digest) != 0)
		return wrong(v, &l, "names it as its own, and it is not", err);
	if (l.pinned >= l.seq)
		return wrong(v, &l, "was compared with entries behind its own", err);
	if (verify_erased(e.row->claim))
		return EG_OK;
	l.counts.withdrawn = l.counts.skipped = 0;
	eg_list_info_part(&l, &part);
	if (part.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	else if (!eg_bytes_equal(eg_buf_bytes(&part), e.claim_part))
		rc = wrong(v, &l, "is stored otherwise than it tells", err);
	eg_buf_free(&part);
	return rc;
}

enum eg_rc verify_lists(struct verify *v, struct eg_err *err)
{
	struct eg_list_row *rows = NULL;
	int64_t after = 0;
	unsigned n = 1;
	enum eg_rc rc = EG_OK;
	while (!rc && n) {
		eg_arena_reset(v->arena);
		rc = eg_list_lists(v->a->conn, after, 0, PAGE, v->arena, &rows, &n, err);
		for (unsigned i = 0; i < n && !rc; i++) {
			after = rows[i].row;
			rc = check_list(v, &rows[i], err);
		}
	}
	if (!rc && v->result->lists != v->list_entries)
		rc = eg_fail(err, EG_CORRUPT,
		             "the log tells of %" PRIu64 " full lists, and %" PRIu64 " are stored",
		             v->list_entries, v->result->lists);
	return rc;
}
