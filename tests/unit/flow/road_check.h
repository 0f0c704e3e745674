/* road_check: reads a road's whole log and tables back, and holds them against each other and against the
 * pure model.
 *
 * It shares no step with the writer: chains, leaves, tree, claims, groups, cases and views are computed here
 * again, over everything at once. */
#ifndef EG_TEST_FLOW_ROAD_CHECK_H
#define EG_TEST_FLOW_ROAD_CHECK_H

#include "road.h"
#include "trust/checkpoint.h"
#include "trust/leaf.h"
#include "trust/merkle.h"

#define CHECK_MAX 4096

struct check_source {
	uint8_t token[16];
	struct eg_versions versions; /* as stored */
	struct eg_versions replayed; /* from the log */
	int64_t row;
	int64_t person_row;
};
struct check_person {
	uint8_t id[16];
	int64_t version;
	uint64_t last_seq;
	enum eg_life life;
	bool ended, has_digest;
	uint8_t digest[16];
	unsigned n_tokens, n_cases;
	uint8_t tokens[64][16], cases[64][16];
	bool seen; /* among the rows */
};
struct check {
	struct road *r;
	unsigned n_sources, n_persons;
	struct check_source *sources;
	struct check_person *persons;
	uint8_t *leaf_hashes;
	uint64_t head;
};

static inline struct check_person *check_person_of(struct check *c, const uint8_t id[16], bool make)
{
	for (unsigned i = 0; i < c->n_persons; i++)
		if (memcmp(c->persons[i].id, id, 16) == 0)
			return &c->persons[i];
	assert_true(make && c->n_persons < CHECK_MAX);
	struct check_person *p = &c->persons[c->n_persons++];
	memcpy(p->id, id, 16);
	return p;
}

static inline void check_add(uint8_t (*list)[16], unsigned *n, const uint8_t id[16])
{
	for (unsigned i = 0; i < *n; i++)
		assert_memory_not_equal(list[i], id, 16);
	assert_true(*n < 64);
	memcpy(list[(*n)++], id, 16);
}
static inline void check_drop(uint8_t (*list)[16], unsigned *n, const uint8_t id[16])
{
	for (unsigned i = 0; i < *n; i++)
		if (memcmp(list[i], id, 16) == 0) {
			memmove(list[i], list[i + 1], (*n - i - 1) * sizeof list[0]);
			(*n)--;
			return;
		}
	fail_msg("what is taken out is not there");
}

static unsigned
        check_events[EG_EVENT_CASE_CLOSED + 1]; /* seen so far, so that a test can tell that it saw them */

/* One effect against the person's chain so far. */
static inline void check_effect(struct check *c, const struct eg_entry *e)
{
	const struct eg_effect *x = &e->effect;
	check_events[x->event]++;
	if (!x->has_person) {
		assert_int_equal(e->header.kind, EG_ENTRY_CASE);
		assert_true(x->has_case);
		return;
	}
	struct check_person *p = check_person_of(c, x->person, true);
	assert_false(p->ended);
	assert_int_equal(x->version, p->version + 1);
	assert_int_equal(x->previous, p->last_seq);
	assert_int_equal(x->life_before, p->life);
	assert_int_equal(x->event == EG_EVENT_CREATED, x->version == 1 && x->event != EG_EVENT_UNMERGED);
	assert_int_equal(x->has_other, x->event == EG_EVENT_MERGED || x->event == EG_EVENT_UNMERGED);
	assert_int_equal(x->has_case, x->event == EG_EVENT_CASE_OPENED || x->event == EG_EVENT_CASE_CLOSED);
	if (x->event == EG_EVENT_CREATED)
		assert_true(x->n_joined > 0);
	for (unsigned i = 0; i < x->n_joined; i++)
		check_add(p->tokens, &p->n_tokens, x->joined[i]);
	for (unsigned i = 0; i < x->n_left; i++)
		check_drop(p->tokens, &p->n_tokens, x->left[i]);
	if (x->event == EG_EVENT_CASE_OPENED)
		check_add(p->cases, &p->n_cases, x->case_id);
	if (x->event == EG_EVENT_CASE_CLOSED)
		check_drop(p->cases, &p->n_cases, x->case_id);
	p->version = x->version;
	p->last_seq = e->header.seq;
	p->life = x->life_after;
	p->ended = x->merged;
	p->has_digest = x->has_view_digest;
	memcpy(p->digest, x->view_digest, 16);
	if (p->ended) {
		assert_int_equal(p->n_tokens, 0);
		assert_int_equal(x->event, EG_EVENT_MERGED);
		assert_int_equal(x->life_after, x->life_before);
	}
}

