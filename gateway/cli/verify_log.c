/* verify_log: the entries one by one, in their order: form, commitments, tree, checkpoints, chains of
 * persons. */
#include "cli/verify.h"
#include "cli/verify_pages.h"

#include "flow/judge.h"
#include "trust/leaf.h"
#include "trust/merkle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE = 256,
	PAGE_BYTES = 8 << 20,
	TIPS = 1 << 18 /* persons whose newest entry is remembered; of others it is looked up */
};

struct tip {
	uint8_t person[16];
	uint64_t seq;
	int64_t version;
};

struct walk {
	struct verify *v;
	struct eg_merkle *tree;
	uint64_t read;      /* entries that were read */
	uint64_t seq;       /* of the last entry that was judged */
	uint64_t confirmed; /* entries up to here fit a checkpoint or a tile */
	int64_t time;
	struct tip *tips;
	/* the next stored checkpoint */
	bool more;
	uint64_t checkpoint_size;
	struct eg_buf note;
};

/* ---- the tree ---- */

/* The first entry of a range whose leaf is not the one of the stored tile; 0: the tiles don't tell. */
static uint64_t first_differing(struct walk *w, uint64_t from, uint64_t to)
{
	uint8_t hashes[EG_TILE_BYTES], leaf[EG_HASH_SIZE], hash[EG_HASH_SIZE];
	uint64_t loaded = UINT64_MAX;
	for (uint64_t seq = from; seq <= to; seq++) {
		uint64_t tile = (seq - 1) / EG_TILE_HASHES, at = (seq - 1) % EG_TILE_HASHES;
		if (tile != loaded && eg_get_tile(w->v->a->conn, eg_tile_id(0, tile), hashes, NULL) != EG_OK)
			return 0;
		loaded = tile;
		if (eg_get_leaves(w->v->a->conn, seq, 1, leaf, NULL) != EG_OK)
			return seq;
		eg_merkle_leaf_hash(leaf, hash);
		if (memcmp(hash, hashes + at * EG_HASH_SIZE, EG_HASH_SIZE) != 0)
			return seq;
	}
	return 0;
}

static enum eg_rc tile_is_full(void *arg, unsigned level, uint64_t index, const uint8_t hashes[EG_TILE_BYTES],
                               struct eg_err *err)
{
	struct walk *w = arg;
	uint8_t stored[EG_TILE_BYTES];
	enum eg_rc rc = eg_get_tile(w->v->a->conn, eg_tile_id(level, index), stored, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "tile %u/%" PRIu64 " is missing", level, index);
	if (rc)
		return rc;
	w->v->result->tiles++;
	for (unsigned i = 0; i < EG_TILE_HASHES; i++) {
		if (memcmp(stored + i * EG_HASH_SIZE, hashes + i * EG_HASH_SIZE, EG_HASH_SIZE) == 0)
			continue;
		if (level == 0)
			return verify_fail(w->v, index * EG_TILE_HASHES + i + 1, err,
			                   "its leaf is not the one in the stored tile 0/%" PRIu64, index);
		return eg_fail(err, EG_CORRUPT, "tile %u/%" PRIu64 " does not follow from the entries", level,
		               index);
	}
	return EG_OK;
}

static enum eg_rc next_checkpoint(struct walk *w, struct eg_err *err)
{
	struct eg_bytes note = {0};
	int64_t time;
	eg_arena_reset(w->v->side);
	enum eg_rc rc = eg_next_checkpoint(w->v->a->conn, w->checkpoint_size, w->v->side, &w->checkpoint_size,
	                                   &time, &note, err);
	w->more = rc == EG_OK;
	eg_buf_reset(&w->note);
	eg_buf_add(&w->note, note.p, note.len);
	return rc == EG_EMPTY ? EG_OK : rc;
}

