/* The leaf's bytes, for ever: literal answers that Python's hashlib gave for gateway/FORMAT.md's sentence
 *
 *   sha256(b"eldergate/leaf/v1\n" + len(h).to_bytes(4, "big") + h + c_claim + c_effect)
 *
 * A test that fails here means that every log ever written would no longer verify: never change an answer. */
#include "trust/leaf.h"
#include "trust/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t got[EG_HASH_SIZE], const char *want)
{
	char text[2 * EG_HASH_SIZE + 1];
	eg_hex(got, EG_HASH_SIZE, text);
	assert_string_equal(text, want);
}

static void answers(void **state)
{
	(void)state;
	static uint8_t header[70000];
	uint8_t zero[EG_HASH_SIZE] = {0}, claim[EG_HASH_SIZE], effect[EG_HASH_SIZE], leaf[EG_HASH_SIZE];
	static const struct {
		size_t header_len;
		bool claim, effect;
		const char *leaf, *hash;
	} cases[] = {
	        {0, false, false, "3f64b3a310bba84776bc6ad34ff8bf99896086634abb56a2a666782789239b65",
	         "e5dc0447ab384fe9ab52fcd5a7b51da5e25acb5e6f5b80821684f3a8f99abe85"},
	        {1, true, false, "fcdc5bc6706a3746804a3243953a34acc834e5fd962de15abe01d2f24650a3ca",
	         "6834ff7ccb33d740071aca90305c20520d64b2b79db10ec12a9fd391ef5c3624"},
	        {1, false, true, "66e319f2f7d2fcddd6d3a00ee706b9e0fccec144cc312b5bb20bd7c24a2c13ea",
	         "df8669a1afdd21af4a2f563670107c07db5e8aa2a2dd3cd1d2d84d33c2bd9ce4"},
	        {1, true, true, "7f1804fc32c7447bbcc2ce862a6801cfd591ba82a745d4448a9f011931db45c4",
	         "25a621ab6c9e2772444b3882e6f2bd22318d5ecda065759e2dcc519599c23d62"},
	        {200, true, true, "9afee7d8b75a86b15b1f494c5cdd701a50b1a1a2fe564dd61531bb9afc0363b0",
	         "96bbb5874c4fd5205b4622d19d4c89d70c3afa393446c04eabe51832f1b1d79d"},
	        {255, true, false, "69dfd1f4bf94b5793d8d305ffe825c9df5d46896efa4b67d653ba53f0621f5c3",
	         "4e81cc53954090d94c59174899d05014939ef4249cb44239b18f566573f2fea1"},
	        {256, true, true, "22135d9ad58f251a1923cbe37a0e7c154bf010425b2f7c69b113b884db507d31",
	         "cf880de5c57edea00614509f9ac3661dba042d1bf51a023e3645bceb7472383f"},
	        {70000, true, true, "54d5d79a68fa85e125d394d3532b98501366efe7df2c4a91ed4f18c636403708",
	         "b526778cc6939149c7ba859fbc46c2b3aa464d062140df0b8e10a3afa2742f51"},
	};
	for (size_t i = 0; i < sizeof header; i++)
		header[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned i = 0; i < EG_HASH_SIZE; i++) {
		claim[i] = (uint8_t)(0xC0 + i);
		effect[i] = (uint8_t)(0xE0 - i);
	}
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t hash[EG_HASH_SIZE];
		eg_leaf_data((struct eg_bytes){header, cases[i].header_len}, cases[i].claim ? claim : zero,
		             cases[i].effect ? effect : zero, leaf);
		assert_hex(leaf, cases[i].leaf);
		eg_merkle_leaf_hash(leaf, hash);
		assert_hex(hash, cases[i].hash);
	}
}

/* Moving a byte between the parts must give another leaf: that is what the length is for. */
static void frames_hold(void **state)
{
	(void)state;
	uint8_t bytes[3 * EG_HASH_SIZE], a[EG_HASH_SIZE], b[EG_HASH_SIZE];
	memset(bytes, 0x55, sizeof bytes);
	eg_leaf_data((struct eg_bytes){bytes, 8}, bytes, bytes, a);
	eg_leaf_data((struct eg_bytes){bytes, 9}, bytes, bytes, b);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(frames_hold)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