static inline struct check_source *check_source_of(struct check *c, const uint8_t token[16])
{
	struct eg_err err = {0};
	struct eg_source_row row;
	for (unsigned i = 0; i < c->n_sources; i++)
		if (memcmp(c->sources[i].token, token, 16) == 0)
			return &c->sources[i];
	assert_ok(eg_get_source(c->r->reader, token, c->r->arena, &row, &err), err);
	assert_true(c->n_sources < CHECK_MAX);
	struct check_source *s = &c->sources[c->n_sources++];
	memcpy(s->token, token, 16);
	s->row = row.row;
	s->person_row = row.person;
	assert_ok(eg_versions_read(row.body, c->r->arena, &s->versions, &err), err);
	s->replayed.section = s->versions.section;
	s->replayed.agency = s->versions.agency;
	s->replayed.dataset = s->versions.dataset;
	return s;
}

/* What a version repeats does not depend on the order of replaying: a claim that has an entry is that
 * entry's, a confirmation's is what it names. */
static inline void check_set_seq(struct check_source *s, const struct eg_version *v, uint64_t seq)
{
	for (unsigned i = 0; i < s->replayed.n; i++)
		if (s->replayed.v[i].version == v->version &&
		    s->replayed.v[i].mapping_revision == v->mapping_revision)
			s->replayed.v[i].seq = seq;
}

/* A claim's entry, put into its source key's list once more. */
static inline void check_replay(struct check *c, const struct eg_entry *e)
{
	struct eg_err err = {0};
	struct eg_claim claim;
	struct eg_version v;
	uint8_t token[16];
	assert_ok(eg_canon_claim_read(e->claim_part, c->r->arena, &claim, &err), err);
	eg_source_token(c->r->vault, claim.agency, claim.dataset, claim.source_key, token);
	struct check_source *s = check_source_of(c, token);
	eg_version_of_claim(c->r->vault, &claim, &v);
	v.seq = v.void_seq = v.withdrawn_seq = e->header.seq;
	/* Confirmations of the same commit come behind, so what this put says may differ; the final list does
	 * not. */
	enum eg_put put = eg_versions_put(&s->replayed, claim.op, &v, c->r->arena);
	assert_true(put == EG_PUT_EFFECTIVE || put == EG_PUT_STALE || put == EG_PUT_CONFIRMED);
	if (claim.op == EG_ASSERT)
		check_set_seq(s, &v, v.seq);
}

/* The confirmations of an UNCHANGED entry. Each repeats an entry that the stored list names. */
static inline void check_confirmations(struct check *c, const struct eg_entry *e)
{
	struct eg_canon_reader all = eg_canon_read(e->claim_part);
	while (eg_canon_next(&all)) {
		struct eg_canon_reader one = eg_canon_read(all.value);
		struct eg_err err = {0};
		struct eg_version v = {0}, repeated;
		struct eg_claim claim;
		uint8_t token[16] = {0}, digest[16] = {0};
		bool digested = false;
		while (eg_canon_next(&one))
			switch (one.tag) {
			case 1:
				memcpy(token, one.value.p, 16);
				break;
			case 2:
				v.version = eg_canon_as_int(&one);
				break;
			case 3:
				v.mapping_revision = (uint32_t)eg_canon_as_int(&one);
				break;
			case 4:
				digested = true;
				memcpy(digest, one.value.p, 16);
				break;
			}
		assert_false(one.bad);
		struct check_source *s = check_source_of(c, token);
		const struct eg_version *stored =
		        eg_versions_find(&s->versions, v.version, v.mapping_revision);
		assert_non_null(stored);
		if (!digested) { /* absent still */
			assert_true(stored->withdrawn);
			v.withdrawn_seq = stored->withdrawn_seq;
			eg_versions_put(&s->replayed, EG_WITHDRAW, &v, c->r->arena);
			continue;
		}
		uint64_t seq = stored->seq;
		for (unsigned i = 0; i < s->replayed.n;
		     i++) /* what it stored may have been decided against since */
			if (memcmp(stored->digest, digest, 16) != 0 &&
			    memcmp(s->replayed.v[i].digest, digest, 16) == 0)
				seq = s->replayed.v[i].seq;
		struct eg_entry entry = road_entry(c->r, seq);
		assert_ok(eg_canon_claim_read(entry.claim_part, c->r->arena, &claim, &err), err);
		eg_version_of_claim(c->r->vault, &claim, &repeated);
		assert_memory_equal(repeated.digest, digest, 16);
		repeated.version = v.version;
		repeated.mapping_revision = v.mapping_revision;
		repeated.seq = seq;
		eg_versions_put(&s->replayed, EG_ASSERT, &repeated, c->r->arena);
		check_set_seq(s, &repeated, seq);
	}
	assert_false(all.bad);
}

