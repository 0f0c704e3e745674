/* checkpoint: see checkpoint.h. C2SP signed-note, tlog-checkpoint and tlog-proof, version 1 of each.
 *
 * Readers are strict, so that one statement has one text; they judge lengths before they look at bytes. */
#include "trust/checkpoint.h"

#include "trust/leaf.h"

#include <stdio.h>
#include <string.h>

enum {
	NOTE_MAX = 1 << 20,
	PROOF_MAX = 4 << 20,
	SIGNATURES_MAX = 100,
	KEY_ID = 4,
	SIGNATURE = 64,
	ED25519 = 1, /* signature type of signed-note */
	PROOF_HASHES = sizeof((struct eg_proof *)0)->hashes / EG_HASH_SIZE
};

#define DASH         "\xE2\x80\x94 "
#define PROOF_HEADER "c2sp.org/tlog-proof@v1"

/* ---- lines, numbers, names ---- */

/* Takes one line off the text, without its newline. False: no newline is left. */
static bool take_line(struct eg_bytes *text, struct eg_bytes *line)
{
	const uint8_t *end = text->len ? memchr(text->p, '\n', text->len) : NULL;
	if (!end)
		return false;
	*line = (struct eg_bytes){text->p, (size_t)(end - text->p)};
	text->p += line->len + 1;
	text->len -= line->len + 1;
	return true;
}

static bool take_prefix(struct eg_bytes *s, const char *prefix)
{
	size_t len = strlen(prefix);
	if (s->len < len || memcmp(s->p, prefix, len) != 0)
		return false;
	s->p += len;
	s->len -= len;
	return true;
}

/* ASCII decimal without leading zeros, below 2^63. */
static bool number_of(struct eg_bytes s, uint64_t *out)
{
	uint64_t v = 0;
	if (!s.len || s.len > 19 || (s.p[0] == '0' && s.len > 1))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return v <= INT64_MAX; /* 19 digits stay below 2^64 */
}

/* Exactly len bytes of base64. */
static bool fixed_of(struct eg_bytes s, uint8_t *out, size_t len)
{
	struct eg_buf b = {0};
	if (s.len != (len + 2) / 3 * 4)
		return false;
	bool ok = eg_unbase64(s, &b) && b.len == len;
	if (ok)
		memcpy(out, b.p, len);
	eg_buf_free(&b);
	return ok;
}

/* White_Space of Unicode, beyond the ASCII controls that no note may hold. */
static bool is_space(const uint8_t *c, size_t len)
{
	uint32_t u = c[0];
	if (len == 2)
		u = (c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu);
	else if (len == 3)
		u = (c[0] & 0x0Fu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu);
	return u == ' ' || u == 0x85 || u == 0xA0 || u == 0x1680 || (u >= 0x2000 && u <= 0x200A) ||
	       u == 0x2028 || u == 0x2029 || u == 0x202F || u == 0x205F || u == 0x3000;
}

/* A key name of signed-note: UTF-8 without white space, controls or plus. */
static bool is_name(struct eg_bytes s)
{
	if (!s.len)
		return false;
	while (s.len) {
		bool valid;
		size_t n = eg_utf8_step(s, &valid);
		if (!valid || s.p[0] < 0x20 || s.p[0] == '+' || (n < 4 && is_space(s.p, n)))
			return false;
		s.p += n;
		s.len -= n;
	}
	return true;
}

static bool is_note_text(struct eg_bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 && s.p[i] != '\n')
			return false;
	return eg_utf8_valid(s);
}

static void key_id(struct eg_bytes name, const uint8_t public_key[32], uint8_t id[KEY_ID])
{
	static const uint8_t type[2] = {'\n', ED25519};
	const struct eg_bytes parts[] = {name, {type, sizeof type}, {public_key, 32}};
	uint8_t hash[EG_HASH_SIZE];
	eg_sha256(parts, 3, hash);
	memcpy(id, hash, KEY_ID);
}

/* ---- checkpoints ---- */

static struct eg_bytes name_in(const char origin[128])
{
	return (struct eg_bytes){(const uint8_t *)origin, strnlen(origin, 128)};
}

