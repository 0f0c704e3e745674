/* siphash: see siphash.h. The names are the paper's. */
#include "base/siphash.h"

#include <string.h>

enum { WORD = 8, ROUNDS = 2, LAST_ROUNDS = 4 };

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void compress(struct state *s, uint64_t m)
{
	s->v3 ^= m;
	for (unsigned i = 0; i < ROUNDS; i++)
		sip_round(s);
	s->v0 ^= m;
}

/* Little-endian; compilers make one load of it. */
static inline uint64_t word(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

uint64_t eg_siphash(const struct eg_siphash_key *key, const struct eg_bytes *parts, unsigned n)
{
	struct state s = {key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
	                  key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573};
	uint8_t rest[WORD]; /* what does not fill a word yet */
	size_t total = 0, held = 0;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *p = parts[i].p;
		size_t len = parts[i].len;
		total += len;
		while (len && held) {
			rest[held++] = *p++;
			len--;
			if (held == WORD) {
				compress(&s, word(rest));
				held = 0;
			}
		}
		for (; len >= WORD; p += WORD, len -= WORD)
			compress(&s, word(p));
		if (len) {
			memcpy(rest, p, len);
			held = len;
		}
	}
	memset(rest + held, 0, WORD - held);
	rest[WORD - 1] = (uint8_t)total;
	compress(&s, word(rest));
	s.v2 ^= 0xff;
	for (unsigned i = 0; i < LAST_ROUNDS; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
