/* person: the stored body of a person. Thread: any. */
#include "model/person.h"

#include <string.h>

enum { ID_SIZE = 16 };

/* Items of the body (gateway/FORMAT.md). */
enum { T_ID = 1, T_VERSION = 2, T_MERGED_INTO = 3, T_HELD = 10, T_CASE = 11 };
enum { H_TOKEN = 1, H_SEQ, H_CLAIM };

void eg_person_write(struct eg_buf *b, const struct eg_person *p)
{
	eg_canon_bytes(b, T_ID, (struct eg_bytes){p->id, ID_SIZE});
	eg_canon_int(b, T_VERSION, p->version);
	if (p->merged)
		eg_canon_bytes(b, T_MERGED_INTO, (struct eg_bytes){p->merged_into, ID_SIZE});
	for (unsigned i = 0; i < p->n_held; i++) {
		const struct eg_held *h = &p->held[i];
		size_t at = eg_canon_open(b, T_HELD);
		eg_canon_bytes(b, H_TOKEN, (struct eg_bytes){h->token, EG_TOKEN_SIZE});
		eg_canon_int(b, H_SEQ, (int64_t)h->seq);
		if (h->canon.len > 0) {
			eg_canon_bytes(b, H_CLAIM, h->canon);
		} else {
			size_t claim = eg_canon_open(b, H_CLAIM);
			eg_canon_claim(b, &h->claim);
			eg_canon_close(b, claim);
		}
		eg_canon_close(b, at);
	}
	for (unsigned i = 0; i < p->n_cases; i++)
		eg_canon_bytes(b, T_CASE, (struct eg_bytes){p->cases[i], ID_SIZE});
}

static bool take(struct eg_canon_reader *r, uint8_t *to, size_t len)
{
	if (r->value.len != len) {
		r->bad = true;
		return false;
	}
	memcpy(to, r->value.p, len);
	return true;
}

static enum eg_rc corrupt(struct eg_err *err)
{
	return eg_fail(err, EG_CORRUPT, "a stored person is not in canonical form");
}

static enum eg_rc read_held(struct eg_bytes text, struct eg_arena *a, struct eg_held *h, struct eg_err *err)
{
	struct eg_canon_reader r = eg_canon_read(text);
	unsigned before = 0;
	bool has_token = false;

	while (eg_canon_next(&r)) {
		if (r.tag == before)
			r.bad = true;
		before = r.tag;
		switch (r.tag) {
		case H_TOKEN:
			has_token = take(&r, h->token, EG_TOKEN_SIZE);
			break;
		case H_SEQ:
			h->seq = (uint64_t)eg_canon_as_int(&r);
			break;
		case H_CLAIM:
			h->canon = r.value;
			break;
		default:
			r.bad = true;
		}
	}
	if (r.bad || !has_token || h->seq == 0 || h->seq > INT64_MAX || h->canon.len == 0)
		return corrupt(err);
	return eg_canon_claim_read(h->canon, a, &h->claim, err);
}

/* Counts first, so that each list is allocated once. */
static bool allocate(struct eg_bytes body, struct eg_arena *a, struct eg_person *out)
{
	struct eg_canon_reader r = eg_canon_read(body);
	size_t held = 0, cases = 0;
	while (eg_canon_next(&r)) {
		held += r.tag == T_HELD;
		cases += r.tag == T_CASE;
	}
	out->held = eg_arena_alloc(a, held * sizeof *out->held);
	out->cases = eg_arena_alloc(a, cases * sizeof *out->cases);
	return out->held && out->cases;
}

enum eg_rc eg_person_read(struct eg_bytes body, struct eg_arena *a, struct eg_person *out, struct eg_err *err)
{
	struct eg_canon_reader r = eg_canon_read(body);
	enum eg_rc rc = EG_OK;
	unsigned before = 0;
	bool has_id = false;

	*out = (struct eg_person){0};
	if (!allocate(body, a, out))
		return eg_fail(err, EG_LIMIT, "a person does not fit into the memory set aside for it");
	while (rc == EG_OK && eg_canon_next(&r)) {
		if (r.tag == before && r.tag != T_HELD && r.tag != T_CASE)
			r.bad = true;
		before = r.tag;
		switch (r.tag) {
		case T_ID:
			has_id = take(&r, out->id, ID_SIZE);
			break;
		case T_VERSION:
			out->version = eg_canon_as_int(&r);
			break;
		case T_MERGED_INTO:
			out->merged = take(&r, out->merged_into, ID_SIZE);
			break;
		case T_HELD: {
			struct eg_held *h = &out->held[out->n_held];
			rc = read_held(r.value, a, h, err);
			if (out->n_held++ > 0 && memcmp(h[-1].token, h->token, EG_TOKEN_SIZE) >= 0)
				r.bad = true;
			break;
		}
		case T_CASE:
			take(&r, out->cases[out->n_cases++], ID_SIZE);
			break;
		default:
			r.bad = true;
		}
	}
	if (rc != EG_OK)
		return rc;
	return r.bad || !has_id || out->version < 1 ? corrupt(err) : EG_OK;
}
