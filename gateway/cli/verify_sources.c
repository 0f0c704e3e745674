/* verify_sources: every source record's versions against the log, its person, and the index of join keys. */
#include "cli/verify.h"

#include "flow/intake.h"
#include "flow/judge.h"
#include "flow/sealed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum eg_rc wrong(struct verify *v, const struct eg_source_row *row, uint64_t seq, const char *what,
                        struct eg_err *err)
{
	return verify_fail(v, seq, err, "the source record of row %" PRId64 " %s", row->row, what);
}

/* The claim of an entry, which must be of this source record. */
static enum eg_rc load(struct verify *v, const struct eg_source_row *row, uint64_t seq, struct eg_claim *out,
                       bool *erased, struct eg_err *err)
{
	struct eg_entry e;
	uint8_t token[EG_TOKEN_SIZE];
	*out = (struct eg_claim){0};
	enum eg_rc rc = verify_entry(v, seq, true, false, &e, err);
	if (rc)
		return verify_blame(v, seq, rc, err);
	*erased = verify_erased(e.row->claim);
	if (*erased)
		return EG_OK;
	if (!e.claim_part.len)
		return wrong(v, row, seq, "names it for a version, and it holds no claim", err);
	if ((rc = eg_canon_claim_read(e.claim_part, v->side, out, err)))
		return verify_blame(v, seq, rc, err);
	eg_source_token(v->a->vault, out->agency, out->dataset, out->source_key, token);
	if (memcmp(token, row->token, sizeof token) != 0)
		return wrong(v, row, seq, "names it for a version, and it is of another record", err);
	return EG_OK;
}

static enum eg_rc check_version(struct verify *v, const struct eg_source_row *row, const struct eg_version *x,
                                struct eg_err *err)
{
	struct eg_claim c;
	struct eg_version made;
	bool erased = false;
	enum eg_rc rc;
	v->result->versions++;
	if (x->asserted) {
		if ((rc = load(v, row, x->seq, &c, &erased, err)))
			return rc;
		if (!erased) {
			eg_version_of_claim(v->a->vault, &c, &made);
			if (c.op != EG_ASSERT || memcmp(made.digest, x->digest, sizeof made.digest) != 0)
				return wrong(v, row, x->seq,
				             "has another digest for a version than its claim", err);
			if (made.has_key != x->has_key || made.has_proposal != x->has_proposal ||
			    made.current != x->current || memcmp(made.key, x->key, sizeof made.key) != 0)
				return wrong(v, row, x->seq,
				             "has another join key for a version than its claim", err);
		}
	}
	if (x->withdrawn) {
		if ((rc = load(v, row, x->withdrawn_seq, &c, &erased, err)))
			return rc;
		/* a later list may have found it absent still */
		if (!erased && (c.op != EG_WITHDRAW || c.version > x->version || x->mapping_revision))
			return wrong(v, row, x->withdrawn_seq, "names it for an absence at another position",
			             err);
	}
	if (x->voided) {
		if ((rc = load(v, row, x->void_seq, &c, &erased, err)))
			return rc;
		if (!erased &&
		    (c.op != EG_VOID || c.version != x->version || c.mapping_revision != x->mapping_revision))
			return wrong(v, row, x->void_seq, "names it for the void of another version", err);
	}
	return EG_OK;
}

static enum eg_rc check_person(struct verify *v, const struct eg_source_row *row,
                               const struct eg_version *effective, struct eg_err *err)
{
	struct eg_person_row person;
	struct eg_person p;
	uint64_t seq = effective ? effective->seq : 0;
	if (!row->person)
		return effective ? wrong(v, row, seq, "has an effective claim and no person", err) : EG_OK;
	eg_arena_reset(v->side);
	enum eg_rc rc = eg_get_person(v->a->conn, row->person, v->side, &person, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT,
		               "the source record of row %" PRId64 " belongs to a person who is not there",
		               row->row);
	if (!rc)
		rc = eg_person_open(v->a->vault, &person, v->side, &p, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < p.n_held; i++)
		if (memcmp(p.held[i].token, row->token, EG_TOKEN_SIZE) == 0)
			return p.held[i].seq == seq
			               ? EG_OK
			               : wrong(v, row, p.held[i].seq,
			                       "has another effective claim than its person holds, or none",
			                       err);
	return effective ? wrong(v, row, seq, "has an effective claim that its person does not hold", err)
	                 : EG_OK; /* withdrawn or void: it may still be told whose it was */
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, EG_JOIN_KEY_SIZE);
}

