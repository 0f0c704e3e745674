/* Events become the agency's columns: attributes, fields, codes, forms, what stands in, who is told. */
#include "common/outbound.h"
#include "mapping_fixture.h"

struct rig {
	struct eg_mapping *m;
	struct eg_outbound *o;
	struct eg_delivery out;
	struct eg_err err;
	bool skip;
};

static void rig_open(struct rig *r, const char *columns)
{
	static char text[4000];
	*r = (struct rig){0};
	snprintf(text, sizeof text,
	         "%scode_lists: {life: {ALIVE: '1', DECEASED: '2'}}\noutbound:\n  purpose: p\n%s", WHOLE,
	         columns);
	r->m = mapping_of(text);
	assert_int_equal(eg_outbound_new(&r->o, r->m, &r->err), EG_OK);
}

static void rig_close(struct rig *r)
{
	eg_outbound_free(r->o);
	eg_mapping_free(r->m);
}

/* The columns as NAME=value; a value that is not there: NAME. */
static const char *shown(const struct rig *r)
{
	static char text[2000];
	size_t len = 0;
	*text = 0;
	for (unsigned i = 0; i < r->out.n; i++) {
		const struct eg_bytes *v = &r->out.values[i];
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s%.*s", i ? " " : "",
		                        r->out.names[i], v->p ? "=" : "", (int)v->len, (const char *)v->p);
	}
	return text;
}

static char log_id[] = "00112233445566778899aabbccddeeff", person[] = "feed0123456789abcdef0123456789ab",
            other[] = "beef0123456789abcdef0123456789ab";

static void event_of(Eldergate__V1__ChangeEvent *e)
{
	eldergate__v1__change_event__init(e);
	e->log_id = log_id;
	e->seq = 42;
	e->kind = ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_UPDATED;
	e->person_ref = person;
	e->person_version = 3;
	e->life_status_before = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE;
	e->life_status_after = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_DECEASED;
}

static void every_attribute(void **state)
{
	struct rig r;
	Eldergate__V1__ChangeEvent e;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Eldergate__V1__Source source = ELDERGATE__V1__SOURCE__INIT;
	char *changed[] = {"life_status", "registration.death_date"}, agency[] = "home",
	     dataset[] = "funeral", case_id[] = "c1";
	(void)state;
	rig_open(&r,
	         "  columns:\n    a: event_id\n    b: log_id\n    c: seq\n    d: {event: time, format: "
	         "YYYYMMDDhhmmss}\n    e: kind\n    f: person_ref\n    g: person_version\n    h: {event: "
	         "life_before, codes: life}\n    i: {event: life_after, codes: life}\n    j: source_agency\n"
	         "    k: source_dataset\n    l: source_time\n    m: changed_fields\n    n: corrects_seq\n"
	         "    o: merged_into\n    p: other_person_ref\n    q: case_id\n    r: case_kind\n"
	         "    s: {constant: x, apply: [upper]}\n");
	event_of(&e);
	at.seconds = 1772323200;
	source.agency = agency;
	source.dataset = dataset;
	source.event_time = &at;
	e.time = &at;
	e.source = &source;
	e.n_changed_fields = 2;
	e.changed_fields = changed;
	e.corrects_seq = 40;
	e.other_person_ref = other;
	e.case_id = case_id;
	e.case_kind = ELDERGATE__V1__CASE_KIND__CASE_KIND_POLICE_LAG;
	assert_int_equal(eg_outbound_event(r.o, &e, &r.out, &r.skip, &r.err), EG_OK);
	assert_false(r.skip);
	assert_string_equal(r.out.event_id, "00112233445566778899aabbccddeeff-42");
	assert_string_equal(shown(&r), "a=00112233445566778899aabbccddeeff-42 "
	                               "b=00112233445566778899aabbccddeeff c=42 d=20260301080000 "
	                               "e=UPDATED f=feed0123456789abcdef0123456789ab g=3 h=1 i=2 j=home "
	                               "k=funeral l=2026-03-01 08:00:00 "
	                               "m=life_status,registration.death_date n=40 o "
	                               "p=beef0123456789abcdef0123456789ab q=c1 r=POLICE_LAG "
	                               "s=X");
	event_of(&e); /* what is not there */
	e.life_status_before = 0;
	assert_int_equal(eg_outbound_event(r.o, &e, &r.out, &r.skip, &r.err), EG_OK);
	assert_string_equal(shown(&r),
	                    "a=00112233445566778899aabbccddeeff-42 b=00112233445566778899aabbccddeeff "
	                    "c=42 d e=UPDATED f=feed0123456789abcdef0123456789ab g=3 h i=2 j k l m n o "
	                    "p q r s=X");
	rig_close(&r);
}

