/* Checkpoints, verifier keys and proof files: what golang.org/x/mod/sumdb wrote is read, what we write is
 * read back, and whatever is not exactly that is refused. EG_SEED repeats the random bytes. */
#include "in_memory.h"

#include "trust/checkpoint.h"
#include "trust/leaf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT(s) ((struct eg_bytes){(const uint8_t *)(s), sizeof(s) - 1})
#define N(a)    (sizeof(a) / sizeof *(a))

/* Written by golang.org/x/mod/sumdb/note and tlog, over entries of our form. */
#define GO_ORIGIN "log.example/eldergate"
#define GO_VKEY   GO_ORIGIN "+602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T"
#define GO_TEXT   GO_ORIGIN "\n7\ncZ+X0GoI0Yl799N5mpegtlxt8yJ2KnQw4EuPPbSXPPI=\n"
#define GO_SIGNATURE                                                                                         \
	"\xE2\x80\x94 " GO_ORIGIN                                                                            \
	" YC1Eck212wxF4AM2xIWLD7vFAVb926gJWlNoEGYHOxnBiR29A3w772ywDdODTvHGzQlMohWILxSjL9qBSuvkEesIVgI=\n"
#define GO_NOTE GO_TEXT "\n" GO_SIGNATURE
#define GO_EXTRA                                                                                             \
	"extra "                                                                                             \
	"AAAADWVlZWVlZWVlZWVlZWWo1d1j+"                                                                      \
	"6Rx68sfPo98Hhh5txUqbnKYqRzhGaY0AK3nxUId1sMP65FJs0muZ1JarnVW62xVLgs2Pt14+"                           \
	"KjYZGq4\n"
#define GO_HASHES                                                                                            \
	"6Mw1eH3ljIxkd3uCBSNMEUz4PCk9aHKNeI6Nl32oq4A=\nI6DzQYN1Ie8ejeNdri/rZ5yspMqnmgMjosjA1z3rGqs=\n"       \
	"jfNRqk/JtWdbbvAL8CxTSYc1oNmXbpaS2HvxtQZT5VA=\n"
#define GO_PROOF "c2sp.org/tlog-proof@v1\n" GO_EXTRA "index 4\n" GO_HASHES "\n" GO_NOTE

static uint8_t go_key[32];
static struct eg_vault *vault;
static struct key_table keys;

static enum eg_rc verify(struct eg_bytes note, struct eg_checkpoint *c)
{
	/* In memory of just its size, so that the sanitizer sees a read beyond it. */
	uint8_t *copy = malloc(note.len ? note.len : 1);
	assert_non_null(copy);
	if (note.len)
		memcpy(copy, note.p, note.len);
	enum eg_rc rc = eg_checkpoint_verify((struct eg_bytes){copy, note.len}, GO_ORIGIN, go_key, c, NULL);
	free(copy);
	return rc;
}

static void what_go_wrote(void **state)
{
	(void)state;
	char origin[128];
	struct eg_checkpoint c;
	struct eg_proof p;
	struct eg_buf b = {0};
	struct eg_bytes header;
	const uint8_t *c_claim, *c_effect;
	uint8_t want[32];
	assert_true(eg_checkpoint_parse_vkey(GO_VKEY, origin, want));
	assert_string_equal(origin, GO_ORIGIN);
	assert_memory_equal(want, go_key, 32);
	eg_checkpoint_vkey(GO_ORIGIN, go_key, &b);
	assert_true(eg_bytes_equal(eg_buf_bytes(&b), TEXT(GO_VKEY)));

	assert_int_equal(verify(TEXT(GO_NOTE), &c), EG_OK);
	assert_string_equal(c.origin, GO_ORIGIN);
	assert_int_equal(c.size, 7);

	assert_int_equal(eg_proof_read(TEXT(GO_PROOF), &p, NULL), EG_OK);
	assert_int_equal(p.index, 4);
	assert_int_equal(p.n, 3);
	assert_true(eg_bytes_equal(p.note, TEXT(GO_NOTE)));
	memset(&c, 0, sizeof c);
	assert_int_equal(eg_proof_verify(&p, GO_ORIGIN, go_key, &c, NULL), EG_OK);
	assert_int_equal(c.size, 7);
	assert_true(eg_proof_parts(eg_buf_bytes(&p.extra), &header, &c_claim, &c_effect));
	assert_true(eg_bytes_equal(header, TEXT("eeeeeeeeeeeee")));
	eg_sha256(&TEXT("\1\4"), 1, want);
	assert_memory_equal(c_claim, want, 32);
	eg_sha256(&TEXT("\2\4"), 1, want);
	assert_memory_equal(c_effect, want, 32);
	/* Written again, it is the same file. */
	eg_buf_reset(&b);
	eg_proof_write(&b, eg_buf_bytes(&p.extra), p.index, (const uint8_t(*)[32])p.hashes, p.n, p.note);
	assert_true(eg_bytes_equal(eg_buf_bytes(&b), TEXT(GO_PROOF)));
	eg_buf_reset(&b);
	eg_proof_extra(&b, header, c_claim, c_effect);
	assert_true(eg_bytes_equal(eg_buf_bytes(&b), eg_buf_bytes(&p.extra)));
	eg_buf_free(&b);
	eg_buf_free(&p.extra);
}

