/* judge: a record with an error is judged to its end too: what could be read of it is kept for whoever
 * corrects it.
 *
 * Thread: any. */
#include "flow/judge.h"

#include "flow/entry.h"

#include <string.h>

void eg_source_token(const struct eg_vault *v, struct eg_bytes agency, struct eg_bytes dataset,
                     struct eg_bytes key, uint8_t token[EG_TOKEN_SIZE])
{
	const struct eg_bytes values[] = {agency, dataset, key};
	eg_vault_token(v, "source-key", values, 3, token, EG_TOKEN_SIZE);
}

void eg_id18_token(const struct eg_vault *v, const char *id18, uint8_t token[EG_TOKEN_SIZE])
{
	struct eg_bytes value = eg_bytes_of(id18);
	eg_vault_token(v, "id18", &value, 1, token, EG_TOKEN_SIZE);
}

bool eg_join_key(const struct eg_vault *v, const struct eg_identity *id, uint8_t key[EG_JOIN_KEY_SIZE])
{
	if (!id->has_id18)
		return false;
	struct eg_bytes name = eg_bytes_of(id->name);
	eg_id18_token(v, id->id18, key);
	eg_vault_token(v, "name", &name, 1, key + EG_TOKEN_SIZE, EG_JOIN_KEY_SIZE - EG_TOKEN_SIZE);
	return true;
}

static void digest_of(const struct eg_vault *v, const struct eg_claim *c, struct eg_buf *scratch,
                      uint8_t digest[EG_DIGEST_SIZE])
{
	eg_buf_reset(scratch);
	eg_canon_assertion(scratch, c);
	eg_vault_digest(v, eg_buf_bytes(scratch), digest);
}

static void identity_into(const struct eg_vault *v, const struct eg_claim *c, struct eg_version *out)
{
	struct eg_identity id;
	eg_identity_of(c, &id);
	out->current = id.current;
	out->has_key = eg_join_key(v, &id, out->key);
	out->has_proposal = !out->has_key && id.derived && id.id18[0];
	if (out->has_proposal)
		eg_id18_token(v, id.id18, out->key);
	explicit_bzero(&id, sizeof id);
}

void eg_version_of_claim(const struct eg_vault *v, const struct eg_claim *c, struct eg_version *out)
{
	struct eg_buf scratch = {0};
	*out = (struct eg_version){
	        .version = c->version, .mapping_revision = c->mapping_revision, .asserted = true};
	digest_of(v, c, &scratch, out->digest);
	identity_into(v, c, out);
	eg_buf_free(&scratch);
}

void eg_version_of_stored(const struct eg_vault *v, const struct eg_claim *c, struct eg_bytes canon,
                          struct eg_version *out)
{
	struct eg_bytes assertion[EG_CANON_PIECES];
	*out = (struct eg_version){
	        .version = c->version, .mapping_revision = c->mapping_revision, .asserted = true};
	eg_canon_assertion_pieces(canon, assertion);
	eg_vault_digest_pieces(v, assertion, EG_CANON_PIECES, out->digest);
	identity_into(v, c, out);
}

/* Can the canonical form hold this value, behind the one before it? */
static bool storable(const struct eg_claim *c, const struct eg_value *v, unsigned last)
{
	const struct eg_field_def *def = eg_field_by_number(c->section, v->number);
	return def && v->number > last && eg_utf8_valid(v->text);
}

/* Leaves out of a faulty record what cannot be stored; the reasons tell of it. A copy: the edge's values
 * stay. */
static enum eg_rc keep_storable(struct eg_claim *c, struct eg_arena *a, struct eg_err *err)
{
	unsigned last = 0, n = 0;
	struct eg_value *values = eg_arena_alloc(a, c->n * sizeof *values);
	if (!values)
		return eg_fail(err, EG_LIMIT, "the batch does not fit the memory given to it");
	if (!eg_utf8_valid(c->source_key))
		c->source_key = (struct eg_bytes){0};
	for (unsigned i = 0; i < c->n; i++) {
		if (!storable(c, &c->values[i], last))
			continue;
		values[n] = c->values[i];
		last = values[n++].number;
	}
	c->values = values;
	c->n = n;
	return EG_OK;
}

static void grade_all(struct eg_item *item, int64_t now_us)
{
	struct eg_reasons told;
	if (item->malformed)
		return;
	if (!item->reasons.n) {
		eg_grade(&item->claim, now_us, &item->reasons);
		return;
	}
	told = item->reasons; /* by the edge, of what it read */
	eg_grade(&item->claim, now_us, &item->reasons);
	for (unsigned i = 0; i < told.n; i++)
		eg_reasons_add(&item->reasons, told.v[i].code, told.v[i].field);
}

static void grade(struct eg_item *item, const struct eg_dataset_rule *dataset, int64_t now_us)
{
	struct eg_claim *c = &item->claim;
	bool mismatch = c->section && c->section != dataset->section;
	if (!c->section && c->op == EG_VOID)
		c->section = dataset->section; /* a void names a version and has no section of its own */
	grade_all(item, now_us);
	if (item->malformed && !eg_reasons_quarantine(&item->reasons))
		eg_reasons_add(&item->reasons, EG_REASON_MALFORMED_RECORD, "");
	if (mismatch)
		eg_reasons_add(&item->reasons, EG_REASON_SECTION_MISMATCH, "section");
}