static void fields(void **state)
{
	struct rig r;
	Eldergate__V1__ChangeEvent e;
	Eldergate__V1__ElderView view = ELDERGATE__V1__ELDER_VIEW__INIT;
	Eldergate__V1__FieldValue name = ELDERGATE__V1__FIELD_VALUE__INIT, sex = name, born = name,
	                          pay = name, cremated = name, none = name, old = name;
	Eldergate__V1__CivilDate date = ELDERGATE__V1__CIVIL_DATE__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	char zhang[] = "张三", li[] = "李四", one[] = "1";
	(void)state;
	rig_open(
	        &r,
	        "  columns:\n    XM: registration.name\n    XB: {field: registration.sex, codes: {'1': 男}}\n"
	        "    CSRQ: {field: registration.birth_date, format: YYYYMMDD}\n"
	        "    JE: assistance.monthly_amount_fen\n    HH: funeral.cremation_time\n"
	        "    BZ: {field: registration.former_name, empty: {use: '无'}}\n");
	event_of(&e);
	assert_true(eg_outbound_needs_view(r.o, &e));
	name.kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_TEXT;
	name.text = zhang;
	old.kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_TEXT;
	old.text = li;
	sex.kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_CODE;
	sex.code = one;
	date.year = 1949;
	date.month = 10;
	born.kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_DATE;
	born.date = &date;
	pay.kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_NUMBER;
	pay.number = 60000;
	at.seconds = 1772323200;
	cremated.kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_INSTANT;
	cremated.instant = &at;
	none.kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_EMPTY;
	none.empty = 1;
	static char n_name[] = "registration.name", n_sex[] = "registration.sex",
	            n_born[] = "registration.birth_date", n_pay[] = "assistance.monthly_amount_fen",
	            n_cremated[] = "funeral.cremation_time", n_former[] = "registration.former_name";
	Eldergate__V1__FieldEntry entry[] = {ELDERGATE__V1__FIELD_ENTRY__INIT,
	                                     ELDERGATE__V1__FIELD_ENTRY__INIT};
	Eldergate__V1__FieldEntry *entries[] = {&entry[0], &entry[1]};
	entry[0].field = n_name;
	entry[0].value = &name;
	entry[1].field = n_former;
	entry[1].value = &none;
	e.n_fields = 2;
	e.fields = entries;
	/* the event's own values go before those of the view */
	char *names[] = {n_name, n_sex, n_born, n_pay, n_cremated};
	Eldergate__V1__FieldValue *values[] = {&old, &sex, &born, &pay, &cremated};
	Eldergate__V1__ViewField shown_field[5], *shown_fields[5];
	for (unsigned i = 0; i < 5; i++) {
		eldergate__v1__view_field__init(&shown_field[i]);
		shown_field[i].field = names[i];
		shown_field[i].value = values[i];
		shown_fields[i] = &shown_field[i];
	}
	view.n_fields = 5;
	view.fields = shown_fields;
	assert_int_equal(eg_outbound_event_view(r.o, &e, &view, &r.out, &r.skip, &r.err), EG_OK);
	assert_string_equal(shown(&r), "XM=张三 XB=男 CSRQ=19491000 JE=60000 HH=2026-03-01 08:00:00 BZ=无");
	assert_int_equal(eg_outbound_event(r.o, &e, &r.out, &r.skip, &r.err), EG_OK);
	assert_string_equal(shown(&r), "XM=张三 XB CSRQ JE HH BZ=无");
	/* a person of the snapshot */
	Eldergate__V1__PersonState s = ELDERGATE__V1__PERSON_STATE__INIT;
	s.log_id = log_id;
	s.seq = 9;
	s.n_fields = 2;
	s.fields = entries;
	assert_int_equal(eg_outbound_state(r.o, &s, &r.out, &r.skip, &r.err), EG_OK);
	assert_string_equal(r.out.event_id, "00112233445566778899aabbccddeeff-9");
	assert_string_equal(shown(&r), "XM=张三 XB CSRQ JE HH BZ=无");
	one[0] = '9';
	assert_int_equal(eg_outbound_event_view(r.o, &e, &view, &r.out, &r.skip, &r.err), EG_INVALID);
	assert_string_equal(r.err.text,
	                    "column XB: The code is not in the mapping file's code list. (/site/m.yaml:16)");
	assert_string_equal(r.err.field, "XB");
	rig_close(&r);
}

static void nothing_to_ask(void **state)
{
	struct rig r;
	Eldergate__V1__ChangeEvent e;
	(void)state;
	rig_open(&r, "  columns: {A: event_id, B: {event: life_before, empty: error}}\n");
	event_of(&e);
	assert_false(eg_outbound_needs_view(r.o, &e));
	e.life_status_before = 0;
	assert_int_equal(eg_outbound_event(r.o, &e, &r.out, &r.skip, &r.err), EG_INVALID);
	assert_non_null(strstr(r.err.text, "column B: Something that every row must have is missing."));
	rig_close(&r);
}

static void who_is_told(void **state)
{
	struct rig r;
	Eldergate__V1__ChangeEvent e;
	Eldergate__V1__PersonState s = ELDERGATE__V1__PERSON_STATE__INIT;
	(void)state;
	rig_open(&r,
	         "  life: [DECEASED, SUSPECTED_DECEASED]\n  columns: {A: event_id, N: registration.name}\n");
	event_of(&e);
	assert_int_equal(eg_outbound_event(r.o, &e, &r.out, &r.skip, &r.err), EG_OK);
	assert_false(r.skip);
	assert_true(eg_outbound_needs_view(r.o, &e));
	e.life_status_before = e.life_status_after; /* dead already */
	assert_int_equal(eg_outbound_event(r.o, &e, &r.out, &r.skip, &r.err), EG_OK);
	assert_true(r.skip);
	assert_false(eg_outbound_needs_view(r.o, &e));
	e.life_status_after = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE;
	assert_int_equal(eg_outbound_event(r.o, &e, &r.out, &r.skip, &r.err), EG_OK);
	assert_true(r.skip);
	assert_int_equal(eg_outbound_state(r.o, &s, &r.out, &r.skip, &r.err), EG_OK);
	assert_true(r.skip);
	s.life_status = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_SUSPECTED_DECEASED;
	assert_int_equal(eg_outbound_state(r.o, &s, &r.out, &r.skip, &r.err), EG_OK);
	assert_false(r.skip);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_attribute), cmocka_unit_test(fields),
	                                   cmocka_unit_test(nothing_to_ask), cmocka_unit_test(who_is_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
