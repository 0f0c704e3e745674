/* The mapping files that are shipped: each loads, a typical row becomes the record it should, and what goes
 * back is what the agency expects. */
#include "common/mapper.h"
#include "common/outbound.h"
#include "common/settings.h"
#include "eldergate/adapter.h"
#include "eldergate/v1/elder.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct eg_connector_type *const connectors[] = {&eg_connector_table, &eg_connector_file,
                                                             &eg_connector_http, NULL};

struct cell {
	const char *name, *value;
};

struct rig {
	struct eg_mapping *m;
	struct eg_mapper *p;
	struct eg_mapped out;
	Eldergate__V1__Record *record;
};

static void load(struct rig *r, const char *path)
{
	struct eg_err err = {0};
	*r = (struct rig){0};
	if (eg_mapping_load(&r->m, path, connectors, NULL, &err))
		fail_msg("%s", err.text);
	assert_int_equal(eg_mapper_new(&r->p, r->m, &err), EG_OK);
}

static void map(struct rig *r, const struct cell *cells, unsigned n)
{
	const char *names[64];
	struct eg_bytes values[64];
	struct eg_columns columns = {.generation = 1, .n = n, .names = names};
	struct eg_in in = {.kind = EG_IN_ROW, .columns = &columns, .values = values, .place = ""};
	struct eg_err err = {0};
	assert_true(n <= 64);
	for (unsigned i = 0; i < n; i++) {
		names[i] = cells[i].name;
		values[i] = cells[i].value ? eg_bytes_of(cells[i].value) : (struct eg_bytes){0};
	}
	if (eg_mapper_row(r->p, &in, &r->out, &err))
		fail_msg("%s %s", err.field, err.text);
	r->record = eldergate__v1__record__unpack(NULL, r->out.record.len, r->out.record.p);
	assert_non_null(r->record);
}

static void end(struct rig *r)
{
	eldergate__v1__record__free_unpacked(r->record, NULL);
	eg_mapper_free(r->p);
	eg_mapping_free(r->m);
}

#define MAP(r, cells) map(r, cells, sizeof(cells) / sizeof *(cells))

static void police(void **state)
{
	static const struct cell row[] = {{"ID", "900"},
	                                  {"BATCH_NO", "B1"},
	                                  {"OP", "U"},
	                                  {"RYBH", "3303020000017 "},
	                                  {"BBH", "12"},
	                                  {"GMSFHM", "11010519491231002x"},
	                                  {"XM", "张三"},
	                                  {"CYM", ""},
	                                  {"XB", "2"},
	                                  {"MZ", "1"},
	                                  {"CSRQ", "19491231"},
	                                  {"HYZK", "20"},
	                                  {"HH", "H1"},
	                                  {"YHZGX", "02"},
	                                  {"SSXQ", "330302"},
	                                  {"HJDZ", "五马街道１号"},
	                                  {"PCSBM", "3303020010"},
	                                  {"PCSMC", "五马派出所"},
	                                  {"RYZT", "3"},
	                                  {"QRRQ", "00000000"},
	                                  {"QCRQ", NULL},
	                                  {"SWRQ", "20260228"},
	                                  {"SWZXRQ", "20260310"},
	                                  {"BGSJ", "2026-03-10 09:00:00"},
	                                  {"EXCH_FLAG", "0"},
	                                  {"UPDATE_TIME", "2026-03-10 09:00:01"}};
	struct rig r;
	(void)state;
	load(&r, "adapters/police/mapping.yaml");
	MAP(&r, row);
	const Eldergate__V1__Registration *g = r.record->registration;
	assert_string_equal(r.record->source_key, "3303020000017");
	assert_int_equal(r.record->version, 12);
	assert_int_equal(r.record->event_time->seconds, 1773104400);
	assert_string_equal(g->id_number, "11010519491231002X");
	assert_string_equal(g->ethnic_group, "01");
	assert_string_equal(g->address_text, "五马街道1号");
	assert_int_equal(g->registration_status,
	                 ELDERGATE__V1__REGISTRATION_STATUS__REGISTRATION_STATUS_CANCELLED_DEATH);
	assert_int_equal(g->death_date->day, 28);
	assert_int_equal(g->death_cancellation_date->day, 10);
	assert_null(g->moved_in_date);
	assert_int_equal(r.record->n_cleared_fields, 1);
	assert_string_equal(r.record->cleared_fields[0], "former_name");
	end(&r);
}

