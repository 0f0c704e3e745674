/* verify: see verify.h. */
#include "cli/verify.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_ARENA = 64 << 20, SIDE_ARENA = 16 << 20, LASTING_ARENA = 1 << 30 };

void verify_progress(const struct verify *v, const char *what, uint64_t done, uint64_t total)
{
	if (v->o->progress)
		v->o->progress(v->o->arg, what, done, total);
}

enum eg_rc verify_fail(struct verify *v, uint64_t seq, struct eg_err *err, const char *fmt, ...)
{
	char text[240];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	v->result->wrong_entry = seq;
	return eg_fail(err, EG_CORRUPT, "entry %" PRIu64 ": %s", seq, text);
}

enum eg_rc verify_blame(struct verify *v, uint64_t seq, enum eg_rc rc, struct eg_err *err)
{
	struct eg_err why = {0};
	if (err)
		why = *err;
	if (rc != EG_CORRUPT && rc != EG_INVALID)
		return rc; /* no memory, no disk: nothing is said of the entry */
	return verify_fail(v, seq, err, "%.200s", why.text);
}

bool verify_erased(struct eg_bytes stored)
{
	return stored.len == EG_HASH_SIZE;
}

bool verify_places(enum eg_entry_kind kind)
{
	return kind == EG_ENTRY_CHANGE || kind == EG_ENTRY_STALE;
}

enum eg_rc verify_entry(struct verify *v, uint64_t seq, bool claim, bool effect, struct eg_entry *out,
                        struct eg_err *err)
{
	eg_arena_reset(v->side);
	struct eg_log_row *row = eg_arena_alloc(v->side, sizeof *row);
	enum eg_rc rc = row ? eg_get_entry(v->a->conn, seq, v->side, row, err)
	                    : eg_fail(err, EG_NO_MEMORY, "no memory for an entry");
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "there is no entry %" PRIu64, seq);
	if (rc)
		return rc;
	return eg_entry_open(v->a->vault, row, claim && !verify_erased(row->claim),
	                     effect && !verify_erased(row->effect), v->side, out, err);
}

static enum eg_rc find_key(struct verify *v, struct eg_err *err)
{
	char id[2 * sizeof v->a->log_id + 1];
	if (v->o->vkey)
		return eg_checkpoint_parse_vkey(v->o->vkey, v->origin, v->public_key)
		               ? EG_OK
		               : eg_fail(err, EG_USAGE,
		                         "the verifier key is not of the form ORIGIN+HASH+BASE64");
	/* The daemon's origin setting is not in the store, so the origin is the checkpoints' own; the key is
	 * what counts. */
	eg_hex(v->a->log_id, sizeof v->a->log_id, id);
	snprintf(v->origin, sizeof v->origin, "eldergate.%s", id);
	eg_vault_public(v->a->vault, v->public_key);
	return EG_OK;
}

/* Source records are walked by their rows, rejects too, so nothing but the log tells of those that are
 * missing. */
static enum eg_rc check_named(struct verify *v, struct eg_err *err)
{
	for (uint64_t seq = 1; seq <= v->head; seq++) {
		const struct verify_fact *f = verify_fact_of(v, seq);
		if (f->places && !f->named)
			return verify_fail(v, seq, err,
			                   "no source record has its claim: a record is missing");
		if (f->fell_untold)
			return verify_fail(v, seq, err,
			                   "a decision took its content down, and no reject says so");
	}
	return EG_OK;
}

enum eg_rc verify_archive(struct archive *a, const struct verify_options *o, struct verify_result *out,
                          struct eg_err *err)
{
	struct verify v = {.a = a, .o = o, .result = out};
	int64_t began = eg_mono_us();
	enum eg_rc rc = EG_OK;
	*out = (struct verify_result){0};
	eg_random(&v.facts.key, sizeof v.facts.key);
	v.arena = eg_arena_new(PAGE_ARENA);
	v.side = eg_arena_new(SIDE_ARENA);
	v.lasting = eg_arena_new(LASTING_ARENA);
	if (!v.arena || !v.side || !v.lasting)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory to verify with");
	if (!rc)
		rc = find_key(&v, err);
	if (!rc)
		rc = eg_get_head(a->conn, &v.head, err);
	if (!rc)
		rc = eg_store_reader(a->store, &v.walk, err);
	if (!rc)
		rc = eg_read_begin(v.walk, err);
	if (!rc)
		rc = verify_log(&v, err);
	if (!rc && v.facts.n != v.head)
		rc = eg_fail(err, EG_CORRUPT, "the store holds %" PRIu64 " entries and shows %" PRIu64,
		             (uint64_t)v.facts.n, v.head);
	if (!rc)
		rc = verify_persons(&v, err);
	if (!rc)
		rc = verify_sources(&v, err);
	if (!rc)
		rc = verify_cases(&v, err);
	if (!rc)
		rc = check_named(&v, err);
	if (!rc)
		rc = verify_lists(&v, err);
	eg_conn_close(v.walk);
	verify_facts_free(&v.facts);
	eg_arena_free(v.lags.arena);
	eg_arena_free(v.lasting);
	eg_arena_free(v.arena);
	eg_arena_free(v.side);
	out->us = eg_mono_us() - began;
	return rc;
}
