/* make_samples: writes good and bad checkpoints and proofs of a real log of the gateway's code, for checkers
 * that share nothing with it.
 *
 *   make_samples DIR
 *
 * DIR/cases has one line for each sample: `good|bad KIND FILE... KEY_FILE`, with KIND checkpoint, inclusion
 * or consistency. A sample counts only if the gateway's own readers judge it so: otherwise this program
 * aborts. */
#include "../unit/trust/in_memory.h"

#include "trust/checkpoint.h"
#include "trust/leaf.h"

#include <sys/stat.h>
#include <unistd.h>

enum { ENTRIES = 65536 + 300, HEADER_MAX = 400 };

static struct {
	const char *dir;
	FILE *cases;
	unsigned files;
	struct key_table keys;
	struct eg_vault *vault;
	struct memory m;
	char origin[128];
	uint8_t public_key[32], other_key[32];
} world;

/* ---- a log of made-up entries ---- */

struct entry {
	uint8_t header[HEADER_MAX], c_claim[32], c_effect[32];
	struct eg_bytes h;
};

static void entry_at(uint64_t index, struct entry *e)
{
	uint8_t seed[32];
	*e = (struct entry){0};
	eg_sha256(&(struct eg_bytes){(const uint8_t *)&index, sizeof index}, 1, seed);
	e->h = (struct eg_bytes){e->header, 30 + (size_t)seed[0] + seed[1] % 100};
	for (size_t i = 0; i < e->h.len; i++)
		e->header[i] = (uint8_t)(seed[i % 32] + i);
	if (index % 3)
		eg_sha256(&(struct eg_bytes){seed, 20}, 1, e->c_claim);
	if (index % 4)
		eg_sha256(&(struct eg_bytes){seed, 21}, 1, e->c_effect);
}

static void make_log(void)
{
	struct eg_merkle *tree;
	world.m.leaves = calloc(ENTRIES, 32);
	MUST(world.m.leaves);
	MUST(eg_merkle_new(&tree, 0, memory_source(&world.m, 0), NULL) == EG_OK);
	for (uint64_t i = 0; i < ENTRIES; i++) {
		struct entry e;
		entry_at(i, &e);
		eg_leaf_data(e.h, e.c_claim, e.c_effect, world.m.leaves[i]);
		MUST(eg_merkle_append(tree, world.m.leaves[i], memory_keep, &world.m, NULL) == EG_OK);
	}
	eg_merkle_free(tree);
}

static void sign_as(const char *origin, uint64_t size, struct eg_buf *out)
{
	struct eg_checkpoint c = {.size = size};
	MUST(strlen(origin) < sizeof c.origin);
	memcpy(c.origin, origin, strlen(origin));
	MUST(eg_merkle_root_at(size, memory_source(&world.m, size), c.root, NULL) == EG_OK);
	MUST(eg_checkpoint_sign(world.vault, &c, out, NULL) == EG_OK);
}

static struct eg_buf signed_at(uint64_t size)
{
	struct eg_buf b = {0};
	sign_as(world.origin, size, &b);
	return b;
}

/* ---- samples ---- */

static void write_file(const char *name, struct eg_bytes data)
{
	char path[4096];
	MUST((size_t)snprintf(path, sizeof path, "%s/%s", world.dir, name) < sizeof path);
	FILE *f = fopen(path, "w");
	MUST(f && (!data.len || fwrite(data.p, 1, data.len, f) == data.len) && fclose(f) == 0);
}

static void new_file(struct eg_bytes data, char name[16])
{
	snprintf(name, 16, "%04u", world.files++);
	write_file(name, data);
}

enum verdict { GOOD, BAD };
static const char *const words[] = {"good", "bad"};

static void checkpoint_by(const char *key_file, const uint8_t key[32], enum verdict want,
                          struct eg_bytes note)
{
	struct eg_checkpoint c;
	char name[16];
	MUST((eg_checkpoint_verify(note, world.origin, key, &c, NULL) == EG_OK) == (want == GOOD));
	new_file(note, name);
	fprintf(world.cases, "%s checkpoint %s %s\n", words[want], name, key_file);
}

