/* The vault over keys in memory: the root key's file, lost and wrong keys, altered and misplaced bodies,
 * rotation, tokens, references, and its bytes against gateway/FORMAT.md. */
#include "in_memory.h"

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

#define TEXT(s) ((struct eg_bytes){(const uint8_t *)(s), sizeof(s) - 1})

enum { ID = 16 };

struct world {
	char folder[64], path[96];
	struct key_table table;
	struct eg_vault *vault;
};

static enum eg_rc open_vault(struct world *w, bool create, bool writable)
{
	struct eg_vault_keys keys = key_table_keys(&w->table);
	if (!writable)
		keys.put = NULL;
	struct eg_err err = {0};
	enum eg_rc rc = eg_vault_open(&w->vault, w->path, create, keys, &err);
	if (rc)
		assert_int_equal(rc, err.rc);
	return rc;
}

static void close_vault(struct world *w)
{
	eg_vault_close(w->vault);
	w->vault = NULL;
}

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	if (!w)
		return -1;
	strcpy(w->folder, "/tmp/eg-vault-XXXXXX");
	if (!mkdtemp(w->folder))
		return -1;
	snprintf(w->path, sizeof w->path, "%s/root.key", w->folder);
	*state = w;
	return open_vault(w, true, true) != EG_OK;
}

static int end(void **state)
{
	struct world *w = *state;
	close_vault(w);
	unlink(w->path);
	int left = rmdir(w->folder); /* nothing but the key may have been made there */
	free(w);
	return left;
}

/* ---- the root key's file ---- */

static void root_file(void **state)
{
	struct world *w = *state;
	struct stat st;
	uint8_t first[32], second[32];
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	eg_vault_public(w->vault, first);
	close_vault(w);
	static const mode_t wide[] = {0640, 0604, 0610, 0601, 0666, 0620, 0602};
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
		assert_int_equal(chmod(w->path, wide[i]), 0);
		assert_int_equal(open_vault(w, true, true), EG_CONFIG);
	}
	assert_int_equal(chmod(w->path, 0400), 0);
	assert_int_equal(open_vault(w, true, true), EG_OK);
	eg_vault_public(w->vault, second);
	assert_memory_equal(first, second, 32);
	assert_int_equal(w->table.n, 5);
	assert_int_equal(w->table.puts, 1);
}

static void root_file_of_a_wrong_size(void **state)
{
	struct world *w = *state;
	close_vault(w);
	static const off_t sizes[] = {0, 31, 33};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		assert_int_equal(truncate(w->path, sizes[i]), 0);
		assert_int_equal(open_vault(w, true, true), EG_CORRUPT);
	}
}

static void a_lost_root_key_is_never_replaced(void **state)
{
	struct world *w = *state;
	close_vault(w);
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(open_vault(w, false, true), EG_NOT_FOUND);
	assert_int_equal(open_vault(w, true, true), EG_CONFIG);
	assert_int_not_equal(access(w->path, F_OK), 0);
}

static void a_wrong_root_key_opens_nothing(void **state)
{
	struct world *w = *state;
	close_vault(w);
	FILE *f = fopen(w->path, "r+");
	assert_non_null(f);
	int c = fgetc(f);
	rewind(f);
	fputc(c ^ 1, f);
	fclose(f);
	assert_int_equal(open_vault(w, true, true), EG_CORRUPT);
}

static void a_link_is_not_followed(void **state)
{
	struct world *w = *state;
	char real[128];
	close_vault(w);
	snprintf(real, sizeof real, "%s/real", w->folder);
	assert_int_equal(rename(w->path, real), 0);
	assert_int_equal(symlink(real, w->path), 0);
	assert_int_not_equal(open_vault(w, true, true), EG_OK);
	assert_int_equal(unlink(real), 0);
}

/* ---- keys in the store ---- */

static void each_lost_key_is_noticed(void **state)
{
	struct world *w = *state;
	close_vault(w);
	struct key_table whole = w->table;
	for (unsigned i = 0; i < whole.n; i++) {
		w->table = whole;
		w->table.row[i] = w->table.row[--w->table.n];
		assert_int_equal(open_vault(w, true, true), EG_CORRUPT);
		assert_int_equal(w->table.puts, whole.puts);
	}
	for (unsigned i = 0; i < whole.n; i++)
		for (size_t at = 0; at < 60; at += 7) {
			w->table = whole;
			w->table.row[i].wrapped[at] ^= 0x10;
			assert_int_equal(open_vault(w, true, true), EG_CORRUPT);
		}
	/* A key belongs to its name. */
	w->table = whole;
	memcpy(w->table.row[1].wrapped, whole.row[2].wrapped, 60);
	assert_int_equal(open_vault(w, true, true), EG_CORRUPT);
	w->table = whole;
	assert_int_equal(open_vault(w, true, true), EG_OK);
}

