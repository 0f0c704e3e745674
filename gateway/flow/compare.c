/* compare: see compare.h. */
#include "flow/compare.h"

#include "base/fault.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1024, PAGE_MEMORY = 64 << 20, SIDE_MEMORY = 16 << 20, PROGRESS_ROWS = 2048 };
/* Versions that the rows of one key may add to its list while they are classified. */
enum { EXTRA = 16 };

struct comparing {
	const struct eg_compare_options *o;
	const struct eg_compare_sink *sink;
	struct eg_list_counts *counts;
	struct eg_arena *page, *side;
	struct eg_spool_row row; /* the next one */
	bool has;
	uint64_t rows, told;
	bool reading; /* a read transaction is open */
};

/* One key as the pinned entry left it. */
struct key {
	const uint8_t *token;
	bool known;  /* to the store */
	bool copied; /* then.v is its own */
	struct eg_versions then;
};

/* What is read of the store one by one shares short read transactions: one for each would cost more than the
 * reading. None is open while the sink works, for that may wait for the writer. */
static enum eg_rc begin_reading(struct comparing *c, struct eg_err *err)
{
	if (c->reading && eg_read_expired(c->o->conn)) {
		eg_read_end(c->o->conn);
		c->reading = false;
	}
	enum eg_rc rc = c->reading ? EG_OK : eg_read_begin(c->o->conn, err);
	c->reading = rc == EG_OK;
	return rc;
}

static void end_reading(struct comparing *c)
{
	if (c->reading)
		eg_read_end(c->o->conn);
	c->reading = false;
}

static enum eg_rc tell_progress(struct comparing *c, struct eg_err *err)
{
	end_reading(c);
	return c->sink->progress(c->sink->arg, c->rows, err);
}

static enum eg_rc next_row(struct comparing *c, struct eg_err *err)
{
	enum eg_rc rc = eg_spool_next(c->o->spool, &c->row, err);
	c->has = rc == EG_OK;
	if (rc == EG_EMPTY)
		return c->rows == c->o->list->rows
		               ? EG_OK
		               : eg_fail(err, EG_CORRUPT, "the spool of a list lacks some of its rows");
	if (rc)
		return rc;
	c->rows++;
	if (c->rows - c->told < PROGRESS_ROWS)
		return EG_OK;
	eg_kill_point("list.comparing");
	c->told = c->rows;
	return tell_progress(c, err);
}

static enum eg_rc give(struct comparing *c, const struct key *k, int64_t version, enum eg_row_class class,
                       bool write, struct eg_err *err)
{
	struct eg_list_counts *n = c->counts;
	switch (class) {
	case EG_ROW_UNCHANGED:
		n->unchanged++;
		break;
	case EG_ROW_CHANGED:
		n->changed++;
		break;
	case EG_ROW_ADDED:
		n->added++;
		break;
	case EG_ROW_STALE:
		n->stale++;
		break;
	case EG_ROW_REJECTED:
		n->rejected++;
		n->unsaid += k->known;
		break;
	}
	if (!write)
		return EG_OK;
	end_reading(c);
	return c->sink->row(c->sink->arg, &c->row, version, class, err);
}

/* The version under which the row speaks. One from before the key's withdrawal by an older list is stated
 * again at this list's position: the source has the key, whatever the older list lacked. */
static int64_t version_of(const struct comparing *c, const struct key *k)
{
	const struct eg_version *v = &c->row.version;
	int64_t as_of = c->o->list->as_of;
	for (unsigned i = k->then.n; i-- > 0;) {
		const struct eg_version *x = &k->then.v[i];
		if (x->voided)
			continue;
		if (x->asserted)
			break;
		if (x->withdrawn && x->version <= as_of && v->version < x->version)
			return as_of;
	}
	return v->version;
}

/* Room to put the rows into: the list read from the store stays as it is. */
static enum eg_rc own_copy(struct comparing *c, struct key *k, struct eg_err *err)
{
	if (k->copied)
		return EG_OK;
	struct eg_version *v = eg_arena_alloc(c->side, (k->then.n + EXTRA) * sizeof *v);
	if (!v)
		return eg_fail(err, EG_LIMIT, "a source key does not fit the memory to compare it");
	if (k->then.n)
		memcpy(v, k->then.v, k->then.n * sizeof *v);
	k->then.v = v;
	k->then.cap = k->then.n + EXTRA;
	k->copied = true;
	return EG_OK;
}

static struct eg_list_ask ask_lists(const struct comparing *c)
{
	return (struct eg_list_ask){.listed = c->o->listed,
	                            .dir = c->o->dir,
	                            .vault = c->o->vault,
	                            .conn = c->o->conn,
	                            .arena = c->side,
	                            .before = c->o->list->pinned};
}

