/* fuzz_stored: what stands in the store, in spools and in the relay's topic, as its readers find it unsealed
 * (gateway/FORMAT.md).
 *
 *   1 byte: which; then the bytes
 *
 * Readers refuse what the writer would not have written, so what is read is written as the same bytes. Where
 * a later format may add items, what is written again reads as the same.
 */
#include "fuzz.h"

#include "flow/entry.h"
#include "flow/list_info.h"
#include "flow/relay_mark.h"
#include "flow/sealed.h"
#include "flow/spool_core.h"
#include "model/canon.h"

enum { ARENA = 32 << 20 };

static struct eg_arena *arena;
static const uint8_t log_id[16] = {1, 2, 3, 4};

void fuzz_start(void)
{
	arena = eg_arena_new(ARENA);
	MUST(arena);
}

/* ---- each reader with its writer: false if it refuses ---- */

static bool header(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_header h;
	enum eg_rc rc = eg_header_read(in, &h, err);
	fuzz_reason(rc, err);
	if (rc)
		return false;
	MUST(h.kind >= EG_ENTRY_START && h.kind <= EG_ENTRY_TIMER && h.n_reasons <= EG_REASONS_MAX);
	MUST(strcmp(eg_entry_kind_name(h.kind), "?") != 0);
	eg_header_write(out, &h);
	return true;
}

static bool effect(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_effect e;
	enum eg_rc rc = eg_effect_read(in, arena, &e, err);
	fuzz_reason(rc, err);
	if (rc)
		return false;
	eg_effect_write(out, &e);
	return true;
}

static bool claim(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_claim c;
	struct eg_reasons reasons = {0};
	enum eg_rc rc = eg_canon_claim_read(in, arena, &c, err);
	fuzz_reason(rc, err);
	if (rc)
		return false;
	for (unsigned i = 0; i < c.n; i++)
		MUST(eg_field_by_number(c.section, c.values[i].number));
	eg_canon_claim(out, &c);
	/* As the writer uses it. */
	eg_grade(&c, INT64_C(1767225600) * EG_SECOND, &reasons);
	return true;
}

static bool person(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_person p;
	struct eg_view view;
	struct eg_buf text = {0};
	enum eg_rc rc = eg_person_read(in, arena, &p, err);
	fuzz_reason(rc, err);
	if (rc)
		return false;
	eg_person_write(out, &p);
	/* A view follows from any claims. */
	rc = eg_view_build(p.held, p.n_held, NULL, arena, &view, err);
	fuzz_reason(rc, err);
	if (!rc) {
		MUST(view.life >= EG_LIFE_ALIVE && view.life <= EG_LIFE_UNKNOWN);
		for (unsigned i = 1; i < view.n; i++)
			MUST(view.v[i - 1].field < view.v[i].field);
		eg_view_canon(&text, &view, p.held);
		MUST(!text.failed);
		eg_buf_free(&text);
	}
	return true;
}

static bool versions(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_versions v;
	enum eg_rc rc = eg_versions_read(in, arena, &v, err);
	fuzz_reason(rc, err);
	if (rc)
		return false;
	MUST(v.n <= EG_VERSIONS_MAX);
	const struct eg_version *top = eg_versions_top(&v), *effective = eg_versions_effective(&v);
	MUST(!effective || effective == top);
	MUST(!effective || (effective->asserted && !effective->voided));
	eg_versions_write(out, &v);
	return true;
}

static bool case_body(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_case_body c;
	enum eg_rc rc = eg_case_read(in, arena, &c, err);
	fuzz_reason(rc, err);
	if (rc)
		return false;
	eg_case_write(out, &c);
	return true;
}

