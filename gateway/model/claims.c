/* claims: putting versions into the list of one source key, by binary search. Thread: one at a time per list.
 */
#include "model/claims.h"

#include "model/mutant.h"

#include <string.h>

enum { CAP_FIRST = 4 };

/* Items of the source key's body (gateway/FORMAT.md). */
enum { T_SECTION = 1, T_AGENCY = 2, T_DATASET = 3, T_VERSIONS = 4 };
enum {
	V_VERSION = 1,
	V_MAPPING_REVISION,
	V_DIGEST,
	V_SEQ,
	V_VOID_SEQ,
	V_KEY,
	V_CURRENT,
	V_PROPOSAL,
	V_WITHDRAWN
};

static int cmp(const struct eg_version *v, int64_t version, uint32_t mapping_revision)
{
	if (v->version != version)
		return v->version < version ? -1 : 1;
	if (EG_MUTANT_IS(1)) /* the mapping revision orders nothing */
		return 0;
	return (v->mapping_revision > mapping_revision) - (v->mapping_revision < mapping_revision);
}

/* Where the version stands, or would stand. */
static unsigned place(const struct eg_versions *l, int64_t version, uint32_t mapping_revision, bool *found)
{
	unsigned low = 0, high = l->n;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (cmp(&l->v[mid], version, mapping_revision) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < l->n && cmp(&l->v[low], version, mapping_revision) == 0;
	return low;
}

/* Makes room at `at`; NULL when the arena's budget is spent. */
static struct eg_version *insert(struct eg_versions *l, unsigned at, struct eg_arena *a)
{
	if (l->n == l->cap) {
		unsigned cap = l->cap ? 2 * l->cap : CAP_FIRST;
		struct eg_version *grown = eg_arena_alloc(a, cap * sizeof *grown);
		if (!grown)
			return NULL;
		if (l->n)
			memcpy(grown, l->v, l->n * sizeof *grown);
		l->v = grown;
		l->cap = cap;
	}
	memmove(&l->v[at + 1], &l->v[at], (l->n - at) * sizeof *l->v);
	l->n++;
	memset(&l->v[at], 0, sizeof l->v[at]);
	return &l->v[at];
}

static void set_content(struct eg_version *to, const struct eg_version *v)
{
	to->asserted = true;
	memcpy(to->digest, v->digest, sizeof to->digest);
	to->seq = v->seq;
	to->has_key = v->has_key;
	to->current = v->current;
	to->has_proposal = v->has_proposal && !v->has_key;
	memset(to->key, 0, sizeof to->key);
	if (v->has_key)
		memcpy(to->key, v->key, EG_JOIN_KEY_SIZE);
	else if (v->has_proposal)
		memcpy(to->key, v->key, EG_TOKEN_SIZE);
}

const struct eg_version *eg_versions_top(const struct eg_versions *l)
{
	for (unsigned i = l->n; i-- > 0;) {
		const struct eg_version *v = &l->v[i];
		if ((v->asserted || (v->withdrawn && !EG_MUTANT_IS(37))) && (!v->voided || EG_MUTANT_IS(2)))
			return v;
	}
	return NULL;
}

const struct eg_version *eg_versions_effective(const struct eg_versions *l)
{
	const struct eg_version *top = eg_versions_top(l);
	const struct eg_version *best = top && top->asserted ? top : NULL;
	if (EG_MUTANT_IS(38) && top &&
	    top->withdrawn) /* absence outweighs what is said of its own position */
		best = NULL;
	if (EG_MUTANT_IS(3)) { /* the latest to arrive, stale or not */
		for (unsigned i = 0; i < l->n; i++) {
			if (best && l->v[i].asserted && !l->v[i].voided && l->v[i].seq > best->seq)
				best = &l->v[i];
		}
	}
	return best;
}

const struct eg_version *eg_versions_find(const struct eg_versions *l, int64_t version,
                                          uint32_t mapping_revision)
{
	bool found;
	unsigned at = place(l, version, mapping_revision, &found);
	return found ? &l->v[at] : NULL;
}

/* The slot of a version, made when it is not there. */
static enum eg_put slot_of(struct eg_versions *l, const struct eg_version *v, uint32_t mapping_revision,
                           unsigned at, bool found, struct eg_arena *a)
{
	if (found)
		return EG_PUT_STALE;
	if (l->n >= EG_VERSIONS_MAX)
		return EG_PUT_FULL;
	if (!insert(l, at, a))
		return EG_PUT_FAILED;
	l->v[at].version = v->version;
	l->v[at].mapping_revision = mapping_revision;
	return EG_PUT_STALE;
}

static enum eg_put put_void(struct eg_versions *l, const struct eg_version *v, unsigned at, bool found,
                            struct eg_arena *a)
{
	if (found && l->v[at].voided)
		return EG_PUT_UNCHANGED;
	bool held = eg_versions_effective(l) != NULL;
	bool counts = found && eg_versions_top(l) == &l->v[at];
	if (!found && EG_MUTANT_IS(4)) /* a void that arrives first is forgotten */
		return EG_PUT_STALE;
	enum eg_put put = slot_of(l, v, v->mapping_revision, at, found, a);
	if (put != EG_PUT_STALE)
		return put;
	l->v[at].voided = true;
	l->v[at].void_seq = v->void_seq;
	/* What stood before comes back, or goes; where a withdrawal was voided over nothing, nothing does. */
	return counts && (held || eg_versions_effective(l)) ? EG_PUT_EFFECTIVE : EG_PUT_STALE;
}

static enum eg_put put_withdrawal(struct eg_versions *l, const struct eg_version *v, unsigned at, bool found,
                                  struct eg_arena *a)
{
	if (found && l->v[at].withdrawn)
		return EG_PUT_UNCHANGED;
	bool held = eg_versions_effective(l) != NULL;
	enum eg_put put = slot_of(l, v, 0, at, found, a);
	if (put != EG_PUT_STALE)
		return put;
	l->v[at].withdrawn = true;
	l->v[at].withdrawn_seq = v->withdrawn_seq;
	return held && !eg_versions_effective(l) ? EG_PUT_EFFECTIVE : EG_PUT_STALE;
}

static enum eg_put put_assertion(struct eg_versions *l, const struct eg_version *v, unsigned at, bool found,
                                 struct eg_arena *a)
{
	if (found && l->v[at].asserted) {
		if (memcmp(l->v[at].digest, v->digest, EG_DIGEST_SIZE) == 0)
			return EG_PUT_UNCHANGED;
		if (EG_MUTANT_IS(5)) /* the last to arrive wins a conflict */
			set_content(&l->v[at], v);
		return EG_PUT_CONFLICT;
	}
	const struct eg_version *top = eg_versions_top(l);
	if (found) { /* its void came first, or a list that lacks it */
		enum eg_put put = top == &l->v[at] ? EG_PUT_EFFECTIVE : EG_PUT_STALE;
		set_content(&l->v[at], v);
		if (EG_MUTANT_IS(6))
			l->v[at].voided = false;
		return put;
	}
	if (l->n >= EG_VERSIONS_MAX)
		return EG_PUT_FULL;

	struct eg_version content = *v; /* v may point into the list */
	enum eg_put put = EG_PUT_EFFECTIVE;
	if (top && top >= &l->v[at] && !(EG_MUTANT_IS(39) && !top->asserted)) { /* any presence lifts */
		put = EG_PUT_STALE;
	} else if (top && top->asserted && memcmp(top->digest, v->digest, EG_DIGEST_SIZE) == 0) {
		put = EG_PUT_CONFIRMED;
		if (!EG_MUTANT_IS(7))
			content.seq = top->seq;
	}
	if (!insert(l, at, a))
		return EG_PUT_FAILED;
	l->v[at].version = content.version;
	l->v[at].mapping_revision = content.mapping_revision;
	set_content(&l->v[at], &content);
	return put;
}

enum eg_put eg_versions_put(struct eg_versions *l, enum eg_op op, const struct eg_version *v,
                            struct eg_arena *a)
{
	bool found;
	unsigned at = place(l, v->version, op == EG_WITHDRAW ? 0 : v->mapping_revision, &found);
	switch (op) {
	case EG_VOID:
		return put_void(l, v, at, found, a);
	case EG_WITHDRAW:
		return put_withdrawal(l, v, at, found, a);
	case EG_ASSERT:
		break;
	}
	return put_assertion(l, v, at, found, a);
}

void eg_versions_at(const struct eg_versions *l, uint64_t seq, struct eg_versions *out)
{
	out->section = l->section;
	out->agency = l->agency;
	out->dataset = l->dataset;
	out->n = 0;
	for (unsigned i = 0; i < l->n; i++) {
		struct eg_version v = l->v[i];
		v.asserted = v.asserted && v.seq <= seq;
		v.voided = v.voided && v.void_seq <= seq;
		v.withdrawn = v.withdrawn && v.withdrawn_seq <= seq;
		if (v.asserted || v.voided || v.withdrawn)
			out->v[out->n++] = v;
	}
	out->cap = l->n;
}

bool eg_versions_moved(const struct eg_versions *l, uint64_t seq)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct eg_version *v = &l->v[i];
		if ((v->asserted && v->seq > seq) || (v->voided && v->void_seq > seq) ||
		    (v->withdrawn && v->withdrawn_seq > seq))
			return true;
	}
	return false;
}

