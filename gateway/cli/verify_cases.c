/* verify_cases: cases, rejects, reviewed links and lags against the log and the persons. */
#include "cli/verify.h"

#include "flow/intake.h"
#include "flow/judge.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 500, LAGS_ARENA = 1 << 20 };

/* ---- cases ---- */

static enum eg_rc wrong_case(struct verify *v, const struct eg_case_row *k, uint64_t seq, const char *what,
                             struct eg_err *err)
{
	return verify_fail(v, seq, err, "the case of row %" PRId64 " %s", k->row, what);
}

/* The entry must tell that this case opened, or closed. */
static enum eg_rc check_told(struct verify *v, const struct eg_case_row *k, uint64_t seq,
                             enum eg_event_kind event, struct eg_entry *out, struct eg_err *err)
{
	enum eg_rc rc = verify_entry(v, seq, false, true, out, err);
	if (rc)
		return verify_blame(v, seq, rc, err);
	if (verify_erased(out->row->effect))
		return EG_OK;
	if (!out->has_effect || !out->effect.has_case ||
	    memcmp(out->effect.case_id, k->id, sizeof k->id) != 0 || out->effect.event != event ||
	    out->effect.case_kind != k->kind)
		return wrong_case(v, k, seq,
		                  event == EG_EVENT_CASE_OPENED ? "says that it opened it, and it does not"
		                                                : "says that it closed it, and it does not",
		                  err);
	return EG_OK;
}

static bool lists(const struct eg_person *p, const uint8_t id[16])
{
	for (unsigned i = 0; i < p->n_cases; i++)
		if (memcmp(p->cases[i], id, 16) == 0)
			return true;
	return false;
}

static enum eg_rc check_people(struct verify *v, const struct eg_case_row *k, const struct eg_case_body *b,
                               struct eg_err *err)
{
	for (unsigned i = 0; i < b->n_persons; i++) {
		struct eg_person_row row;
		struct eg_person p;
		eg_arena_reset(v->side);
		enum eg_rc rc = eg_get_person_by_id(v->a->conn, b->persons[i], v->side, &row, err);
		if (rc == EG_EMPTY)
			return wrong_case(v, k, k->opened, "concerns a person who is not there", err);
		if (!rc)
			rc = eg_person_open(v->a->vault, &row, v->side, &p, err);
		if (rc)
			return rc;
		if (!p.merged && !lists(&p, k->id))
			return wrong_case(v, k, k->opened, "is open for a person who does not list it", err);
	}
	return EG_OK;
}

static enum eg_rc check_case(struct verify *v, const struct eg_case_row *k, struct eg_err *err)
{
	struct eg_case_body b;
	struct eg_entry e;
	enum eg_rc rc = eg_case_open(v->a->vault, k, v->arena, &b, err);
	if (rc)
		return verify_blame(v, k->opened, rc, err);
	v->result->cases++;
	if ((int)b.kind != k->kind)
		return wrong_case(v, k, k->opened, "is stored as another kind than its body says", err);
	if (!eg_table_get(&v->cases, k->id))
		return wrong_case(v, k, k->opened, "is none that the log tells of", err);
	if ((rc = check_told(v, k, k->opened, EG_EVENT_CASE_OPENED, &e, err)))
		return rc;
	if (k->state == EG_CASE_OPEN) {
		v->result->open_cases++;
		return k->closed ? wrong_case(v, k, k->opened, "is open, and names an entry that closed it",
		                              err)
		                 : check_people(v, k, &b, err);
	}
	if (k->closed <= k->opened)
		return wrong_case(v, k, k->opened, "was closed before it opened", err);
	if ((rc = check_told(v, k, k->closed, EG_EVENT_CASE_CLOSED, &e, err)) || !b.decision)
		return rc;
	uint64_t cause = e.header.cause;
	rc = verify_entry(v, cause, false, false, &e, err);
	return rc ? verify_blame(v, cause, rc, err)
	       : e.header.kind == EG_ENTRY_DECISION
	               ? EG_OK
	               : wrong_case(v, k, cause, "was decided, and not by it", err);
}

static enum eg_rc check_cases(struct verify *v, struct eg_err *err)
{
	struct eg_case_row *rows = NULL;
	int64_t after = 0;
	unsigned n = 1;
	enum eg_rc rc = EG_OK;
	while (!rc && n) {
		eg_arena_reset(v->arena);
		rc = eg_list_cases(v->a->conn, after, 0, 0, PAGE, v->arena, &rows, &n, err);
		for (unsigned i = 0; i < n && !rc; i++) {
			after = rows[i].row;
			rc = check_case(v, &rows[i], err);
		}
		verify_progress(v, "cases", v->result->cases, v->n_cases);
	}
	if (!rc && !v->result->erased_parts && v->result->cases != v->n_cases)
		rc = eg_fail(err, EG_CORRUPT,
		             "the log tells of %" PRIu64 " cases, and %" PRIu64 " are stored", v->n_cases,
		             v->result->cases);
	return rc;
}

