/* The codec of log entries: what is written reads back the same, and nothing else reads. */
#include "road.h"

static struct eg_bytes text(const char *s)
{
	return eg_bytes_of(s);
}

static void fill(void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)road_random();
}

static struct eg_header some_header(void)
{
	static uint8_t digest[32], log_id[16];
	struct eg_header h = {
	        .seq = 1 + road_below(1u << 30),
	        .time = (int64_t)(road_random() >> 2),
	        .kind = (enum eg_entry_kind)(1 + road_below(12)),
	        .agency = text(road_below(2) ? "police" : ""),
	        .operator_name = text(road_below(2) ? "wang" : ""),
	        .purpose = text(road_below(2) ? "care" : ""),
	        .dataset = text(road_below(2) ? "hukou" : ""),
	        .submission = text(road_below(2) ? "b-1" : ""),
	        .traceparent =
	                text(road_below(2) ? "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" : ""),
	        .act = text(road_below(2) ? "RELOAD" : ""),
	        .outcome = (int)road_below(8),
	        .count = road_below(3),
	        .cause = road_below(3),
	        .n_reasons = road_below(EG_REASONS_MAX + 1),
	        .format = road_below(2),
	        .authority_version = road_below(3),
	};
	fill(h.entry_id, 16);
	fill(digest, 32);
	fill(log_id, 16);
	if (road_below(2))
		h.digest = (struct eg_bytes){digest, 32};
	if (road_below(2))
		h.log_id = (struct eg_bytes){log_id, 16};
	for (unsigned i = 0; i < h.n_reasons; i++)
		h.reasons[i] = (uint16_t)(1 + road_below(65535));
	return h;
}

static void same_bytes(const struct eg_buf *a, const struct eg_buf *b)
{
	assert_false(a->failed || b->failed);
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->p, b->p, a->len);
}

static void headers_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct eg_header h = some_header(), got;
		struct eg_err err = {0};
		struct eg_buf a = {0}, b = {0};
		eg_header_write(&a, &h);
		assert_ok(eg_header_read(eg_buf_bytes(&a), &got, &err), err);
		eg_header_write(&b, &got);
		same_bytes(&a, &b);
		assert_int_equal(got.seq, h.seq);
		assert_int_equal(got.time, h.time);
		assert_int_equal(got.kind, h.kind);
		assert_int_equal(got.n_reasons, h.n_reasons);
		assert_true(eg_bytes_equal(got.act, h.act));
		assert_memory_equal(got.entry_id, h.entry_id, 16);
		/* cut anywhere but behind the required items, it is no header */
		for (size_t len = 0; len < a.len; len++)
			if (eg_header_read((struct eg_bytes){a.p, len}, &got, &err) == EG_OK) {
				eg_buf_reset(&b);
				eg_header_write(&b, &got);
				assert_int_equal(b.len, len);
			}
		eg_buf_free(&a);
		eg_buf_free(&b);
	}
}

/* The bytes of FORMAT.md, spelled out once. */
static void header_vector(void **state)
{
	(void)state;
	static const uint8_t want[] = {
	        0, 1,  0, 0, 0, 8,  0,   0,   0,   0,   0,   0,   0, 2, /* seq 2 */
	        0, 2,  0, 0, 0, 8,  0,   0,   0,   0,   0,   0,   1, 0, /* time 256 */
	        0, 3,  0, 0, 0, 8,  0,   0,   0,   0,   0,   0,   0, 2, /* CHANGE */
	        0, 4,  0, 0, 0, 16, 1,   0,   0,   0,   0,   0,   0, 0,
	        0, 0,  0, 0, 0, 0,  0,   9,                               /* entry id */
	        0, 5,  0, 0, 0, 6,  'p', 'o', 'l', 'i', 'c', 'e',         /* agency */
	        0, 8,  0, 0, 0, 8,  0,   0,   0,   0,   0,   0,   0, 1,   /* applied */
	        0, 15, 0, 0, 0, 8,  0,   0,   0,   0,   0,   0,   0, 106, /* reason */
	};
	struct eg_header h = {
	        .seq = 2, .time = 256, .kind = EG_ENTRY_CHANGE, .outcome = EG_APPLIED, .n_reasons = 1};
	h.entry_id[0] = 1;
	h.entry_id[15] = 9;
	h.agency = text("police");
	h.reasons[0] = 106;
	struct eg_buf b = {0};
	eg_header_write(&b, &h);
	assert_int_equal(b.len, sizeof want);
	assert_memory_equal(b.p, want, sizeof want);
	eg_buf_free(&b);
}