static void checkpoint(enum verdict want, struct eg_bytes note)
{
	checkpoint_by("vkey", world.public_key, want, note);
}

static void inclusion(enum verdict want, struct eg_bytes text)
{
	struct eg_proof p;
	struct eg_checkpoint c;
	char name[16];
	enum eg_rc rc = eg_proof_read(text, &p, NULL);
	if (!rc) {
		rc = eg_proof_verify(&p, world.origin, world.public_key, &c, NULL);
		eg_buf_free(&p.extra);
	}
	MUST((rc == EG_OK) == (want == GOOD));
	new_file(text, name);
	fprintf(world.cases, "%s inclusion %s vkey\n", words[want], name);
}

static void consistency(enum verdict want, const struct eg_buf *before, const struct eg_buf *after,
                        const uint8_t (*proof)[32], unsigned n)
{
	struct eg_checkpoint a, b;
	struct eg_buf lines = {0};
	char names[3][16];
	bool good = eg_checkpoint_verify(eg_buf_bytes(before), world.origin, world.public_key, &a, NULL) ==
	                    EG_OK &&
	            eg_checkpoint_verify(eg_buf_bytes(after), world.origin, world.public_key, &b, NULL) ==
	                    EG_OK &&
	            eg_merkle_verify_consistency(a.size, b.size, a.root, b.root, proof, n);
	MUST(good == (want == GOOD));
	for (unsigned i = 0; i < n; i++) {
		eg_base64(proof[i], 32, &lines);
		eg_buf_add_u8(&lines, '\n');
	}
	new_file(eg_buf_bytes(before), names[0]);
	new_file(eg_buf_bytes(after), names[1]);
	new_file(eg_buf_bytes(&lines), names[2]);
	fprintf(world.cases, "%s consistency %s %s %s vkey\n", words[want], names[0], names[1], names[2]);
	eg_buf_free(&lines);
}

/* ---- checkpoints ---- */

static void changed_notes(const struct eg_buf *note)
{
	struct eg_buf b = {0};
	const uint8_t *end = memmem(note->p, note->len, "\n\n", 2);
	size_t text = (size_t)(end - note->p) + 1;
	/* Each byte, in one bit that leaves it a letter wherever it can. The signature's last base64 digit
	 * has two bits that say nothing, and lenient readers pass over them: there a bit is changed that
	 * does. */
	size_t last = note->len - 1; /* the newline */
	while (note->p[last] == '\n' || note->p[last] == '=')
		last--;
	for (size_t i = 0; i < note->len; i++) {
		eg_buf_reset(&b);
		eg_buf_add(&b, note->p, note->len);
		if (i == last)
			b.p[i] = b.p[i] == 'A' ? 'E' : 'A';
		else
			b.p[i] ^= 1;
		checkpoint(BAD, eg_buf_bytes(&b));
	}
	for (size_t len = 0; len < note->len; len += 17)
		checkpoint(BAD, (struct eg_bytes){note->p, len});
	checkpoint(BAD, (struct eg_bytes){note->p, note->len - 1});
	checkpoint(BAD, (struct eg_bytes){note->p, text + 1}); /* no signature */
	/* A text that goes on after it was signed; a signature line that is none. */
	eg_buf_reset(&b);
	eg_buf_add(&b, note->p, text);
	eg_buf_printf(&b, "more\n");
	eg_buf_add(&b, note->p + text, note->len - text);
	checkpoint(BAD, eg_buf_bytes(&b));
	eg_buf_reset(&b);
	eg_buf_add(&b, note->p, note->len);
	eg_buf_printf(&b, "\xE2\x80\x94 nobody\n");
	checkpoint(BAD, eg_buf_bytes(&b));
	/* Further signatures may stand beside ours. */
	eg_buf_reset(&b);
	eg_buf_add(&b, note->p, note->len);
	eg_buf_printf(&b, "\xE2\x80\x94 witness.example/w1 AAAAAGFueSBieXRlcyB3aWxsIGRv\n");
	checkpoint(GOOD, eg_buf_bytes(&b));
	eg_buf_reset(&b);
	eg_buf_add(&b, note->p, text + 1);
	eg_buf_printf(&b, "\xE2\x80\x94 witness.example/w1 AAAAAGFueSBieXRlcyB3aWxsIGRv\n");
	checkpoint(BAD, eg_buf_bytes(&b)); /* but not in its place */
	eg_buf_add(&b, note->p + text + 1, note->len - text - 1);
	checkpoint(GOOD, eg_buf_bytes(&b));
	eg_buf_free(&b);
}