static void signed_and_verified(void **state)
{
	(void)state;
	static const struct {
		const char *origin;
		uint64_t size;
	} good[] = {{"eldergate.00112233445566778899aabbccddeeff", 0},
	            {"a", 1},
	            {"\xE6\x97\xA5\xE5\xBF\x97", 281474976710655},
	            {"x", INT64_MAX}};
	static const char *const bad[] = {"",           "two words",     "a+b",  "a\nb",          "a\tb",
	                                  "a\xC2\xA0z", "a\xE3\x80\x80", "\xFF", "a\xE2\x80\xA9", "\xC2\x85"};
	uint8_t public_key[32];
	eg_vault_public(vault, public_key);
	for (size_t i = 0; i < N(good); i++) {
		struct eg_checkpoint c = {.size = good[i].size}, got;
		struct eg_buf b = {0};
		strcpy(c.origin, good[i].origin);
		eg_random(c.root, 32);
		eg_buf_add(&b, "before", 6);
		assert_int_equal(eg_checkpoint_sign(vault, &c, &b, NULL), EG_OK);
		struct eg_bytes note = {b.p + 6, b.len - 6};
		assert_int_equal(eg_checkpoint_verify(note, good[i].origin, public_key, &got, NULL), EG_OK);
		assert_string_equal(got.origin, c.origin);
		assert_int_equal(got.size, c.size);
		assert_memory_equal(got.root, c.root, 32);
		assert_int_equal(eg_checkpoint_verify(note, good[i].origin, go_key, &got, NULL), EG_CORRUPT);
		assert_int_equal(eg_checkpoint_verify(note, "b", public_key, &got, NULL), EG_CORRUPT);
		eg_buf_free(&b);
	}
	for (size_t i = 0; i < N(bad); i++) {
		struct eg_checkpoint c = {.size = 1};
		struct eg_buf b = {0};
		strcpy(c.origin, bad[i]);
		assert_int_equal(eg_checkpoint_sign(vault, &c, &b, NULL), EG_CONFIG);
		assert_int_equal(b.len, 0);
		eg_buf_free(&b);
	}
	struct eg_checkpoint c = {.origin = "a", .size = (uint64_t)INT64_MAX + 1};
	struct eg_buf b = {0};
	assert_int_equal(eg_checkpoint_sign(vault, &c, &b, NULL), EG_LIMIT);
	memset(c.origin, 'a', sizeof c.origin); /* no NUL */
	c.size = 1;
	assert_int_equal(eg_checkpoint_sign(vault, &c, &b, NULL), EG_CONFIG);
	eg_buf_free(&b);
}

/* Our key under this text, whatever it is. */
static struct eg_buf signed_text(const char *text)
{
	static const uint8_t frame[2] = {'\n', 1};
	struct eg_buf b = {0};
	uint8_t seal[4 + 64], id[32], public_key[32];
	eg_vault_public(vault, public_key);
	eg_sha256((const struct eg_bytes[]){TEXT(GO_ORIGIN), {frame, 2}, {public_key, 32}}, 3, id);
	memcpy(seal, id, 4);
	assert_int_equal(eg_vault_sign(vault, eg_bytes_of(text), seal + 4, NULL), EG_OK);
	eg_buf_printf(&b, "%s\n\xE2\x80\x94 " GO_ORIGIN " ", text);
	eg_base64(seal, sizeof seal, &b);
	eg_buf_printf(&b, "\n");
	return b;
}

