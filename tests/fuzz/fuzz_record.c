/* fuzz_record: records from the bytes of SubmitRequest, ResubmitRequest and Record, read and judged as the
 * edge and intake do.
 *
 *   1 byte: what the rest is
 *
 * Whatever comes, a record is either malformed with a reason or a claim that the model can hold; its
 * canonical bytes read back as the same; and what protobuf-c reads of the same bytes is not malformed, and
 * says the same.
 */
#include "fuzz.h"

#include "cli/population.h"
#include "cli/sheet.h"
#include "edge/pb.h"
#include "edge/wire.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "flow/judge.h"
#include "model/canon.h"

enum { SUBMIT, RESUBMIT, RECORD, KINDS };
enum { RECORD_BYTES = 16 << 10, RECORDS_MAX = 1000, ARENA = 64 << 20 };
#define NOW (INT64_C(1767225600) * EG_SECOND) /* one clock for all runs */

typedef Eldergate__V1__Record record;

static struct key_table keys;
static struct eg_vault *vault;
static const struct eg_policy *policy;
static struct eg_arena *side; /* of what protobuf-c reads */

void fuzz_start(void)
{
	struct eg_err err = {0};
	char path[96];
	struct eg_dataset_rule all[EG_SECTION_END] = {{.section = 0}};
	unsigned n = 0;
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++, n++) {
		all[n].section = (enum eg_section)s;
		snprintf(all[n].name, sizeof all[n].name, "%s", eg_section_name((enum eg_section)s));
	}
	struct eg_identity_rule who = {
	        .name = "agency", .roles = EG_ROLE_AGENCY, .has_uid = true, .n_datasets = n, .datasets = all};
	struct eg_policy p = {.version = 1, .n = 1, .identities = &who};
	snprintf(path, sizeof path, "%s/root.key", fuzz_dir());
	MUST(!eg_vault_open(&vault, path, true, key_table_keys(&keys), &err));
	MUST(!eg_policy_new(&p, &policy, &err));
	side = eg_arena_new(ARENA);
	MUST(side);
}

/* ---- promises ---- */

/* A claim as intake gets it: the agency and the dataset are the identity's. */
static void canonical(struct eg_claim *c)
{
	struct eg_buf once = {0}, again = {0};
	struct eg_claim back;
	struct eg_err err = {0};
	eg_canon_claim(&once, c);
	MUST(!once.failed);
	eg_arena_reset(side);
	enum eg_rc rc = eg_canon_claim_read(eg_buf_bytes(&once), side, &back, &err);
	fuzz_reason(rc, &err);
	MUST(!rc);
	eg_canon_claim(&again, &back);
	MUST(eg_bytes_equal(eg_buf_bytes(&once), eg_buf_bytes(&again)));
	MUST(back.version == c->version && back.section == c->section && back.n == c->n);
	eg_buf_free(&once);
	eg_buf_free(&again);
}

static void judge(struct eg_ticket *t, struct eg_item *item)
{
	struct eg_buf canon = {0};
	struct eg_err err = {0};
	struct eg_reasons before = item->reasons;
	for (unsigned i = 0; i < item->claim.n; i++) {
		MUST(eg_field_by_number(item->claim.section, item->claim.values[i].number));
		MUST(!i || item->claim.values[i - 1].number < item->claim.values[i].number);
	}
	MUST(!item->malformed || eg_reasons_quarantine(&item->reasons));
	enum eg_rc rc = eg_judge_item(vault, t, item, NOW, RECORD_BYTES, &canon, &err);
	fuzz_reason(rc, &err);
	if (!rc) {
		MUST(item->canon.len == canon.len && !canon.failed);
		item->canon.p = canon.p;
		/* Errors are never crowded out, and what the wire found stays. */
		MUST(!eg_reasons_quarantine(&before) || eg_reasons_quarantine(&item->reasons));
		if (!eg_reasons_quarantine(&item->reasons)) {
			MUST(canon.len && canon.len <= RECORD_BYTES);
			canonical(&item->claim);
		}
		eg_judge_identity(vault, item);
		MUST(!eg_judge_seal(vault, item, t->arena, &err));
	}
	for (unsigned i = 0; i < item->reasons.n; i++)
		fuzz_discreet(item->reasons.v[i].field);
	eg_buf_free(&canon);
}

