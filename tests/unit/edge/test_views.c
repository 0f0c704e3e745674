/* test_views: values, events and views as messages: enumerations by name, nothing beyond what is asked for,
 * failure remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "edge/descriptors.h"
#include "edge/edge.h"
#include "edge/views.h"

#include "descriptor_set.h"

static struct eg_maker maker(size_t budget)
{
	return (struct eg_maker){.arena = eg_arena_new(budget)};
}

static void test_enumerations_by_name(void **state)
{
	(void)state;
	unsigned status = EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_registration_status);
	assert_string_equal(eg_enum_name(status, 3), "CANCELLED_DEATH");
	assert_string_equal(eg_enum_name(EG_VIEW_LIFE, EG_LIFE_SUSPECTED), "SUSPECTED_DECEASED");
	assert_null(eg_enum_name(status, 77));
	assert_null(eg_enum_name(EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_name), 1));
	for (unsigned field = 1; field < EG_VIEW_FIELD(EG_SECTION_END, 0); field++) {
		char name[80];
		if (*eg_view_field_name(field, name) && eg_view_field_type(field) == EG_TYPE_ENUM)
			assert_non_null(eg_enum_name(field, 1)); /* every enumeration has its list */
	}
}

static void test_values(void **state)
{
	(void)state;
	struct eg_maker k = maker(1 << 16);
	struct eg_value v = {.text = eg_bytes_of("张")};
	unsigned name = EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_name);
	Eldergate__V1__FieldValue *m = eg_make_value(&k, name, &v);
	assert_int_equal(m->kind_case, ELDERGATE__V1__FIELD_VALUE__KIND_TEXT);
	assert_string_equal(m->text, "张");
	v = (struct eg_value){.cleared = true};
	assert_int_equal(eg_make_value(&k, name, &v)->kind_case, ELDERGATE__V1__FIELD_VALUE__KIND_EMPTY);
	v = (struct eg_value){.i = eg_date_pack((struct eg_date){1948, 5, 0})};
	m = eg_make_value(&k, EG_VIEW_DEATH_DATE, &v);
	assert_int_equal(m->kind_case, ELDERGATE__V1__FIELD_VALUE__KIND_DATE);
	assert_int_equal(m->date->year * 100 + m->date->month, 194805);
	v = (struct eg_value){.i = 0};
	m = eg_make_value(&k, EG_VIEW_FIELD(EG_FUNERAL, EG_FN_FUNERAL_cremation_time), &v);
	assert_int_equal(m->kind_case, ELDERGATE__V1__FIELD_VALUE__KIND_INSTANT);
	assert_non_null(m->instant); /* 1970 is an instant */
	m = eg_make_value(&k, EG_VIEW_FIELD(EG_ASSISTANCE, EG_FN_ASSISTANCE_monthly_amount_fen), &v);
	assert_int_equal(m->kind_case, ELDERGATE__V1__FIELD_VALUE__KIND_NUMBER);
	Google__Protobuf__Timestamp *t = eg_make_time(&k, -1);
	assert_int_equal(t->seconds, -1);
	assert_int_equal(t->nanos, 999999000);
	assert_null(eg_make_time(&k, 0));
	assert_false(k.failed);
	eg_arena_free(k.arena);
}

static void test_failure_is_remembered(void **state)
{
	(void)state;
	struct eg_maker k = maker(64);
	struct eg_value v = {
	        .text = eg_bytes_of("a text that has no room in an arena of sixty-four bytes, as it is")};
	assert_null(eg_make_text(&k, v.text));
	assert_true(k.failed);
	assert_null(eg_make(&k, 1));
	eg_arena_free(k.arena);
}

static struct eg_event event(void)
{
	static unsigned changed[] = {EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_registration_status),
	                             EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_name), EG_VIEW_LIFE};
	static struct eg_event_field fields[] = {
	        {.field = EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_registration_status),
	         .present = true,
	         .value = {.i = 3}}};
	return (struct eg_event){.seq = 7,
	                         .time = 5 * EG_SECOND,
	                         .kind = EG_EVENT_UPDATED,
	                         .person_version = 2,
	                         .life_before = EG_LIFE_ALIVE,
	                         .life_after = EG_LIFE_DECEASED,
	                         .n_changed = 3,
	                         .changed = changed,
	                         .agency = eg_bytes_of("police"),
	                         .dataset = eg_bytes_of("household"),
	                         .n_fields = 1,
	                         .fields = fields,
	                         .region_after = eg_bytes_of("330302")};
}

