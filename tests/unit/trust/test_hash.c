/* Hashes of what comes piece by piece against published answers. */
#include "trust/crypto.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof *(a))

/* GB/T 32905-2016, example 1; FIPS 180-4. */
static void digests(void **state)
{
	static const struct {
		enum eg_hash_kind kind;
		const char *hex;
	} known[] = {{EG_HASH_SM3, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
	             {EG_HASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}};
	(void)state;
	for (unsigned i = 0; i < N(known); i++) {
		struct eg_hash *h = eg_hash_new(known[i].kind);
		uint8_t out[EG_HASH_SIZE];
		char hex[2 * EG_HASH_SIZE + 1];
		const struct eg_bytes parts[] = {eg_bytes_of("b"), eg_bytes_of("c")}, a = eg_bytes_of("a");
		assert_non_null(h);
		eg_hash_add(h, &a, 1);
		eg_hash_add(h, parts, 2);
		eg_hash_end(h, out);
		eg_hex(out, sizeof out, hex);
		assert_string_equal(hex, known[i].hex);
		eg_hash_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(digests)};
	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