static void a_failed_beginning_begins_again(void **state)
{
	struct world *w = *state;
	close_vault(w);
	unlink(w->path);
	w->table = (struct key_table){.refuse = true};
	assert_int_equal(open_vault(w, true, true), EG_NO_SPACE);
	assert_int_equal(access(w->path, F_OK), 0); /* the root key is there, the keys are not */
	w->table.refuse = false;
	assert_int_equal(open_vault(w, false, true), EG_NOT_FOUND);
	assert_int_equal(open_vault(w, true, false), EG_PRECONDITION);
	assert_int_equal(open_vault(w, true, true), EG_OK);
	assert_int_equal(w->table.n, 5);
}

static void a_reader_writes_nothing(void **state)
{
	struct world *w = *state;
	close_vault(w);
	assert_int_equal(open_vault(w, false, false), EG_OK);
	assert_int_equal(eg_vault_rotate(w->vault, NULL), EG_PRECONDITION);
	assert_int_equal(w->table.puts, 1);
}

/* ---- sealing ---- */

static void open_is(struct world *w, struct eg_bytes aad, struct eg_bytes sealed, enum eg_rc want,
                    struct eg_bytes plain)
{
	struct eg_buf out = {0};
	eg_buf_add(&out, "before", 6);
	assert_int_equal(eg_vault_open_sealed(w->vault, aad, sealed, &out, NULL), want);
	if (want == EG_OK) {
		assert_int_equal(out.len, 6 + plain.len);
		assert_memory_equal(out.p + 6, plain.p, plain.len);
	} else {
		assert_int_equal(out.len, 6);
	}
	eg_buf_free(&out);
}

static void sealed_bodies(void **state)
{
	struct world *w = *state;
	struct eg_buf a = {0}, b = {0};
	struct eg_bytes plain = TEXT("a body of some length, not of a whole block"), aad = TEXT("person 7");
	assert_int_equal(eg_vault_seal(w->vault, aad, plain, &a, NULL), EG_OK);
	assert_int_equal(eg_vault_seal(w->vault, aad, plain, &b, NULL), EG_OK);
	assert_int_equal(a.len, 1 + 4 + 12 + plain.len + 16);
	assert_memory_equal(a.p, "\x01\x00\x00\x00\x01", 5);
	assert_memory_not_equal(a.p + 5, b.p + 5, 12); /* nonces */
	assert_memory_not_equal(a.p + 17, b.p + 17, plain.len);
	open_is(w, aad, eg_buf_bytes(&a), EG_OK, plain);
	open_is(w, aad, eg_buf_bytes(&b), EG_OK, plain);
	for (size_t bit = 0; bit < 8 * a.len; bit++) {
		a.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		open_is(w, aad, eg_buf_bytes(&a), EG_CORRUPT, plain);
		a.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < a.len; len++)
		open_is(w, aad, (struct eg_bytes){a.p, len}, EG_CORRUPT, plain);
	open_is(w, TEXT("person 8"), eg_buf_bytes(&a), EG_CORRUPT, plain);
	open_is(w, TEXT("person "), eg_buf_bytes(&a), EG_CORRUPT, plain);
	open_is(w, TEXT(""), eg_buf_bytes(&a), EG_CORRUPT, plain);
	eg_buf_reset(&b);
	assert_int_equal(eg_vault_seal(w->vault, TEXT(""), TEXT(""), &b, NULL), EG_OK);
	open_is(w, TEXT(""), eg_buf_bytes(&b), EG_OK, TEXT(""));
	eg_buf_free(&a);
	eg_buf_free(&b);
}

static void rotation(void **state)
{
	struct world *w = *state;
	enum { EPOCHS = 5 };
	struct eg_buf sealed[EPOCHS + 1] = {0};
	struct eg_bytes plain = TEXT("x"), aad = TEXT("row");
	for (unsigned i = 0; i <= EPOCHS; i++) {
		if (i)
			assert_int_equal(eg_vault_rotate(w->vault, NULL), EG_OK);
		assert_int_equal(eg_vault_seal(w->vault, aad, plain, &sealed[i], NULL), EG_OK);
		assert_int_equal(sealed[i].p[4], i + 1);
	}
	w->table.refuse = true; /* a rotation that fails changes nothing */
	assert_int_equal(eg_vault_rotate(w->vault, NULL), EG_NO_SPACE);
	w->table.refuse = false;
	for (int reopened = 0; reopened < 2; reopened++) {
		for (unsigned i = 0; i <= EPOCHS; i++)
			open_is(w, aad, eg_buf_bytes(&sealed[i]), EG_OK, plain);
		struct eg_buf more = {0};
		assert_int_equal(eg_vault_seal(w->vault, aad, plain, &more, NULL), EG_OK);
		assert_int_equal(more.p[4], EPOCHS + 1);
		eg_buf_free(&more);
		close_vault(w);
		assert_int_equal(open_vault(w, false, true), EG_OK);
	}
	sealed[0].p[4] = EPOCHS + 2;
	open_is(w, aad, eg_buf_bytes(&sealed[0]), EG_CORRUPT, plain);
	for (unsigned i = 0; i <= EPOCHS; i++)
		eg_buf_free(&sealed[i]);
}