/* ---- lags ---- */

static enum eg_rc has_lag_case(struct verify *v, const struct eg_person *p, unsigned *found,
                               struct eg_err *err)
{
	*found = 0;
	for (unsigned i = 0; i < p->n_cases; i++) {
		struct eg_case_row k;
		eg_arena_reset(v->side);
		enum eg_rc rc = eg_get_case(v->a->conn, p->cases[i], v->side, &k, err);
		if (rc == EG_EMPTY || (!rc && k.state != EG_CASE_OPEN))
			return eg_fail(err, EG_CORRUPT, "an open case of it is not there, or not open");
		if (rc)
			return rc;
		*found += k.kind == EG_CASE_POLICE_LAG;
	}
	return EG_OK;
}

/* Since when the lag of the person in this row waits; 0: it has none. */
static enum eg_rc next_lag(struct verify *v, int64_t row, int64_t *since, struct eg_err *err)
{
	struct verify_lags *l = &v->lags;
	enum eg_rc rc = EG_OK;
	*since = 0;
	if (!l->arena && !(l->arena = eg_arena_new(LAGS_ARENA)))
		return eg_fail(err, EG_NO_MEMORY, "no memory to verify with");
	while (!rc) {
		while (l->at < l->n && l->rows[l->at].person < row)
			l->at++;
		if (l->at < l->n || l->over)
			break;
		eg_arena_reset(l->arena);
		l->at = 0;
		rc = eg_list_lags_of(v->a->conn, row - 1, PAGE, l->arena, &l->rows, &l->n, err);
		l->over = !l->n;
	}
	if (!rc && l->at < l->n && l->rows[l->at].person == row)
		*since = l->rows[l->at].since_us;
	return rc;
}

enum eg_rc verify_lag(struct verify *v, const struct eg_person_row *row, const struct eg_person *p, bool lags,
                      struct eg_err *err)
{
	struct eg_err why = {0};
	unsigned cases = 0;
	int64_t since = 0;
	enum eg_rc rc = has_lag_case(v, p, &cases, &why);
	if (!rc)
		rc = next_lag(v, row->row, &since, &why);
	if (rc) {
		if (err)
			*err = why;
		return verify_blame(v, row->last_seq, rc, err);
	}
	bool waits = since != 0;
	v->result->lags += waits;
	return cases + waits == lags ? EG_OK
	                             : verify_fail(v, row->last_seq, err,
	                                           "the police lag behind the person of row %" PRId64
	                                           ", or do not, other than its cases and the lags say",
	                                           row->row);
}

static enum eg_rc check_lags(struct verify *v, struct eg_err *err)
{
	int64_t stored = 0;
	enum eg_rc rc = eg_count_lags(v->a->conn, &stored, err);
	if (!rc && !v->result->other_authority && (uint64_t)stored != v->result->lags)
		rc = eg_fail(err, EG_CORRUPT, "%" PRId64 " lags are stored, and %" PRIu64 " persons have one",
		             stored, v->result->lags);
	return rc;
}

/* ---- rejects ---- */

static enum eg_rc wrong_reject(struct verify *v, const struct eg_reject_row *r, const char *what,
                               struct eg_err *err)
{
	return verify_fail(v, r->seq, err, "its reject %s", what);
}

/* The reject's source key: of its claim; of one without a key, by its digest (FORMAT.md). */
static void token_of(const struct verify *v, const struct eg_claim *c, const struct eg_version *made,
                     uint8_t out[16])
{
	struct eg_bytes key = c->source_key;
	if (!key.len)
		key = (struct eg_bytes){made->digest, sizeof made->digest};
	eg_source_token(v->a->vault, c->agency, c->dataset, key, out);
}

/* Content that fell may have stood at its version by a confirmation: its entry is then that of an older one.
 */
static bool is_of(const struct eg_reject_row *r, const struct eg_claim *c, bool fell)
{
	if (!eg_bytes_equal(c->agency, eg_bytes_of(r->agency)) ||
	    !eg_bytes_equal(c->dataset, eg_bytes_of(r->dataset)))
		return false;
	if (c->version != r->version)
		return fell && c->version < r->version;
	return c->mapping_revision == r->mapping_revision ||
	       (fell && c->mapping_revision < r->mapping_revision);
}