/* A decision that upheld a content. */
static inline void check_uphold(struct check *c, const struct eg_entry *e)
{
	struct eg_canon_reader r = eg_canon_read(e->claim_part);
	struct eg_err err = {0};
	struct eg_case_body body = {0};
	uint8_t digest[16];
	bool upholds = false;
	while (eg_canon_next(&r)) {
		if (r.tag == 1)
			road_case(c->r, r.value.p, &body);
		if (r.tag == 4) {
			upholds = true;
			memcpy(digest, r.value.p, 16);
		}
	}
	assert_false(r.bad);
	for (unsigned i = 0; upholds && i < body.n_digests; i++) {
		struct eg_claim claim;
		struct eg_version v;
		if (memcmp(body.digests[i], digest, 16) != 0)
			continue;
		struct eg_entry entry = road_entry(c->r, body.seqs[i]);
		assert_ok(eg_canon_claim_read(entry.claim_part, c->r->arena, &claim, &err), err);
		eg_version_of_claim(c->r->vault, &claim, &v);
		v.seq = body.seqs[i];
		struct eg_claim sent; /* names the version of the conflict */
		entry = road_entry(c->r, body.seqs[1]);
		assert_ok(eg_canon_claim_read(entry.claim_part, c->r->arena, &sent, &err), err);
		v.version = sent.version;
		struct check_source *s = check_source_of(c, body.tokens[0]);
		const struct eg_version *stands =
		        eg_versions_find(&s->replayed, v.version, v.mapping_revision);
		assert_non_null(stands);
		if (memcmp(stands->digest, v.digest, 16) != 0)
			assert_true(eg_versions_uphold(&s->replayed, &v));
	}
}

/* Stored lists against the replayed ones, aliases against the lists. */
static inline void check_sources(struct check *c)
{
	struct eg_err err = {0};
	for (unsigned i = 0; i < c->n_sources; i++) {
		const struct check_source *s = &c->sources[i];
		struct eg_buf a = {0}, b = {0};
		eg_versions_write(&a, &s->versions);
		eg_versions_write(&b, &s->replayed);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.p, b.p, a.len);
		eg_buf_free(&a);
		eg_buf_free(&b);
	}
	for (unsigned i = 0; i < c->n_sources; i++) {
		const struct eg_versions *l = &c->sources[i].versions;
		for (unsigned k = 0; k < l->n;
		     k++) { /* every key seen: is its alias there just when it should be? */
			struct eg_alias *aliases;
			unsigned n, want = 0, got = 0;
			if (!l->v[k].has_key && !l->v[k].has_proposal)
				continue;
			for (unsigned j = 0; j < l->n && !want; j++)
				want = l->v[j].asserted && !l->v[j].voided &&
				       l->v[j].has_key == l->v[k].has_key &&
				       l->v[j].has_proposal == l->v[k].has_proposal &&
				       memcmp(l->v[j].key, l->v[k].key, 24) == 0;
			assert_ok(eg_list_aliases(c->r->reader, l->v[k].key, c->r->arena, &aliases, &n, &err),
			          err);
			for (unsigned j = 0; j < n; j++)
				got += aliases[j].source == c->sources[i].row &&
				       memcmp(aliases[j].key, l->v[k].key, 24) == 0;
			assert_int_equal(got, want);
		}
	}
}