/* What protobuf-c takes is not malformed. */
static void compare(struct eg_bytes bytes, const struct eg_item *item)
{
	struct eg_err err = {0};
	ProtobufCMessage *m = NULL;
	const struct eg_claim *c = &item->claim;
	eg_arena_reset(side);
	enum eg_rc rc = eg_pb_read(&eldergate__v1__record__descriptor, bytes, side, &m, &err);
	fuzz_reason(rc, &err);
	if (rc)
		return;
	const record *r = (const record *)(const void *)m;
	MUST(!item->malformed);
	MUST(eg_bytes_equal(c->source_key, eg_bytes_of(r->source_key)));
	MUST(c->version == r->version && c->mapping_revision == r->mapping_revision);
	MUST((int)c->op == (int)r->operation);
	MUST((int)c->section ==
	     (r->section_case ? (int)r->section_case - ELDERGATE__V1__RECORD__SECTION_REGISTRATION + 1 : 0));
}

/* ---- inputs ---- */

static struct eg_ticket *ticket(size_t budget, unsigned n)
{
	struct eg_ticket *t =
	        eg_ticket_new(EG_TICKET_SUBMISSION, budget, policy, eg_policy_by_name(policy, "agency"));
	MUST(t);
	t->submission.items = eg_arena_alloc(t->arena, n * sizeof *t->submission.items);
	MUST(t->submission.items || !n);
	t->submission.n = n;
	return t;
}

static void batch(struct eg_bytes message, bool corrections)
{
	struct eg_err err = {0};
	struct eg_batch b;
	ProtobufCMessage *m = NULL;
	enum eg_rc rc = eg_batch_read(message, corrections, &b, &err);
	fuzz_reason(rc, &err);
	eg_arena_reset(side);
	enum eg_rc pb = eg_pb_read(corrections ? &eldergate__v1__resubmit_request__descriptor
	                                       : &eldergate__v1__submit_request__descriptor,
	                           message, side, &m, &err);
	MUST(!rc || pb); /* what the standard's parser refuses may come apart by records, not the reverse */
	if (!rc && !pb && !corrections) {
		const Eldergate__V1__SubmitRequest *s = (const void *)m;
		MUST(b.n == s->n_records && b.lane == (int)s->lane);
		MUST(eg_bytes_equal(b.batch_id, eg_bytes_of(s->batch_id)));
		MUST(eg_bytes_equal(b.dataset, eg_bytes_of(s->dataset)));
	}
	if (rc || b.n > RECORDS_MAX)
		return;
	struct eg_ticket *t = ticket((corrections ? 2 : 1) * eg_batch_budget(&b), b.n);
	uint64_t *seqs = calloc(b.n + 1, sizeof *seqs);
	MUST(seqs);
	t->submission.dataset =
	        eg_policy_dataset(t->who, b.dataset.len ? b.dataset : eg_bytes_of("registration"));
	rc = corrections ? eg_batch_corrections(&b, t->arena, t->submission.items, seqs, &err)
	                 : eg_batch_items(&b, t->arena, t->submission.items, &err);
	fuzz_reason(rc, &err);
	MUST(!rc); /* the budget is an upper bound */
	for (unsigned i = 0; i < b.n && t->submission.dataset; i++)
		judge(t, &t->submission.items[i]);
	free(seqs);
	eg_ticket_free(t);
}

static void one(struct eg_bytes message)
{
	struct eg_ticket *t = ticket(ARENA, 1);
	struct eg_item *item = &t->submission.items[0];
	MUST(eg_record_read(message, t->arena, item));
	compare(message, item);
	const char *name = eg_section_name(item->claim.section ? item->claim.section : EG_CARE);
	t->submission.dataset = eg_policy_dataset(t->who, eg_bytes_of(name));
	judge(t, item);
	eg_ticket_free(t);
}