static void test_event(void **state)
{
	(void)state;
	struct eg_event e = event();
	struct eg_buf out = {0};
	struct eg_err err = {0};
	assert_int_equal(eg_encode_event(&e, &out, &err), EG_OK);
	Eldergate__V1__ChangeEvent *m = eldergate__v1__change_event__unpack(NULL, out.len, out.p);
	assert_non_null(m);
	assert_string_equal(m->log_id, "00000000000000000000000000000000");
	assert_int_equal(m->kind, ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_UPDATED);
	assert_int_equal(m->n_changed_fields, 3);
	assert_string_equal(m->changed_fields[0], "life_status"); /* sorted */
	assert_string_equal(m->changed_fields[1], "registration.name");
	assert_int_equal(m->n_fields, 1);
	assert_string_equal(m->fields[0]->value->code, "CANCELLED_DEATH");
	assert_string_equal(m->source->agency, "police");
	assert_null(m->source->event_time);
	assert_string_equal(m->merged_into, "");
	assert_null(memmem(out.p, out.len, "330302", 6)); /* the region is for filters */
	eldergate__v1__change_event__free_unpacked(m, NULL);
	eg_buf_free(&out);
}

static void test_state(void **state)
{
	(void)state;
	struct eg_event e = event();
	struct eg_buf out = {0};
	struct eg_err err = {0};
	e.has_merged_into = true;
	assert_int_equal(eg_encode_state(&e, &out, &err), EG_OK);
	Eldergate__V1__PersonState *m = eldergate__v1__person_state__unpack(NULL, out.len, out.p);
	assert_int_equal(strlen(m->merged_into), 32);
	assert_int_equal(m->n_fields, 0); /* who was merged away has a pointer and a version, nothing else */
	assert_int_equal(m->life_status, 0);
	assert_int_equal(m->person_version, 2);
	eldergate__v1__person_state__free_unpacked(m, NULL);
	eg_buf_free(&out);
}

static void test_left_scope_tells_nothing(void **state)
{
	(void)state;
	struct eg_maker k = maker(1 << 16);
	struct eg_event e = event();
	Eldergate__V1__ChangeEvent *m = eg_make_event(&k, &e, true);
	assert_int_equal(m->kind, ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_LEFT_SCOPE);
	assert_int_equal(m->n_fields + m->n_changed_fields, 0);
	assert_int_equal(m->life_status_after, 0);
	assert_null(m->source);
	eg_arena_free(k.arena);
}

static void test_ids(void **state)
{
	(void)state;
	uint8_t id[16];
	assert_true(eg_read_id("000102030405060708090a0b0c0d0e0f", id));
	assert_int_equal(id[15], 15);
	assert_false(eg_read_id("000102030405060708090A0B0C0D0E0F", id));
	assert_false(eg_read_id("000102030405060708090a0b0c0d0e0", id));
	assert_false(eg_read_id("", id));
}

static void test_descriptors(void **state)
{
	(void)state;
	struct eg_descriptors *d = NULL;
	struct eg_err err;
	struct eg_bytes set = {eg_descriptor_set, (size_t)eg_descriptor_set_size};
	assert_int_equal(eg_descriptors_open(&d, set, &err), EG_OK);
	int exchange = eg_descriptors_file(d, "eldergate/v1/exchange.proto");
	assert_true(exchange >= 0);
	assert_int_equal(eg_descriptors_symbol(d, "eldergate.v1.ExchangeService"), exchange);
	assert_int_equal(eg_descriptors_symbol(d, "eldergate.v1.ExchangeService.Submit"), exchange);
	assert_int_equal(eg_descriptors_symbol(d, "eldergate.v1.LANE_URGENT"), exchange);
	assert_int_equal(eg_descriptors_symbol(d, "eldergate.v1.RecordResult.seq"), exchange);
	assert_true(eg_descriptors_symbol(d, "google.rpc.BadRequest.FieldViolation.field") >= 0); /* nested */
	assert_int_equal(eg_descriptors_symbol(d, "eldergate.v1.Nothing"), -1);
	assert_int_equal(eg_descriptors_file(d, ""), -1);
	int *all = calloc(eg_descriptors_files(d), sizeof *all);
	unsigned n = eg_descriptors_closure(d, exchange, all);
	assert_int_equal(all[0], exchange);
	assert_in_range(n, 4, eg_descriptors_files(d));
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(all[i], all[k]);
	free(all);
	eg_descriptors_close(d);
	/* a broken set is refused at whatever byte it ends */
	for (size_t len = 1; len < 3000; len += 7)
		if (eg_descriptors_open(&d, (struct eg_bytes){set.p, len}, &err) == EG_OK)
			eg_descriptors_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_enumerations_by_name),
	        cmocka_unit_test(test_values),
	        cmocka_unit_test(test_failure_is_remembered),
	        cmocka_unit_test(test_event),
	        cmocka_unit_test(test_state),
	        cmocka_unit_test(test_left_scope_tells_nothing),
	        cmocka_unit_test(test_ids),
	        cmocka_unit_test(test_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