/* The index has each key of a standing version once, for this source record, and counts no other. */
static enum eg_rc check_aliases(struct verify *v, const struct eg_source_row *row,
                                const struct eg_versions *l, struct eg_err *err)
{
	uint8_t(*keys)[EG_JOIN_KEY_SIZE] = eg_arena_alloc(v->arena, (l->n + 1) * sizeof *keys);
	unsigned n = 0;
	if (!keys)
		return eg_fail(err, EG_NO_MEMORY, "no memory for join keys");
	for (unsigned i = 0; i < l->n; i++)
		if (l->v[i].asserted && !l->v[i].voided && (l->v[i].has_key || l->v[i].has_proposal))
			memcpy(keys[n++], l->v[i].key, l->v[i].has_key ? EG_JOIN_KEY_SIZE : EG_TOKEN_SIZE);
	qsort(keys, n, sizeof *keys, by_key);
	for (unsigned i = 0; i < n; i++) {
		struct eg_alias *found = NULL;
		unsigned n_found = 0;
		bool there = false;
		if (i && memcmp(keys[i - 1], keys[i], EG_JOIN_KEY_SIZE) == 0)
			continue;
		eg_arena_reset(v->side);
		enum eg_rc rc = eg_list_aliases(v->a->conn, keys[i], v->side, &found, &n_found, err);
		if (rc)
			return rc;
		for (unsigned k = 0; k < n_found; k++)
			there |= found[k].source == row->row &&
			         memcmp(found[k].key, keys[i], EG_JOIN_KEY_SIZE) == 0;
		if (!there)
			return eg_fail(err, EG_CORRUPT,
			               "the source record of row %" PRId64
			               " is missing in the index of join keys",
			               row->row);
		v->result->aliases++;
	}
	return EG_OK;
}

static enum eg_rc check_source(struct verify *v, const struct eg_source_row *row, struct eg_err *err)
{
	struct eg_versions l;
	struct eg_err why = {0};
	enum eg_rc rc = eg_versions_read(row->body, v->arena, &l, &why);
	if (rc)
		return eg_fail(err, rc, "the source record of row %" PRId64 ": %.200s", row->row, why.text);
	v->result->sources++;
	for (unsigned i = 0; i < l.n && !rc; i++)
		rc = check_version(v, row, &l.v[i], err);
	if (!rc)
		rc = check_person(v, row, eg_versions_effective(&l), err);
	return rc ? rc : check_aliases(v, row, &l, err);
}

/* Rows of source records are never deleted, so they run from 1 without gaps. */
enum eg_rc verify_sources(struct verify *v, struct eg_err *err)
{
	int64_t aliases = 0;
	enum eg_rc rc = EG_OK;
	for (int64_t at = 1; !rc; at++) {
		struct eg_source_row row;
		eg_arena_reset(v->arena);
		rc = eg_get_source_by_row(v->a->conn, at, v->arena, &row, err);
		if (!rc)
			rc = check_source(v, &row, err);
		if (!rc)
			verify_progress(v, "source records", (uint64_t)at, 0);
	}
	if (rc == EG_EMPTY)
		rc = eg_count_aliases(v->a->conn, &aliases, err);
	if (!rc && (uint64_t)aliases != v->result->aliases)
		rc = eg_fail(err, EG_CORRUPT,
		             "the index of join keys has %" PRId64 " rows, and %" PRIu64
		             " follow from the claims",
		             aliases, v->result->aliases);
	return rc;
}