static inline void check_log(struct check *c)
{
	int64_t time = 0;
	c->head = road_head(c->r);
	c->leaf_hashes = calloc(c->head + 1, EG_HASH_SIZE);
	for (uint64_t seq = 1; seq <= c->head; seq++) {
		struct eg_entry e = road_entry(c->r, seq);
		uint8_t c_claim[32], c_effect[32], leaf[32];
		assert_int_equal(e.header.seq, seq);
		assert_true(e.header.time >= time);
		time = e.header.time;
		assert_int_equal(e.header.kind == EG_ENTRY_START, seq == 1);
		eg_part_c(e.row->claim, c_claim);
		eg_part_c(e.row->effect, c_effect);
		eg_leaf_data(e.row->header, c_claim, c_effect, leaf);
		assert_memory_equal(leaf, e.row->leaf, 32);
		eg_merkle_leaf_hash(leaf, c->leaf_hashes + (seq - 1) * EG_HASH_SIZE);
		if (e.header.cause)
			assert_true(e.header.cause < seq);
		if (e.header.kind == EG_ENTRY_EFFECT) {
			struct eg_entry cause = road_entry(c->r, e.header.cause);
			assert_true(cause.header.kind == EG_ENTRY_CHANGE ||
			            cause.header.kind == EG_ENTRY_STALE ||
			            cause.header.kind == EG_ENTRY_QUARANTINE ||
			            cause.header.kind == EG_ENTRY_DECISION ||
			            cause.header.kind == EG_ENTRY_TIMER);
			if (cause.header.kind == EG_ENTRY_TIMER) { /* time alone opens cases, nothing else */
				assert_int_equal(e.effect.event, EG_EVENT_CASE_OPENED);
				assert_int_equal(e.effect.case_kind, EG_CASE_POLICE_LAG);
			}
			assert_int_equal(cause.header.time, e.header.time);
		}
		assert_int_equal(e.has_effect, e.header.kind == EG_ENTRY_CHANGE ||
		                                       e.header.kind == EG_ENTRY_EFFECT ||
		                                       e.header.kind == EG_ENTRY_CASE);
		if (e.has_effect)
			check_effect(c, &e);
		if (e.header.kind == EG_ENTRY_CHANGE || e.header.kind == EG_ENTRY_STALE)
			check_replay(c, &e);
		if (e.header.kind == EG_ENTRY_UNCHANGED)
			check_confirmations(c, &e);
		if (e.header.kind == EG_ENTRY_DECISION)
			check_uphold(c, &e);
	}
}

/* RFC 6962's definition, written down. */
static inline void check_root(const uint8_t *hashes, uint64_t n, uint8_t out[32])
{
	if (n == 1) {
		memcpy(out, hashes, 32);
		return;
	}
	uint64_t k = 1;
	uint8_t node[65] = {1};
	while (k * 2 < n)
		k *= 2;
	check_root(hashes, k, node + 1);
	check_root(hashes + k * 32, n - k, node + 33);
	struct eg_bytes all = {node, sizeof node};
	eg_sha256(&all, 1, out);
}

static inline enum eg_rc check_tile(void *arg, unsigned level, uint64_t index, uint8_t hashes[EG_TILE_BYTES],
                                    struct eg_err *err)
{
	return eg_get_tile(arg, eg_tile_id(level, index), hashes, err);
}
static inline enum eg_rc check_leaves(void *arg, uint64_t first, unsigned n, uint8_t *leaf_data,
                                      struct eg_err *err)
{
	return eg_get_leaves(arg, first + 1, n, leaf_data, err);
}

static inline void check_tree(struct check *c)
{
	struct eg_tile_source src = {c->r->reader, check_tile, check_leaves};
	struct eg_err err = {0};
	uint8_t want[32], got[32];
	uint64_t size;
	int64_t time;
	struct eg_bytes note;
	check_root(c->leaf_hashes, c->head, want);
	assert_ok(eg_merkle_root_at(c->head, src, got, &err), err);
	assert_memory_equal(want, got, 32);
	enum eg_rc rc = eg_get_checkpoint(c->r->reader, 0, c->r->arena, &size, &time, &note, &err);
	if (rc == EG_EMPTY)
		return;
	assert_ok(rc, err);
	struct eg_checkpoint point;
	uint8_t key[32];
	eg_vault_public(c->r->vault, key);
	assert_ok(eg_checkpoint_verify(note, eg_writer_origin(c->r->writer), key, &point, &err), err);
	assert_int_equal(point.size, size);
	check_root(c->leaf_hashes, size, want);
	assert_memory_equal(want, point.root, 32);
}