bool eg_versions_uphold(struct eg_versions *l, const struct eg_version *v)
{
	bool found;
	unsigned at = place(l, v->version, v->mapping_revision, &found);
	if (!found || !l->v[at].asserted)
		return false;
	set_content(&l->v[at], v);
	return true;
}

void eg_versions_write(struct eg_buf *b, const struct eg_versions *l)
{
	eg_canon_int(b, T_SECTION, l->section);
	eg_canon_bytes(b, T_AGENCY, l->agency);
	eg_canon_bytes(b, T_DATASET, l->dataset);
	for (unsigned i = 0; i < l->n; i++) {
		const struct eg_version *v = &l->v[i];
		size_t at = eg_canon_open(b, T_VERSIONS);
		eg_canon_int_always(b, V_VERSION, v->version);
		eg_canon_int(b, V_MAPPING_REVISION, v->mapping_revision);
		if (v->asserted) {
			eg_canon_bytes(b, V_DIGEST, (struct eg_bytes){v->digest, EG_DIGEST_SIZE});
			eg_canon_int(b, V_SEQ, (int64_t)v->seq);
		}
		if (v->voided)
			eg_canon_int(b, V_VOID_SEQ, (int64_t)v->void_seq);
		if (v->asserted && v->has_key)
			eg_canon_bytes(b, V_KEY, (struct eg_bytes){v->key, EG_JOIN_KEY_SIZE});
		eg_canon_int(b, V_CURRENT, v->asserted && v->current);
		if (v->asserted && v->has_proposal && !v->has_key)
			eg_canon_bytes(b, V_PROPOSAL, (struct eg_bytes){v->key, EG_TOKEN_SIZE});
		if (v->withdrawn)
			eg_canon_int(b, V_WITHDRAWN, (int64_t)v->withdrawn_seq);
		eg_canon_close(b, at);
	}
}