static enum eg_rc wrong_root(struct walk *w, const char *which, struct eg_err *err)
{
	uint64_t seq = first_differing(w, w->confirmed + 1, w->seq);
	if (seq)
		return verify_fail(w->v, seq, err,
		                   "its leaf is not the one in the stored tile, and %s disagrees too", which);
	if (w->confirmed + 1 == w->seq)
		return verify_fail(w->v, w->seq, err, "with it the tree has another root than %s states",
		                   which);
	w->v->result->wrong_entry = w->confirmed + 1;
	return eg_fail(err, EG_CORRUPT,
	               "entry %" PRIu64 " or one up to %" PRIu64
	               ": with them the tree has another root than %s states",
	               w->confirmed + 1, w->seq, which);
}

/* The note's first line, when the origin was set in the daemon's configuration. */
static void own_origin(struct verify *v, const struct eg_buf *note)
{
	const uint8_t *end = note->len ? memchr(note->p, '\n', note->len) : NULL;
	size_t len = end ? (size_t)(end - note->p) : 0;
	if (v->o->vkey || !len || len >= sizeof v->origin)
		return;
	memcpy(v->origin, note->p, len);
	v->origin[len] = 0;
}

static enum eg_rc at_checkpoint(struct walk *w, struct eg_err *err)
{
	struct eg_checkpoint c;
	uint8_t root[EG_HASH_SIZE];
	char which[64];
	own_origin(w->v, &w->note);
	snprintf(which, sizeof which, "the checkpoint of size %" PRIu64, w->checkpoint_size);
	enum eg_rc rc = eg_checkpoint_verify(eg_buf_bytes(&w->note), w->v->origin, w->v->public_key, &c, err);
	if (rc == EG_CORRUPT || rc == EG_INVALID)
		return eg_fail(err, EG_CORRUPT, "%s bears no good signature of this log's key", which);
	if (rc)
		return rc;
	if (c.size != w->checkpoint_size)
		return eg_fail(err, EG_CORRUPT, "%s states another size", which);
	eg_merkle_root(w->tree, root);
	if (memcmp(root, c.root, sizeof root) != 0)
		return wrong_root(w, which, err);
	w->confirmed = w->seq;
	w->v->result->checkpoints++;
	return next_checkpoint(w, err);
}

static enum eg_rc into_tree(struct walk *w, const struct eg_log_row *row, struct eg_err *err)
{
	struct eg_err why = {0};
	const struct eg_checkpoint *kept = w->v->o->kept;
	uint8_t root[EG_HASH_SIZE];
	enum eg_rc rc = eg_merkle_append(w->tree, row->leaf, tile_is_full, w, &why);
	if (rc) {
		if (err)
			*err = why;
		return rc;
	}
	if (kept && kept->size == w->seq) {
		eg_merkle_root(w->tree, root);
		if (memcmp(root, kept->root, sizeof root) != 0)
			return wrong_root(w, "the kept checkpoint", err);
	}
	return w->more && w->checkpoint_size == w->seq ? at_checkpoint(w, err) : EG_OK;
}

/* ---- one entry ---- */

static enum eg_rc check_header(struct walk *w, const struct eg_header *h, struct eg_err *err)
{
	struct verify *v = w->v;
	if (h->seq != w->seq)
		return verify_fail(v, w->seq, err, "its header says that it is entry %" PRIu64, h->seq);
	if (h->time < w->time)
		return verify_fail(v, w->seq, err, "its time is before that of the entry before it");
	if ((h->kind == EG_ENTRY_START) != (w->seq == 1))
		return verify_fail(v, w->seq, err, "a log begins with START, and holds no other");
	if (w->seq == 1 &&
	    (h->log_id.len != 16 || memcmp(h->log_id.p, v->a->log_id, 16) != 0 || h->format != 1))
		return verify_fail(v, w->seq, err, "it is the START of another log than the store says");
	if (h->cause >= w->seq)
		return verify_fail(v, w->seq, err, "it follows from an entry behind it");
	if (h->kind == EG_ENTRY_EFFECT && !h->cause)
		return verify_fail(v, w->seq, err, "an EFFECT names the entry that it follows from");
	w->time = h->time;
	return EG_OK;
}