/* What an applied list said of the key without writing it down. */
static enum eg_rc confirm(struct comparing *c, struct key *k, int64_t version, struct eg_err *err)
{
	const struct eg_list_ask ask = ask_lists(c);
	struct eg_version said;
	enum eg_op op;
	if (!c->o->listed->n || !k->then.n)
		return EG_OK;
	enum eg_rc rc = eg_list_said(&ask, &k->then, k->token, version, &op, &said, err);
	if (rc == EG_OK && op && !eg_versions_find(&k->then, said.version, said.mapping_revision))
		eg_versions_put(&k->then, op, &said, c->side);
	return rc;
}

static enum eg_rc compare_row(struct comparing *c, struct key *k, struct eg_err *err)
{
	const struct eg_spool_row *r = &c->row;
	const struct eg_version *e = eg_versions_effective(&k->then);
	if (r->faulty)
		return give(c, k, r->version.version, EG_ROW_REJECTED, true, err);
	struct eg_version v = r->version;
	v.version = version_of(c, k);
	bool known = e && (v.version < e->version ||
	                   (v.version == e->version && v.mapping_revision <= e->mapping_revision));
	/* A list without versions of its own confirms what it holds by itself (listed.h). */
	if (e && memcmp(e->digest, v.digest, sizeof v.digest) == 0 && (known || c->o->list->versionless))
		return give(c, k, v.version, EG_ROW_UNCHANGED, false, err);
	enum eg_rc rc = own_copy(c, k, err);
	if (rc == EG_OK)
		rc = confirm(c, k, v.version, err);
	if (rc)
		return rc;
	bool held = eg_versions_effective(&k->then) != NULL;
	v.seq = c->o->list->pinned + 1;
	switch (eg_versions_put(&k->then, EG_ASSERT, &v, c->side)) {
	case EG_PUT_EFFECTIVE:
		return give(c, k, v.version, held ? EG_ROW_CHANGED : EG_ROW_ADDED, true, err);
	case EG_PUT_STALE:
		return give(c, k, v.version, EG_ROW_STALE, true, err);
	case EG_PUT_UNCHANGED:
		return give(c, k, v.version, EG_ROW_UNCHANGED, false, err);
	case EG_PUT_CONFIRMED:
		return give(c, k, v.version, EG_ROW_UNCHANGED, true, err);
	case EG_PUT_CONFLICT:
	case EG_PUT_FULL:
		return give(c, k, v.version, EG_ROW_REJECTED, true, err);
	case EG_PUT_FAILED:
		break;
	}
	return eg_fail(err, EG_LIMIT, "a source key does not fit the memory to compare it");
}

/* Does the list cover the key by what stood of it? A row of the same content says so without the log. */
static enum eg_rc covered(struct comparing *c, const struct eg_version *e, const struct eg_spool_row *row,
                          bool *yes, struct eg_err *err)
{
	const struct eg_list_info *l = c->o->list;
	struct eg_claim claim;
	enum eg_rc rc;
	*yes = true;
	if (!l->n_regions)
		return EG_OK;
	if (row && !row->faulty && memcmp(row->version.digest, e->digest, sizeof e->digest) == 0)
		rc = eg_canon_claim_read(row->canon, c->side, &claim, err);
	else if (!(rc = begin_reading(c, err)))
		rc = eg_list_claim(c->o->vault, c->o->conn, e->seq, c->side, &claim, err);
	*yes = rc == EG_OK && eg_list_covers(l, &claim);
	return rc;
}

/* Has a list of this position or a later one shown that the source holds the key? */
static enum eg_rc shown(struct comparing *c, struct key *k, bool *yes, struct eg_err *err)
{
	const struct eg_list_info *l = c->o->list;
	const struct eg_list_ask ask = ask_lists(c);
	*yes = false;
	if (!c->o->listed->n)
		return EG_OK;
	enum eg_rc rc = eg_list_showed(&ask, &k->then, k->token, l->as_of, yes, err);
	if (rc == EG_OK && !*yes)
		rc = own_copy(c, k, err);
	if (rc == EG_OK && !*yes)
		rc = confirm(c, k, l->as_of > INT64_MIN ? l->as_of - 1 : l->as_of, err);
	if (rc == EG_OK && !*yes)
		*yes = eg_versions_effective(&k->then)->version >= l->as_of;
	return rc;
}

/* A key that stood and has no row. */
static enum eg_rc lacks(struct comparing *c, struct key *k, struct eg_err *err)
{
	const struct eg_list_info *l = c->o->list;
	const struct eg_version *e = eg_versions_effective(&k->then);
	bool moved = eg_versions_moved(&k->then, eg_list_since(l)), yes = false;
	enum eg_rc rc = covered(c, e, NULL, &yes, err);
	if (rc || !yes)
		return rc;
	c->counts->covered++;
	yes = e->version >= l->as_of;
	if (!yes)
		rc = shown(c, k, &yes, err);
	if (rc || yes)
		return rc;
	c->counts->missing++;
	end_reading(c);
	return c->sink->missing(c->sink->arg, k->token, moved, err);
}