static struct eg_effect some_effect(struct eg_arena *a)
{
	static const unsigned view_fields[] = {
	        EG_VIEW_LIFE, EG_VIEW_DEATH_DATE, EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_name),
	        EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_registration_status),
	        EG_VIEW_FIELD(EG_FUNERAL, EG_FN_FUNERAL_cremation_time)};
	struct eg_effect e = {
	        .has_person = road_below(4) > 0,
	        .event = (enum eg_event_kind)road_below(10),
	        .life_before = (enum eg_life)road_below(6),
	        .life_after = (enum eg_life)road_below(6),
	        .corrects = road_below(3),
	        .has_other = road_below(2),
	        .merged = road_below(2),
	        .n_fields = road_below(6),
	        .has_case = road_below(2),
	        .case_kind = (int)road_below(9),
	        .n_joined = road_below(4),
	        .n_left = road_below(4),
	        .has_view_digest = road_below(2),
	        .region_before = text(road_below(2) ? "330302" : ""),
	        .region_after = text(road_below(2) ? "330303" : ""),
	};
	if (e.has_person) {
		e.version = 1 + road_below(9);
		e.previous = road_below(9);
		fill(e.person, 16);
	}
	if (e.has_other)
		fill(e.other, 16);
	if (e.has_case)
		fill(e.case_id, 16);
	if (e.has_view_digest)
		fill(e.view_digest, 16);
	e.fields = eg_arena_alloc(a, 8 * sizeof *e.fields);
	e.joined = eg_arena_alloc(a, 8 * sizeof *e.joined);
	e.left = eg_arena_alloc(a, 8 * sizeof *e.left);
	fill(e.joined, e.n_joined * 16);
	fill(e.left, e.n_left * 16);
	for (unsigned i = 0; i < e.n_fields; i++) {
		struct eg_effect_field *f = &e.fields[i];
		f->field = view_fields[road_below(5)];
		f->has_before = road_below(2);
		f->has_after = road_below(2);
		bool words = eg_view_field_type(f->field) == EG_TYPE_TEXT;
		if (f->has_before && words)
			f->before.text = text("王建国");
		else if (f->has_before)
			f->before.i = road_below(3);
		if (f->has_after && words)
			f->after.text = text("李秀英");
		else if (f->has_after)
			f->after.i = -(int64_t)road_below(3);
		f->agency = text(road_below(2) ? "police" : "");
		f->as_of = road_below(3);
		f->rule = (int)road_below(7);
	}
	return e;
}

static void effects_round_trip(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new(1 << 20);
	for (unsigned i = 0; i < 2000; i++) {
		eg_arena_reset(a);
		struct eg_effect e = some_effect(a), got;
		struct eg_err err = {0};
		struct eg_buf x = {0}, y = {0};
		eg_effect_write(&x, &e);
		assert_ok(eg_effect_read(eg_buf_bytes(&x), a, &got, &err), err);
		eg_effect_write(&y, &got);
		same_bytes(&x, &y);
		assert_int_equal(got.has_person, e.has_person);
		assert_int_equal(got.n_fields, e.n_fields);
		for (unsigned k = 0; k < e.n_fields; k++) {
			assert_int_equal(got.fields[k].has_before, e.fields[k].has_before);
			assert_int_equal(got.fields[k].has_after, e.fields[k].has_after);
			assert_int_equal(got.fields[k].after.i, e.fields[k].after.i);
			assert_int_equal(got.fields[k].after.number,
			                 e.fields[k].has_after ? e.fields[k].field % 64 : 0);
		}
		assert_int_equal(got.n_joined, e.n_joined);
		assert_int_equal(got.n_left, e.n_left);
		assert_true(eg_bytes_equal(got.region_after, e.region_after));
		/* one byte altered: refused, or another effect; never read past the end */
		if (x.len) {
			x.p[road_below((unsigned)x.len)] ^= (uint8_t)(1u << road_below(8));
			eg_effect_read(eg_buf_bytes(&x), a, &got, &err);
			eg_effect_read((struct eg_bytes){x.p, road_below((unsigned)x.len)}, a, &got, &err);
		}
		eg_buf_free(&x);
		eg_buf_free(&y);
	}
	eg_arena_free(a);
}

static void damage_is_seen(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct eg_err err = {0};
	struct eg_log_row row;
	struct eg_entry e;
	struct eg_ticket *t = road_one(r, "police", "hukou", "k", 1, 1, "11010519491231002X", 3, "王建国", 0);
	assert_ok(eg_get_entry(r->reader, t->submission.items[0].seq, r->arena, &row, &err), err);
	eg_ticket_free(t);
	assert_ok(eg_entry_open(r->vault, &row, true, true, r->arena, &e, &err), err);
	assert_true(e.has_effect && e.claim_part.len);
	assert_ok(eg_entry_open(r->vault, &row, false, false, r->arena, &e, &err), err);
	assert_true(!e.has_effect && !e.claim_part.len);
	uint8_t *p = (uint8_t *)(uintptr_t)row.claim.p;
	p[row.claim.len - 1] ^= 1;
	assert_int_equal(eg_entry_open(r->vault, &row, true, true, r->arena, &e, &err), EG_CORRUPT);
	p[row.claim.len - 1] ^= 1;
	struct eg_bytes claim = row.claim; /* parts do not stand in for each other */
	row.claim = row.effect;
	assert_int_equal(eg_entry_open(r->vault, &row, true, true, r->arena, &e, &err), EG_CORRUPT);
	row.claim = claim;
	row.seq++;
	assert_int_equal(eg_entry_open(r->vault, &row, true, true, r->arena, &e, &err), EG_CORRUPT);
	road_close(r, true);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(eg_entry_kind_name(EG_ENTRY_CHANGE), "CHANGE");
	assert_string_equal(eg_entry_kind_name(EG_ENTRY_ADMIN), "ADMIN");
	assert_string_equal(eg_entry_kind_name((enum eg_entry_kind)77), "?");
	assert_string_equal(eg_event_kind_name(EG_EVENT_CASE_CLOSED), "CASE_CLOSED");
	assert_string_equal(eg_event_kind_name((enum eg_event_kind)0), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(headers_round_trip),
	        cmocka_unit_test(header_vector),
	        cmocka_unit_test(effects_round_trip),
	        cmocka_unit_test(damage_is_seen),
	        cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, road_read_seed, NULL);
}