/* ---- by itself: any thread ---- */

struct seen {
	struct eg_entry e;
	bool has_claim;
	struct eg_claim claim;
};

/* Opens an entry and says what is wrong with it by itself. The text of an error has no number yet. */
static enum eg_rc open_entry(const struct verify *v, const struct eg_log_row *row, struct eg_arena *a,
                             struct seen *out, struct eg_err *err)
{
	uint8_t claim_c[EG_HASH_SIZE], effect_c[EG_HASH_SIZE], leaf[EG_HASH_SIZE];
	bool claim = !verify_erased(row->claim), effect = !verify_erased(row->effect);
	eg_part_c(row->claim, claim_c);
	eg_part_c(row->effect, effect_c);
	eg_leaf_data(row->header, claim_c, effect_c, leaf);
	if (memcmp(leaf, row->leaf, sizeof leaf) != 0)
		return eg_fail(err, EG_CORRUPT, "its header and commitments do not make its leaf");
	enum eg_rc rc = eg_entry_open(v->a->vault, row, claim, effect, a, &out->e, err);
	if (rc)
		return rc;
	const struct eg_header *h = &out->e.header;
	out->has_claim = claim && (h->kind == EG_ENTRY_CHANGE || h->kind == EG_ENTRY_STALE ||
	                           h->kind == EG_ENTRY_QUARANTINE);
	if (!out->has_claim)
		return EG_OK;
	if (!out->e.claim_part.len)
		return eg_fail(err, EG_CORRUPT, "it holds no claim");
	if ((rc = eg_canon_claim_read(out->e.claim_part, a, &out->claim, err)))
		return rc;
	if (!eg_bytes_equal(out->claim.agency, h->agency) || !eg_bytes_equal(out->claim.dataset, h->dataset))
		return eg_fail(err, EG_CORRUPT, "its claim is of another agency or dataset than its header");
	return EG_OK;
}

static void note_facts(const struct verify *v, const struct seen *s)
{
	const struct eg_header *h = &s->e.header;
	const struct eg_effect *e = &s->e.effect;
	struct verify_fact *f = verify_fact_of(v, h->seq);
	if (!f)
		return;
	if (s->has_claim && verify_places(h->kind)) {
		uint8_t token[EG_TOKEN_SIZE];
		eg_source_token(v->a->vault, s->claim.agency, s->claim.dataset, s->claim.source_key, token);
		f->claim = verify_claim_fact(v, token, s->e.claim_part);
		if (s->claim.op == EG_ASSERT) {
			struct eg_version x;
			eg_version_of_stored(v->a->vault, &s->claim, s->e.claim_part, &x);
			f->version = verify_version_fact(v, token, &x);
		}
	}
	if (s->e.has_effect && e->has_person) {
		f->person = verify_person_fact(v, e->person, e->version);
		if (e->has_view_digest && !e->merged)
			f->effect = verify_effect_fact(v, e->person, e->version, e->life_after,
			                               e->view_digest, h->authority_version);
	}
}

static void look(void *arg, struct verify_page *p, unsigned thread, unsigned i)
{
	(void)thread;
	struct walk *w = arg;
	const struct eg_log_row *row = (const struct eg_log_row *)p->rows + i;
	struct seen *s = (struct seen *)p->seen + i;
	/* What was not understood is opened once more, to say why. */
	if (open_entry(w->v, row, p->work, s, NULL))
		*s = (struct seen){0};
	else
		note_facts(w->v, s);
}

/* ---- chains ---- */

static struct tip *tip_of(struct walk *w, const uint8_t person[16])
{
	uint64_t at;
	memcpy(&at, person, sizeof at);
	return &w->tips[at % TIPS];
}

