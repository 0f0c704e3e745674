/* sealed: associated data binds a body to its row, so that no body can stand in another's place. Thread: any.
 */
#include "flow/sealed.h"

#include <string.h>

#define PERSON_AAD (16 + 8 + 6)
#define CASE_AAD   (16 + 4)

static void person_aad(const uint8_t id[16], int64_t version, uint8_t out[PERSON_AAD])
{
	memcpy(out, id, 16);
	for (unsigned i = 0; i < 8; i++)
		out[16 + i] = (uint8_t)((uint64_t)version >> (56 - 8 * i));
	memcpy(out + 24, "person", 6);
}

static void case_aad(const uint8_t id[16], uint8_t out[CASE_AAD])
{
	memcpy(out, id, 16);
	memcpy(out + 16, "case", 4);
}

static enum eg_rc seal_body(struct eg_vault *v, struct eg_bytes aad, struct eg_buf *plain, struct eg_buf *out,
                            struct eg_err *err)
{
	enum eg_rc rc = plain->failed ? eg_fail(err, EG_NO_MEMORY, "a row's body could not be written")
	                              : eg_vault_seal(v, aad, eg_buf_bytes(plain), out, err);
	eg_buf_free(plain);
	return rc;
}

enum eg_rc eg_person_open(struct eg_vault *v, const struct eg_person_row *row, struct eg_arena *a,
                          struct eg_person *out, struct eg_err *err)
{
	uint8_t aad[PERSON_AAD];
	struct eg_bytes body;
	person_aad(row->id, row->version, aad);
	enum eg_rc rc = eg_vault_unseal(v, (struct eg_bytes){aad, sizeof aad}, row->body, a, &body, err);
	if (rc)
		return rc;
	rc = eg_person_read(body, a, out, err);
	if (rc == EG_OK && (memcmp(out->id, row->id, 16) != 0 || out->version != row->version))
		rc = eg_fail(err, EG_CORRUPT, "person row %lld holds another person's body",
		             (long long)row->row);
	return rc;
}

enum eg_rc eg_person_seal(struct eg_vault *v, const struct eg_person *p, struct eg_buf *out,
                          struct eg_err *err)
{
	uint8_t aad[PERSON_AAD];
	struct eg_buf plain = {0};
	person_aad(p->id, p->version, aad);
	eg_person_write(&plain, p);
	return seal_body(v, (struct eg_bytes){aad, sizeof aad}, &plain, out, err);
}

enum case_tag { C_KIND = 1, C_TOKEN, C_PERSON, C_DIGEST, C_SEQ, C_NOTE, C_DECISION, C_DECIDED_BY };

static void put_ids(struct eg_buf *b, unsigned tag, const uint8_t (*ids)[16], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		eg_canon_bytes(b, tag, (struct eg_bytes){ids[i], 16});
}

void eg_case_write(struct eg_buf *b, const struct eg_case_body *c)
{
	eg_canon_int(b, C_KIND, (int64_t)c->kind);
	put_ids(b, C_TOKEN, (const uint8_t(*)[16])c->tokens, c->n_tokens);
	put_ids(b, C_PERSON, (const uint8_t(*)[16])c->persons, c->n_persons);
	put_ids(b, C_DIGEST, (const uint8_t(*)[16])c->digests, c->n_digests);
	for (unsigned i = 0; i < c->n_seqs; i++)
		eg_canon_int(b, C_SEQ, (int64_t)c->seqs[i]);
	eg_canon_bytes(b, C_NOTE, c->note);
	eg_canon_int(b, C_DECISION, c->decision);
	eg_canon_bytes(b, C_DECIDED_BY, c->decided_by);
}

static void take_id(struct eg_canon_reader *r, uint8_t (*ids)[16], unsigned *n)
{
	if (r->value.len != 16)
		r->bad = true;
	else
		memcpy(ids[(*n)++], r->value.p, 16);
}

enum eg_rc eg_case_read(struct eg_bytes body, struct eg_arena *a, struct eg_case_body *out,
                        struct eg_err *err)
{
	unsigned counts[C_DECIDED_BY + 1] = {0};
	struct eg_canon_reader r = eg_canon_read(body);
	while (eg_canon_next(&r))
		if (r.tag <= C_DECIDED_BY)
			counts[r.tag]++;
	*out = (struct eg_case_body){0};
	out->tokens = eg_arena_alloc(a, counts[C_TOKEN] * sizeof *out->tokens);
	out->persons = eg_arena_alloc(a, counts[C_PERSON] * sizeof *out->persons);
	out->digests = eg_arena_alloc(a, counts[C_DIGEST] * sizeof *out->digests);
	out->seqs = eg_arena_alloc(a, counts[C_SEQ] * sizeof *out->seqs);
	if (!out->tokens || !out->persons || !out->digests || !out->seqs)
		return eg_fail(err, EG_LIMIT, "a case does not fit the memory given to it");

	int64_t kind = 0;
	r = eg_canon_read(body);
	while (eg_canon_next(&r) && !r.bad) {
		switch (r.tag) {
		case C_KIND:
			kind = eg_canon_as_int(&r);
			break;
		case C_TOKEN:
			take_id(&r, out->tokens, &out->n_tokens);
			break;
		case C_PERSON:
			take_id(&r, out->persons, &out->n_persons);
			break;
		case C_DIGEST:
			take_id(&r, out->digests, &out->n_digests);
			break;
		case C_SEQ:
			out->seqs[out->n_seqs++] = (uint64_t)eg_canon_as_int(&r);
			break;
		case C_NOTE:
			out->note = r.value;
			break;
		case C_DECISION:
			out->decision = (int)eg_canon_as_int(&r);
			break;
		case C_DECIDED_BY:
			out->decided_by = r.value;
			break;
		default:
			break;
		}
	}
	if (r.bad || kind < EG_CASE_VERSION_CONFLICT || kind > EG_CASE_LIST_SHRINK)
		return eg_fail(err, EG_CORRUPT, "the body of a case is not canonical");
	out->kind = (enum eg_case_kind)kind;
	return EG_OK;
}

enum eg_rc eg_case_open(struct eg_vault *v, const struct eg_case_row *row, struct eg_arena *a,
                        struct eg_case_body *out, struct eg_err *err)
{
	uint8_t aad[CASE_AAD];
	struct eg_bytes body;
	case_aad(row->id, aad);
	enum eg_rc rc = eg_vault_unseal(v, (struct eg_bytes){aad, sizeof aad}, row->body, a, &body, err);
	return rc ? rc : eg_case_read(body, a, out, err);
}

enum eg_rc eg_case_seal(struct eg_vault *v, const uint8_t id[16], const struct eg_case_body *c,
                        struct eg_buf *out, struct eg_err *err)
{
	uint8_t aad[CASE_AAD];
	struct eg_buf plain = {0};
	case_aad(id, aad);
	eg_case_write(&plain, c);
	return seal_body(v, (struct eg_bytes){aad, sizeof aad}, &plain, out, err);
}