static void police_outbound(void **state)
{
	struct rig r;
	struct eg_outbound *o;
	struct eg_delivery out;
	struct eg_err err;
	bool skip;
	char name[] = "张三", agency[] = "funeral-lucheng", number[] = "11010519491231002X";
	char n_name[] = "registration.name", n_number[] = "registration.id_number", n_death[] = "death_date";
	Eldergate__V1__ChangeEvent e = ELDERGATE__V1__CHANGE_EVENT__INIT;
	Eldergate__V1__Source source = ELDERGATE__V1__SOURCE__INIT;
	Eldergate__V1__FieldValue v[3] = {ELDERGATE__V1__FIELD_VALUE__INIT, ELDERGATE__V1__FIELD_VALUE__INIT,
	                                  ELDERGATE__V1__FIELD_VALUE__INIT};
	Eldergate__V1__FieldEntry f[3] = {ELDERGATE__V1__FIELD_ENTRY__INIT, ELDERGATE__V1__FIELD_ENTRY__INIT,
	                                  ELDERGATE__V1__FIELD_ENTRY__INIT},
	                          *fields[3] = {&f[0], &f[1], &f[2]};
	Eldergate__V1__CivilDate day = ELDERGATE__V1__CIVIL_DATE__INIT;
	(void)state;
	load(&r, "adapters/police/mapping.yaml");
	assert_true(eg_mapping_info(r.m)->has_outbound);
	assert_int_equal(eg_outbound_new(&o, r.m, &err), EG_OK);
	f[0].field = n_name;
	f[0].value = &v[0];
	v[0].kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_TEXT;
	v[0].text = name;
	f[1].field = n_number;
	f[1].value = &v[1];
	v[1].kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_TEXT;
	v[1].text = number;
	f[2].field = n_death;
	f[2].value = &v[2];
	day.year = 2026;
	day.month = 2;
	day.day = 28;
	v[2].kind_case = ELDERGATE__V1__FIELD_VALUE__KIND_DATE;
	v[2].date = &day;
	source.agency = agency;
	e.source = &source;
	e.n_fields = 3;
	e.fields = fields;
	e.life_status_before = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE;
	e.life_status_after = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_SUSPECTED_DECEASED;
	assert_int_equal(eg_outbound_event(o, &e, &out, &skip, &err), EG_OK);
	assert_false(skip);
	static const char *const want[] = {
	        "1", "", "11010519491231002X", "张三", "20260228", "funeral-lucheng", NULL, NULL, "0"};
	assert_int_equal(out.n, 9);
	for (unsigned i = 0; i < 9; i++) {
		if (!want[i] || !*want[i])
			assert_null(out.values[i].p);
		else
			assert_true(eg_bytes_equal(out.values[i], eg_bytes_of(want[i])));
	}
	eg_outbound_free(o);
	eg_mapper_free(r.p);
	eg_mapping_free(r.m);
}

static void assistance(void **state)
{
	static const struct cell row[] = {{"户编号", "330302A0001"},
	                                  {"成员序号", "2"},
	                                  {"姓名", "阿卜杜•热合曼"},
	                                  {"身份证号", "１１０１０５１９４９１２３１００２Ｘ"},
	                                  {"性别", "女"},
	                                  {"出生日期", "1949年12月31日"},
	                                  {"救助类别", "特困集中供养"},
	                                  {"与户主关系", "母亲"},
	                                  {"自理能力", "半失能"},
	                                  {"救助状态", "停发"},
	                                  {"停发原因", "死亡"},
	                                  {"起始年月", "2020年1月"},
	                                  {"终止年月", "-"},
	                                  {"月保障金额", "1,023.50"},
	                                  {"最近发放年月", "202602"},
	                                  {"file.position", "20260301000000001"},
	                                  {"file.as_of", "2026-03-01"}};
	struct rig r;
	(void)state;
	load(&r, "adapters/assistance/mapping.yaml");
	MAP(&r, row);
	const Eldergate__V1__Assistance *a = r.record->assistance;
	assert_string_equal(r.record->source_key, "330302A0001/2");
	assert_int_equal(r.record->version, 20260301000000001);
	assert_string_equal(a->name, "阿卜杜·热合曼");
	assert_string_equal(a->id_number, "11010519491231002X");
	assert_string_equal(a->sex, "2");
	assert_int_equal(a->birth_date->day, 31);
	assert_int_equal(a->assistance_category,
	                 ELDERGATE__V1__ASSISTANCE_CATEGORY__ASSISTANCE_CATEGORY_EXTREME_INSTITUTION);
	assert_int_equal(a->care_level, ELDERGATE__V1__CARE_LEVEL__CARE_LEVEL_HALF_CARE);
	assert_int_equal(a->assistance_status, ELDERGATE__V1__ASSISTANCE_STATUS__ASSISTANCE_STATUS_SUSPENDED);
	assert_int_equal(a->assistance_reason, ELDERGATE__V1__ASSISTANCE_REASON__ASSISTANCE_REASON_DEATH);
	assert_int_equal(a->monthly_amount_fen, 102350);
	assert_int_equal(a->assistance_begin_month->month, 1);
	assert_null(a->assistance_end_month);
	assert_int_equal(a->last_payment_month->month, 2);
	assert_int_equal(eg_mapping_outbound(r.m)->n_columns, 7);
	end(&r);
}

