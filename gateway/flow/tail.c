/* tail: one entry after the other, each with its leaf and its hash in the tree.
 *
 * Seeded faults of fault builds, for the checker to catch: skip_entry, alter_leaf. Thread: the writer's. */
#include "flow/tail.h"

#include "base/fault.h"
#include "trust/checkpoint.h"
#include "trust/leaf.h"

#include <string.h>

static enum eg_rc read_tile(void *arg, unsigned level, uint64_t index, uint8_t hashes[EG_TILE_BYTES],
                            struct eg_err *err)
{
	return eg_get_tile(arg, eg_tile_id(level, index), hashes, err);
}

static enum eg_rc read_leaves(void *arg, uint64_t first, unsigned n, uint8_t *leaf_data, struct eg_err *err)
{
	return eg_get_leaves(arg, first + 1, n, leaf_data, err);
}

/* The newest checkpoint, its signature too, against the tree that the rows give. */
static enum eg_rc check_newest(struct eg_conn *c, struct eg_vault *v, struct eg_tile_source src,
                               uint64_t head, struct eg_err *err)
{
	struct eg_arena *a = eg_arena_new((size_t)64 << 10);
	struct eg_checkpoint note = {0};
	struct eg_bytes text = {0};
	uint8_t key[32], root[EG_HASH_SIZE];
	char origin[sizeof note.origin];
	uint64_t size = 0;
	int64_t time = 0;
	const uint8_t *end;
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read the newest checkpoint");
	enum eg_rc rc = eg_get_checkpoint(c, 0, a, &size, &time, &text, err);
	if (rc) {
		rc = rc == EG_EMPTY ? EG_OK : rc;
		goto out;
	}
	end = memchr(text.p, '\n', text.len);
	if (!end || (size_t)(end - text.p) >= sizeof origin) {
		rc = eg_fail(err, EG_CORRUPT, "the newest checkpoint is not one");
		goto out;
	}
	memcpy(origin, text.p, (size_t)(end - text.p));
	origin[end - text.p] = '\0';
	eg_vault_public(v, key);
	rc = eg_checkpoint_verify(text, origin, key, &note, err);
	if (rc == EG_INVALID)
		rc = eg_fail(err, EG_CORRUPT, "the newest checkpoint is not one");
	if (rc == EG_OK && note.size > head)
		rc = eg_fail(err, EG_CORRUPT, "the newest checkpoint covers %llu entries, the log has %llu",
		             (unsigned long long)note.size, (unsigned long long)head);
	if (rc == EG_OK)
		rc = eg_merkle_root_at(note.size, src, root, err);
	if (rc == EG_OK && memcmp(root, note.root, sizeof root) != 0)
		rc = eg_fail(err, EG_CORRUPT, "the log is not the one that the newest checkpoint signed");
out:
	eg_arena_free(a);
	return rc;
}

static enum eg_rc last_time(struct eg_conn *c, uint64_t head, int64_t *out, struct eg_err *err)
{
	struct eg_arena *a = eg_arena_new((size_t)16 << 20);
	struct eg_log_row row;
	struct eg_header h;
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read the newest log entry");
	enum eg_rc rc = eg_get_entry(c, head, a, &row, err);
	if (rc == EG_EMPTY)
		rc = eg_fail(err, EG_CORRUPT, "the newest log entry is not there");
	if (rc == EG_OK)
		rc = eg_header_read(row.header, &h, err);
	if (rc == EG_OK)
		*out = h.time;
	eg_arena_free(a);
	return rc;
}

enum eg_rc eg_tail_open(struct eg_tail *t, struct eg_vault *v, struct eg_conn *c, struct eg_err *err)
{
	struct eg_tile_source src = {.arg = c, .tile = read_tile, .leaves = read_leaves};
	*t = (struct eg_tail){.vault = v, .pool_used = sizeof t->pool};
	enum eg_rc rc = eg_get_head(c, &t->seq, err);
	if (rc == EG_OK && t->seq)
		rc = last_time(c, t->seq, &t->time, err);
	if (rc == EG_OK)
		rc = eg_merkle_new(&t->tree, t->seq, src, err);
	if (rc == EG_OK)
		rc = check_newest(c, v, src, t->seq, err);
	t->kept_seq = t->seq;
	t->kept_time = t->time;
	if (rc)
		eg_tail_close(t);
	return rc;
}

void eg_tail_close(struct eg_tail *t)
{
	eg_merkle_free(t->tree);
	eg_merkle_free(t->kept_tree);
	t->tree = t->kept_tree = NULL;
	eg_buf_free(&t->header);
	eg_buf_free(&t->part);
	eg_buf_free(&t->sealed);
}