static bool list(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_list_row row = {.row = 1,
	                          .agency = "police",
	                          .dataset = "hukou",
	                          .list_id = "l1",
	                          .as_of = 7,
	                          .phase = EG_LIST_DONE,
	                          .pinned = 3,
	                          .seq = 4,
	                          .body = in},
	                   again;
	struct eg_list_info l;
	struct eg_buf part = {0};
	enum eg_rc rc = eg_list_info_read(&row, arena, &l, err);
	fuzz_reason(rc, err);
	if (rc)
		return false;
	MUST(l.n_regions <= EG_LIST_REGIONS_MAX && l.why && l.operator_name);
	MUST(!eg_list_info_row(&l, arena, &again, err));
	eg_buf_add(out, again.body.p, again.body.len);
	eg_list_info_part(&l, &part);
	eg_buf_free(&part);
	struct eg_list_info *clone = eg_list_info_clone(&l);
	MUST(clone && eg_list_same(&l, clone) && eg_list_includes(&l, clone));
	free(clone);
	return true;
}

static bool mark(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_relay_mark m = {0};
	enum eg_rc rc = eg_relay_mark_read(&m, log_id, in, err);
	fuzz_reason(rc, err);
	if (!rc)
		eg_relay_mark_write(&m, log_id, out);
	eg_relay_mark_free(&m);
	return !rc;
}

static bool spool_row(struct eg_bytes in, struct eg_buf *out, struct eg_err *err)
{
	struct eg_spool_row r;
	(void)err;
	if (!eg_spool_row_read(in, &r))
		return false;
	size_t len = eg_spool_row_size(&r);
	MUST(len <= in.len);
	uint8_t *p = malloc(len);
	MUST(p);
	eg_spool_row_write(p, &r);
	eg_buf_add(out, p, len);
	free(p);
	return true;
}

static const struct {
	bool (*read)(struct eg_bytes in, struct eg_buf *out, struct eg_err *err);
	bool strict;
} readers[] = {{header, false},    {effect, false}, {claim, true}, {person, true},    {versions, true},
               {case_body, false}, {list, false},   {mark, false}, {spool_row, false}};
enum { HEADER, EFFECT, CLAIM, PERSON, VERSIONS, CASE, LIST, MARK, SPOOL_ROW, READERS };

void fuzz_one(struct eg_bytes in)
{
	unsigned which = (unsigned)fuzz_take(&in, 1) % READERS;
	struct eg_buf once = {0}, again = {0};
	struct eg_err err = {0};
	uint8_t *p = fuzz_copy(in, false);
	in.p = p;
	eg_arena_reset(arena);
	if (readers[which].read(in, &once, &err)) {
		struct eg_bytes text = eg_buf_bytes(&once);
		MUST(!once.failed);
		if (readers[which].strict)
			MUST(eg_bytes_equal(text, in));
		MUST(readers[which].read(text, &again, &err));
		MUST(eg_bytes_equal(text, eg_buf_bytes(&again)));
	}
	eg_buf_free(&once);
	eg_buf_free(&again);
	free(p);
}

/* ---- seeds: one of each with all that it may have ---- */

static void seed_of(unsigned which, struct eg_buf *text)
{
	struct eg_buf b = {0};
	MUST(text->len && !text->failed);
	eg_buf_add_u8(&b, (uint8_t)which);
	eg_buf_add(&b, text->p, text->len);
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
	eg_buf_reset(text);
}

static struct eg_claim a_claim(enum eg_section section, struct eg_value *values)
{
	struct eg_claim c = {.agency = eg_bytes_of("police"),
	                     .dataset = eg_bytes_of("hukou"),
	                     .source_key = eg_bytes_of("R1"),
	                     .section = section,
	                     .version = 7,
	                     .mapping_revision = 1,
	                     .op = EG_ASSERT,
	                     .event_time = 1700000000 * EG_SECOND,
	                     .valid_from = {2020, 1, 2},
	                     .values = values};
	for (unsigned n = 1; n <= EG_FIELD_NUMBER_MAX; n++) {
		const struct eg_field_def *f = eg_field_by_number(section, n);
		if (!f)
			continue;
		struct eg_value *v = &values[c.n++];
		*v = (struct eg_value){.number = (uint8_t)n};
		if (f->type == EG_TYPE_TEXT || f->type == EG_TYPE_CODE)
			v->text = eg_bytes_of(n == 1 ? "11010519491231002X" : "1");
		else
			v->i = f->type == EG_TYPE_DATE ? eg_date_pack((struct eg_date){1949, 12, 31}) : 1;
		v->cleared = n == 4;
		if (v->cleared)
			v->text = (struct eg_bytes){0};
	}
	return c;
}