/* Whose file it is, its name says; where the persons in it live, no record of assistance does. A list that
 * covered the region would withdraw nobody, or by a field that is not there. */
static void assistance_list(void **state)
{
	static const char *const regions[] = {"330302"};
	struct eg_in in = {.kind = EG_IN_LIST_BEGIN,
	                   .place = "DIBAO_330302_20260301_001_FULL.csv",
	                   .list = {.name = "DIBAO_330302_20260301_001_FULL.csv",
	                            .as_of = 20260301000000001,
	                            .n_regions = 1,
	                            .regions = regions}};
	struct eg_list_scope scope;
	struct eg_err err = {0};
	struct rig r;
	(void)state;
	load(&r, "adapters/assistance/mapping.yaml");
	for (in.list.n_regions = 0; in.list.n_regions < 2; in.list.n_regions++) {
		assert_int_equal(eg_mapper_list(r.p, &in, &scope, &err), EG_OK);
		assert_int_equal(scope.n_regions, 0); /* the whole dataset, which is one county's */
		assert_int_equal(scope.as_of, 20260301000000001);
	}
	end(&r);
	/* Registrations have a region, so a list of them covers it. */
	load(&r, "adapters/police/mapping.yaml");
	for (in.list.n_regions = 0; in.list.n_regions < 2; in.list.n_regions++) {
		assert_int_equal(eg_mapper_list(r.p, &in, &scope, &err), EG_OK);
		assert_int_equal(scope.n_regions, in.list.n_regions);
	}
	assert_string_equal(scope.regions[0], "330302");
	end(&r);
}

/* `check` tells without a source what its connector will miss. */
static void checked_without_a_source(void **state)
{
	static const struct {
		const char *path, *missing;
	} cases[] = {{"adapters/police/mapping.yaml", NULL},
	             {"adapters/assistance/mapping.yaml", NULL},
	             {"adapters/funeral/mapping.yaml", "funeral/mapping.yaml:30:3: source.secret: "},
	             {"adapters/care/mapping.yaml", NULL}};
	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig r;
		struct eg_err err = {0};
		load(&r, cases[i].path);
		const struct eg_mapping_info *info = eg_mapping_info(r.m);
		enum eg_rc rc = info->connector->check(info->source, false, &err);
		assert_int_equal(rc, cases[i].missing ? EG_CONFIG : EG_OK);
		if (cases[i].missing)
			assert_non_null(strstr(err.text, cases[i].missing));
		const struct eg_mapping_outbound *out = eg_mapping_outbound(r.m);
		if (info->has_outbound)
			assert_int_equal(out->connector->check(out->target, true, &err), EG_OK);
		end(&r);
	}
	static const struct {
		const struct eg_connector_type *type;
		bool target;
		const char *yaml, *missing;
	} sections[] = {
	        {&eg_connector_table, false, "connection: DSN=x\ntable: t\nclaim: flag\nkey: [id]\nflag: f\n",
	         "update_time"},
	        {&eg_connector_table, false, "connection: DSN=x;Pwd=y\ntable: t\nclaim: list\nkey: [id]\n",
	         "`password`"},
	        {&eg_connector_table, true, "connection: DSN=x;Pwd=y\ntable: t\nevent_id: e\n", "`password`"},
	        {&eg_connector_table, true, "connection: DSN=x\ntable: t\nevent_id: 'e;f'\n", "event_id"},
	        {&eg_connector_file, false, "inbox: x\nname: 'D_{as_of}.csv'\nposition: date_sequence\n",
	         "{sequence}"},
	        {&eg_connector_file, false, "inbox: x\nname: 'D_{as_of}.csv'\nsftp_host: h\n", "sftp_user"},
	        {&eg_connector_file, true, "name: 'D_{sequence}.csv'\n", "outbox"},
	        {&eg_connector_http, true, "url: https://h.example/\n", "body"}};
	for (unsigned i = 0; i < sizeof sections / sizeof *sections; i++) {
		struct eg_settings *s;
		struct eg_err err = {0};
		const struct eg_connector_type *t = sections[i].type;
		assert_int_equal(
		        eg_settings_parse(sections[i].yaml, "m.yaml",
		                          sections[i].target ? t->target_settings : t->source_settings, &s,
		                          &err),
		        EG_OK);
		assert_int_equal(t->check(s, sections[i].target, &err), EG_CONFIG);
		assert_non_null(strstr(err.text, sections[i].missing));
		eg_settings_free(s);
	}
}

