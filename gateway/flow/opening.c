/* opening: see opening.h. */
#include "flow/opening.h"

#include <string.h>

/* The first entry of a new log. */
static enum eg_rc start_log(struct eg_opening *out, struct eg_store *s, struct eg_tail *tail,
                            struct eg_err *err)
{
	struct eg_header h = {.kind = EG_ENTRY_START, .format = 1};
	eg_random(out->id, sizeof out->id);
	h.log_id = (struct eg_bytes){out->id, sizeof out->id};
	struct eg_tx tx = eg_tx_begin(s);
	enum eg_rc rc = tx.rc;
	if (rc == EG_OK)
		rc = eg_tail_begin(tail, &tx, eg_now_us(), err);
	eg_tail_id(tail, h.entry_id);
	if (rc == EG_OK)
		rc = eg_tail_append(tail, &h, (struct eg_bytes){0}, NULL, err);
	eg_tx_put_meta(&tx, "log_id", h.log_id);
	if (rc && tx.rc == EG_OK) {
		tx.rc = rc;
		tx.err = *err;
	}
	rc = eg_tx_end(&tx, err);
	if (rc == EG_OK)
		eg_tail_keep(tail);
	else
		eg_tail_back(tail);
	return rc;
}

static enum eg_rc read_id(struct eg_opening *out, struct eg_conn *c, struct eg_arena *a, struct eg_err *err)
{
	struct eg_bytes id = {0};
	enum eg_rc rc = eg_get_meta(c, "log_id", a, &id, err);
	if (rc == EG_EMPTY || (rc == EG_OK && id.len != sizeof out->id))
		return eg_fail(err, EG_CORRUPT, "the log has entries but no id");
	if (rc == EG_OK)
		memcpy(out->id, id.p, sizeof out->id);
	return rc;
}

static enum eg_rc read_newest_checkpoint(struct eg_opening *out, struct eg_conn *c, struct eg_arena *a,
                                         struct eg_err *err)
{
	struct eg_bytes note;
	int64_t time;
	enum eg_rc rc = eg_get_checkpoint(c, 0, a, &out->signed_size, &time, &note, err);
	if (rc == EG_EMPTY) {
		out->signed_size = 0;
		rc = EG_OK;
	}
	return rc;
}

static enum eg_rc count_cases(struct eg_opening *out, struct eg_conn *c, struct eg_arena *a,
                              struct eg_err *err)
{
	struct eg_case_row *rows;
	unsigned n;
	int64_t after = 0;
	do {
		eg_arena_reset(a);
		enum eg_rc rc = eg_list_cases(c, after, 0, EG_CASE_OPEN, 1000, a, &rows, &n, err);
		if (rc)
			return rc;
		for (unsigned i = 0; i < n; i++) {
			after = rows[i].row;
			if (rows[i].kind >= EG_CASE_VERSION_CONFLICT && rows[i].kind <= EG_CASE_LIST_SHRINK)
				out->open_cases[rows[i].kind]++;
		}
	} while (n);
	return EG_OK;
}

enum eg_rc eg_opening_read(struct eg_opening *out, struct eg_store *s, struct eg_vault *v,
                           struct eg_tail *tail, struct eg_arena *a, struct eg_err *err)
{
	struct eg_conn *c = eg_store_writer(s);
	int64_t open_cases = 0;
	*out = (struct eg_opening){0};
	enum eg_rc rc = eg_tail_open(tail, v, c, err);
	if (rc)
		return rc;
	rc = tail->seq ? read_id(out, c, a, err) : start_log(out, s, tail, err);
	if (rc == EG_OK)
		rc = read_newest_checkpoint(out, c, a, err);
	if (rc == EG_OK)
		rc = eg_count(c, &out->persons, &open_cases, err);
	if (rc == EG_OK && open_cases)
		rc = count_cases(out, c, a, err);
	return rc;
}