static void log_seeds(struct eg_buf *b)
{
	struct eg_effect_field changed[2] = {{.field = EG_REGISTRATION << 6 | 3,
	                                      .has_before = true,
	                                      .has_after = true,
	                                      .before = {.number = 3, .text = eg_bytes_of("a")},
	                                      .after = {.number = 3, .text = eg_bytes_of("b")},
	                                      .agency = eg_bytes_of("police"),
	                                      .as_of = 5,
	                                      .rule = 1},
	                                     {.field = EG_REGISTRATION << 6 | 5, .has_before = true}};
	uint8_t tokens[2][16] = {{1}, {2}};
	struct eg_effect e = {.has_person = true,
	                      .version = 3,
	                      .previous = 9,
	                      .event = EG_EVENT_MERGED,
	                      .life_before = EG_LIFE_ALIVE,
	                      .life_after = EG_LIFE_DECEASED,
	                      .corrects = 4,
	                      .has_other = true,
	                      .merged = true,
	                      .n_fields = 1,
	                      .fields = changed,
	                      .has_case = true,
	                      .case_kind = 1,
	                      .n_joined = 2,
	                      .joined = tokens,
	                      .n_left = 1,
	                      .left = tokens,
	                      .has_view_digest = true,
	                      .region_before = eg_bytes_of("330302"),
	                      .region_after = eg_bytes_of("330303")};
	for (unsigned kind = EG_ENTRY_START; kind <= EG_ENTRY_TIMER; kind++) {
		struct eg_header h = {.seq = 7,
		                      .time = 1700000000,
		                      .kind = (enum eg_entry_kind)kind,
		                      .agency = eg_bytes_of("police"),
		                      .operator_name = eg_bytes_of("police"),
		                      .purpose = eg_bytes_of("p"),
		                      .dataset = eg_bytes_of("hukou"),
		                      .submission = eg_bytes_of("b-1"),
		                      .outcome = EG_APPLIED,
		                      .count = 3,
		                      .cause = 2,
		                      .n_reasons = 2,
		                      .reasons = {1, 2},
		                      .authority_version = 1,
		                      .act = eg_bytes_of("list_applied")};
		h.log_id = kind == EG_ENTRY_START ? (struct eg_bytes){log_id, 16} : (struct eg_bytes){0};
		h.format = kind == EG_ENTRY_START;
		eg_header_write(b, &h);
		seed_of(HEADER, b);
	}
	eg_effect_write(b, &e);
	seed_of(EFFECT, b);
}