enum eg_rc eg_checkpoint_sign(struct eg_vault *v, const struct eg_checkpoint *c, struct eg_buf *out,
                              struct eg_err *err)
{
	struct eg_bytes origin = name_in(c->origin);
	uint8_t public_key[32], signature[KEY_ID + SIGNATURE];
	size_t begin = out->len;
	if (origin.len >= sizeof c->origin || !is_name(origin))
		return eg_fail(err, EG_CONFIG,
		               "an origin has 1 to %zu bytes of text without spaces, controls or '+'",
		               sizeof c->origin - 1);
	if (c->size > INT64_MAX)
		return eg_fail(err, EG_LIMIT, "no tree is that large");
	eg_buf_printf(out, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
	eg_base64(c->root, sizeof c->root, out);
	eg_buf_add_u8(out, '\n');
	if (out->failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a checkpoint");
	eg_vault_public(v, public_key);
	key_id(origin, public_key, signature);
	enum eg_rc rc = eg_vault_sign(v, (struct eg_bytes){out->p + begin, out->len - begin},
	                              signature + KEY_ID, err);
	if (!rc) {
		eg_buf_printf(out, "\n" DASH "%s ", c->origin);
		eg_base64(signature, sizeof signature, out);
		eg_buf_add_u8(out, '\n');
		if (out->failed)
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for a checkpoint");
	}
	if (rc)
		out->len = begin;
	return rc;
}

static bool body_of(struct eg_bytes text, struct eg_bytes *origin, struct eg_checkpoint *c)
{
	struct eg_bytes line;
	if (!take_line(&text, origin) || !origin->len || origin->len >= sizeof c->origin ||
	    !take_line(&text, &line) || !number_of(line, &c->size) || !take_line(&text, &line) ||
	    !fixed_of(line, c->root, sizeof c->root))
		return false;
	while (text.len)
		if (!take_line(&text, &line) || !line.len)
			return false;
	memcpy(c->origin, origin->p, origin->len);
	return true;
}

struct signer {
	struct eg_bytes name;
	uint8_t id[KEY_ID];
	const uint8_t *public_key;
	bool good, bad; /* a signature of this key held, did not hold */
};

/* False: not a signature line. Lines of other keys are passed over. */
static bool signature_line(struct eg_bytes line, struct eg_bytes text, struct signer *s)
{
	struct eg_buf raw = {0};
	const uint8_t *space;
	if (!take_prefix(&line, DASH) || !(space = memchr(line.p, ' ', line.len)))
		return false;
	struct eg_bytes name = {line.p, (size_t)(space - line.p)};
	struct eg_bytes value = {space + 1, line.len - name.len - 1};
	bool ok = is_name(name) && eg_unbase64(value, &raw) && raw.len > KEY_ID;
	if (ok && eg_bytes_equal(name, s->name) && memcmp(raw.p, s->id, KEY_ID) == 0) {
		if (raw.len == KEY_ID + SIGNATURE && eg_ed25519_verify(s->public_key, text, raw.p + KEY_ID))
			s->good = true;
		else
			s->bad = true;
	}
	eg_buf_free(&raw);
	return ok;
}

/* Splits at the last empty line: the text keeps its newline, signatures follow. */
static bool split(struct eg_bytes note, struct eg_bytes *text, struct eg_bytes *signatures)
{
	if (note.len < 3 || note.len > NOTE_MAX || note.p[note.len - 1] != '\n' || !is_note_text(note))
		return false;
	for (size_t i = note.len - 1; i-- > 1;)
		if (note.p[i] == '\n' && note.p[i - 1] == '\n') {
			*text = (struct eg_bytes){note.p, i};
			*signatures = (struct eg_bytes){note.p + i + 1, note.len - i - 1};
			return true;
		}
	return false;
}

enum eg_rc eg_checkpoint_verify(struct eg_bytes note, const char *origin, const uint8_t public_key[32],
                                struct eg_checkpoint *out, struct eg_err *err)
{
	struct eg_checkpoint c = {0};
	struct eg_bytes text, signatures, line, name;
	struct signer s = {.name = eg_bytes_of(origin), .public_key = public_key};
	if (!split(note, &text, &signatures) || !body_of(text, &name, &c))
		return eg_fail(err, EG_INVALID, "this is not a checkpoint");
	key_id(s.name, public_key, s.id);
	for (unsigned n = 0; signatures.len; n++)
		if (n == SIGNATURES_MAX || !take_line(&signatures, &line) || !signature_line(line, text, &s))
			return eg_fail(err, EG_INVALID, "a checkpoint's signature lines are malformed");
	if (s.bad)
		return eg_fail(err, EG_CORRUPT, "a checkpoint's signature does not hold");
	if (!s.good)
		return eg_fail(err, EG_CORRUPT,
		               "a checkpoint bears no signature of the key it was checked with");
	if (!eg_bytes_equal(name, s.name))
		return eg_fail(err, EG_CORRUPT, "a checkpoint is of another log");
	*out = c;
	return EG_OK;
}

/* ---- verifier keys: name+hash+base64(type ‖ key) ---- */

void eg_checkpoint_vkey(const char *origin, const uint8_t public_key[32], struct eg_buf *out)
{
	uint8_t id[KEY_ID], typed[1 + 32] = {ED25519};
	char hex[2 * KEY_ID + 1];
	key_id(eg_bytes_of(origin), public_key, id);
	eg_hex(id, KEY_ID, hex);
	memcpy(typed + 1, public_key, 32);
	eg_buf_printf(out, "%s+%s+", origin, hex);
	eg_base64(typed, sizeof typed, out);
}

bool eg_checkpoint_parse_vkey(const char *vkey, char origin[128], uint8_t public_key[32])
{
	uint8_t id[KEY_ID], claimed[KEY_ID], typed[1 + 32];
	char hex[2 * KEY_ID + 1] = "";
	const char *plus = strchr(vkey, '+');
	if (!plus || plus - vkey >= 128)
		return false;
	struct eg_bytes name = {(const uint8_t *)vkey, (size_t)(plus - vkey)};
	if (!is_name(name) || strnlen(plus + 1, sizeof hex) < sizeof hex || plus[sizeof hex] != '+')
		return false;
	memcpy(hex, plus + 1, sizeof hex - 1);
	/* It has one form: keys are compared as text, too. */
	if (strpbrk(hex, "ABCDEF") || !eg_unhex(hex, claimed, KEY_ID) ||
	    !fixed_of(eg_bytes_of(plus + sizeof hex + 1), typed, sizeof typed) || typed[0] != ED25519)
		return false;
	key_id(name, typed + 1, id);
	if (memcmp(id, claimed, KEY_ID) != 0)
		return false;
	memcpy(origin, vkey, name.len);
	origin[name.len] = '\0';
	memcpy(public_key, typed + 1, 32);
	return true;
}

/* ---- proof files ---- */

void eg_proof_write(struct eg_buf *out, struct eg_bytes extra, uint64_t index,
                    const uint8_t (*proof)[EG_HASH_SIZE], unsigned n, struct eg_bytes note)
{
	eg_buf_printf(out, PROOF_HEADER "\n");
	if (extra.len) {
		eg_buf_printf(out, "extra ");
		eg_base64(extra.p, extra.len, out);
		eg_buf_add_u8(out, '\n');
	}
	eg_buf_printf(out, "index %llu\n", (unsigned long long)index);
	for (unsigned i = 0; i < n; i++) {
		eg_base64(proof[i], EG_HASH_SIZE, out);
		eg_buf_add_u8(out, '\n');
	}
	eg_buf_add_u8(out, '\n');
	eg_buf_add(out, note.p, note.len);
}

static bool read_proof(struct eg_bytes text, struct eg_proof *p)
{
	struct eg_bytes line;
	if (text.len > PROOF_MAX || !take_line(&text, &line) ||
	    !eg_bytes_equal(line, eg_bytes_of(PROOF_HEADER)) || !take_line(&text, &line))
		return false;
	if (take_prefix(&line, "extra ") &&
	    (!line.len || !eg_unbase64(line, &p->extra) || !take_line(&text, &line)))
		return false;
	if (!take_prefix(&line, "index ") || !number_of(line, &p->index))
		return false;
	for (;;) {
		if (!take_line(&text, &line))
			return false;
		if (!line.len)
			break;
		if (p->n == PROOF_HASHES || !fixed_of(line, p->hashes[p->n++], EG_HASH_SIZE))
			return false;
	}
	p->note = text;
	return text.len != 0;
}

enum eg_rc eg_proof_read(struct eg_bytes text, struct eg_proof *out, struct eg_err *err)
{
	*out = (struct eg_proof){0};
	if (read_proof(text, out))
		return EG_OK;
	bool memory = out->extra.failed;
	eg_buf_free(&out->extra);
	return memory ? eg_fail(err, EG_NO_MEMORY, "no memory to read a proof")
	              : eg_fail(err, EG_INVALID, "this is not a proof file");
}

enum eg_rc eg_proof_verify(const struct eg_proof *p, const char *origin, const uint8_t public_key[32],
                           struct eg_checkpoint *out, struct eg_err *err)
{
	struct eg_bytes header;
	const uint8_t *c_claim, *c_effect;
	uint8_t leaf[EG_HASH_SIZE];
	struct eg_checkpoint c;
	if (!eg_proof_parts(eg_buf_bytes(&p->extra), &header, &c_claim, &c_effect))
		return eg_fail(err, EG_INVALID, "the proof does not carry an entry's header and commitments");
	enum eg_rc rc = eg_checkpoint_verify(p->note, origin, public_key, &c, err);
	if (rc)
		return rc;
	eg_leaf_data(header, c_claim, c_effect, leaf);
	if (!eg_merkle_verify_inclusion(p->index, c.size, leaf, p->hashes, p->n, c.root))
		return eg_fail(err, EG_CORRUPT, "the entry is not in the log that the checkpoint signed");
	*out = c;
	return EG_OK;
}

void eg_proof_extra(struct eg_buf *out, struct eg_bytes header, const uint8_t c_claim[EG_HASH_SIZE],
                    const uint8_t c_effect[EG_HASH_SIZE])
{
	eg_buf_add_be(out, header.len, 4);
	eg_buf_add(out, header.p, header.len);
	eg_buf_add(out, c_claim, EG_HASH_SIZE);
	eg_buf_add(out, c_effect, EG_HASH_SIZE);
}

bool eg_proof_parts(struct eg_bytes extra, struct eg_bytes *header, const uint8_t **c_claim,
                    const uint8_t **c_effect)
{
	const size_t frame = 4 + 2 * EG_HASH_SIZE;
	if (extra.len < frame)
		return false;
	uint32_t len = (uint32_t)extra.p[0] << 24 | (uint32_t)extra.p[1] << 16 | (uint32_t)extra.p[2] << 8 |
	               extra.p[3];
	if (len != extra.len - frame)
		return false;
	*header = (struct eg_bytes){extra.p + 4, len};
	*c_claim = extra.p + 4 + len;
	*c_effect = *c_claim + EG_HASH_SIZE;
	return true;
}
