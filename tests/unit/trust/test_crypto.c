/* The primitives against published answers (FIPS 180-4, FIPS 197, RFC 4231, RFC 8032, the GCM specification),
 * and strict base64. */
#include "trust/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT(s) ((struct eg_bytes){(const uint8_t *)(s), sizeof(s) - 1})
#define N(a)    (sizeof(a) / sizeof *(a))

static size_t unhex(const char *hex, uint8_t *out)
{
	assert_true(eg_unhex(hex, out, strlen(hex) / 2));
	return strlen(hex) / 2;
}

static void assert_hex(const uint8_t *got, const char *want)
{
	uint8_t raw[256];
	size_t len = unhex(want, raw);
	assert_memory_equal(got, raw, len);
}

static void sha256_answers(void **state)
{
	(void)state;
	uint8_t h[EG_HASH_SIZE];
	eg_sha256(NULL, 0, h);
	assert_hex(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	struct eg_bytes abc[] = {TEXT("a"), {NULL, 0}, TEXT("bc")};
	eg_sha256(abc, 3, h);
	assert_hex(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	struct eg_bytes two = TEXT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
	eg_sha256(&two, 1, h);
	assert_hex(h, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	uint8_t *million = malloc(1000000);
	assert_non_null(million);
	memset(million, 'a', 1000000);
	struct eg_bytes parts[] = {{million, 1}, {million + 1, 999999}};
	eg_sha256(parts, 2, h);
	assert_hex(h, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

/* RFC 4231. A shorter key is one padded with zeros, one longer than a block is its digest: both fit 32 bytes.
 */
static void hmac_answers(void **state)
{
	(void)state;
	static const struct {
		const char *key, *data, *mac;
	} cases[] = {
	        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	        {"4a656665", "what do ya want for nothing?",
	         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	        {"0102030405060708090a0b0c0d0e0f10111213141516171819",
	         "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
	         "\xcd\xcd\xcd"
	         "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
	         "\xcd\xcd\xcd",
	         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	        {NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
	         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	        {NULL,
	         "This is a test using a larger than block-size key and a larger than block-size data. The "
	         "key needs "
	         "to be hashed before being used by the HMAC algorithm.",
	         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		uint8_t key[EG_KEY_SIZE] = {0}, mac[EG_HASH_SIZE], large[131];
		if (cases[i].key) {
			unhex(cases[i].key, key);
		} else {
			memset(large, 0xaa, sizeof large);
			eg_sha256(&(struct eg_bytes){large, sizeof large}, 1, key);
		}
		struct eg_mac *m = eg_mac_new(key);
		assert_non_null(m);
		struct eg_bytes data = eg_bytes_of(cases[i].data);
		struct eg_bytes parts[] = {{data.p, 3}, {data.p + 3, data.len - 3}};
		for (int twice = 0; twice < 2; twice++) { /* the kept state must not be used up */
			eg_mac(m, parts, 2, mac);
			assert_hex(mac, cases[i].mac);
		}
		eg_mac_free(m);
	}
	eg_mac_free(NULL);
}

/* RFC 4231 with its keys as they are; HMAC-SM3 from GM/T 0042-2015, annex D.3. */
static void hmac_over_a_digest_answers(void **state)
{
	(void)state;
	static const struct {
		enum eg_hash_kind digest;
		const char *key, *data, *mac;
	} cases[] = {
	        {EG_HASH_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	        {EG_HASH_SHA256, NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
	         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	        {EG_HASH_SHA256, "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
	        {EG_HASH_SM3, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
	         "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
	         "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	         "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a"},
	        {EG_HASH_SM3, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425",
	         "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
	         "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
	         "\xcd\xcd\xcd\xcd\xcd\xcd",
	         "220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae"},
	        {EG_HASH_SM3, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	         "c0ba18c68b90c88bc07de794bfc7d2c8d19ec31ed8773bc2b390c9604e0be11e"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		uint8_t key[131], mac[EG_HASH_SIZE];
		memset(key, 0xaa, sizeof key);
		struct eg_bytes k = {key, cases[i].key ? unhex(cases[i].key, key) : sizeof key};
		struct eg_bytes data = eg_bytes_of(cases[i].data);
		size_t cut = data.len / 2;
		struct eg_bytes parts[] = {{data.p, cut}, {NULL, 0}, {data.p + cut, data.len - cut}};
		assert_int_equal(eg_hmac(cases[i].digest, k, parts, 3, mac, NULL), EG_OK);
		assert_hex(mac, cases[i].mac);
	}
}

static void gcm_answers(void **state)
{
	(void)state;
	static const struct {
		const char *key, *nonce, *aad, *plain, *sealed;
	} cases[] = {
	        {"0000000000000000000000000000000000000000000000000000000000000000",
	         "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	        {"0000000000000000000000000000000000000000000000000000000000000000",
	         "000000000000000000000000", "", "00000000000000000000000000000000",
	         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	         "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a"
	         "6b525b16aedf5"
	         "aa0de657ba637b39",
	         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10568"
	         "28838c5f61e63"
	         "93ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		uint8_t key[32], nonce[12], aad[64] = {0}, plain[64], want[80], out[80];
		unhex(cases[i].key, key);
		unhex(cases[i].nonce, nonce);
		struct eg_bytes a = {aad, unhex(cases[i].aad, aad)};
		struct eg_bytes p = {plain, unhex(cases[i].plain, plain)};
		struct eg_bytes s = {want, unhex(cases[i].sealed, want)};
		assert_int_equal(eg_gcm_seal(key, nonce, a, p, out, NULL), EG_OK);
		assert_memory_equal(out, want, s.len);
		assert_int_equal(eg_gcm_open(key, nonce, a, s, out, NULL), EG_OK);
		assert_memory_equal(out, plain, p.len);
		for (size_t bit = 0; bit < 8 * s.len; bit++) {
			want[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(eg_gcm_open(key, nonce, a, s, out, NULL), EG_CORRUPT);
			want[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(
		        eg_gcm_open(key, nonce, (struct eg_bytes){aad, a.len ? a.len - 1 : 1}, s, out, NULL),
		        EG_CORRUPT);
		for (size_t len = 0; len < s.len; len++)
			assert_int_equal(eg_gcm_open(key, nonce, a, (struct eg_bytes){want, len}, out, NULL),
			                 EG_CORRUPT);
	}
}

/* A thread keeps the key it used last: another one, and then the first again, must not be taken for it. */
static void gcm_keys_in_turn(void **state)
{
	(void)state;
	enum { KEYS = 3, ROUNDS = 12 };
	uint8_t key[KEYS][32], nonce[12] = {0}, sealed[ROUNDS][20 + 16], plain[20], out[20];
	for (unsigned k = 0; k < KEYS; k++)
		memset(key[k], (int)k + 1, 32);
	for (unsigned i = 0; i < ROUNDS; i++) { /* 0 0 1 1 2 2 ... */
		nonce[0] = (uint8_t)i;
		memset(plain, (int)i, sizeof plain);
		assert_int_equal(eg_gcm_seal(key[i / 2 % KEYS], nonce, (struct eg_bytes){0},
		                             (struct eg_bytes){plain, sizeof plain}, sealed[i], NULL),
		                 EG_OK);
	}
	for (unsigned i = 0; i < ROUNDS * KEYS; i++) {
		unsigned of = i % ROUNDS, k = i / ROUNDS;
		nonce[0] = (uint8_t)of;
		if (i % 5 == 4)
			eg_crypto_forget();
		enum eg_rc rc = eg_gcm_open(key[k], nonce, (struct eg_bytes){0},
		                            (struct eg_bytes){sealed[of], sizeof sealed[of]}, out, NULL);
		assert_int_equal(rc, of / 2 % KEYS == k ? EG_OK : EG_CORRUPT);
		memset(plain, (int)of, sizeof plain);
		if (!rc)
			assert_memory_equal(out, plain, sizeof plain);
	}
}

static void block_answers(void **state) /* FIPS 197, C.3 */
{
	(void)state;
	uint8_t key[32], in[16], out[16], back[16];
	unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", key);
	unhex("00112233445566778899aabbccddeeff", in);
	assert_int_equal(eg_block(key, true, in, out, NULL), EG_OK);
	assert_hex(out, "8ea2b7ca516745bfeafc49904b496089");
	assert_int_equal(eg_block(key, false, out, back, NULL), EG_OK);
	assert_memory_equal(back, in, 16);
}

static void ed25519_answers(void **state) /* RFC 8032, 7.1 */
{
	(void)state;
	static const struct {
		const char *seed, *public_key, *message, *signature;
	} cases[] = {
	        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
	         "9b46bd25bf5f0"
	         "595bbe24655141438e7a100b"},
	        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f"
	         "11d8c387b2eae"
	         "b4302aeeb00d291612bb0c00"},
	        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984"
	         "dc6594a7c15e9"
	         "716ed28dc027beceea1ec40a"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		uint8_t seed[32], public_key[32], want[64], got[64], m[4];
		unhex(cases[i].seed, seed);
		unhex(cases[i].signature, want);
		struct eg_bytes message = {m, unhex(cases[i].message, m)};
		assert_int_equal(eg_ed25519_public(seed, public_key, NULL), EG_OK);
		assert_hex(public_key, cases[i].public_key);
		assert_int_equal(eg_ed25519_sign(seed, message, got, NULL), EG_OK);
		assert_memory_equal(got, want, 64);
		assert_true(eg_ed25519_verify(public_key, message, want));
		for (size_t bit = 0; bit < 512; bit++) {
			want[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_false(eg_ed25519_verify(public_key, message, want));
			want[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		m[message.len] = 0;
		message.len++;
		assert_false(eg_ed25519_verify(public_key, message, want));
	}
}

static void base64_is_strict(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *text;
	} good[] = {{"", ""},
	            {"f", "Zg=="},
	            {"fo", "Zm8="},
	            {"foo", "Zm9v"},
	            {"foob", "Zm9vYg=="},
	            {"fooba", "Zm9vYmE="},
	            {"foobar", "Zm9vYmFy"},
	            {"\xff\xff\xbe", "//++"}}; /* RFC 4648, 10 */
	static const char *const bad[] = {"Z",     "Zg",   "Zg=",      "Zg===",     "====",
	                                  "Z===",  "Zh==", "Zm9=",     "Zm 9",      "Zm9v\n",
	                                  " Zm9v", "Zm9-", "Zm9_",     "Zg==Zg==",  "Zm8=Zm9v",
	                                  "Zm=v",  "=m9v", "Zm9v====", "\xc3\xa9zz"};
	struct eg_buf b = {0};
	for (size_t i = 0; i < N(good); i++) {
		eg_buf_reset(&b);
		eg_base64((const uint8_t *)good[i].plain, strlen(good[i].plain), &b);
		assert_true(eg_bytes_equal(eg_buf_bytes(&b), eg_bytes_of(good[i].text)));
		assert_true(eg_unbase64(eg_bytes_of(good[i].text), &b));
		assert_int_equal(b.len, strlen(good[i].text) + strlen(good[i].plain));
		if (*good[i].plain)
			assert_memory_equal(b.p + strlen(good[i].text), good[i].plain, strlen(good[i].plain));
	}
	for (size_t i = 0; i < N(bad); i++) {
		eg_buf_reset(&b);
		eg_buf_add(&b, "kept", 4);
		if (eg_unbase64(eg_bytes_of(bad[i]), &b))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(eg_bytes_equal(eg_buf_bytes(&b), TEXT("kept")));
	}
	assert_false(eg_unbase64((struct eg_bytes){(const uint8_t *)"Zm\0v", 4}, &b));
	/* Every text of four letters that is taken is the one text of its value. */
	static const char letters[] = "AQgw=+/9z";
	for (unsigned i = 0; i < 9 * 9 * 9 * 9; i++) {
		struct eg_buf v = {0}, again = {0};
		uint8_t text[4] = {(uint8_t)letters[i % 9], (uint8_t)letters[i / 9 % 9],
		                   (uint8_t)letters[i / 81 % 9], (uint8_t)letters[i / 729]};
		if (eg_unbase64((struct eg_bytes){text, 4}, &v)) {
			eg_base64(v.p, v.len, &again);
			assert_memory_equal(again.p, text, 4);
		}
		eg_buf_free(&v);
		eg_buf_free(&again);
	}
	eg_buf_free(&b);
}

enum { DRAWS = 2000, SIZE = 12 };

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, SIZE);
}

static void random_bytes_differ(void **state)
{
	(void)state;
	uint8_t(*all)[SIZE] = calloc(DRAWS, SIZE);
	assert_non_null(all);
	for (unsigned i = 0; i < DRAWS; i++)
		eg_random(all[i], SIZE);
	qsort(all, DRAWS, SIZE, by_bytes);
	for (unsigned i = 1; i < DRAWS; i++)
		assert_memory_not_equal(all[i - 1], all[i], SIZE);
	free(all);
}

/* A child must not draw what its parent draws next. */
static void a_fork_draws_its_own(void **state)
{
	(void)state;
	uint8_t mine[32], its[32];
	int pipes[2], status;
	eg_random(mine, sizeof mine); /* now the pool is not empty */
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		eg_random(its, sizeof its);
		_exit(write(pipes[1], its, sizeof its) == sizeof its ? 0 : 1);
	}
	eg_random(mine, sizeof mine);
	assert_int_equal(read(pipes[0], its, sizeof its), sizeof its);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_memory_not_equal(mine, its, sizeof its);
	close(pipes[0]);
	close(pipes[1]);
}

/* Where a thread of another library may still be inside: behind what this one did for the process's end, had
 * it been allowed to do anything. */
static bool ending;

static void at_the_very_end(void)
{
	static const uint8_t seed[32] = {1};
	uint8_t key[32];
	if (ending)
		_exit(eg_ed25519_public(seed, key, NULL) == EG_OK ? 42 : 1);
}

static void it_works_while_the_process_ends(void **state)
{
	(void)state;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		ending = true;
		exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sha256_answers),
	        cmocka_unit_test(hmac_answers),
	        cmocka_unit_test(hmac_over_a_digest_answers),
	        cmocka_unit_test(gcm_answers),
	        cmocka_unit_test(gcm_keys_in_turn),
	        cmocka_unit_test(block_answers),
	        cmocka_unit_test(ed25519_answers),
	        cmocka_unit_test(base64_is_strict),
	        cmocka_unit_test(random_bytes_differ),
	        cmocka_unit_test(a_fork_draws_its_own),
	        cmocka_unit_test(it_works_while_the_process_ends),
	};
	if (atexit(at_the_very_end) != 0 || /* the first to register is the last to run */
	    eg_crypto_open(NULL) != EG_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
