/* verify_sources: every source record's versions against the log, its person, and the index of join keys.
 *
 * As with persons, the log's facts decide, and entries are read again only where they do not. The index is
 * held against the records as a whole, by the sum of its rows' hashes; only if the sums differ, row by row.
 */
#include "cli/verify.h"
#include "cli/verify_pages.h"

#include "flow/intake.h"
#include "flow/judge.h"
#include "flow/sealed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 256, PAGE_BYTES = 8 << 20 };

/* The rows of an index of join keys, in whatever order. */
struct sum { /* one a thread, each in a cache line of its own */
	_Alignas(64) uint64_t n;
	uint64_t facts;
};

struct walk {
	struct verify *v;
	int64_t read, row;               /* the last ones that were read and judged */
	struct sum sums[VERIFY_THREADS]; /* of what the index must hold, by who looked */
	struct sum index;                /* of what it holds */
};

struct found {
	bool good;
	struct eg_versions l; /* if good */
};

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
	verify_fact_of(v, seq)->named = true;
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

/* The keys of the standing versions, each once; NULL: no memory. */
static uint8_t (*keys_of(const struct eg_versions *l, struct eg_arena *a, unsigned *n_keys))[EG_JOIN_KEY_SIZE]
{
	uint8_t(*keys)[EG_JOIN_KEY_SIZE] = eg_arena_alloc(a, (l->n + 1) * sizeof *keys);
	unsigned n = 0, kept = 0;
	if (!keys)
		return NULL;
	for (unsigned i = 0; i < l->n; i++)
		if (l->v[i].asserted && !l->v[i].voided && (l->v[i].has_key || l->v[i].has_proposal))
			memcpy(keys[n++], l->v[i].key, l->v[i].has_key ? EG_JOIN_KEY_SIZE : EG_TOKEN_SIZE);
	if (n > 1)
		qsort(keys, n, sizeof *keys, by_key);
	for (unsigned i = 0; i < n; i++)
		if (!i || memcmp(keys[kept - 1], keys[i], EG_JOIN_KEY_SIZE) != 0)
			memmove(keys[kept++], keys[i], EG_JOIN_KEY_SIZE);
	*n_keys = kept;
	return keys;
}

/* The index has each key of a standing version, for this source record. */
static enum eg_rc check_aliases(struct verify *v, const struct eg_source_row *row,
                                const struct eg_versions *l, struct eg_err *err)
{
	unsigned n = 0;
	uint8_t(*keys)[EG_JOIN_KEY_SIZE] = keys_of(l, v->arena, &n);
	if (!keys)
		return eg_fail(err, EG_NO_MEMORY, "no memory for join keys");
	for (unsigned i = 0; i < n; i++) {
		struct eg_alias *found = NULL;
		unsigned n_found = 0;
		bool there = false;
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
	}
	return EG_OK;
}

static enum eg_rc read_versions(const struct eg_source_row *row, struct eg_arena *a, struct eg_versions *l,
                                struct eg_err *err)
{
	struct eg_err why = {0};
	enum eg_rc rc = eg_versions_read(row->body, a, l, &why);
	return rc ? eg_fail(err, rc, "the source record of row %" PRId64 ": %.200s", row->row, why.text)
	          : EG_OK;
}

static enum eg_rc check_source(struct verify *v, const struct eg_source_row *row, struct eg_err *err)
{
	struct eg_versions l;
	enum eg_rc rc = read_versions(row, v->arena, &l, err);
	for (unsigned i = 0; !rc && i < l.n; i++)
		rc = check_version(v, row, &l.v[i], err);
	return rc ? rc : check_person(v, row, eg_versions_effective(&l), err);
}

/* ---- all of them ---- */

static bool fits(const struct verify *v, const struct eg_source_row *row, const struct eg_versions *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct eg_version *x = &l->v[i];
		const struct verify_fact *f = verify_fact_of(v, x->seq);
		if (!x->asserted || x->withdrawn || x->voided || !f ||
		    f->version != verify_version_fact(v, row->token, x))
			return false;
	}
	const struct eg_version *effective = eg_versions_effective(l);
	return effective ? row->person && verify_fact_of(v, effective->seq)->holder == row->person
	                 : !row->person;
}