static void checkpoints(void)
{
	static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 65535, 65536, ENTRIES};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct eg_buf note = signed_at(sizes[i]);
		checkpoint(GOOD, eg_buf_bytes(&note));
		checkpoint_by("other.vkey", world.other_key, BAD, eg_buf_bytes(&note));
		if (sizes[i] == 257)
			changed_notes(&note);
		eg_buf_free(&note);
	}
	struct eg_buf other = {0};
	sign_as("another.example/log", 256, &other); /* our key, under another name */
	checkpoint(BAD, eg_buf_bytes(&other));
	eg_buf_free(&other);
}

/* ---- inclusion ---- */

static void changed_proofs(const struct eg_bytes extra, uint64_t index, uint64_t size, uint8_t (*proof)[32],
                           unsigned n, const struct eg_buf *note)
{
	struct eg_buf b = {0}, other = signed_at(size - 1), e = {0};
	const size_t at[] = {0, 3, 4, extra.len - 65, extra.len - 64, extra.len - 32, extra.len - 1};
#define TRY(want, extra_, index_, n_, note_)                                                                 \
	do {                                                                                                 \
		eg_buf_reset(&b);                                                                            \
		eg_proof_write(&b, (extra_), (index_), (const uint8_t(*)[32])proof, (n_),                    \
		               eg_buf_bytes(note_));                                                         \
		inclusion((want), eg_buf_bytes(&b));                                                         \
	} while (0)
	TRY(BAD, extra, index + 1, n, note);
	TRY(BAD, extra, index ^ 2, n, note);
	TRY(BAD, extra, size, n, note);
	TRY(BAD, extra, index, n - 1, note);
	TRY(BAD, extra, index, n + 1, note);
	TRY(BAD, extra, index, n, &other);
	TRY(BAD, (struct eg_bytes){0}, index, n, note);
	TRY(BAD, ((struct eg_bytes){extra.p, extra.len - 1}), index, n, note);
	TRY(BAD, ((struct eg_bytes){extra.p, 60}), index, n, note);
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		eg_buf_reset(&e);
		eg_buf_add(&e, extra.p, extra.len);
		e.p[at[i]] ^= 1;
		TRY(BAD, eg_buf_bytes(&e), index, n, note);
	}
	for (unsigned i = 0; i < n; i++) {
		proof[i][i % 32] ^= 0x80;
		TRY(BAD, extra, index, n, note);
		proof[i][i % 32] ^= 0x80;
	}
	TRY(GOOD, extra, index, n, note);
#undef TRY
	struct eg_buf cut = {0};
	for (size_t len = 0; len < b.len; len += 41)
		inclusion(BAD, (struct eg_bytes){b.p, len});
	eg_buf_add(&cut, b.p + 1, b.len - 1);
	inclusion(BAD, eg_buf_bytes(&cut));
	eg_buf_free(&cut);
	eg_buf_free(&b);
	eg_buf_free(&e);
	eg_buf_free(&other);
}

