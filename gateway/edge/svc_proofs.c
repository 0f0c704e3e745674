/* svc_proofs: AuditService's checkpoints and proofs. They show hashes alone, so reading them is not logged.
 */
#include "edge/services.h"
#include "edge/views.h"

#include "eldergate/v1/audit.pb-c.h"
#include "trust/checkpoint.h"

enum { HASHES_MAX = 64 };

/* ---- the tree, from the store ---- */

static enum eg_rc tile(void *arg, unsigned level, uint64_t index, uint8_t hashes[EG_TILE_BYTES],
                       struct eg_err *err)
{
	struct eg_conn *c = arg;
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_get_tile(c, eg_tile_id(level, index), hashes, err);
	eg_read_end(c);
	return rc == EG_EMPTY ? eg_fail(err, EG_CORRUPT, "a tile of the log's tree is missing") : rc;
}

static enum eg_rc leaves(void *arg, uint64_t first, unsigned n, uint8_t *leaf_data, struct eg_err *err)
{
	struct eg_conn *c = arg;
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_get_leaves(c, first + 1, n, leaf_data, err);
	eg_read_end(c);
	return rc;
}

static struct eg_tile_source tree_of(struct eg_ask *a)
{
	return (struct eg_tile_source){.arg = a->conn, .tile = tile, .leaves = leaves};
}

struct newest {
	uint64_t size;
	int64_t time;
	struct eg_bytes note;
};

static enum eg_rc newest_checkpoint(struct eg_ask *a, struct newest *out, struct eg_fault *f)
{
	*out = (struct newest){0};
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	rc = eg_get_checkpoint(a->conn, 0, a->arena, &out->size, &out->time, &out->note, &f->err);
	eg_read_end(a->conn);
	return rc;
}

static enum eg_rc no_size(struct eg_fault *f, const char *field)
{
	return eg_refuse(f, EG_OUT_OF_RANGE, EG_REASON_PROOF_SIZE, field,
	                 "no checkpoint has covered a tree of this size yet");
}

/* The signed note of a tree of this size: the stored one, or, for an older size, one signed now. */
static enum eg_rc note_of(struct eg_ask *a, const struct newest *newest, uint64_t size,
                          const uint8_t root[EG_HASH_SIZE], struct eg_buf *out, struct eg_err *err)
{
	struct eg_checkpoint c = {.size = size};
	if (size == newest->size) {
		eg_buf_add(out, newest->note.p, newest->note.len);
		return EG_OK;
	}
	strncpy(c.origin, eg_writer_origin(a->edge->o.writer), sizeof c.origin - 1);
	memcpy(c.root, root, EG_HASH_SIZE);
	return eg_checkpoint_sign(a->edge->o.vault, &c, out, err);
}

static ProtobufCBinaryData hash(struct eg_maker *k, const uint8_t h[EG_HASH_SIZE])
{
	return (ProtobufCBinaryData){EG_HASH_SIZE,
	                             (uint8_t *)(void *)eg_make_text(k, (struct eg_bytes){h, EG_HASH_SIZE})};
}

static ProtobufCBinaryData *hashes(struct eg_maker *k, const uint8_t (*proof)[EG_HASH_SIZE], unsigned n)
{
	ProtobufCBinaryData *list = eg_make(k, (n + 1) * sizeof *list);
	for (unsigned i = 0; i < n && list; i++)
		list[i] = hash(k, proof[i]);
	return list;
}

/* ---- the methods ---- */

enum eg_rc eg_get_checkpoint_call(struct eg_ask *a, struct eg_fault *f)
{
	struct eg_maker k = {.arena = a->arena};
	struct newest c;
	uint8_t root[EG_HASH_SIZE];
	enum eg_rc rc = newest_checkpoint(a, &c, f);
	if (rc == EG_EMPTY)
		return eg_refuse(f, EG_NOT_FOUND, EG_REASON_PROOF_SIZE, "", "there is no checkpoint yet");
	if (rc || (rc = eg_merkle_root_at(c.size, tree_of(a), root, &f->err)))
		return rc;
	Eldergate__V1__GetCheckpointResponse *r = EG_MAKE(&k, Eldergate__V1__GetCheckpointResponse,
	                                                  eldergate__v1__get_checkpoint_response__init);
	if (r) {
		r->note = eg_make_text(&k, c.note);
		r->tree_size = c.size;
		r->root_hash = hash(&k, root);
		r->time = eg_make_time(&k, c.time);
		r->log_id = eg_make_id(&k, eg_writer_log_id(a->edge->o.writer));
	}
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	return EG_OK;
}

/* header length ‖ header ‖ C_claim ‖ C_effect: what the leaf data is made of (gateway/FORMAT.md, "Proof
 * files"). */
static void extra_of(const struct eg_log_row *row, struct eg_buf *out)
{
	uint8_t c[EG_HASH_SIZE];
	eg_buf_add_be(out, row->header.len, 4);
	eg_buf_add(out, row->header.p, row->header.len);
	eg_part_c(row->claim, c);
	eg_buf_add(out, c, sizeof c);
	eg_part_c(row->effect, c);
	eg_buf_add(out, c, sizeof c);
}