static inline int check_cmp16(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* The rows of table person against the chains; their claims against the source keys. */
/* A lag waits in its table, or is a case. */
static inline unsigned check_lag_rows(struct check *c, int64_t person)
{
	struct eg_err err = {0};
	struct eg_lag_row *rows;
	unsigned n, found = 0;
	assert_ok(eg_list_lags(c->r->reader, INT64_MAX, CHECK_MAX, c->r->arena, &rows, &n, &err), err);
	for (unsigned i = 0; i < n; i++)
		found += rows[i].person == person;
	return found;
}

static inline unsigned check_lag_cases(struct check *c, const struct eg_person *p)
{
	unsigned found = 0;
	for (unsigned i = 0; i < p->n_cases; i++) {
		struct eg_case_body b;
		road_case(c->r, p->cases[i], &b);
		found += b.kind == EG_CASE_POLICE_LAG;
	}
	return found;
}

static inline void check_persons(struct check *c)
{
	struct eg_err err = {0};
	struct eg_person_row *rows;
	unsigned n;
	int64_t after = 0;
	unsigned held_all = 0, effective_all = 0;
	do {
		assert_ok(eg_list_persons(c->r->reader, after, 100, SIZE_MAX, c->r->arena, &rows, &n, &err),
		          err);
		for (unsigned i = 0; i < n; i++) {
			struct check_person *p = check_person_of(c, rows[i].id, false);
			struct eg_person body;
			after = rows[i].row;
			assert_false(p->seen);
			p->seen = true;
			assert_int_equal(rows[i].version, p->version);
			assert_int_equal(rows[i].last_seq, p->last_seq);
			assert_ok(eg_person_open(c->r->vault, &rows[i], c->r->arena, &body, &err), err);
			assert_int_equal(body.merged, p->ended);
			assert_int_equal(body.n_held, p->n_tokens);
			qsort(p->tokens, p->n_tokens, 16, check_cmp16);
			for (unsigned k = 0; k < body.n_held; k++) {
				struct check_source *s = NULL;
				assert_memory_equal(body.held[k].token, p->tokens[k], 16);
				for (unsigned j = 0; j < c->n_sources; j++)
					if (memcmp(c->sources[j].token, body.held[k].token, 16) == 0)
						s = &c->sources[j];
				assert_non_null(s);
				const struct eg_version *e = eg_versions_effective(&s->versions);
				assert_non_null(e);
				assert_int_equal(e->seq, body.held[k].seq);
				assert_int_equal(s->person_row, rows[i].row);
				struct eg_entry entry = road_entry(c->r, e->seq);
				assert_true(eg_bytes_equal(entry.claim_part, body.held[k].canon));
			}
			held_all += body.n_held;
			if (body.merged) {
				assert_int_equal(check_lag_rows(c, rows[i].row), 0);
				continue;
			}
			assert_int_equal(body.n_cases, p->n_cases);
			qsort(p->cases, p->n_cases, 16, check_cmp16);
			qsort(body.cases, body.n_cases, 16, check_cmp16);
			for (unsigned k = 0; k < body.n_cases; k++)
				assert_memory_equal(body.cases[k], p->cases[k], 16);
			struct eg_view v;
			struct eg_buf text = {0};
			uint8_t digest[16];
			assert_ok(eg_view_build(body.held, body.n_held, NULL, c->r->arena, &v, &err), err);
			eg_view_canon(&text, &v, body.held);
			eg_vault_digest(c->r->vault, eg_buf_bytes(&text), digest);
			eg_buf_free(&text);
			assert_true(p->has_digest);
			assert_memory_equal(digest, p->digest, 16);
			assert_int_equal(v.life, p->life);
			assert_int_equal(check_lag_rows(c, rows[i].row) + check_lag_cases(c, &body),
			                 eg_life_lags(v.evidence));
		}
	} while (n);
	for (unsigned i = 0; i < c->n_persons; i++)
		assert_true(c->persons[i].seen);
	for (unsigned i = 0; i < c->n_sources; i++)
		effective_all += eg_versions_effective(&c->sources[i].versions) != NULL;
	assert_int_equal(held_all, effective_all);
}

struct check_case {
	enum eg_case_kind kind;
	unsigned n;
	uint8_t tokens[64][16];
};
static inline int check_cmp_case(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct check_case));
}