static void inclusions(void)
{
	static const struct {
		uint64_t index, size;
	} at[] = {{0, 1},
	          {0, 2},
	          {1, 2},
	          {2, 3},
	          {254, 255},
	          {0, 256},
	          {255, 256},
	          {256, 257},
	          {300, 1000},
	          {999, 1000},
	          {0, 65536},
	          {65535, 65536},
	          {1, ENTRIES},
	          {12345, ENTRIES},
	          {65536, ENTRIES},
	          {65600, ENTRIES},
	          {ENTRIES - 1, ENTRIES}};
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		uint8_t proof[64][32] = {{0}};
		unsigned n;
		struct entry e;
		struct eg_buf extra = {0}, text = {0}, note = signed_at(at[i].size);
		MUST(eg_merkle_inclusion(at[i].index, at[i].size, memory_source(&world.m, at[i].size), proof,
		                         &n, NULL) == EG_OK);
		entry_at(at[i].index, &e);
		eg_proof_extra(&extra, e.h, e.c_claim, e.c_effect);
		eg_proof_write(&text, eg_buf_bytes(&extra), at[i].index, (const uint8_t(*)[32])proof, n,
		               eg_buf_bytes(&note));
		inclusion(GOOD, eg_buf_bytes(&text));
		if (at[i].index == 300 || at[i].index == 65600)
			changed_proofs(eg_buf_bytes(&extra), at[i].index, at[i].size, proof, n, &note);
		eg_buf_free(&extra);
		eg_buf_free(&text);
		eg_buf_free(&note);
	}
}

/* ---- consistency ---- */

static void consistencies(void)
{
	static const uint64_t pairs[][2] = {{1, 1},       {1, 2},         {2, 3},           {3, 7},
	                                    {4, 8},       {255, 256},     {256, 257},       {256, 1000},
	                                    {777, 1000},  {1000, 1000},   {65535, 65536},   {65536, ENTRIES},
	                                    {3, ENTRIES}, {700, ENTRIES}, {65700, ENTRIES}, {65536, 65536}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		uint64_t from = pairs[i][0], to = pairs[i][1];
		uint8_t proof[64][32] = {{0}};
		const uint8_t(*p)[32] = (const uint8_t(*)[32])proof;
		unsigned n;
		struct eg_buf before = signed_at(from), after = signed_at(to);
		MUST(eg_merkle_consistency(from, to, memory_source(&world.m, to), proof, &n, NULL) == EG_OK);
		consistency(GOOD, &before, &after, p, n);
		consistency(BAD, &before, &after, p, n + 1);
		if (n)
			consistency(BAD, &before, &after, p, n - 1);
		if (from != to)
			consistency(BAD, &after, &before, p, n);
		for (unsigned k = 0; k < n; k++) {
			proof[k][31 - k] ^= 1;
			consistency(BAD, &before, &after, p, n);
			proof[k][31 - k] ^= 1;
		}
		/* A log that forgot its last entry, or signed another size. */
		struct eg_buf shorter = signed_at(to - 1);
		if (to - 1 >= from && n)
			consistency(BAD, &before, &shorter, p, n);
		eg_buf_free(&shorter);
		eg_buf_free(&before);
		eg_buf_free(&after);
	}
	struct eg_buf none = signed_at(0), some = signed_at(5);
	consistency(BAD, &none, &some, NULL, 0);
	eg_buf_free(&none);
	eg_buf_free(&some);
}

static void write_key(const char *file, const uint8_t key[32])
{
	struct eg_buf b = {0};
	eg_checkpoint_vkey(world.origin, key, &b);
	write_file(file, eg_buf_bytes(&b));
	eg_buf_free(&b);
}

int main(int argc, char **argv)
{
	char path[4096];
	uint8_t seed[32], mark[16];
	if (argc != 2) {
		fprintf(stderr, "usage: make_samples DIR\n");
		return 2;
	}
	world.dir = argv[1];
	snprintf(path, sizeof path, "%s/root.key", world.dir);
	MUST(eg_vault_open(&world.vault, path, true, key_table_keys(&world.keys), NULL) == EG_OK);
	eg_random(seed, sizeof seed);
	eg_random(mark, sizeof mark);
	memcpy(world.origin, "eldergate.", 10);
	eg_hex(mark, sizeof mark, world.origin + 10);
	eg_vault_public(world.vault, world.public_key);
	MUST(eg_ed25519_public(seed, world.other_key, NULL) == EG_OK);
	make_log();
	write_key("vkey", world.public_key);
	write_key("other.vkey", world.other_key);
	snprintf(path, sizeof path, "%s/cases", world.dir);
	MUST((world.cases = fopen(path, "w")) != NULL);
	checkpoints();
	inclusions();
	consistencies();
	MUST(fclose(world.cases) == 0);
	eg_vault_close(world.vault);
	memory_free(&world.m);
	return 0;
}