static void person_seeds(struct eg_buf *b)
{
	struct eg_value values[EG_SECTION_END][EG_FIELD_NUMBER_MAX];
	struct eg_held held[EG_SECTION_END] = {{.seq = 0}};
	struct eg_buf canons[EG_SECTION_END] = {{0}};
	uint8_t cases[1][16] = {{9}};
	struct eg_person p = {
	        .id = {7}, .version = 3, .n_held = EG_CARE, .held = held, .n_cases = 1, .cases = cases};
	struct eg_versions v = {
	        .section = EG_REGISTRATION, .agency = eg_bytes_of("police"), .dataset = eg_bytes_of("hukou")};
	struct eg_version all[] = {
	        {.version = 1, .asserted = true, .seq = 2, .has_key = true, .current = true},
	        {.version = 2,
	         .mapping_revision = 1,
	         .asserted = true,
	         .voided = true,
	         .seq = 3,
	         .void_seq = 5},
	        {.version = 3, .withdrawn = true, .withdrawn_seq = 7}};
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++) {
		struct eg_held *h = &held[s - 1];
		h->claim = a_claim((enum eg_section)s, values[s]);
		eg_canon_claim(&canons[s], &h->claim);
		h->canon = eg_buf_bytes(&canons[s]);
		h->token[0] = (uint8_t)s;
		h->seq = s;
		eg_buf_add(b, h->canon.p, h->canon.len);
		seed_of(CLAIM, b);
	}
	eg_person_write(b, &p);
	seed_of(PERSON, b);
	p.merged = true;
	p.n_held = p.n_cases = 0;
	eg_person_write(b, &p);
	seed_of(PERSON, b);
	for (unsigned s = 1; s < EG_SECTION_END; s++)
		eg_buf_free(&canons[s]);
	v.v = all;
	v.n = 3;
	eg_versions_write(b, &v);
	seed_of(VERSIONS, b);
}

static void list_seeds(struct eg_buf *b)
{
	const char *regions[] = {"330302", "3301"};
	struct eg_list_info l = {.agency = "police",
	                         .dataset = "hukou",
	                         .list_id = "l1",
	                         .operator_name = "police",
	                         .as_of = 7,
	                         .phase = EG_LIST_DONE,
	                         .started = 2,
	                         .pinned = 3,
	                         .seq = 4,
	                         .received_us = 5,
	                         .ended_us = 6,
	                         .taken_at = 7,
	                         .n_regions = 2,
	                         .regions = regions,
	                         .mapping_revision = 1,
	                         .rows = 9,
	                         .versionless = true,
	                         .counts = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	                         .held = true,
	                         .failure = EG_CONFLICT,
	                         .why = "broken"};
	struct eg_list_row row;
	struct eg_spool_row r = {.index = 3,
	                         .version = {.version = 4, .mapping_revision = 1, .asserted = true},
	                         .faulty = true,
	                         .canon = eg_bytes_of("a claim")};
	struct eg_relay_place places[2] = {{3, 4}, {0, 0}};
	struct eg_relay_mark m = {.seq = 7, .before = 5, .has_leaf = true};
	uint8_t ids[2][16] = {{1}, {2}};
	uint64_t seqs[2] = {3, 4};
	struct eg_case_body c = {.kind = 1,
	                         .n_tokens = 2,
	                         .tokens = ids,
	                         .n_persons = 2,
	                         .persons = ids,
	                         .n_digests = 2,
	                         .digests = ids,
	                         .n_seqs = 2,
	                         .seqs = seqs,
	                         .note = eg_bytes_of("a note"),
	                         .decision = 1,
	                         .decided_by = eg_bytes_of("reviewer")};
	MUST(!eg_list_info_row(&l, arena, &row, NULL));
	eg_buf_add(b, row.body.p, row.body.len);
	seed_of(LIST, b);
	eg_reasons_add(&r.reasons, EG_REASON_ID_CHECK_DIGIT, "registration.id_number");
	uint8_t *p = malloc(eg_spool_row_size(&r));
	MUST(p);
	eg_spool_row_write(p, &r);
	eg_buf_add(b, p, eg_spool_row_size(&r));
	free(p);
	seed_of(SPOOL_ROW, b);
	for (unsigned t = 0; t < EG_RELAY_TOPICS; t++)
		m.topics[t] = (struct eg_relay_partitions){2, places};
	eg_relay_mark_write(&m, log_id, b);
	seed_of(MARK, b);
	eg_case_write(b, &c);
	seed_of(CASE, b);
}

void fuzz_seeds(void)
{
	struct eg_buf b = {0};
	log_seeds(&b);
	person_seeds(&b);
	list_seeds(&b);
	eg_buf_free(&b);
}
