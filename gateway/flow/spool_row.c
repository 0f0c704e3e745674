/* spool_row: a row as bytes: `token 16 | index u64 | version i64 | mapping revision u32 | flags u8 | digest
 * 16 | key 24 | reasons u8, each: code u16, length u8, field | canon`. */
#include "flow/spool_core.h"

#include <string.h>

enum { FIXED = 16 + 8 + 8 + 4 + 1 + 16 + 24 + 1 };
enum { F_FAULTY = 1, F_OWN = 2, F_ASSERTED = 4, F_KEY = 8, F_CURRENT = 16, F_PROPOSAL = 32 };

static uint8_t *bytes_to(uint8_t *p, const void *from, size_t len)
{
	if (len)
		memcpy(p, from, len);
	return p + len;
}

size_t eg_spool_row_size(const struct eg_spool_row *r)
{
	size_t size = FIXED + r->canon.len;
	for (unsigned i = 0; i < r->reasons.n; i++)
		size += 3 + strlen(r->reasons.v[i].field);
	return size;
}

void eg_spool_row_write(uint8_t *p, const struct eg_spool_row *r)
{
	const struct eg_version *v = &r->version;
	p = bytes_to(p, r->token, 16);
	p = eg_spool_be(p, r->index, 8);
	p = eg_spool_be(p, (uint64_t)v->version, 8);
	p = eg_spool_be(p, v->mapping_revision, 4);
	*p++ = (uint8_t)((r->faulty ? F_FAULTY : 0) | (r->own_version ? F_OWN : 0) |
	                 (v->asserted ? F_ASSERTED : 0) | (v->has_key ? F_KEY : 0) |
	                 (v->current ? F_CURRENT : 0) | (v->has_proposal ? F_PROPOSAL : 0));
	p = bytes_to(p, v->digest, EG_DIGEST_SIZE);
	p = bytes_to(p, v->key, EG_JOIN_KEY_SIZE);
	*p++ = (uint8_t)r->reasons.n;
	for (unsigned i = 0; i < r->reasons.n; i++) {
		size_t len = strlen(r->reasons.v[i].field);
		p = eg_spool_be(p, (uint64_t)r->reasons.v[i].code, 2);
		*p++ = (uint8_t)len;
		p = bytes_to(p, r->reasons.v[i].field, len);
	}
	bytes_to(p, r->canon.p, r->canon.len);
}

bool eg_spool_row_read(struct eg_bytes b, struct eg_spool_row *r)
{
	const uint8_t *p = b.p, *end = b.p + b.len;
	struct eg_version *v = &r->version;
	if (b.len < FIXED)
		return false;
	memset(v, 0, sizeof *v);
	memcpy(r->token, p, 16);
	r->index = eg_spool_of_be(p + 16, 8);
	v->version = (int64_t)eg_spool_of_be(p + 24, 8);
	v->mapping_revision = (uint32_t)eg_spool_of_be(p + 32, 4);
	unsigned flags = p[36];
	r->faulty = flags & F_FAULTY;
	r->own_version = flags & F_OWN;
	v->asserted = flags & F_ASSERTED;
	v->has_key = flags & F_KEY;
	v->current = flags & F_CURRENT;
	v->has_proposal = flags & F_PROPOSAL;
	memcpy(v->digest, p + 37, EG_DIGEST_SIZE);
	memcpy(v->key, p + 53, EG_JOIN_KEY_SIZE);
	r->reasons.n = 0;
	unsigned n = p[77];
	p += FIXED;
	if (n > EG_REASONS_MAX)
		return false;
	for (unsigned i = 0; i < n; i++) {
		size_t len = end - p >= 3 ? p[2] : 0;
		if (end - p < 3 || (size_t)(end - p) < 3 + len || len >= sizeof r->reasons.v[i].field)
			return false;
		r->reasons.v[i].code = (enum eg_reason_code)eg_spool_of_be(p, 2);
		memcpy(r->reasons.v[i].field, p + 3, len);
		r->reasons.v[i].field[len] = 0;
		p += 3 + len;
	}
	r->reasons.n = n;
	r->canon = (struct eg_bytes){p, (size_t)(end - p)};
	return true;
}