static void take(struct eg_canon_reader *r, uint8_t *to, size_t len)
{
	if (r->value.len != len)
		r->bad = true;
	else
		memcpy(to, r->value.p, len);
}

static uint64_t take_seq(struct eg_canon_reader *r)
{
	int64_t seq = eg_canon_as_int(r);
	if (seq <= 0)
		r->bad = true;
	return (uint64_t)seq;
}

static bool read_version(struct eg_bytes text, struct eg_version *v)
{
	struct eg_canon_reader r = eg_canon_read(text);
	unsigned before = 0;
	bool has_version = false;
	int64_t i;

	while (eg_canon_next(&r)) {
		if (r.tag == before)
			r.bad = true;
		before = r.tag;
		switch (r.tag) {
		case V_VERSION:
			v->version = eg_canon_as_int(&r);
			has_version = true;
			break;
		case V_MAPPING_REVISION:
			i = eg_canon_as_int(&r);
			r.bad = r.bad || i < 1 || i > UINT32_MAX;
			v->mapping_revision = (uint32_t)i;
			break;
		case V_DIGEST:
			take(&r, v->digest, EG_DIGEST_SIZE);
			v->asserted = true;
			break;
		case V_SEQ:
			v->seq = take_seq(&r);
			break;
		case V_VOID_SEQ:
			v->void_seq = take_seq(&r);
			v->voided = true;
			break;
		case V_KEY:
			take(&r, v->key, EG_JOIN_KEY_SIZE);
			v->has_key = true;
			break;
		case V_CURRENT:
			v->current = eg_canon_as_int(&r) == 1;
			r.bad = r.bad || !v->current;
			break;
		case V_PROPOSAL:
			if (v->has_key)
				r.bad = true;
			take(&r, v->key, EG_TOKEN_SIZE);
			v->has_proposal = true;
			break;
		case V_WITHDRAWN:
			v->withdrawn_seq = take_seq(&r);
			v->withdrawn = true;
			break;
		default:
			r.bad = true;
		}
	}
	bool content = v->seq || v->has_key || v->current || v->has_proposal;
	return !r.bad && has_version && (v->asserted ? v->seq > 0 : (v->voided || v->withdrawn) && !content);
}