static void look(void *arg, struct verify_page *page, unsigned thread, unsigned i)
{
	struct walk *w = arg;
	const struct eg_source_row *row = (const struct eg_source_row *)page->rows + i;
	struct found *f = (struct found *)page->seen + i;
	struct sum *sum = &w->sums[thread];
	unsigned n = 0;
	if (read_versions(row, page->work, &f->l, NULL))
		return;
	uint8_t(*keys)[EG_JOIN_KEY_SIZE] = keys_of(&f->l, page->work, &n);
	if (!keys)
		return;
	for (unsigned k = 0; k < n; k++)
		sum->facts += verify_alias_fact(w->v, keys[k], row->row);
	sum->n += n;
	f->good = fits(w->v, row, &f->l);
}

/* Rows of source records are never deleted, so they run from 1 without gaps. */
static enum eg_rc judge(void *arg, struct verify_page *page, unsigned i, struct eg_err *err)
{
	struct walk *w = arg;
	const struct eg_source_row *row = (const struct eg_source_row *)page->rows + i;
	const struct found *f = (const struct found *)page->seen + i;
	if (row->row != ++w->row)
		return eg_fail(err, EG_CORRUPT, "the source record of row %" PRId64 " is missing", w->row);
	eg_arena_reset(w->v->arena);
	w->v->result->sources++;
	if (!f->good)
		return check_source(w->v, row, err);
	w->v->result->versions += f->l.n;
	for (unsigned k = 0; k < f->l.n; k++)
		verify_fact_of(w->v, f->l.v[k].seq)->named = true;
	return EG_OK;
}

static enum eg_rc read_page(void *arg, struct verify_page *page, struct eg_err *err)
{
	struct walk *w = arg;
	struct eg_source_row *rows = NULL;
	enum eg_rc rc =
	        eg_list_source_rows(w->v->walk, w->read, PAGE, PAGE_BYTES, page->arena, &rows, &page->n, err);
	page->rows = rows;
	w->read = !rc && page->n ? rows[page->n - 1].row : w->read;
	verify_progress(w->v, "source records", (uint64_t)w->read, 0);
	return rc;
}

static void add_alias(void *arg, const struct eg_alias *x)
{
	struct walk *w = arg;
	w->index.n++;
	w->index.facts += verify_alias_fact(w->v, x->key, x->source);
}

/* Names the first source record that the index lacks. */
static enum eg_rc find_lacking(struct verify *v, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (int64_t at = 1; !rc; at++) {
		struct eg_source_row row;
		struct eg_versions l;
		eg_arena_reset(v->arena);
		rc = eg_get_source_by_row(v->a->conn, at, v->arena, &row, err);
		if (!rc)
			rc = read_versions(&row, v->arena, &l, err);
		if (!rc)
			rc = check_aliases(v, &row, &l, err);
	}
	return rc == EG_EMPTY ? EG_OK : rc;
}

static enum eg_rc check_index(struct walk *w, struct eg_err *err)
{
	struct sum due = {0};
	for (unsigned i = 0; i < VERIFY_THREADS; i++) {
		due.n += w->sums[i].n;
		due.facts += w->sums[i].facts;
	}
	enum eg_rc rc = eg_each_alias(w->v->walk, add_alias, w, err);
	if (rc || (due.n == w->index.n && due.facts == w->index.facts)) {
		w->v->result->aliases = w->index.n;
		return rc;
	}
	rc = find_lacking(w->v, err);
	return rc ? rc
	          : eg_fail(err, EG_CORRUPT,
	                    "the index of join keys has %" PRIu64 " rows, and %" PRIu64
	                    " follow from the claims",
	                    w->index.n, due.n);
}

enum eg_rc verify_sources(struct verify *v, struct eg_err *err)
{
	static const struct verify_pass pass = {sizeof(struct found), read_page, look, judge, NULL};
	struct walk w = {.v = v};
	enum eg_rc rc = verify_pages(&pass, &w, err);
	return rc ? rc : check_index(&w, err);
}