/* Open cases of the kinds that claims alone decide, from the table. */
static inline unsigned check_open_cases(struct check *c, struct check_case *out)
{
	struct eg_err err = {0};
	struct eg_case_row *rows;
	unsigned n, found = 0;
	int64_t after = 0;
	do {
		assert_ok(eg_list_cases(c->r->reader, after, 0, EG_CASE_OPEN, 100, c->r->arena, &rows, &n,
		                        &err),
		          err);
		for (unsigned i = 0; i < n; i++) {
			struct eg_case_body b;
			after = rows[i].row;
			assert_ok(eg_case_open(c->r->vault, &rows[i], c->r->arena, &b, &err), err);
			assert_int_equal(b.kind, rows[i].kind);
			if (b.kind == EG_CASE_VERSION_CONFLICT || b.kind == EG_CASE_POLICE_LAG ||
			    b.kind == EG_CASE_LIST_SHRINK)
				continue;
			out[found] = (struct check_case){.kind = b.kind};
			if (b.kind == EG_CASE_LIFE_DISPUTED) {
				out[found].n = 1;
				memcpy(out[found].tokens[0], b.persons[0], 16);
			} else {
				out[found].n = b.n_tokens;
				memcpy(out[found].tokens, b.tokens, b.n_tokens * sizeof b.tokens[0]);
			}
			found++;
		}
	} while (n);
	qsort(out, found, sizeof *out, check_cmp_case);
	return found;
}

/* Joins everything at once, and compares groups with persons and questions with open cases. */
static inline void check_groups(struct check *c, const struct eg_join_link *links, unsigned n_links)
{
	struct eg_err err = {0};
	struct eg_join_node *nodes = calloc(c->n_sources + 1, sizeof *nodes);
	int64_t *rows = calloc(c->n_sources + 1, sizeof *rows);
	struct eg_join_case *cases;
	struct check_case *want = calloc(CHECK_MAX, sizeof *want), *got = calloc(CHECK_MAX, sizeof *got);
	unsigned n = 0, n_cases, n_want = 0;
	for (unsigned i = 0; i < c->n_sources; i++) {
		const struct check_source *s = &c->sources[i];
		if (!eg_versions_effective(&s->versions))
			continue;
		memcpy(nodes[n].token, s->token, 16);
		nodes[n].section = s->versions.section;
		nodes[n].versions = &s->versions;
		rows[n++] = s->person_row;
	}
	assert_ok(eg_join(nodes, n, links, n_links, c->r->arena, &cases, &n_cases, &err), err);
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if ((nodes[i].group == nodes[j].group) != (rows[i] == rows[j]))
				fail_msg("source keys %u and %u: the model says %s", i, j,
				         nodes[i].group == nodes[j].group ? "one person" : "two persons");
	for (unsigned i = 0; i < n_cases; i++) {
		want[n_want] = (struct check_case){.kind = cases[i].kind, .n = cases[i].n};
		for (unsigned k = 0; k < cases[i].n; k++)
			memcpy(want[n_want].tokens[k], nodes[cases[i].nodes[k]].token, 16);
		n_want++;
	}
	for (unsigned i = 0; i < c->n_persons; i++) {
		if (c->persons[i].ended || c->persons[i].life != EG_LIFE_DISPUTED)
			continue;
		want[n_want] = (struct check_case){.kind = EG_CASE_LIFE_DISPUTED, .n = 1};
		memcpy(want[n_want++].tokens[0], c->persons[i].id, 16);
	}
	qsort(want, n_want, sizeof *want, check_cmp_case);
	unsigned n_got = check_open_cases(c, got);
	assert_int_equal(n_got, n_want);
	assert_memory_equal(got, want, n_got * sizeof *got);
	free(nodes);
	free(rows);
	free(want);
	free(got);
}

static inline void road_check(struct road *r)
{
	struct check c = {.r = r};
	struct eg_err err = {0};
	struct eg_join_link *links = calloc(CHECK_MAX, sizeof *links);
	unsigned n_links = 0;
	c.sources = calloc(CHECK_MAX, sizeof *c.sources);
	c.persons = calloc(CHECK_MAX, sizeof *c.persons);
	eg_arena_reset(r->arena);
	check_log(&c);
	check_tree(&c);
	check_sources(&c);
	check_persons(&c);
	for (unsigned i = 0; i < c.n_sources; i++) {
		struct eg_link_row *rows;
		unsigned n;
		assert_ok(eg_list_links(r->reader, c.sources[i].token, r->arena, &rows, &n, &err), err);
		for (unsigned k = 0; k < n; k++) {
			struct eg_join_link l = {.kind = (enum eg_link_kind)rows[k].kind};
			memcpy(l.a, rows[k].a, 16);
			memcpy(l.b, rows[k].b, 16);
			if (memcmp(l.a, c.sources[i].token, 16) == 0)
				links[n_links++] = l;
		}
	}
	check_groups(&c, links, n_links);
	free(links);
	free(c.sources);
	free(c.persons);
	free(c.leaf_hashes);
}

#endif
