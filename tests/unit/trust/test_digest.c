/* Streaming digests against published answers. */
#include "trust/digest.h"

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
		enum eg_digest_kind kind;
		const char *hex;
	} known[] = {{EG_DIGEST_SM3, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
	             {EG_DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}};
	(void)state;
	for (unsigned i = 0; i < N(known); i++) {
		struct eg_digest *d = eg_digest_new(known[i].kind);
		uint8_t out[EG_DIGEST_SIZE];
		char hex[2 * EG_DIGEST_SIZE + 1];
		assert_non_null(d);
		for (int again = 0; again < 2; again++) {
			eg_digest_add(d, "a", 1);
			eg_digest_add(d, "bc", 2);
			eg_digest_end(d, out);
			eg_hex(out, sizeof out, hex);
			assert_string_equal(hex, known[i].hex);
		}
		eg_digest_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(digests)};
	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