#define ROOT "cZ+X0GoI0Yl799N5mpegtlxt8yJ2KnQw4EuPPbSXPPI="

/* A good signature does not make any text a checkpoint. */
static void texts_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum eg_rc rc;
	} cases[] = {
	        {GO_ORIGIN "\n7\n" ROOT "\n", EG_OK},
	        {GO_ORIGIN "\n0\n" ROOT "\n", EG_OK},
	        {GO_ORIGIN "\n7\n" ROOT "\nan extension\nand more\n", EG_OK},
	        {GO_ORIGIN "\n9223372036854775807\n" ROOT "\n", EG_OK},
	        {GO_ORIGIN "\n9223372036854775808\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n99999999999999999999\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n18446744073709551623\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n07\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n00\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n+7\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n-7\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n 7\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n7 \n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n7a\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n7\n\n", EG_INVALID},
	        {GO_ORIGIN "\n7\n", EG_INVALID},
	        {GO_ORIGIN "\n", EG_INVALID},
	        {"\n7\n" ROOT "\n", EG_INVALID},
	        {GO_ORIGIN "\n7\n" ROOT "\n\nafter an empty line\n", EG_INVALID},
	        {GO_ORIGIN "\n7\ncZ+X0GoI0Yl799N5mpegtlxt8yJ2KnQw4EuPPbSXPPJ=\n",
	         EG_INVALID}, /* stray bits */
	        {GO_ORIGIN "\n7\ncZ+X0GoI0Yl799N5mpegtlxt8yJ2KnQw4EuPPbSXPPI\n", EG_INVALID},
	        {GO_ORIGIN "\n7\ncZ-X0GoI0Yl799N5mpegtlxt8yJ2KnQw4EuPPbSXPPI=\n", EG_INVALID},
	        {GO_ORIGIN "\n7\ncZ+X0GoI0Yl799N5mpegtlxt8yJ2KnQw4EuPPbSXPA==\n", EG_INVALID}, /* 31 bytes */
	        {GO_ORIGIN "\n7\ncZ+X0GoI0Yl799N5mpegtlxt8yJ2KnQw4EuPPbSXPPIA\n", EG_INVALID}, /* 33 bytes */
	        {GO_ORIGIN "\r\n7\r\n" ROOT "\r\n", EG_INVALID},
	        {GO_ORIGIN "\n7\n" ROOT "\n\x01\n", EG_INVALID},
	        {GO_ORIGIN "\n7\n" ROOT "\n\xFF\n", EG_INVALID},
	        {"other.example\n7\n" ROOT "\n", EG_CORRUPT}, /* our key, another log's name */
	        {GO_ORIGIN "2\n7\n" ROOT "\n", EG_CORRUPT},
	};
	uint8_t public_key[32];
	struct eg_checkpoint c;
	eg_vault_public(vault, public_key);
	for (size_t i = 0; i < N(cases); i++) {
		struct eg_buf b = signed_text(cases[i].text);
		enum eg_rc rc = eg_checkpoint_verify(eg_buf_bytes(&b), GO_ORIGIN, public_key, &c, NULL);
		if (rc != cases[i].rc)
			fail_msg("%s for \"%s\"", eg_rc_name(rc), cases[i].text);
		eg_buf_free(&b);
	}
	/* An origin as long as there is room for, and one byte more. */
	for (size_t len = 127; len <= 128; len++) {
		char text[256], origin[129];
		memset(origin, 'o', len);
		origin[len] = '\0';
		snprintf(text, sizeof text, "%s\n7\n" ROOT "\n", origin);
		struct eg_buf b = signed_text(text);
		assert_int_equal(eg_checkpoint_verify(eg_buf_bytes(&b), GO_ORIGIN, public_key, &c, NULL),
		                 len == 127 ? EG_CORRUPT : EG_INVALID);
		eg_buf_free(&b);
	}
}

#define WITNESS "\xE2\x80\x94 witness.example AAAAAGFueSBieXRlcyB3aWxsIGRv\n"

