/* verdict: see verdict.h. */
#include "cli/verdict.h"

#include "trust/merkle.h"

#include <stdlib.h>
#include <string.h>

/* The three lines of a note's text: origin, size, root. */
static bool read_text(struct eg_bytes note, struct eg_checkpoint *out)
{
	const char *p = (const char *)note.p, *end = p + note.len;
	const char *origin_end = memchr(p, '\n', note.len);
	if (!origin_end || origin_end == p || (size_t)(origin_end - p) >= sizeof out->origin)
		return false;
	memcpy(out->origin, p, (size_t)(origin_end - p));
	out->origin[origin_end - p] = 0;
	char *size_end = NULL;
	out->size = strtoull(origin_end + 1, &size_end, 10);
	if (size_end == origin_end + 1 || size_end >= end || *size_end != '\n')
		return false;
	const char *root = size_end + 1, *root_end = memchr(root, '\n', (size_t)(end - root));
	struct eg_buf bytes = {0};
	bool ok = root_end &&
	          eg_unbase64((struct eg_bytes){(const uint8_t *)root, (size_t)(root_end - root)}, &bytes) &&
	          bytes.len == EG_HASH_SIZE;
	if (ok)
		memcpy(out->root, bytes.p, EG_HASH_SIZE);
	eg_buf_free(&bytes);
	return ok;
}

enum eg_rc verdict_checkpoint(struct eg_bytes note, const char *vkey, struct eg_checkpoint *out,
                              struct eg_err *err)
{
	char origin[128];
	uint8_t public_key[32];
	enum eg_rc rc = eg_crypto_open(err);
	if (rc)
		return rc;
	struct eg_buf text = {0};
	eg_buf_add(&text, note.p, note.len); /* with a NUL behind it, for strtoull */
	eg_buf_add_u8(&text, 0);
	bool readable = !text.failed && read_text((struct eg_bytes){text.p, note.len}, out);
	eg_buf_free(&text);
	if (!readable)
		return eg_fail(err, EG_INVALID, "this is no checkpoint");
	if (!vkey)
		return EG_OK;
	if (!eg_checkpoint_parse_vkey(vkey, origin, public_key))
		return eg_fail(err, EG_USAGE, "the verifier key is not of the form ORIGIN+HASH+BASE64");
	return eg_checkpoint_verify(note, origin, public_key, out, err);
}

/* Copies hashes out of a message; false if one has the wrong size or there are too many. */
static bool take_hashes(size_t n, const ProtobufCBinaryData *hashes, uint8_t out[64][EG_HASH_SIZE])
{
	if (n > 64)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (hashes[i].len != EG_HASH_SIZE)
			return false;
		memcpy(out[i], hashes[i].data, EG_HASH_SIZE);
	}
	return true;
}

enum eg_rc verdict_inclusion(const Eldergate__V1__GetInclusionProofResponse *p, uint64_t seq,
                             const char *vkey, struct eg_err *err)
{
	struct eg_checkpoint c;
	uint8_t hashes[64][EG_HASH_SIZE];
	enum eg_rc rc = verdict_checkpoint(eg_bytes_of(p->checkpoint), vkey, &c, err);
	if (rc)
		return rc;
	if (c.size != p->tree_size)
		return eg_fail(err, EG_CORRUPT,
		               "the proof is for a tree of another size than its checkpoint states");
	if (p->leaf_index + 1 != seq || p->leaf_data.len != EG_HASH_SIZE ||
	    !take_hashes(p->n_hashes, p->hashes, hashes))
		return eg_fail(err, EG_CORRUPT, "the proof is not about entry %llu", (unsigned long long)seq);
	if (!eg_merkle_verify_inclusion(p->leaf_index, p->tree_size, p->leaf_data.data,
	                                (const uint8_t(*)[EG_HASH_SIZE])hashes, (unsigned)p->n_hashes,
	                                c.root))
		return eg_fail(err, EG_CORRUPT, "the proof does not lead to the checkpoint's root");
	return EG_OK;
}

enum eg_rc verdict_consistency(const Eldergate__V1__GetConsistencyProofResponse *p,
                               const struct eg_checkpoint *kept, const char *vkey, struct eg_checkpoint *now,
                               struct eg_err *err)
{
	uint8_t hashes[64][EG_HASH_SIZE];
	enum eg_rc rc = verdict_checkpoint(eg_bytes_of(p->checkpoint), vkey, now, err);
	if (rc)
		return rc;
	if (strcmp(now->origin, kept->origin) != 0)
		return eg_fail(err, EG_CORRUPT, "the gateway's log is not the one of the kept checkpoint");
	if (p->first_size != kept->size || p->second_size != now->size ||
	    !take_hashes(p->n_hashes, p->hashes, hashes))
		return eg_fail(err, EG_CORRUPT, "the proof is not about the kept checkpoint");
	if (!eg_merkle_verify_consistency(kept->size, now->size, kept->root, now->root,
	                                  (const uint8_t(*)[EG_HASH_SIZE])hashes, (unsigned)p->n_hashes))
		return eg_fail(err, EG_CORRUPT,
		               "the log does not begin with the kept checkpoint: it was rewritten");
	return EG_OK;
}
