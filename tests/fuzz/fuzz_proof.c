/* fuzz_proof: checkpoints, verifier keys, proof files, and the proofs in them.
 *
 *   1 byte: what; then
 *     a note, a verifier key, a proof file: as it is
 *     a note to be signed, a proof file with such a note in it: what stands under the signature
 *     an inclusion, a consistency: sizes, what to change in the proof of our own tree
 *
 * What is read is written as the same bytes. A note holds only under its key, whatever is changed. A proof
 * holds if and only if the tree, computed from its leaves by the definition of RFC 6962, says so.
 */
#include "fuzz.h"

#include "trust/checkpoint.h"
#include "trust/leaf.h"

enum { NOTE, SIGNED_NOTE, VKEY, PROOF, SIGNED_PROOF, INCLUSION, CONSISTENCY, KINDS };
enum { LEAVES = 600 };

static struct key_table keys;
static struct eg_vault *vault;
static uint8_t public_key[32];
static struct memory tree;
static uint8_t roots[LEAVES + 1][EG_HASH_SIZE]; /* by size */
static const char origin[] = "eldergate.0123456789abcdef0123456789abcdef";

/* The tree of the definition, in the plainest form. */
static void root_of(uint64_t first, uint64_t n, uint8_t out[EG_HASH_SIZE])
{
	uint8_t prefix = n != 1, left[EG_HASH_SIZE], right[EG_HASH_SIZE];
	if (n == 0) {
		eg_sha256(NULL, 0, out);
		return;
	}
	if (n == 1) {
		const struct eg_bytes parts[] = {{&prefix, 1}, {tree.leaves[first], EG_HASH_SIZE}};
		eg_sha256(parts, 2, out);
		return;
	}
	uint64_t k = 1;
	while (k * 2 < n)
		k *= 2;
	root_of(first, k, left);
	root_of(first + k, n - k, right);
	const struct eg_bytes parts[] = {{&prefix, 1}, {left, EG_HASH_SIZE}, {right, EG_HASH_SIZE}};
	eg_sha256(parts, 3, out);
}

void fuzz_start(void)
{
	struct eg_err err = {0};
	struct eg_merkle *m;
	char path[96];
	snprintf(path, sizeof path, "%s/root.key", fuzz_dir());
	MUST(!eg_vault_open(&vault, path, true, key_table_keys(&keys), &err));
	eg_vault_public(vault, public_key);
	tree.leaves = calloc(LEAVES, EG_HASH_SIZE);
	MUST(tree.leaves && !eg_merkle_new(&m, 0, memory_source(&tree, 0), &err));
	for (unsigned i = 0; i < LEAVES; i++) {
		/* Some are alike, as leaves of other trees may be. */
		uint32_t v = i % 7 ? i : 0;
		eg_sha256(&(struct eg_bytes){(const uint8_t *)&v, sizeof v}, 1, tree.leaves[i]);
		MUST(!eg_merkle_append(m, tree.leaves[i], memory_keep, &tree, &err));
	}
	eg_merkle_free(m);
	for (unsigned i = 0; i <= LEAVES; i++)
		root_of(0, i, roots[i]);
}

/* ---- notes ---- */

static void signature_of(struct eg_bytes body, struct eg_buf *note)
{
	uint8_t line[4 + 64], typed[1 + 32] = {1}, hash[EG_HASH_SIZE];
	memcpy(typed + 1, public_key, 32);
	const struct eg_bytes parts[] = {
	        eg_bytes_of(origin), {(const uint8_t *)"\n", 1}, {typed, sizeof typed}};
	eg_sha256(parts, 3, hash);
	memcpy(line, hash, 4);
	MUST(!eg_vault_sign(vault, body, line + 4, NULL));
	eg_buf_add(note, body.p, body.len);
	eg_buf_printf(note, "\n\xE2\x80\x94 %s ", origin);
	eg_base64(line, sizeof line, note);
	eg_buf_add_u8(note, '\n');
}

/* ours: the signature is over these very bytes. */
static bool note(struct eg_bytes text, bool ours)
{
	struct eg_checkpoint c;
	struct eg_err err = {0};
	enum eg_rc rc = eg_checkpoint_verify(text, origin, public_key, &c, &err);
	fuzz_reason(rc, &err);
	MUST(rc == EG_OK || rc == EG_INVALID || rc == EG_CORRUPT);
	if (rc)
		return false;
	MUST(ours);
	MUST(strcmp(c.origin, origin) == 0 && c.size <= INT64_MAX);
	/* Size and root have one form: what we would have signed is the beginning of it. */
	struct eg_buf again = {0};
	MUST(!eg_checkpoint_sign(vault, &c, &again, &err));
	size_t body = 0;
	for (unsigned lines = 0; lines < 3; body++)
		lines += again.p[body] == '\n';
	MUST(text.len >= body && memcmp(again.p, text.p, body) == 0);
	eg_buf_free(&again);
	/* Another key holds nothing of it. */
	uint8_t other[32];
	memcpy(other, public_key, sizeof other);
	other[7] ^= 1;
	MUST(eg_checkpoint_verify(text, origin, other, &c, NULL) != EG_OK);
	return true;
}

