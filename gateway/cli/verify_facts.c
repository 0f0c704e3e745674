/* verify_facts: what the log said of claims, versions and views, as 8 bytes each: hashes with a salt of the
 * run, so that nobody can have made two that are alike. */
#include "cli/verify.h"

#include <string.h>

struct verify_fact *verify_fact_of(const struct verify *v, uint64_t seq)
{
	return seq && seq <= v->n_facts ? &v->facts[seq - 1] : NULL;
}

static uint64_t hash(const struct verify *v, uint8_t kind, const void *a, size_t a_len, struct eg_bytes b)
{
	uint8_t digest[EG_HASH_SIZE];
	uint64_t out;
	const struct eg_bytes parts[] = {{v->salt, sizeof v->salt}, {&kind, 1}, {a, a_len}, b};
	eg_sha256(parts, 4, digest);
	memcpy(&out, digest, sizeof out);
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
