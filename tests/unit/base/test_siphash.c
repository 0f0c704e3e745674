/* SipHash-2-4: the vectors of the paper's reference, and that pieces make no difference. */
#include "base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Key 00 01 .. 0f. */
static const struct eg_siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static void answers(void **state)
{
	(void)state;
	static const struct {
		size_t len; /* of the text 00 01 02 .. */
		uint64_t hash;
	} cases[] = {
	        {0, 0x726fdb47dd0e0e31},   {1, 0x74f839c593dc67fd},  {2, 0x0d6c8009d9a94f5a},
	        {7, 0xab0200f58b01d137},   {8, 0x93f5f5799a932462},  {15, 0xa129ca6149be45e5},
	        {16, 0x3f2acc7f57c29bdb},  {63, 0x958a324ceb064572}, {64, 0xacd2c40b8502cad8},
	        {299, 0x8980431297e9e358},
	};
	uint8_t text[300];
	for (unsigned i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eg_bytes whole = {text, cases[i].len};
		assert_true(eg_siphash(&key, &whole, 1) == cases[i].hash);
	}
}

static void pieces(void **state)
{
	(void)state;
	uint8_t text[40];
	for (unsigned i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(7 * i);
	struct eg_bytes whole = {text, sizeof text};
	uint64_t want = eg_siphash(&key, &whole, 1);
	for (size_t a = 0; a <= sizeof text; a++)
		for (size_t b = a; b <= sizeof text; b++) {
			struct eg_bytes parts[] = {
			        {text, a}, {text + a, b - a}, {NULL, 0}, {text + b, sizeof text - b}};
			assert_true(eg_siphash(&key, parts, 4) == want);
		}
	text[39] ^= 1;
	assert_true(eg_siphash(&key, &whole, 1) != want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(pieces)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