static void signed_note(struct eg_bytes body)
{
	struct eg_buf text = {0};
	signature_of(body, &text);
	note(eg_buf_bytes(&text), true);
	eg_buf_free(&text);
}

static void vkey(struct eg_bytes in)
{
	char name[128];
	uint8_t key[32];
	struct eg_buf again = {0};
	char *text = (char *)fuzz_copy(in, true);
	if (eg_checkpoint_parse_vkey(text, name, key)) {
		eg_checkpoint_vkey(name, key, &again);
		MUST(eg_bytes_equal(eg_buf_bytes(&again), eg_bytes_of(text)));
		eg_buf_free(&again);
	}
	free(text);
}

/* ---- proof files ---- */

static void proof_file(struct eg_bytes text, bool ours)
{
	struct eg_proof p;
	struct eg_err err = {0};
	struct eg_buf again = {0};
	struct eg_checkpoint c;
	enum eg_rc rc = eg_proof_read(text, &p, &err);
	fuzz_reason(rc, &err);
	MUST(rc == EG_OK || rc == EG_INVALID);
	if (rc)
		return;
	MUST(p.n <= 64 && p.note.len);
	eg_proof_write(&again, eg_buf_bytes(&p.extra), p.index, p.hashes, p.n, p.note);
	MUST(eg_bytes_equal(eg_buf_bytes(&again), text));
	eg_buf_free(&again);
	rc = eg_proof_verify(&p, origin, public_key, &c, &err);
	fuzz_reason(rc, &err);
	MUST(rc || (ours && p.index < c.size));
	eg_buf_free(&p.extra);
}

/* The input, with the text from the first "@" on signed as a note. */
static void signed_proof(struct eg_bytes in)
{
	struct eg_buf text = {0};
	const uint8_t *at = in.len ? memchr(in.p, '@', in.len) : NULL;
	const uint8_t *next = at ? memchr(at + 1, '@', (size_t)(in.p + in.len - at - 1)) : NULL;
	if (next) { /* the first is in the file's own first line */
		eg_buf_add(&text, in.p, (size_t)(next - in.p));
		signature_of((struct eg_bytes){next + 1, (size_t)(in.p + in.len - next - 1)}, &text);
	} else {
		eg_buf_add(&text, in.p, in.len);
	}
	proof_file(eg_buf_bytes(&text), true);
	eg_buf_free(&text);
}

/* ---- proofs ---- */

static bool change(struct eg_bytes *in, uint8_t (*proof)[EG_HASH_SIZE], unsigned *n)
{
	unsigned what = (unsigned)fuzz_take(in, 1), at = (unsigned)fuzz_take(in, 1);
	switch (what % 4) {
	case 1:
		if (*n) {
			proof[at % *n][what >> 3] ^= (uint8_t)(1 + fuzz_take(in, 1) % 255);
			return true;
		}
		return false;
	case 2:
		if (*n < 64) {
			memset(proof[*n], (int)at, EG_HASH_SIZE);
			(*n)++;
			return true;
		}
		return false;
	case 3:
		if (*n) {
			(*n)--;
			return true;
		}
		return false;
	default:
		return false;
	}
}

static void inclusion(struct eg_bytes in)
{
	uint64_t size = fuzz_take(&in, 2) % LEAVES + 1, index = fuzz_take(&in, 2) % size;
	uint8_t proof[64][EG_HASH_SIZE] = {{0}}, root[EG_HASH_SIZE], at[EG_HASH_SIZE];
	unsigned n = 0;
	struct eg_err err = {0};
	memcpy(root, roots[size], sizeof root);
	MUST(!eg_merkle_root_at(size, memory_source(&tree, size), at, &err));
	MUST(memcmp(root, at, sizeof root) == 0);
	MUST(!eg_merkle_inclusion(index, size, memory_source(&tree, size), proof, &n, &err));
	MUST(eg_merkle_verify_inclusion(index, size, tree.leaves[index], proof, n, root));
	bool changed = change(&in, proof, &n);
	uint64_t said = fuzz_take(&in, 8), of = fuzz_take(&in, 8);
	uint64_t leaf = fuzz_take(&in, 2) % LEAVES;
	if (changed)
		MUST(!eg_merkle_verify_inclusion(index, size, tree.leaves[index], proof, n, root));
	else if (memcmp(tree.leaves[leaf], tree.leaves[index], EG_HASH_SIZE) != 0)
		MUST(!eg_merkle_verify_inclusion(index, size, tree.leaves[leaf], proof, n, root));
	/* Whatever sizes are said: it ends, and no index is in a tree that is no larger. */
	bool held = eg_merkle_verify_inclusion(said, of, tree.leaves[index], proof, n, root);
	MUST(!held || said < of);
}