static void signature_lines(void **state)
{
	(void)state;
	static const struct {
		const char *lines;
		enum eg_rc rc;
	} cases[] = {
	        {WITNESS GO_SIGNATURE, EG_OK},
	        {GO_SIGNATURE WITNESS, EG_OK},
	        {GO_SIGNATURE GO_SIGNATURE, EG_OK},
	        {WITNESS, EG_CORRUPT},
	        /* our name with another key's id is another key; our id under another name too */
	        {"\xE2\x80\x94 " GO_ORIGIN " AAAAAGFueSBieXRlcyB3aWxsIGRv\n" GO_SIGNATURE, EG_OK},
	        {"\xE2\x80\x94 witness.example YC1EcmFueSBieXRlcyB3aWxsIGRv\n" GO_SIGNATURE, EG_OK},
	        /* but a bad one of ours spoils the note, wherever it stands */
	        {"\xE2\x80\x94 " GO_ORIGIN " YC1EcmFueSBieXRlcyB3aWxsIGRv\n" GO_SIGNATURE, EG_CORRUPT},
	        {GO_SIGNATURE "\xE2\x80\x94 " GO_ORIGIN " YC1EcmFueSBieXRlcyB3aWxsIGRv\n", EG_CORRUPT},
	        {"", EG_INVALID},
	        {"\n" GO_SIGNATURE, EG_INVALID},
	        {GO_SIGNATURE "\n", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94 nobody\n", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94  AAAAAGFueSBieXRlcyB3aWxsIGRv\n", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94 a+b AAAAAGFueSBieXRlcyB3aWxsIGRv\n", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94 a\xC2\xA0z AAAAAGFueSBieXRlcyB3aWxsIGRv\n", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94 a AAAAAA==\n", EG_INVALID}, /* a key id and no signature */
	        {GO_SIGNATURE "\xE2\x80\x94 a AAAA AAAA\n", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94 a AAAAAGFueSBieXRlcyB3aWxsIGR=\n", EG_INVALID},
	        {GO_SIGNATURE "- a AAAAAGFueSBieXRlcyB3aWxsIGRv\n", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94 a AAAAAGFueSBieXRlcyB3aWxsIGRv", EG_INVALID},
	        {GO_SIGNATURE "\xE2\x80\x94 a AAAAAGFueSBieXRlcyB3aWxsIGRv\r\n", EG_INVALID},
	};
	struct eg_checkpoint c;
	for (size_t i = 0; i < N(cases); i++) {
		struct eg_buf b = {0};
		eg_buf_printf(&b, "%s\n%s", GO_TEXT, cases[i].lines);
		enum eg_rc rc = verify(eg_buf_bytes(&b), &c);
		if (rc != cases[i].rc)
			fail_msg("%s for \"%s\"", eg_rc_name(rc), cases[i].lines);
		eg_buf_free(&b);
	}
	/* The specification asks for sixteen at least; without an end it must not be. */
	static const unsigned counts[] = {16, 99, 100};
	for (size_t i = 0; i < N(counts); i++) {
		struct eg_buf b = {0};
		eg_buf_printf(&b, "%s\n", GO_TEXT);
		for (unsigned k = 0; k < counts[i]; k++)
			eg_buf_printf(&b, WITNESS);
		eg_buf_printf(&b, GO_SIGNATURE);
		assert_int_equal(verify(eg_buf_bytes(&b), &c), counts[i] < 100 ? EG_OK : EG_INVALID);
		eg_buf_free(&b);
	}
}

static void altered_notes(void **state)
{
	(void)state;
	uint8_t note[sizeof GO_NOTE - 1];
	struct eg_checkpoint c;
	for (size_t bit = 0; bit < 8 * sizeof note; bit++) {
		memcpy(note, GO_NOTE, sizeof note);
		note[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(verify((struct eg_bytes){note, sizeof note}, &c), EG_OK);
	}
	for (size_t len = 0; len < sizeof note; len++)
		assert_int_not_equal(verify((struct eg_bytes){note, len}, &c), EG_OK);
}

static void verifier_keys(void **state)
{
	(void)state;
	static const char *const bad[] = {
	        "",
	        "+",
	        "++",
	        GO_ORIGIN,
	        GO_ORIGIN "+602d4472",
	        GO_ORIGIN "+602d4472+",
	        "+602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T",
	        GO_ORIGIN "+602d4473+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T", /* id */
	        GO_ORIGIN "2+602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T",
	        GO_ORIGIN "+602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2U",
	        GO_ORIGIN "+602d4472+AozTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T", /* type 2 */
	        GO_ORIGIN "+602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2TAAAA",
	        GO_ORIGIN "+602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x0=",
	        GO_ORIGIN "+602d447+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T",
	        GO_ORIGIN "+602d447g+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T",
	        GO_ORIGIN "+0602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T",
	        "log example+602d4472+AYzTDSg/oYmhs07n2LYRHlkgaQzptkcCDNATQpec1x2T",
	        "sum.golang.org+033DE0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", /* case */
	        GO_VKEY "\n",
	        " " GO_VKEY,
	};
	char origin[128];
	uint8_t key[32];
	for (size_t i = 0; i < N(bad); i++)
		if (eg_checkpoint_parse_vkey(bad[i], origin, key))
			fail_msg("\"%s\" was taken", bad[i]);
	/* One that others publish: the Go checksum database's. */
	assert_true(eg_checkpoint_parse_vkey(
	        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", origin, key));
	assert_string_equal(origin, "sum.golang.org");
	struct eg_buf b = {0};
	char longest[128];
	memset(longest, 'o', 127);
	longest[127] = '\0';
	eg_checkpoint_vkey(longest, go_key, &b);
	eg_buf_add_u8(&b, 0);
	assert_true(eg_checkpoint_parse_vkey((const char *)b.p, origin, key));
	assert_string_equal(origin, longest);
	eg_buf_free(&b);
}

static enum eg_rc read_and_verify(struct eg_bytes text)
{
	struct eg_proof p;
	struct eg_checkpoint c;
	uint8_t *copy = malloc(text.len ? text.len : 1);
	assert_non_null(copy);
	if (text.len)
		memcpy(copy, text.p, text.len);
	enum eg_rc rc = eg_proof_read((struct eg_bytes){copy, text.len}, &p, NULL);
	if (rc)
		assert_null(p.extra.p);
	else
		rc = eg_proof_verify(&p, GO_ORIGIN, go_key, &c, NULL);
	eg_buf_free(&p.extra);
	free(copy);
	return rc;
}

#define HEAD "c2sp.org/tlog-proof@v1\n"

static void proofs_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum eg_rc rc;
	} cases[] = {
	        {GO_PROOF, EG_OK},
	        {"", EG_INVALID},
	        {HEAD, EG_INVALID},
	        {"c2sp.org/tlog-proof@v2\n" GO_EXTRA "index 4\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD "index 4\n" GO_HASHES "\n" GO_NOTE, EG_INVALID}, /* a proof, but not of ours */
	        {HEAD "extra \nindex 4\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD "extra AAAA\nindex 4\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA GO_EXTRA "index 4\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index 5\n" GO_HASHES "\n" GO_NOTE, EG_CORRUPT},
	        {HEAD GO_EXTRA "index 7\n" GO_HASHES "\n" GO_NOTE, EG_CORRUPT},
	        {HEAD GO_EXTRA "index 9223372036854775807\n" GO_HASHES "\n" GO_NOTE, EG_CORRUPT},
	        {HEAD GO_EXTRA "index 9223372036854775808\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index 04\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index  4\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index\n" GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA GO_HASHES "\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index 4\n\n" GO_NOTE, EG_CORRUPT},
	        {HEAD GO_EXTRA "index 4\n" GO_HASHES GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index 4\n" GO_HASHES "\n\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index 4\n" GO_HASHES "\n", EG_INVALID},
	        {HEAD GO_EXTRA "index 4\n" GO_HASHES, EG_INVALID},
	        {HEAD GO_EXTRA "index 4\nAAAA\n\n" GO_NOTE, EG_INVALID},
	        {HEAD GO_EXTRA "index 4\n" GO_HASHES "\n" GO_TEXT "\n" WITNESS, EG_CORRUPT},
	        {HEAD GO_EXTRA "index 4\n" GO_HASHES "\n" GO_TEXT, EG_INVALID},
	};
	for (size_t i = 0; i < N(cases); i++) {
		enum eg_rc rc = read_and_verify(eg_bytes_of(cases[i].text));
		if (rc != cases[i].rc)
			fail_msg("%s for \"%s\"", eg_rc_name(rc), cases[i].text);
	}
	/* As many hashes as there is room for, and one more. */
	for (unsigned n = 64; n <= 65; n++) {
		struct eg_buf b = {0};
		struct eg_proof p;
		eg_buf_printf(&b, HEAD "index 1\n");
		for (unsigned i = 0; i < n; i++)
			eg_buf_printf(&b, ROOT "\n");
		eg_buf_printf(&b, "\n" GO_NOTE);
		assert_int_equal(eg_proof_read(eg_buf_bytes(&b), &p, NULL), n == 64 ? EG_OK : EG_INVALID);
		assert_int_equal(p.extra.len, 0);
		eg_buf_free(&b);
	}
	uint8_t proof[sizeof GO_PROOF - 1];
	for (size_t bit = 0; bit < 8 * sizeof proof; bit++) {
		memcpy(proof, GO_PROOF, sizeof proof);
		proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(read_and_verify((struct eg_bytes){proof, sizeof proof}), EG_OK);
	}
	for (size_t len = 0; len < sizeof proof; len++)
		assert_int_not_equal(read_and_verify((struct eg_bytes){proof, len}), EG_OK);
}

static void extra_lengths(void **state)
{
	(void)state;
	uint8_t extra[100] = {0};
	struct eg_bytes header;
	const uint8_t *a, *b;
	for (unsigned len = 0; len < sizeof extra; len++)
		for (unsigned claimed = 0; claimed < 40; claimed++) {
			extra[3] = (uint8_t)claimed;
			assert_int_equal(eg_proof_parts((struct eg_bytes){extra, len}, &header, &a, &b),
			                 len == claimed + 68);
		}
	memset(extra, 0xFF, 4);
	assert_false(eg_proof_parts((struct eg_bytes){extra, 67}, &header, &a, &b));
	assert_false(eg_proof_parts((struct eg_bytes){extra, sizeof extra}, &header, &a, &b));
}

/* Good files with some bytes replaced, cut out or doubled by ones that the formats know. */
static void random_bytes(void **state)
{
	(void)state;
	static const char alphabet[] = "\n\n+ =/0199AZaz\xE2\x80\x94\xC2\x00\x7F\xFF";
	const char *text = getenv("EG_SEED");
	uint64_t rng = text ? strtoull(text, NULL, 10) : 0, seed;
	while (!rng)
		eg_random(&rng, sizeof rng);
	seed = rng;
	printf("EG_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < 60000; i++) {
		struct eg_bytes from = i % 2 ? TEXT(GO_PROOF) : TEXT(GO_NOTE);
		struct eg_buf b = {0};
		struct eg_checkpoint c;
		eg_buf_add(&b, from.p, from.len);
		for (unsigned k = 0; k <= i % 5; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			size_t at = (rng >> 20) % b.len, len = (rng >> 40) % 20;
			if (len > b.len - at)
				len = b.len - at;
			if (rng % 3 == 0) {
				b.p[at] = (uint8_t)alphabet[(rng >> 8) % (sizeof alphabet - 1)];
			} else if (rng % 3 == 1 && b.len > len) {
				memmove(b.p + at, b.p + at + len, b.len - at - len);
				b.len -= len;
			} else {
				uint8_t twice[20];
				memcpy(twice, b.p + at, len);
				eg_buf_add(&b, twice, len);
			}
		}
		bool same = eg_bytes_equal(eg_buf_bytes(&b), from);
		enum eg_rc rc = i % 2 ? read_and_verify(eg_buf_bytes(&b)) : verify(eg_buf_bytes(&b), &c);
		if (rc == EG_OK && !same && !memmem(b.p, b.len, GO_NOTE, sizeof GO_NOTE - 1))
			fail_msg("EG_SEED=%llu: turn %u: an altered text was taken", (unsigned long long)seed,
			         i);
		eg_buf_free(&b);
	}
}

static int begin(void **state)
{
	char folder[] = "/tmp/eg-checkpoint-XXXXXX", path[64], origin[128];
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/root.key", folder);
	enum eg_rc rc = eg_vault_open(&vault, path, true, key_table_keys(&keys), NULL);
	unlink(path);
	rmdir(folder);
	return rc || !eg_checkpoint_parse_vkey(GO_VKEY, origin, go_key);
}

static int end(void **state)
{
	(void)state;
	eg_vault_close(vault);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_go_wrote),        cmocka_unit_test(signed_and_verified),
	        cmocka_unit_test(texts_that_are_none),  cmocka_unit_test(signature_lines),
	        cmocka_unit_test(altered_notes),        cmocka_unit_test(verifier_keys),
	        cmocka_unit_test(proofs_that_are_none), cmocka_unit_test(extra_lengths),
	        cmocka_unit_test(random_bytes),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