void fuzz_one(struct eg_bytes in)
{
	unsigned kind = (unsigned)fuzz_take(&in, 1) % KINDS;
	uint8_t *p = fuzz_copy(in, false);
	struct eg_bytes message = {p, in.len};
	if (kind == RECORD)
		one(message);
	else
		batch(message, kind == RESUBMIT);
	free(p);
}

/* ---- seeds: the demo's population, as the command line sends it ---- */

enum { SEEDS_EACH = 40, IN_BATCH = 6 };

static ssize_t read_buf(void *arg, void *p, size_t len)
{
	struct eg_bytes got = fuzz_take_bytes(arg, len);
	if (got.len)
		memcpy(p, got.p, got.len);
	return (ssize_t)got.len;
}

static enum eg_rc add_row(void *arg, struct eg_bytes line, struct eg_err *err)
{
	(void)err;
	eg_buf_add(arg, line.p, line.len);
	return EG_OK;
}

static void seed_of(unsigned kind, struct eg_bytes message)
{
	struct eg_buf b = {0};
	eg_buf_add_u8(&b, (uint8_t)kind);
	eg_buf_add(&b, message.p, message.len);
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
}

static void add_field(struct eg_buf *b, unsigned number, struct eg_bytes value)
{
	eg_buf_add_u8(b, (uint8_t)(number << 3 | 2));
	for (size_t v = value.len; v > 0x7f || (eg_buf_add_u8(b, (uint8_t)v), false); v >>= 7)
		eg_buf_add_u8(b, (uint8_t)(0x80 | v));
	eg_buf_add(b, value.p, value.len);
}

static void seeds_of(struct population *p, enum eg_section section)
{
	struct eg_buf csv = {0}, one_record = {0}, submit = {0}, resubmit = {0}, correction = {0};
	struct sheet *sheet;
	unsigned line;
	population_header(section, &csv);
	MUST(!population_rows(p, section, add_row, &csv, NULL));
	struct eg_bytes rest = eg_buf_bytes(&csv);
	MUST(!sheet_open(&sheet, "population", read_buf, &rest, section, NULL));
	for (unsigned i = 0; i < SEEDS_EACH && !sheet_next(sheet, &one_record, &line, NULL); i++) {
		struct eg_bytes bytes = eg_buf_bytes(&one_record);
		seed_of(RECORD, bytes);
		if (i % IN_BATCH == 0) {
			eg_buf_reset(&submit);
			eg_buf_reset(&resubmit);
			add_field(&submit, 1, eg_bytes_of("batch-1"));
			add_field(&submit, 2, eg_bytes_of(eg_section_name(section)));
			eg_buf_add(&submit, "\x18\x02", 2); /* lane */
			add_field(&resubmit, 1, eg_bytes_of("batch-2"));
			add_field(&resubmit, 2, eg_bytes_of(eg_section_name(section)));
		}
		add_field(&submit, 4, bytes);
		eg_buf_reset(&correction);
		eg_buf_add(&correction, "\x08\x07", 2); /* reject_seq */
		add_field(&correction, 2, bytes);
		add_field(&resubmit, 3, eg_buf_bytes(&correction));
		if (i % IN_BATCH == IN_BATCH - 1) {
			seed_of(SUBMIT, eg_buf_bytes(&submit));
			seed_of(RESUBMIT, eg_buf_bytes(&resubmit));
		}
		eg_buf_reset(&one_record);
	}
	sheet_close(sheet);
	eg_buf_free(&csv);
	eg_buf_free(&one_record);
	eg_buf_free(&submit);
	eg_buf_free(&resubmit);
	eg_buf_free(&correction);
}

void fuzz_seeds(void)
{
	struct population_options o = {.persons = 400, .seed = 1, .faults = 50};
	struct population *p;
	MUST(!population_new(&p, &o, NULL));
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++)
		seeds_of(p, (enum eg_section)s);
	population_free(p);
}