static enum eg_rc entry_row(struct eg_ask *a, uint64_t seq, struct eg_log_row *row, struct eg_fault *f)
{
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	rc = seq <= INT64_MAX ? eg_get_entry(a->conn, seq, a->arena, row, &f->err) : EG_EMPTY;
	eg_read_end(a->conn);
	if (rc == EG_EMPTY)
		return eg_refuse(f, EG_NOT_FOUND, EG_REASON_ENTRY_UNKNOWN, "seq",
		                 "there is no such log entry");
	return rc;
}

static enum eg_rc inclusion(struct eg_ask *a, const struct eg_log_row *row, const struct newest *newest,
                            uint64_t size, struct eg_buf *note, struct eg_buf *file, struct eg_fault *f)
{
	struct eg_maker k = {.arena = a->arena};
	struct eg_buf extra = {0};
	uint8_t proof[HASHES_MAX][EG_HASH_SIZE], root[EG_HASH_SIZE];
	unsigned n;
	enum eg_rc rc = eg_merkle_inclusion(row->seq - 1, size, tree_of(a), proof, &n, &f->err);
	if (!rc && size != newest->size)
		rc = eg_merkle_root_at(size, tree_of(a), root, &f->err);
	if (!rc)
		rc = note_of(a, newest, size, root, note, &f->err);
	if (rc)
		return rc;
	extra_of(row, &extra);
	eg_proof_write(file, eg_buf_bytes(&extra), row->seq - 1, (const uint8_t(*)[EG_HASH_SIZE])proof, n,
	               eg_buf_bytes(note));
	bool failed = extra.failed || note->failed || file->failed;
	eg_buf_free(&extra);
	Eldergate__V1__GetInclusionProofResponse *r =
	        EG_MAKE(&k, Eldergate__V1__GetInclusionProofResponse,
	                eldergate__v1__get_inclusion_proof_response__init);
	if (r) {
		r->leaf_index = row->seq - 1;
		r->leaf_data = hash(&k, row->leaf);
		r->tree_size = size;
		r->hashes = hashes(&k, (const uint8_t(*)[EG_HASH_SIZE])proof, n);
		r->n_hashes = k.failed ? 0 : n;
		r->checkpoint = eg_make_text(&k, eg_buf_bytes(note));
		r->proof_file = eg_make_text(&k, eg_buf_bytes(file));
	}
	if (k.failed || failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	return EG_OK;
}

enum eg_rc eg_get_inclusion_proof(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__GetInclusionProofRequest *q = (const void *)a->request;
	struct eg_buf note = {0}, file = {0};
	struct eg_log_row row = {0};
	struct newest newest;
	enum eg_rc rc = entry_row(a, q->seq, &row, f);
	if (rc)
		return rc;
	rc = newest_checkpoint(a, &newest, f);
	if (rc && rc != EG_EMPTY)
		return rc;
	if (q->tree_size > newest.size || (q->tree_size && q->tree_size < q->seq))
		return no_size(f, "tree_size");
	if (newest.size < q->seq)
		return eg_refuse(f, EG_PRECONDITION, EG_REASON_PROOF_SIZE, "seq",
		                 "no checkpoint covers the entry yet: ask again after the next one");
	rc = inclusion(a, &row, &newest, q->tree_size ? q->tree_size : newest.size, &note, &file, f);
	eg_buf_free(&note);
	eg_buf_free(&file);
	return rc;
}

enum eg_rc eg_get_consistency_proof(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__GetConsistencyProofRequest *q = (const void *)a->request;
	uint8_t proof[HASHES_MAX][EG_HASH_SIZE], first_root[EG_HASH_SIZE], second_root[EG_HASH_SIZE];
	struct eg_maker k = {.arena = a->arena};
	struct eg_buf note = {0};
	struct newest newest;
	unsigned n;
	enum eg_rc rc = newest_checkpoint(a, &newest, f);
	if (rc && rc != EG_EMPTY)
		return rc;
	uint64_t second = q->second_size ? q->second_size : newest.size;
	if (!second || second > newest.size)
		return no_size(f, "second_size");
	if (!q->first_size || q->first_size > second)
		return no_size(f, "first_size");
	if ((rc = eg_merkle_consistency(q->first_size, second, tree_of(a), proof, &n, &f->err)) ||
	    (rc = eg_merkle_root_at(q->first_size, tree_of(a), first_root, &f->err)) ||
	    (rc = eg_merkle_root_at(second, tree_of(a), second_root, &f->err)) ||
	    (rc = note_of(a, &newest, second, second_root, &note, &f->err)))
		return rc;
	Eldergate__V1__GetConsistencyProofResponse *r =
	        EG_MAKE(&k, Eldergate__V1__GetConsistencyProofResponse,
	                eldergate__v1__get_consistency_proof_response__init);
	if (r) {
		r->first_size = q->first_size;
		r->second_size = second;
		r->hashes = hashes(&k, (const uint8_t(*)[EG_HASH_SIZE])proof, n);
		r->n_hashes = k.failed ? 0 : n;
		r->first_root_hash = hash(&k, first_root);
		r->second_root_hash = hash(&k, second_root);
		r->checkpoint = eg_make_text(&k, eg_buf_bytes(&note));
	}
	bool failed = k.failed || note.failed;
	eg_buf_free(&note);
	if (failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	return EG_OK;
}
