/* demo_proof: what an auditor can check without trusting the gateway, and what happens when the log is
 * altered. */
#include "cli/demo.h"

#include "cli/file.h"
#include "cli/verdict.h"
#include "cli/verify.h"
#include "eldergate/v1/audit.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE "/eldergate.v1.AuditService/"
enum { END_US = 10000000, ID_SIZE = 16, FILE_MAX = 1 << 30 };

static enum eg_rc call(struct demo *d, const char *method, const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *type, ProtobufCMessage **answer, struct eg_err *err)
{
	return call_unary(d->operator_client, method, request, DEMO_PATIENCE, true, type, answer, err);
}

enum eg_rc demo_early_checkpoint(struct demo *d, struct eg_err *err)
{
	Eldergate__V1__GetCheckpointRequest request = ELDERGATE__V1__GET_CHECKPOINT_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	enum eg_rc rc = call(d, SERVICE "GetCheckpoint", &request.base,
	                     &eldergate__v1__get_checkpoint_response__descriptor, &answer, err);
	if (!rc) {
		const char *note = ((const Eldergate__V1__GetCheckpointResponse *)answer)->note;
		eg_buf_add(&d->early_note, note, strlen(note));
	}
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

enum eg_rc demo_fetch_proofs(struct demo *d, struct eg_err *err)
{
	Eldergate__V1__GetInclusionProofRequest one = ELDERGATE__V1__GET_INCLUSION_PROOF_REQUEST__INIT;
	Eldergate__V1__GetConsistencyProofRequest two = ELDERGATE__V1__GET_CONSISTENCY_PROOF_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct eg_checkpoint early;
	one.seq = d->certificate_seq;
	enum eg_rc rc = call(d, SERVICE "GetInclusionProof", &one.base,
	                     &eldergate__v1__get_inclusion_proof_response__descriptor, &answer, err);
	if (!rc)
		rc = pack(answer, &d->proof, err);
	protobuf_c_message_free_unpacked(answer, NULL);
	answer = NULL;
	if (!rc)
		rc = verdict_checkpoint(eg_buf_bytes(&d->early_note), NULL, &early, err);
	two.first_size = rc ? 0 : early.size;
	if (!rc)
		rc = call(d, SERVICE "GetConsistencyProof", &two.base,
		          &eldergate__v1__get_consistency_proof_response__descriptor, &answer, err);
	if (!rc)
		rc = pack(answer, &d->consistency, err);
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

enum eg_rc demo_stop(struct demo *d, struct eg_err *err)
{
	int status = 0;
	int64_t began = eg_mono_us();
	watch_stop(d->watch);
	d->watch = NULL;
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < DEMO_AGENCIES; i++)
		if (d->agencies[i].adapter.pid > 0)
			kill(d->agencies[i].adapter.pid, SIGTERM); /* all at once; waited for below */
	for (unsigned i = 0; i <= DEMO_AGENCIES && !rc; i++) {
		rc = process_end(i < DEMO_AGENCIES ? &d->agencies[i].adapter : &d->daemon, SIGTERM, END_US,
		                 &status, err);
		if (!rc && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
			rc = demo_wrong(err, "%s did not end well after SIGTERM",
			                i < DEMO_AGENCIES ? d->agencies[i].program : "the daemon");
	}
	if (!rc)
		demo_say("Adapters and daemon are told to stop (SIGTERM) and have ended after %.2f s.",
		         (double)(eg_mono_us() - began) / 1e6);
	return rc;
}

/* The log's verifier key, as an auditor is given it once. */
static enum eg_rc read_key(struct demo *d, struct eg_buf *out, struct eg_err *err)
{
	struct archive a;
	char id[2 * sizeof a.log_id + 1], origin[128];
	uint8_t public_key[32];
	enum eg_rc rc = archive_open(&a, d->data, NULL, err);
	if (rc)
		return rc;
	eg_hex(a.log_id, sizeof a.log_id, id);
	snprintf(origin, sizeof origin, "eldergate.%s", id);
	eg_vault_public(a.vault, public_key);
	archive_close(&a);
	eg_checkpoint_vkey(origin, public_key, out);
	eg_buf_add_u8(out, 0);
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a key") : EG_OK;
}

static enum eg_rc check_proofs(struct demo *d, const char *vkey, struct eg_err *err)
{
	Eldergate__V1__GetInclusionProofResponse *one =
	        eldergate__v1__get_inclusion_proof_response__unpack(NULL, d->proof.len, d->proof.p);
	Eldergate__V1__GetConsistencyProofResponse *two =
	        eldergate__v1__get_consistency_proof_response__unpack(NULL, d->consistency.len,
	                                                              d->consistency.p);
	struct eg_checkpoint early, now;
	enum eg_rc rc = one && two ? verdict_inclusion(one, d->certificate_seq, vkey, err)
	                           : eg_fail(err, EG_NO_MEMORY, "no memory for proofs");
	if (!rc)
		demo_say("Entry #%" PRIu64
		         " (the voided certificate) is in the log: %zu hashes lead to the root of %" PRIu64
		         " entries, whose signature is good.",
		         d->certificate_seq, one->n_hashes, one->tree_size);
	if (!rc)
		rc = verdict_checkpoint(eg_buf_bytes(&d->early_note), vkey, &early, err);
	if (!rc)
		rc = verdict_consistency(two, &early, vkey, &now, err);
	if (!rc)
		demo_say("The log of %" PRIu64 " entries begins with the %" PRIu64
		         " that a checkpoint from before the kill had signed.",
		         now.size, early.size);
	/* A proof that proves anything proves nothing: for another entry it must fail. */
	if (!rc && verdict_inclusion(one, d->certificate_seq + 1, vkey, NULL) == EG_OK)
		rc = demo_wrong(err, "the proof of one entry was taken for that of another");
	if (one)
		eldergate__v1__get_inclusion_proof_response__free_unpacked(one, NULL);
	if (two)
		eldergate__v1__get_consistency_proof_response__free_unpacked(two, NULL);
	return rc;
}

static enum eg_rc verify_dir(const char *dir, const char *vkey, struct verify_result *result,
                             struct eg_err *err)
{
	struct archive a;
	struct verify_options o = {.vkey = vkey};
	*result = (struct verify_result){0};
	enum eg_rc rc = archive_open(&a, dir, NULL, err);
	if (rc)
		return rc;
	rc = verify_archive(&a, &o, result, err);
	archive_close(&a);
	return rc;
}

enum eg_rc demo_prove(struct demo *d, struct eg_err *err)
{
	struct eg_buf vkey = {0};
	struct verify_result r;
	enum eg_rc rc = read_key(d, &vkey, err);
	if (!rc)
		rc = check_proofs(d, (const char *)vkey.p, err);
	if (!rc)
		rc = verify_dir(d->data, (const char *)vkey.p, &r, err);
	if (!rc)
		demo_say("`eldergate log verify` recomputes all: %" PRIu64 " entries, %" PRIu64
		         " checkpoints, %" PRIu64 " persons, %" PRIu64 " views from %" PRIu64
		         " claims, in %.2f s.",
		         r.entries, r.checkpoints, r.persons, r.views, r.claims, (double)r.us / 1e6);
	if (!rc && (!r.entries || !r.checkpoints || r.views != r.persons))
		rc = demo_wrong(err, "nothing was verified, or not each person's view");
	eg_buf_free(&vkey);
	return rc;
}

/* ---- altering ---- */

/* The entry's random id as it is in the store now. */
static enum eg_rc id_of(const char *dir, uint64_t seq, uint8_t id[ID_SIZE], struct eg_err *err)
{
	struct archive a;
	struct eg_log_row row;
	struct eg_header h;
	struct eg_arena *arena = eg_arena_new(1 << 20);
	enum eg_rc rc = archive_open(&a, dir, NULL, err);
	if (!rc) {
		rc = arena ? eg_get_entry(a.conn, seq, arena, &row, err)
		           : eg_fail(err, EG_NO_MEMORY, "no memory");
		if (!rc)
			rc = eg_header_read(row.header, &h, err);
		if (!rc)
			memcpy(id, h.entry_id, ID_SIZE);
		archive_close(&a);
	}
	eg_arena_free(arena);
	return rc;
}

static enum eg_rc flip(const char *path, off_t at, struct eg_err *err)
{
	uint8_t byte = 0;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0 && pread(fd, &byte, 1, at) == 1;
	byte = (uint8_t)~byte;
	ok = ok && pwrite(fd, &byte, 1, at) == 1;
	enum eg_rc rc = ok ? EG_OK : eg_fail_errno(err, "%s", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Flips one byte of the entry's header in the copy's file. Pages that are no longer in use may hold the same
 * bytes: a flip that the store does not show is taken back. */
static enum eg_rc alter(const char *dir, uint64_t seq, struct eg_err *err)
{
	char path[DEMO_PATH];
	uint8_t id[ID_SIZE], now[ID_SIZE];
	struct eg_buf file = {0};
	bool done = false;
	snprintf(path, sizeof path, "%.*s/eldergate.db", DEMO_PATH - 20, dir);
	enum eg_rc rc = id_of(dir, seq, id, err);
	if (!rc)
		rc = file_read(path, FILE_MAX, &file, err);
	const uint8_t *from = file.p, *end = file.p + file.len, *at;
	while (!rc && !done && from && (at = memmem(from, (size_t)(end - from), id, ID_SIZE))) {
		rc = flip(path, at - file.p, err);
		if (!rc && id_of(dir, seq, now, NULL) == EG_OK && memcmp(id, now, ID_SIZE) != 0)
			done = true;
		else if (!rc)
			rc = flip(path, at - file.p, err);
		from = at + 1;
	}
	eg_buf_free(&file);
	return rc || done ? rc : demo_wrong(err, "entry %" PRIu64 " was not found in the store's file", seq);
}

enum eg_rc demo_tamper(struct demo *d, struct eg_err *err)
{
	char copy[DEMO_PATH];
	struct verify_result r;
	struct eg_err found = {0};
	snprintf(copy, sizeof copy, "%.*s/copy", DEMO_PATH - 10, d->dir);
	enum eg_rc rc = file_copy_dir(d->data, copy, err);
	if (!rc)
		rc = alter(copy, d->certificate_seq, err);
	if (rc)
		return rc;
	rc = verify_dir(copy, NULL, &r, &found);
	if (rc != EG_CORRUPT || r.wrong_entry != d->certificate_seq)
		return demo_wrong(err,
		                  "the altered entry %" PRIu64 " should be named, and the verdict is: %.150s",
		                  d->certificate_seq, rc ? found.text : "all is well");
	demo_say("One byte of entry #%" PRIu64 " is flipped in a copy. The verdict there:",
	         d->certificate_seq);
	demo_say("  %s", found.text);
	return EG_OK;
}
