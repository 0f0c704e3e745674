/* CURVE keys: Z85 as its specification has it, pairs that belong together, files that only their owner reads.
 */
#include "trust/curve.h"

#include "trust/crypto.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* The pair of ZeroMQ's own manual (zmq_curve): its text, and its bytes as RFC 32 decodes it. */
#define PUBLIC "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define SECRET "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static char place[] = "/tmp/eldergate-curve-XXXXXX";
static char path[64];

static void text_and_back(void **state)
{
	(void)state;
	uint8_t key[EG_CURVE_SIZE], again[EG_CURVE_SIZE];
	char text[EG_CURVE_TEXT + 1];
	assert_true(eg_curve_parse(PUBLIC, key));
	eg_curve_text(key, text);
	assert_string_equal(text, PUBLIC);
	/* RFC 32's example: 86 4F D2 6F B5 59 F7 5B is HelloWorld. */
	static const uint8_t hello[] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};
	memcpy(key, hello, sizeof hello);
	eg_curve_text(key, text);
	assert_memory_equal(text, "HelloWorld", 10);
	memset(key, 0xFF, sizeof key);
	eg_curve_text(key, text);
	assert_true(eg_curve_parse(text, again));
	assert_memory_equal(again, key, sizeof key);
}

static void wrong_texts(void **state)
{
	(void)state;
	static const char *const wrong[] = {"",
	                                    "rq:rM",
	                                    PUBLIC "0",
	                                    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf ",
	                                    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\"",
	                                    "#####>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"}; /* above 2^32 - 1 */
	uint8_t key[EG_CURVE_SIZE] = {7};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(eg_curve_parse(wrong[i], key));
	assert_int_equal(key[0], 7); /* left as it was */
}

static void halves_belong_together(void **state)
{
	(void)state;
	uint8_t secret[EG_CURVE_SIZE], key[EG_CURVE_SIZE], belongs[EG_CURVE_SIZE];
	assert_true(eg_curve_parse(SECRET, secret));
	assert_true(eg_curve_parse(PUBLIC, key));
	assert_int_equal(eg_x25519_public(secret, belongs, NULL), EG_OK);
	assert_memory_equal(belongs, key, sizeof key);
}

static void put(const char *text, mode_t mode)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void files(void **state)
{
	(void)state;
	struct eg_curve_pair a, b;
	struct stat st;
	assert_int_equal(eg_curve_read(path, &a, NULL), EG_NOT_FOUND);
	assert_int_equal(eg_curve_open(path, &a, NULL), EG_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 82);
	assert_int_equal(eg_curve_open(path, &b, NULL), EG_OK); /* the same again */
	assert_memory_equal(&a, &b, sizeof a);
	assert_int_equal(eg_curve_make(path, &b, NULL), EG_EXISTS);
	assert_int_equal(eg_curve_read(path, &b, NULL), EG_OK);
	assert_memory_equal(&a, &b, sizeof a);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(eg_curve_read(path, &b, NULL), EG_DENIED);
	unlink(path);
	assert_int_equal(eg_curve_make(path, &b, NULL), EG_OK);
	assert_memory_not_equal(&a, &b, sizeof a); /* another one */
}

static void wrong_files(void **state)
{
	(void)state;
	static const char *const wrong[] = {"",
	                                    PUBLIC "\n",
	                                    PUBLIC "\n" SECRET,
	                                    SECRET "\n" PUBLIC "\n",
	                                    PUBLIC "\n" SECRET "\n\n",
	                                    PUBLIC " " SECRET "\n",
	                                    PUBLIC "\n" PUBLIC "\n"};
	struct eg_curve_pair a;
	put(PUBLIC "\n" SECRET "\n", 0600);
	assert_int_equal(eg_curve_read(path, &a, NULL), EG_OK);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		put(wrong[i], 0600);
		assert_int_equal(eg_curve_read(path, &a, NULL), EG_CONFIG);
	}
	assert_int_equal(eg_curve_read(place, &a, NULL), EG_CONFIG); /* a folder */
}

static int begin(void **state)
{
	(void)state;
	if (eg_crypto_open(NULL) || !mkdtemp(place))
		return -1;
	snprintf(path, sizeof path, "%s/a.curve", place);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(text_and_back),
	        cmocka_unit_test(wrong_texts),
	        cmocka_unit_test(halves_belong_together),
	        cmocka_unit_test(files),
	        cmocka_unit_test(wrong_files),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
