/* verify_facts: what the log said of claims, versions and views, as 8 bytes each: hashes under a key of the
 * run, so that nobody can have made two that are alike. */
#include "cli/verify.h"

#include <stdlib.h>
#include <string.h>

/* Entry seq has place FIRST - 1 + seq, counted over all parts: the highest bit of it says in which part that
 * is, and the bits below it where. */
#define FIRST_BITS 16
#define FIRST      (UINT64_C(1) << FIRST_BITS)

static struct verify_fact *at(const struct verify_facts *f, uint64_t seq)
{
	uint64_t place = FIRST - 1 + seq;
	unsigned bits = 63u - (unsigned)__builtin_clzll(place);
	return &f->part[bits - FIRST_BITS][place ^ UINT64_C(1) << bits];
}

struct verify_fact *verify_fact_of(const struct verify *v, uint64_t seq)
{
	return seq && seq <= atomic_load_explicit(&v->facts.n, memory_order_acquire) ? at(&v->facts, seq)
	                                                                             : NULL;
}

enum eg_rc verify_facts_add(struct verify *v, unsigned n, struct eg_err *err)
{
	struct verify_facts *f = &v->facts;
	uint64_t all = f->n + n;
	for (unsigned i = 0; i < sizeof f->part / sizeof *f->part && (FIRST << i) - FIRST < all; i++) {
		if (!f->part[i] && !(f->part[i] = calloc(FIRST << i, sizeof **f->part)))
			return eg_fail(err, EG_NO_MEMORY, "no memory for what %llu entries say",
			               (unsigned long long)all);
	}
	atomic_store_explicit(&f->n, all, memory_order_release);
	return EG_OK;
}

void verify_facts_free(struct verify_facts *f)
{
	for (unsigned i = 0; i < sizeof f->part / sizeof *f->part; i++)
		free(f->part[i]);
}

static uint64_t hash(const struct verify *v, uint8_t kind, const void *a, size_t a_len, struct eg_bytes b)
{
	const struct eg_bytes parts[] = {{a, a_len}, b, {&kind, 1}};
	uint64_t out = eg_siphash(&v->facts.key, parts, 3);
	return out ? out : 1;
}

uint64_t verify_claim_fact(const struct verify *v, const uint8_t token[16], struct eg_bytes canon)
{
	return hash(v, 1, token, EG_TOKEN_SIZE, canon);
}

uint64_t verify_version_fact(const struct verify *v, const uint8_t token[16], const struct eg_version *x)
{
	uint8_t said[EG_DIGEST_SIZE + EG_JOIN_KEY_SIZE + 1];
	memcpy(said, x->digest, EG_DIGEST_SIZE);
	memcpy(said + EG_DIGEST_SIZE, x->key, EG_JOIN_KEY_SIZE);
	said[sizeof said - 1] = (uint8_t)(x->has_key | x->has_proposal << 1 | x->current << 2);
	return hash(v, 2, token, EG_TOKEN_SIZE, (struct eg_bytes){said, sizeof said});
}

uint64_t verify_person_fact(const struct verify *v, const uint8_t person[16], int64_t version)
{
	return hash(v, 3, person, 16, (struct eg_bytes){(const uint8_t *)&version, sizeof version});
}

uint64_t verify_effect_fact(const struct verify *v, const uint8_t person[16], int64_t version,
                            enum eg_life life, const uint8_t view_digest[16], int64_t authority)
{
	const int64_t numbers[] = {version, (int64_t)life, authority};
	uint8_t said[16 + sizeof numbers];
	memcpy(said, view_digest, 16);
	memcpy(said + 16, numbers, sizeof numbers);
	return hash(v, 4, person, 16, (struct eg_bytes){said, sizeof said});
}

uint64_t verify_alias_fact(const struct verify *v, const uint8_t key[EG_JOIN_KEY_SIZE], int64_t source)
{
	return hash(v, 5, key, EG_JOIN_KEY_SIZE, (struct eg_bytes){(const uint8_t *)&source, sizeof source});
}