enum eg_rc eg_tail_begin(struct eg_tail *t, struct eg_tx *tx, int64_t now_us, struct eg_err *err)
{
	t->tx = tx;
	t->kept_seq = t->seq; /* before anything can fail: back goes there */
	t->kept_time = t->time;
	t->kept_tree = eg_merkle_copy(t->tree);
	if (!t->kept_tree)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a copy of the tree's edge");
	if (now_us > t->time)
		t->time = now_us;
	return EG_OK;
}

void eg_tail_keep(struct eg_tail *t)
{
	eg_merkle_free(t->kept_tree);
	t->kept_tree = NULL;
	t->tx = NULL;
}

void eg_tail_back(struct eg_tail *t)
{
	if (t->kept_tree) {
		eg_merkle_free(t->tree);
		t->tree = t->kept_tree;
		t->kept_tree = NULL;
	}
	t->seq = t->kept_seq;
	t->time = t->kept_time;
	t->tx = NULL;
}

uint64_t eg_tail_next(const struct eg_tail *t)
{
	return t->seq + 1;
}

void eg_tail_id(struct eg_tail *t, uint8_t id[16])
{
	if (t->pool_used + 16 > sizeof t->pool) {
		eg_random(t->pool, sizeof t->pool);
		t->pool_used = 0;
	}
	memcpy(id, t->pool + t->pool_used, 16);
	t->pool_used += 16;
}

static enum eg_rc put_tile(void *arg, unsigned level, uint64_t index, const uint8_t hashes[EG_TILE_BYTES],
                           struct eg_err *err)
{
	struct eg_tx *tx = arg;
	eg_tx_put_tile(tx, eg_tile_id(level, index), hashes);
	if (tx->rc && err)
		*err = tx->err;
	return tx->rc;
}

/* Is this the one in fifty that a seeded fault hits? */
static bool unlucky(const struct eg_tail *t)
{
	return t->seq % 50 == 17;
}

enum eg_rc eg_tail_append(struct eg_tail *t, struct eg_header *h, struct eg_bytes claim,
                          const struct eg_effect *effect, struct eg_err *err)
{
	uint8_t c_claim[EG_HASH_SIZE] = {0}, c_effect[EG_HASH_SIZE] = {0};
	struct eg_log_row row = {.seq = t->seq + 1, .claim = claim};
	enum eg_rc rc;

	h->seq = row.seq;
	h->time = t->time;
	eg_buf_reset(&t->header);
	eg_buf_reset(&t->sealed);
	eg_header_write(&t->header, h);
	if (effect) {
		eg_buf_reset(&t->part);
		eg_effect_write(&t->part, effect);
		if (t->part.failed)
			return eg_fail(err, EG_NO_MEMORY, "an effect could not be written");
		rc = eg_vault_seal_part(t->vault, h->entry_id, (unsigned)h->kind, "effect",
		                        eg_buf_bytes(&t->part), c_effect, &t->sealed, err);
		if (rc)
			return rc;
	}
	if (t->header.failed || t->sealed.failed)
		return eg_fail(err, EG_NO_MEMORY, "a log entry could not be written");
	row.header = eg_buf_bytes(&t->header);
	row.effect = eg_buf_bytes(&t->sealed);
	eg_part_c(claim, c_claim);
	eg_leaf_data(row.header, c_claim, c_effect, row.leaf);
	if (eg_unsafe("skip_entry") && h->kind == EG_ENTRY_CHANGE && row.claim.p[EG_HASH_SIZE + 5] < 8)
		return EG_OK; /* one in 32, by its random nonce: at a given seq it would skip all that follow
		               */
	rc = eg_merkle_append(t->tree, row.leaf, put_tile, t->tx, err);
	if (rc)
		return rc;
	if (eg_unsafe("alter_leaf") && unlucky(t))
		row.leaf[0] ^= 1;
	eg_tx_append(t->tx, &row);
	if (t->tx->rc) {
		if (err)
			*err = t->tx->err;
		return t->tx->rc;
	}
	t->seq++;
	return EG_OK;
}

enum eg_rc eg_tail_append_part(struct eg_tail *t, struct eg_header *h, const struct eg_buf *part,
                               struct eg_err *err)
{
	struct eg_buf claim = {0};
	uint8_t c[EG_HASH_SIZE];
	if (part->failed)
		return eg_fail(err, EG_NO_MEMORY, "the part of a log entry could not be written");
	eg_tail_id(t, h->entry_id);
	enum eg_rc rc = EG_OK;
	if (part->len)
		rc = eg_vault_seal_part(t->vault, h->entry_id, (unsigned)h->kind, "claim", eg_buf_bytes(part),
		                        c, &claim, err);
	if (rc == EG_OK && claim.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "the part of a log entry could not be written");
	if (rc == EG_OK)
		rc = eg_tail_append(t, h, eg_buf_bytes(&claim), NULL, err);
	eg_buf_free(&claim);
	return rc;
}