static void funeral(void **state)
{
	static const struct cell row[] = {{"orgCode", "330302001"},
	                                  {"remainsNo", "YT2026030017"},
	                                  {"rowVersion", "3"},
	                                  {"deleted", "false"},
	                                  {"dead.name", "李四"},
	                                  {"dead.cardType", "99"},
	                                  {"dead.age", "83岁"},
	                                  {"dead.deathTime", "2026-02"},
	                                  {"receivedAt", "2026-02-28 21:10:00"},
	                                  {"crematedAt", "2026-03-02 09:30:00"},
	                                  {"disposal", "02"},
	                                  {"cert.no", "C1"},
	                                  {"cert.state", "3"}};
	struct rig r;
	(void)state;
	load(&r, "adapters/funeral/mapping.yaml");
	MAP(&r, row);
	const Eldergate__V1__Funeral *f = r.record->funeral;
	assert_string_equal(r.record->source_key, "330302001/YT2026030017");
	assert_string_equal(f->id_number, "");
	assert_int_equal(f->id_type, ELDERGATE__V1__ID_TYPE__ID_TYPE_NONE);
	assert_int_equal(f->stated_age_presence_case, ELDERGATE__V1__FUNERAL__STATED_AGE_PRESENCE__NOT_SET);
	assert_int_equal(f->death_date->month, 2);
	assert_int_equal(f->death_date->day, 0);
	assert_int_equal(f->cremation_time->seconds, 1772415000);
	assert_int_equal(f->funeral_certificate_status,
	                 ELDERGATE__V1__CERTIFICATE_STATUS__CERTIFICATE_STATUS_REISSUED);
	assert_int_equal(f->disposal, ELDERGATE__V1__DISPOSAL__DISPOSAL_CEMETERY);
	end(&r);
}

static void care(void **state)
{
	static const struct cell row[] = {{"occupancy_id", "77"},
	                                  {"updated_at", "2026-03-01 08:00:00.5"},
	                                  {"deleted", "0"},
	                                  {"replaced_at", NULL},
	                                  {"name", "王五"},
	                                  {"id_no", "11010519491231002X"},
	                                  {"sex", "M"},
	                                  {"birthday", "1949-12-31"},
	                                  {"district", "530112"},
	                                  {"address", "马街"},
	                                  {"phone", " 138 0000 0000"},
	                                  {"contact1_name", "王六"},
	                                  {"contact1_relation", "子"},
	                                  {"contact1_phone", "1"},
	                                  {"contact2_name", ""},
	                                  {"contact2_relation", ""},
	                                  {"contact2_phone", ""},
	                                  {"ability_level", "0"},
	                                  {"ability_scale", ""},
	                                  {"ability_date", "2026-01-05"},
	                                  {"tags", "独居、高龄"},
	                                  {"bed_qr", "https://bed.example/b/5301120017-03-201-2"},
	                                  {"org_code", "5301120017"},
	                                  {"org_name", "马街养老院"},
	                                  {"in_date", "2025-06-01"},
	                                  {"out_date", "9999-12-31"},
	                                  {"leave_from", ""},
	                                  {"leave_to", ""}};
	struct rig r;
	(void)state;
	load(&r, "adapters/care/mapping.yaml");
	MAP(&r, row);
	const Eldergate__V1__Care *c = r.record->care;
	assert_int_equal(r.record->version, 1772323200500000);
	assert_string_equal(c->bed_code, "5301120017-03-201-2");
	assert_string_equal(c->tags, "独居,高龄");
	assert_string_equal(c->phone, "13800000000");
	assert_int_equal(c->ability_level_presence_case,
	                 ELDERGATE__V1__CARE__ABILITY_LEVEL_PRESENCE_ABILITY_LEVEL);
	assert_string_equal(c->ability_scale, "GB/T 42195-2022");
	assert_null(c->occupancy_end_date);
	assert_null(r.record->valid_to);
	assert_int_equal(r.record->valid_from->year, 2025);
	assert_int_equal(r.record->n_cleared_fields, 2);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(police),
	                                   cmocka_unit_test(police_outbound),
	                                   cmocka_unit_test(assistance),
	                                   cmocka_unit_test(assistance_list),
	                                   cmocka_unit_test(checked_without_a_source),
	                                   cmocka_unit_test(funeral),
	                                   cmocka_unit_test(care)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