/* ---- the parts of an entry ---- */

static void parts(void **state)
{
	struct world *w = *state;
	static const uint8_t id[ID] = "0123456789abcdef", other[ID] = "0123456789abcdeg";
	struct eg_buf a = {0}, b = {0}, raw = {0};
	struct eg_arena *arena = eg_arena_new(1 << 20), *small = eg_arena_new(16);
	struct eg_bytes out;
	uint8_t ca[32], cb[32], c[32], zero[32] = {0};
	struct eg_bytes part = TEXT("what an agency said");
	assert_int_equal(eg_vault_seal_part(w->vault, id, 2, "claim", part, ca, &a, NULL), EG_OK);
	assert_int_equal(eg_vault_seal_part(w->vault, id, 2, "claim", part, cb, &b, NULL), EG_OK);
	assert_memory_not_equal(ca, cb, 32); /* equal parts cannot be told from their C: salts differ */
	eg_part_c(eg_buf_bytes(&a), c);
	assert_memory_equal(c, ca, 32);
	eg_part_c((struct eg_bytes){0}, c);
	assert_memory_equal(c, zero, 32);

	/* As the format document says: C ‖ sealed(salt ‖ part), AD = id ‖ kind ‖ name, C = SHA-256(salt ‖
	 * part). */
	struct eg_bytes aad = TEXT("0123456789abcdef\0\x02"
	                           "claim");
	assert_int_equal(
	        eg_vault_open_sealed(w->vault, aad, (struct eg_bytes){a.p + 32, a.len - 32}, &raw, NULL),
	        EG_OK);
	assert_int_equal(raw.len, 32 + part.len);
	assert_memory_equal(raw.p + 32, part.p, part.len);
	eg_sha256(&(struct eg_bytes){raw.p, raw.len}, 1, c);
	assert_memory_equal(c, ca, 32);

	assert_int_equal(eg_vault_open_part(w->vault, id, 2, "claim", eg_buf_bytes(&a), arena, &out, NULL),
	                 EG_OK);
	assert_true(eg_bytes_equal(out, part));
	assert_int_equal(eg_vault_open_part(w->vault, id, 3, "claim", eg_buf_bytes(&a), arena, &out, NULL),
	                 EG_CORRUPT);
	assert_int_equal(eg_vault_open_part(w->vault, id, 2, "effect", eg_buf_bytes(&a), arena, &out, NULL),
	                 EG_CORRUPT);
	assert_int_equal(eg_vault_open_part(w->vault, other, 2, "claim", eg_buf_bytes(&a), arena, &out, NULL),
	                 EG_CORRUPT);
	for (size_t at = 0; at < a.len; at++) { /* C too */
		a.p[at] ^= 4;
		assert_int_equal(
		        eg_vault_open_part(w->vault, id, 2, "claim", eg_buf_bytes(&a), arena, &out, NULL),
		        EG_CORRUPT);
		a.p[at] ^= 4;
	}
	for (size_t len = 1; len < a.len; len++)
		assert_int_equal(eg_vault_open_part(w->vault, id, 2, "claim", (struct eg_bytes){a.p, len},
		                                    arena, &out, NULL),
		                 EG_CORRUPT);
	assert_int_equal(
	        eg_vault_open_part(w->vault, id, 2, "claim", (struct eg_bytes){0}, arena, &out, NULL), EG_OK);
	assert_int_equal(out.len, 0);
	assert_int_equal(eg_vault_open_part(w->vault, id, 2, "claim", eg_buf_bytes(&a), small, &out, NULL),
	                 EG_LIMIT);
	eg_arena_free(arena);
	eg_arena_free(small);
	eg_buf_free(&a);
	eg_buf_free(&b);
	eg_buf_free(&raw);
}

/* ---- tokens, digests, references ---- */