/* Counts the versions first, so that the list is allocated once. */
static unsigned count_versions(struct eg_bytes body)
{
	struct eg_canon_reader r = eg_canon_read(body);
	unsigned n = 0;
	while (eg_canon_next(&r))
		n += r.tag == T_VERSIONS;
	return n;
}

enum eg_rc eg_versions_read(struct eg_bytes body, struct eg_arena *a, struct eg_versions *out,
                            struct eg_err *err)
{
	struct eg_canon_reader r = eg_canon_read(body);
	unsigned n = count_versions(body), before = 0;

	*out = (struct eg_versions){0};
	if (n > EG_VERSIONS_MAX)
		return eg_fail(err, EG_CORRUPT, "a source key holds more versions than are ever kept");
	if (n > 0) {
		out->v = eg_arena_alloc(a, n * sizeof *out->v);
		if (!out->v)
			return eg_fail(err, EG_LIMIT,
			               "a source key does not fit into the memory set aside for it");
		out->cap = n;
	}
	while (eg_canon_next(&r)) {
		if (r.tag == before && r.tag != T_VERSIONS)
			r.bad = true;
		before = r.tag;
		switch (r.tag) {
		case T_SECTION: {
			int64_t s = eg_canon_as_int(&r);
			r.bad = r.bad || s < 1 || s >= EG_SECTION_END;
			out->section = (enum eg_section)s;
			break;
		}
		case T_AGENCY:
			out->agency = r.value;
			break;
		case T_DATASET:
			out->dataset = r.value;
			break;
		case T_VERSIONS: {
			struct eg_version *v = &out->v[out->n];
			if (!read_version(r.value, v) ||
			    (out->n > 0 && cmp(v - 1, v->version, v->mapping_revision) >= 0))
				r.bad = true;
			out->n++;
			break;
		}
		default:
			r.bad = true;
		}
	}
	if (r.bad || !out->section)
		return eg_fail(err, EG_CORRUPT,
		               "the stored versions of a source key are not in canonical form");
	return EG_OK;
}