/* All rows of one key. stored: NULL: the store does not know it. */
static enum eg_rc compare_key(struct comparing *c, const uint8_t token[EG_TOKEN_SIZE],
                              const struct eg_versions *stored, struct eg_err *err)
{
	struct key k = {.token = token, .known = stored != NULL};
	bool listed = c->has && memcmp(c->row.token, token, EG_TOKEN_SIZE) == 0, covers = false;
	enum eg_rc rc = EG_OK;
	if (stored && eg_versions_moved(stored, c->o->list->pinned)) {
		k.then = *stored;
		if ((rc = own_copy(c, &k, err)))
			return rc;
		eg_versions_at(stored, c->o->list->pinned, &k.then);
		k.then.cap = stored->n + EXTRA;
	} else if (stored) {
		k.then = *stored;
	}
	const struct eg_version *e = eg_versions_effective(&k.then);
	if (!listed)
		rc = e ? lacks(c, &k, err) : EG_OK;
	else if (e)
		rc = covered(c, e, &c->row, &covers, err);
	c->counts->covered += covers;
	while (listed && rc == EG_OK) {
		rc = compare_row(c, &k, err);
		if (rc == EG_OK)
			rc = next_row(c, err);
		listed = c->has && memcmp(c->row.token, token, EG_TOKEN_SIZE) == 0;
	}
	if (eg_arena_used(c->side))
		eg_arena_reset(c->side);
	return rc;
}

/* Rows of keys that the store does not know, up to a token (NULL: all that are left). */
static enum eg_rc unknown_keys(struct comparing *c, const uint8_t *until, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	while (c->has && rc == EG_OK && (!until || memcmp(c->row.token, until, EG_TOKEN_SIZE) < 0)) {
		uint8_t token[EG_TOKEN_SIZE];
		memcpy(token, c->row.token, sizeof token);
		rc = compare_key(c, token, NULL, err);
	}
	return rc;
}

static enum eg_rc read_page(struct comparing *c, const uint8_t *after, struct eg_source_row *rows,
                            unsigned *n, struct eg_err *err)
{
	eg_arena_reset(c->page);
	enum eg_rc rc = begin_reading(c, err);
	if (rc == EG_OK)
		rc = eg_list_sources(c->o->conn, after, PAGE, c->page, rows, n, err);
	if (!c->o->list->n_regions) /* its keys are covered, whatever they say */
		end_reading(c);
	return rc;
}

static enum eg_rc compare_all(struct comparing *c, struct eg_source_row *rows, struct eg_err *err)
{
	const struct eg_list_info *l = c->o->list;
	struct eg_bytes agency = eg_bytes_of(l->agency), dataset = eg_bytes_of(l->dataset);
	uint8_t after[EG_TOKEN_SIZE];
	unsigned n = 1;
	enum eg_rc rc = eg_spool_rewind(c->o->spool, err);
	if (rc == EG_OK)
		rc = next_row(c, err);
	for (bool first = true; n && rc == EG_OK; first = false) {
		rc = read_page(c, first ? NULL : after, rows, &n, err);
		for (unsigned i = 0; i < n && rc == EG_OK; i++) {
			struct eg_versions v;
			memcpy(after, rows[i].token, sizeof after);
			rc = eg_versions_read(rows[i].body, c->page, &v, err);
			if (rc || !eg_bytes_equal(v.dataset, dataset) || !eg_bytes_equal(v.agency, agency))
				continue;
			rc = unknown_keys(c, rows[i].token, err);
			if (rc == EG_OK)
				rc = compare_key(c, rows[i].token, &v, err);
		}
		if (rc == EG_OK)
			rc = tell_progress(c, err);
	}
	if (rc == EG_OK)
		rc = unknown_keys(c, NULL, err);
	return rc ? rc : tell_progress(c, err);
}

enum eg_rc eg_compare(const struct eg_compare_options *o, const struct eg_compare_sink *sink,
                      struct eg_list_counts *counts, struct eg_err *err)
{
	struct comparing c = {.o = o, .sink = sink, .counts = counts};
	*counts = (struct eg_list_counts){0};
	c.page = eg_arena_new(PAGE_MEMORY);
	c.side = eg_arena_new(SIDE_MEMORY);
	struct eg_source_row *rows = calloc(PAGE, sizeof *rows);
	enum eg_rc rc = EG_OK;
	if (!c.page || !c.side || !rows)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory to compare a list");
	else
		rc = eg_arena_why(c.side, eg_arena_why(c.page, compare_all(&c, rows, err), err), err);
	end_reading(&c);
	free(rows);
	eg_arena_free(c.page);
	eg_arena_free(c.side);
	return rc;
}