/* Looks the previous entry up, where it is not remembered. */
static enum eg_rc find_previous(struct walk *w, const struct eg_effect *e, struct tip *out,
                                struct eg_err *err)
{
	struct eg_entry previous;
	const struct verify_fact *f = verify_fact_of(w->v, e->previous);
	memcpy(out->person, e->person, sizeof out->person);
	out->seq = e->previous;
	out->version = e->version - 1;
	if (f && f->person == verify_person_fact(w->v, e->person, out->version))
		return EG_OK;
	enum eg_rc rc = verify_entry(w->v, e->previous, false, true, &previous, err);
	if (rc)
		return verify_blame(w->v, w->seq, rc, err);
	if (verify_erased(previous.row->effect))
		return EG_OK; /* nothing speaks against it */
	if (!previous.has_effect || !previous.effect.has_person ||
	    memcmp(previous.effect.person, e->person, sizeof e->person) != 0)
		return verify_fail(w->v, w->seq, err,
		                   "entry %" PRIu64 ", which it names as the person's last, is of another",
		                   e->previous);
	out->version = previous.effect.version;
	return EG_OK;
}

static enum eg_rc check_chain(struct walk *w, const struct eg_effect *e, struct eg_err *err)
{
	struct tip *tip = tip_of(w, e->person), found = {0};
	bool known = tip->seq && memcmp(tip->person, e->person, sizeof e->person) == 0;
	enum eg_rc rc = EG_OK;
	if (!e->event)
		return verify_fail(w->v, w->seq, err, "it raises a person's version and tells no event");
	if (e->previous >= w->seq)
		return verify_fail(w->v, w->seq, err, "the person's last entry that it names is behind it");
	if (known)
		found = *tip;
	else if (e->previous)
		rc = find_previous(w, e, &found, err);
	if (rc)
		return rc;
	if (e->previous != found.seq)
		return verify_fail(w->v, w->seq, err,
		                   "the person's last entry is %" PRIu64 ", and it names %" PRIu64, found.seq,
		                   e->previous);
	if (e->version != found.version + 1)
		return verify_fail(w->v, w->seq, err,
		                   "the person's version goes from %" PRId64 " to %" PRId64, found.version,
		                   e->version);
	memcpy(tip->person, e->person, sizeof tip->person);
	tip->seq = w->seq;
	tip->version = e->version;
	w->v->result->events++;
	return EG_OK;
}

/* Remembers that there is such a case. */
static enum eg_rc note_case(struct verify *v, const struct eg_effect *e, struct eg_err *err)
{
	if (e->event != EG_EVENT_CASE_OPENED && e->event != EG_EVENT_CASE_CLOSED)
		return EG_OK;
	if (eg_table_get(&v->cases, e->case_id))
		return EG_OK;
	v->n_cases++;
	return eg_table_put(&v->cases, v->lasting, e->case_id, v)
	               ? EG_OK
	               : eg_fail(err, EG_NO_MEMORY, "no memory for the cases");
}

/* What a decision took down must be a reject: a sender that repeats it is told so. */
static enum eg_rc note_fell(struct verify *v, const struct eg_entry *e, struct eg_err *err)
{
	uint64_t fell = 0;
	struct eg_canon_reader r = eg_canon_read(e->claim_part);
	while (eg_canon_next(&r))
		if (r.tag == EG_DECISION_FELL)
			fell = (uint64_t)eg_canon_as_int(&r);
	if (r.bad)
		return verify_fail(v, e->header.seq, err, "its decision cannot be read");
	if (!fell)
		return EG_OK;
	struct verify_fact *f = fell < e->header.seq ? verify_fact_of(v, fell) : NULL;
	if (!f)
		return verify_fail(v, e->header.seq, err,
		                   "it took down the content of an entry that is not before it");
	f->fell_untold = true;
	return EG_OK;
}

/* ---- in order ---- */