/* A record whose key is missing gets the token of its content, so that many of them do not pass for one. */
static void token_of(const struct eg_vault *v, const struct eg_item *item, uint8_t token[EG_TOKEN_SIZE])
{
	struct eg_bytes key = item->claim.source_key;
	if (!key.len)
		key = (struct eg_bytes){item->version.digest, EG_DIGEST_SIZE};
	eg_source_token(v, item->claim.agency, item->claim.dataset, key, token);
}

/* Appends the claim's canonical bytes; the digest is of those pieces of them that are its assertion. */
static void write_and_digest(const struct eg_vault *v, const struct eg_claim *c, struct eg_buf *canon,
                             uint8_t digest[EG_DIGEST_SIZE])
{
	struct eg_canon_piece at[EG_CANON_PIECES];
	struct eg_bytes pieces[EG_CANON_PIECES];
	eg_canon_claim_pieces(canon, c, at);
	for (unsigned i = 0; i < EG_CANON_PIECES; i++)
		pieces[i] = canon->failed ? (struct eg_bytes){0}
		                          : (struct eg_bytes){canon->p + at[i].at, at[i].len};
	eg_vault_digest_pieces(v, pieces, EG_CANON_PIECES, digest);
}

void eg_judge_identity(const struct eg_vault *v, struct eg_item *item)
{
	if (item->version.asserted)
		identity_into(v, &item->claim, &item->version);
}

enum eg_rc eg_judge_item(const struct eg_vault *v, struct eg_ticket *t, struct eg_item *item, int64_t now_us,
                         size_t max_record_bytes, struct eg_buf *canon, struct eg_err *err)
{
	struct eg_claim *c = &item->claim;
	struct eg_version *version = &item->version;
	const struct eg_dataset_rule *dataset = t->submission.dataset;
	enum eg_rc rc = EG_OK;

	c->agency = eg_bytes_of(t->who->name);
	c->dataset = eg_bytes_of(dataset->name);
	grade(item, dataset, now_us);
	bool faulty = eg_reasons_quarantine(&item->reasons);
	if (faulty) { /* the canonical form has no place for an unknown section or operation */
		if (!*eg_section_name(c->section))
			c->section = dataset->section;
		if (c->op != EG_VOID)
			c->op = EG_ASSERT;
	}
	if (c->op == EG_VOID)
		c->n = 0; /* ignored, as the reasons told */
	if (item->reasons.n)
		rc = keep_storable(c, t->arena, err);
	if (rc)
		return rc;

	size_t start = canon->len;
	*version = (struct eg_version){.version = c->version, .mapping_revision = c->mapping_revision};
	version->asserted = !faulty && c->op == EG_ASSERT;
	write_and_digest(v, c, canon, version->digest);
	token_of(v, item, item->token);
	if (!canon->failed && canon->len - start > max_record_bytes) {
		eg_reasons_add(&item->reasons, EG_REASON_RECORD_TOO_LARGE, "");
		faulty = true;
		canon->len = start;
		c->n = 0; /* its key and version are enough to find it again */
		if (c->source_key.len > max_record_bytes / 2)
			c->source_key = (struct eg_bytes){0};
		eg_canon_claim(canon, c);
	}
	if (canon->failed)
		return eg_fail(err, EG_NO_MEMORY, "a record's canonical bytes could not be written");
	item->canon = (struct eg_bytes){NULL, canon->len - start};
	item->sealed_kind = faulty ? EG_ENTRY_QUARANTINE : EG_ENTRY_CHANGE;
	return EG_OK;
}

enum eg_rc eg_judge_seal(struct eg_vault *v, struct eg_item *item, struct eg_arena *a, struct eg_err *err)
{
	struct eg_buf sealed = {0};
	uint8_t c[EG_HASH_SIZE];
	eg_random(item->entry_id, sizeof item->entry_id);
	enum eg_rc rc = eg_vault_seal_part(v, item->entry_id, item->sealed_kind, "claim", item->canon, c,
	                                   &sealed, err);
	if (rc == EG_OK && sealed.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "a claim could not be sealed");
	if (rc == EG_OK) {
		item->sealed = (struct eg_bytes){eg_arena_copy(a, sealed.p, sealed.len), sealed.len};
		if (!item->sealed.p)
			rc = eg_fail(err, EG_LIMIT, "a batch does not fit the memory given to it");
	}
	eg_buf_free(&sealed);
	return rc;
}

enum eg_rc eg_judge_withdrawal(struct eg_vault *v, const struct eg_claim *held,
                               const uint8_t token[EG_TOKEN_SIZE], int64_t position, uint64_t pinned,
                               struct eg_arena *a, struct eg_item *item, struct eg_err *err)
{
	struct eg_buf canon = {0};
	enum eg_rc rc = EG_OK;
	*item = (struct eg_item){.pinned = pinned, .sealed_kind = EG_ENTRY_CHANGE};
	item->claim = (struct eg_claim){.agency = held->agency,
	                                .dataset = held->dataset,
	                                .source_key = held->source_key,
	                                .section = held->section,
	                                .version = position,
	                                .op = EG_WITHDRAW};
	item->version.version = position;
	memcpy(item->token, token, sizeof item->token);
	eg_canon_claim(&canon, &item->claim);
	if (canon.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "a withdrawal could not be written");
	if (rc == EG_OK) {
		item->canon = (struct eg_bytes){eg_arena_copy(a, canon.p, canon.len), canon.len};
		if (!item->canon.p)
			rc = eg_fail(err, EG_LIMIT, "a batch does not fit the memory given to it");
	}
	eg_buf_free(&canon);
	return rc ? rc : eg_judge_seal(v, item, a, err);
}