/* The kept key, unwrapped as the format document says. */
static void kept_key(struct world *w, const char *name, uint8_t key[32])
{
	uint8_t root[32], wrapped[60];
	FILE *f = fopen(w->path, "r");
	assert_non_null(f);
	assert_int_equal(fread(root, 1, 32, f), 32);
	fclose(f);
	assert_int_equal(key_table_get(&w->table, name, wrapped, NULL), EG_OK);
	assert_int_equal(
	        eg_gcm_open(root, wrapped, eg_bytes_of(name), (struct eg_bytes){wrapped + 12, 48}, key, NULL),
	        EG_OK);
}

static void mac_of(const uint8_t key[32], struct eg_bytes data, uint8_t out[32])
{
	struct eg_mac *m = eg_mac_new(key);
	assert_non_null(m);
	eg_mac(m, &data, 1, out);
	eg_mac_free(m);
}

static void tokens(void **state)
{
	struct world *w = *state;
	uint8_t key[32], want[32], got[32], again[32];
	struct eg_bytes v[] = {TEXT("police"), TEXT("registration"), TEXT("K-1")};
	kept_key(w, "token", key);
	mac_of(key, TEXT("source-key\0police\0registration\0K-1"), want);
	eg_vault_token(w->vault, "source-key", v, 3, got, 16);
	assert_memory_equal(got, want, 16);
	eg_vault_token(w->vault, "source-key", v, 3, got, 8);
	assert_memory_equal(got, want, 8);
	mac_of(key, TEXT("id18\0K-1"), want);
	eg_vault_token(w->vault, "id18", &v[2], 1, got, 16);
	assert_memory_equal(got, want, 16);
	assert_int_equal(eg_vault_rotate(w->vault, NULL), EG_OK);
	close_vault(w);
	assert_int_equal(open_vault(w, false, true), EG_OK);
	eg_vault_token(w->vault, "id18", &v[2], 1, again, 16);
	assert_memory_equal(got, again, 16); /* stable over rotation and restart */
	eg_vault_token(w->vault, "name", &v[2], 1, again, 16);
	assert_memory_not_equal(got, again, 16);

	kept_key(w, "digest", key);
	mac_of(key, TEXT("a claim"), want);
	eg_vault_digest(w->vault, TEXT("a claim"), got);
	assert_memory_equal(got, want, 16);
}

static void references(void **state)
{
	struct world *w = *state;
	static const char *const audiences[] = {"kafka", "identity/police", "identity/polic", ""};
	uint8_t id[16], ref[4][16], back[16], key[32], audience_key[32], want[16];
	eg_random(id, sizeof id);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(eg_vault_ref(w->vault, audiences[i], id, ref[i], NULL), EG_OK);
		assert_memory_not_equal(ref[i], id, 16);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(ref[i], ref[k], 16);
		assert_int_equal(eg_vault_unref(w->vault, audiences[i], ref[i], back, NULL), EG_OK);
		assert_memory_equal(back, id, 16);
	}
	kept_key(w, "ref", key);
	mac_of(key, TEXT("kafka"), audience_key);
	assert_int_equal(eg_block(audience_key, true, id, want, NULL), EG_OK);
	assert_memory_equal(ref[0], want, 16);
	assert_int_equal(eg_vault_rotate(w->vault, NULL), EG_OK);
	close_vault(w);
	assert_int_equal(open_vault(w, false, false), EG_OK);
	assert_int_equal(eg_vault_ref(w->vault, "kafka", id, back, NULL), EG_OK);
	assert_memory_equal(back, ref[0], 16);
}

static void signatures(void **state)
{
	struct world *w = *state;
	uint8_t seed[32], public_key[32], signature[64], want[64];
	kept_key(w, "checkpoint", seed);
	eg_vault_public(w->vault, public_key);
	assert_int_equal(eg_vault_sign(w->vault, TEXT("a note"), signature, NULL), EG_OK);
	assert_true(eg_ed25519_verify(public_key, TEXT("a note"), signature));
	assert_int_equal(eg_ed25519_sign(seed, TEXT("a note"), want, NULL), EG_OK);
	assert_memory_equal(signature, want, 64);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(root_file),
	        TEST(root_file_of_a_wrong_size),
	        TEST(a_lost_root_key_is_never_replaced),
	        TEST(a_wrong_root_key_opens_nothing),
	        TEST(a_link_is_not_followed),
	        TEST(each_lost_key_is_noticed),
	        TEST(a_failed_beginning_begins_again),
	        TEST(a_reader_writes_nothing),
	        TEST(sealed_bodies),
	        TEST(rotation),
	        TEST(parts),
	        TEST(tokens),
	        TEST(references),
	        TEST(signatures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