static enum eg_rc check_reject(struct verify *v, const struct eg_reject_row *r, uint64_t *quarantined,
                               struct eg_err *err)
{
	struct eg_entry e;
	struct eg_claim c;
	struct eg_version made;
	uint8_t token[EG_TOKEN_SIZE];
	enum eg_rc rc = verify_entry(v, r->seq, true, false, &e, err);
	if (rc)
		return verify_blame(v, r->seq, rc, err);
	v->result->rejects++;
	verify_fact_of(v, r->seq)->fell_untold = false;
	*quarantined += e.header.kind == EG_ENTRY_QUARANTINE;
	if (e.header.kind != EG_ENTRY_QUARANTINE && r->state != EG_REJECT_DECIDED)
		return wrong_reject(v, r, "waits for its sender, and it set nothing aside", err);
	if (verify_erased(e.row->claim))
		return EG_OK;
	if ((rc = eg_canon_claim_read(e.claim_part, v->side, &c, err)))
		return verify_blame(v, r->seq, rc, err);
	if (!is_of(r, &c, e.header.kind != EG_ENTRY_QUARANTINE))
		return wrong_reject(v, r, "is of another agency, dataset or version than its claim", err);
	eg_version_of_claim(v->a->vault, &c, &made);
	token_of(v, &c, &made, token);
	if (memcmp(token, r->source, sizeof token) != 0)
		return wrong_reject(v, r, "is of another source record than its claim", err);
	verify_fact_of(v, r->seq)->named = true;
	return memcmp(made.digest, r->digest, sizeof made.digest) == 0
	               ? EG_OK
	               : wrong_reject(v, r, "has another digest than its claim", err);
}

static enum eg_rc check_rejects(struct verify *v, struct eg_err *err)
{
	struct eg_reject_row *rows = NULL;
	uint64_t after = 0, quarantined = 0;
	unsigned n = 1;
	enum eg_rc rc = EG_OK;
	while (!rc && n) {
		eg_arena_reset(v->arena);
		rc = eg_list_all_rejects(v->a->conn, after, PAGE, v->arena, &rows, &n, err);
		for (unsigned i = 0; i < n && !rc; i++) {
			after = rows[i].seq;
			rc = check_reject(v, &rows[i], &quarantined, err);
		}
		verify_progress(v, "rejects", v->result->rejects, 0);
	}
	if (!rc && quarantined != v->quarantines)
		rc = eg_fail(err, EG_CORRUPT,
		             "the log has set %" PRIu64 " records aside, and %" PRIu64
		             " of them have a reject",
		             v->quarantines, quarantined);
	return rc;
}

/* ---- links ---- */

static enum eg_rc check_link(struct verify *v, const struct eg_link_row *l, int64_t row, struct eg_err *err)
{
	struct eg_entry e;
	struct eg_source_row source;
	const uint8_t *ends[] = {l->a, l->b};
	int64_t decision = 0;
	enum eg_rc rc = verify_entry(v, l->seq, true, false, &e, err);
	if (rc)
		return verify_blame(v, l->seq, rc, err);
	v->result->links++;
	if (e.header.kind != EG_ENTRY_DECISION)
		return verify_fail(v, l->seq, err,
		                   "the link of row %" PRId64 " names it, and it is no decision", row);
	struct eg_canon_reader r = eg_canon_read(e.claim_part);
	while (!verify_erased(e.row->claim) && eg_canon_next(&r))
		if (r.tag == EG_DECISION_KIND)
			decision = eg_canon_as_int(&r);
	if (!verify_erased(e.row->claim) && (r.bad || decision != l->kind))
		return verify_fail(v, l->seq, err,
		                   "the link of row %" PRId64 " is of another kind than its decision", row);
	for (unsigned i = 0; i < 2; i++) {
		eg_arena_reset(v->side);
		rc = eg_get_source(v->a->conn, ends[i], v->side, &source, err);
		if (rc == EG_EMPTY)
			return verify_fail(
			        v, l->seq, err,
			        "the link of row %" PRId64 " is of a source record that is not there", row);
		if (rc)
			return rc;
	}
	return EG_OK;
}

/* Rows of links are never deleted, so they run from 1 without gaps. How many a decision made the log does not
 * say. */
static enum eg_rc check_links(struct verify *v, struct eg_err *err)
{
	int64_t stored;
	enum eg_rc rc = eg_count_links(v->a->conn, &stored, err);
	for (int64_t at = 1; !rc; at++) {
		struct eg_link_row l;
		rc = eg_get_link(v->a->conn, at, &l, err);
		if (!rc)
			rc = check_link(v, &l, at, err);
	}
	if (rc == EG_EMPTY)
		rc = (uint64_t)stored == v->result->links
		             ? EG_OK
		             : eg_fail(err, EG_CORRUPT,
		                       "%" PRId64 " links are stored, and their rows run from 1 to %" PRIu64,
		                       stored, v->result->links);
	return rc;
}

enum eg_rc verify_cases(struct verify *v, struct eg_err *err)
{
	enum eg_rc rc = check_cases(v, err);
	if (!rc)
		rc = check_lags(v, err);
	if (!rc)
		rc = check_rejects(v, err);
	return rc ? rc : check_links(v, err);
}