static enum eg_rc judge(void *arg, struct verify_page *p, unsigned i, struct eg_err *err)
{
	struct walk *w = arg;
	const struct eg_log_row *row = (const struct eg_log_row *)p->rows + i;
	struct seen *s = (struct seen *)p->seen + i;
	const struct eg_entry *e = &s->e;
	enum eg_rc rc;
	if (row->seq != w->seq + 1)
		return verify_fail(w->v, w->seq + 1, err, "it is missing; the next one there is %" PRIu64,
		                   row->seq);
	w->seq++;
	eg_arena_reset(w->v->arena);
	if (!e->row && (rc = open_entry(w->v, row, w->v->arena, s, err)))
		return verify_blame(w->v, w->seq, rc, err);
	w->v->result->erased_parts +=
	        (unsigned)verify_erased(row->claim) + (unsigned)verify_erased(row->effect);
	if ((rc = check_header(w, &e->header, err)) ||
	    (e->has_effect && e->effect.has_person && (rc = check_chain(w, &e->effect, err))) ||
	    (e->has_effect && e->effect.has_case && (rc = note_case(w->v, &e->effect, err))))
		return rc;
	if (e->header.kind == EG_ENTRY_DECISION && !verify_erased(row->claim) &&
	    (rc = note_fell(w->v, e, err)))
		return rc;
	w->v->quarantines += e->header.kind == EG_ENTRY_QUARANTINE;
	w->v->list_entries += e->header.kind == EG_ENTRY_LIST;
	struct verify_fact *f = verify_fact_of(w->v, w->seq);
	if (f)
		f->places = verify_places(e->header.kind) && !verify_erased(row->claim);
	w->v->result->entries++;
	return into_tree(w, row, err);
}

static enum eg_rc read_page(void *arg, struct verify_page *p, struct eg_err *err)
{
	struct walk *w = arg;
	struct eg_log_row *rows = NULL;
	enum eg_rc rc = eg_next_entries(w->v->walk, !w->read, PAGE, PAGE_BYTES, p->arena, &rows, &p->n, err);
	if (rc)
		return rc;
	p->rows = rows;
	w->read += p->n;
	verify_progress(w->v, "entries", w->read, w->v->head);
	return verify_facts_add(w->v, p->n, err);
}

/* The store could not even read the next one. */
static enum eg_rc unread(void *arg, enum eg_rc rc, struct eg_err *err)
{
	struct walk *w = arg;
	return verify_blame(w->v, w->seq + 1, rc, err);
}

static enum eg_rc walk(struct walk *w, struct eg_err *err)
{
	static const struct verify_pass pass = {sizeof(struct seen), read_page, look, judge, unread};
	enum eg_rc rc = next_checkpoint(w, err);
	if (!rc)
		rc = verify_pages(&pass, w, err);
	if (!rc && w->seq < w->v->head)
		rc = verify_fail(w->v, w->seq + 1, err, "it is missing");
	if (!rc && w->more)
		rc = verify_fail(w->v, w->seq + 1, err,
		                 "it is missing: a checkpoint states %" PRIu64 " entries",
		                 w->checkpoint_size);
	if (!rc && w->v->o->kept && w->v->o->kept->size > w->seq)
		rc = verify_fail(w->v, w->seq + 1, err,
		                 "it is missing: the kept checkpoint states %" PRIu64 " entries",
		                 w->v->o->kept->size);
	return rc;
}

enum eg_rc verify_log(struct verify *v, struct eg_err *err)
{
	struct walk w = {.v = v};
	w.tips = calloc(TIPS, sizeof *w.tips);
	enum eg_rc rc = w.tips ? eg_merkle_new(&w.tree, 0, (struct eg_tile_source){0}, err)
	                       : eg_fail(err, EG_NO_MEMORY, "no memory to verify with");
	if (!rc)
		rc = walk(&w, err);
	if (!rc)
		eg_merkle_root(w.tree, v->result->root);
	eg_merkle_free(w.tree);
	free(w.tips);
	eg_buf_free(&w.note);
	return rc;
}