static void consistency(struct eg_bytes in)
{
	uint64_t size = fuzz_take(&in, 2) % LEAVES + 1, old = fuzz_take(&in, 2) % size + 1;
	uint8_t proof[64][EG_HASH_SIZE] = {{0}}, root[EG_HASH_SIZE], old_root[EG_HASH_SIZE];
	unsigned n = 0;
	struct eg_err err = {0};
	memcpy(root, roots[size], sizeof root);
	memcpy(old_root, roots[old], sizeof old_root);
	MUST(!eg_merkle_consistency(old, size, memory_source(&tree, size), proof, &n, &err));
	MUST(eg_merkle_verify_consistency(old, size, old_root, root, proof, n));
	uint8_t forged[EG_HASH_SIZE];
	memcpy(forged, old_root, sizeof forged);
	forged[3] ^= 0x40;
	MUST(!eg_merkle_verify_consistency(old, size, forged, root, proof, n));
	memcpy(forged, root, sizeof forged);
	forged[3] ^= 0x40;
	MUST(!eg_merkle_verify_consistency(old, size, old_root, forged, proof, n));
	if (change(&in, proof, &n))
		MUST(!eg_merkle_verify_consistency(old, size, old_root, root, proof, n));
	uint64_t said = fuzz_take(&in, 8), of = fuzz_take(&in, 8);
	if (eg_merkle_verify_consistency(said, of, old_root, root, proof, n))
		MUST(said <= of);
}

void fuzz_one(struct eg_bytes in)
{
	unsigned kind = (unsigned)fuzz_take(&in, 1) % KINDS;
	uint8_t *p = fuzz_copy(in, false);
	in.p = p;
	switch (kind) {
	case NOTE:
		note(in, false);
		break;
	case SIGNED_NOTE:
		signed_note(in);
		break;
	case VKEY:
		vkey(in);
		break;
	case PROOF:
		proof_file(in, false);
		break;
	case SIGNED_PROOF:
		signed_proof(in);
		break;
	case INCLUSION:
		inclusion(in);
		break;
	default:
		consistency(in);
	}
	free(p);
}

/* ---- seeds ---- */

static void seed_of(unsigned kind, struct eg_bytes text)
{
	struct eg_buf b = {0};
	eg_buf_add_u8(&b, (uint8_t)kind);
	eg_buf_add(&b, text.p, text.len);
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
}

static void add_body(struct eg_buf *b, uint64_t size)
{
	eg_buf_printf(b, "%s\n%llu\n", origin, (unsigned long long)size);
	eg_base64(roots[size], EG_HASH_SIZE, b);
	eg_buf_add_u8(b, '\n');
}

void fuzz_seeds(void)
{
	static const uint64_t sizes[] = {1, 2, 3, 255, 256, 257, 511, 512, 600};
	struct eg_buf b = {0}, extra = {0};
	uint8_t proof[64][EG_HASH_SIZE], c[2][EG_HASH_SIZE] = {{1}, {2}};
	unsigned n;
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint8_t numbers[28] = {0};
		eg_buf_reset(&b);
		add_body(&b, sizes[i]);
		seed_of(SIGNED_NOTE, eg_buf_bytes(&b));
		eg_buf_printf(&b, "another line\n\n\xE2\x80\x94 witness.example AAAAAAECAwQ=\n");
		seed_of(i % 2 ? SIGNED_NOTE : NOTE, eg_buf_bytes(&b));
		for (unsigned k = 0; k < sizeof numbers; k++)
			numbers[k] = (uint8_t)fuzz_random();
		numbers[0] = (uint8_t)((sizes[i] - 1) >> 8);
		numbers[1] = (uint8_t)(sizes[i] - 1);
		seed_of(INCLUSION, (struct eg_bytes){numbers, sizeof numbers});
		seed_of(CONSISTENCY, (struct eg_bytes){numbers, sizeof numbers});

		eg_buf_reset(&extra);
		eg_proof_extra(&extra, eg_bytes_of("a header"), c[0], c[1]);
		MUST(!eg_merkle_inclusion(sizes[i] / 2, sizes[i], memory_source(&tree, sizes[i]), proof, &n,
		                          NULL));
		eg_buf_reset(&b);
		eg_proof_write(&b, eg_buf_bytes(&extra), sizes[i] / 2, proof, n, eg_bytes_of("@"));
		add_body(&b, sizes[i]);
		seed_of(SIGNED_PROOF, eg_buf_bytes(&b));
	}
	/* One whole that holds: a tree of one leaf, which the extra data is. */
	uint8_t leaf[EG_HASH_SIZE], root[EG_HASH_SIZE];
	eg_leaf_data(eg_bytes_of("a header"), c[0], c[1], leaf);
	eg_merkle_leaf_hash(leaf, root);
	eg_buf_reset(&b);
	eg_proof_write(&b, eg_buf_bytes(&extra), 0, proof, 0, eg_bytes_of("@"));
	eg_buf_printf(&b, "%s\n1\n", origin);
	eg_base64(root, sizeof root, &b);
	eg_buf_add_u8(&b, '\n');
	seed_of(SIGNED_PROOF, eg_buf_bytes(&b));
	eg_buf_reset(&b);
	eg_checkpoint_vkey(origin, public_key, &b);
	seed_of(VKEY, eg_buf_bytes(&b));
	eg_buf_free(&b);
	eg_buf_free(&extra);
}
