/* Rows become records: fields of every type, versions, operations, faults with their columns, schema changes.
 */
#include "common/pick.h"
#include "eldergate/v1/elder.pb-c.h"
#include "mapping_fixture.h"

#include <time.h>

enum { CELLS_MAX = 32 };

struct rig {
	struct eg_mapping *m;
	struct eg_mapper *p;
	const char *names[CELLS_MAX];
	struct eg_bytes values[CELLS_MAX];
	struct eg_columns columns;
	struct eg_in in;
	struct eg_mapped out;
	struct eg_err err;
	Eldergate__V1__Record *record;
};

static void rig_open(struct rig *r, const char *mapping)
{
	*r = (struct rig){.columns = {.generation = 1, .names = r->names},
	                  .in = {.kind = EG_IN_ROW, .place = "LIST_330302_20260301_FULL.csv"}};
	r->m = mapping_of(mapping);
	assert_int_equal(eg_mapper_new(&r->p, r->m, &r->err), EG_OK);
	r->in.columns = &r->columns;
	r->in.values = r->values;
}

static void rig_close(struct rig *r)
{
	if (r->record)
		eldergate__v1__record__free_unpacked(r->record, NULL);
	eg_mapper_free(r->p);
	eg_mapping_free(r->m);
}

/* Sets a column of the row, as it was or new. */
static void put(struct rig *r, const char *name, const char *value)
{
	unsigned i = 0;
	while (i < r->columns.n && strcmp(r->names[i], name) != 0)
		i++;
	if (i == r->columns.n) {
		r->columns.n++;
		r->columns.generation++;
	}
	assert_true(i < CELLS_MAX);
	r->names[i] = name;
	r->values[i] = value ? eg_bytes_of(value) : (struct eg_bytes){0};
}

static enum eg_rc run(struct rig *r)
{
	enum eg_rc rc = eg_mapper_row(r->p, &r->in, &r->out, &r->err);
	if (r->record)
		eldergate__v1__record__free_unpacked(r->record, NULL);
	r->record = NULL;
	if (!rc && !r->out.skipped) {
		r->record = eldergate__v1__record__unpack(NULL, r->out.record.len, r->out.record.p);
		assert_non_null(r->record);
		/* byte for byte what the generated code would write */
		uint8_t packed[4096];
		assert_int_equal(eldergate__v1__record__get_packed_size(r->record), r->out.record.len);
		assert_true(r->out.record.len <= sizeof packed);
		eldergate__v1__record__pack(r->record, packed);
		assert_memory_equal(packed, r->out.record.p, r->out.record.len);
	}
	return rc;
}

static void good(struct rig *r)
{
	if (run(r))
		fail_msg("%s", r->err.text);
}

/* The faults as "CODE field column", separated by commas. */
static const char *bad(struct rig *r)
{
	static char text[1000];
	size_t len = 0;
	assert_int_equal(run(r), EG_INVALID);
	assert_int_equal(r->out.record.len, 0);
	for (unsigned i = 0; i < r->out.n_faults; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %s %s", i ? ", " : "",
		                        r->out.faults[i].code, r->out.faults[i].field,
		                        r->out.faults[i].column);
	return text;
}

static void plain_row(struct rig *r)
{
	put(r, "K", "7");
	put(r, "V", "3");
	put(r, "ID", "11010519491231002X");
	put(r, "XM", "张三");
}

static void smallest(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, WHOLE);
	plain_row(&r);
	good(&r);
	assert_string_equal(r.record->source_key, "7");
	assert_int_equal(r.record->version, 3);
	assert_int_equal(r.record->mapping_revision, 1);
	assert_int_equal(r.record->operation, ELDERGATE__V1__OPERATION__OPERATION_ASSERT);
	assert_int_equal(r.record->section_case, ELDERGATE__V1__RECORD__SECTION_REGISTRATION);
	assert_string_equal(r.record->registration->id_number, "11010519491231002X");
	assert_string_equal(r.record->registration->name, "张三");
	assert_null(r.record->event_time);
	assert_null(r.record->registration->birth_date);
	assert_int_equal(r.record->n_cleared_fields, 0);
	assert_int_equal(r.out.key.len, 1);
	assert_int_equal(r.out.version, 3);
	rig_close(&r);
}

#define EVERY                                                                                                \
	"mapping: 1\ndataset: funerals\nsection: funeral\nrevision: 4\n"                                     \
	"gateway: {address: 'ipc:///run/bus', server_key: '0123456789012345678901234567890123456789', "      \
	"key_file: own.key}\n"                                                                               \
	"state: state\nconnector: paper\n"                                                                   \
	"rows:\n"                                                                                            \
	"  key: [ORG, NO]\n"                                                                                 \
	"  version: {column: T, instant: auto}\n"                                                            \
	"  event_time: T\n"                                                                                  \
	"  valid_from: {column: D, date: auto}\n"                                                            \
	"  operation: {column: OP, assert: [I, U], void: [D]}\n"                                             \
	"  apply: [trim]\n"                                                                                  \
	"  empty_words: ['NULL', '-']\n"                                                                     \
	"  no_date: [1900-01-01]\n"                                                                          \
	"fields:\n"                                                                                          \
	"  id_number: {column: ID, apply: [id_number]}\n"                                                    \
	"  id_type: {column: IDT, codes: {'01': RESIDENT, '99': NONE}, otherwise: {use: OTHER}}\n"           \
	"  name: {columns: [XING, MING]}\n"                                                                  \
	"  stated_age: {column: AGE, otherwise: absent}\n"                                                   \
	"  organisation_code: ORG\n"                                                                         \
	"  death_date: {column: D, date: [YYYYMMDD, 'YYYY年M月', 'YYYY-M-D']}\n"                           \
	"  cremation_time: {column: C, instant: 'YYYY/MM/DD hh:mm'}\n"                                       \
	"  disposal: {column: DIS, codes: {a: CEMETERY, b: ''}, empty: {use: STORAGE}}\n"                    \
	"  informant_phone: {column: TEL, empty: clear}\n"                                                   \
	"  funeral_certificate_status: {constant: VALID}\n"

static void funeral_row(struct rig *r)
{
	put(r, "ORG", "0577");
	put(r, "NO", "A/1");
	put(r, "T", "2026-03-01 08:00:00");
	put(r, "D", "20260228");
	put(r, "OP", "I");
	put(r, "ID", " １１０１０５１９４９１２３１００２ｘ ");
	put(r, "IDT", "01");
	put(r, "XING", "李");
	put(r, "MING", "四");
	put(r, "AGE", "76");
	put(r, "C", "2026/03/01 09:30");
	put(r, "DIS", "a");
	put(r, "TEL", "-");
}

static void every_type(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, EVERY);
	funeral_row(&r);
	good(&r);
	const Eldergate__V1__Funeral *f = r.record->funeral;
	assert_string_equal(r.record->source_key, "0577/A%2F1");
	assert_int_equal(r.record->version, 1772323200000000);
	assert_int_equal(r.record->mapping_revision, 4);
	assert_int_equal(r.record->event_time->seconds, 1772323200);
	assert_int_equal(r.record->valid_from->day, 28);
	assert_null(r.record->valid_to);
	assert_string_equal(f->id_number, "11010519491231002X");
	assert_int_equal(f->id_type, ELDERGATE__V1__ID_TYPE__ID_TYPE_RESIDENT);
	assert_string_equal(f->name, "李四");
	assert_int_equal(f->stated_age_presence_case, ELDERGATE__V1__FUNERAL__STATED_AGE_PRESENCE_STATED_AGE);
	assert_int_equal(f->stated_age, 76);
	assert_string_equal(f->organisation_code, "0577");
	assert_int_equal(f->death_date->year, 2026);
	assert_int_equal(f->death_date->month, 2);
	assert_int_equal(f->death_date->day, 28);
	assert_int_equal(f->cremation_time->seconds, 1772328600);
	assert_int_equal(f->disposal, ELDERGATE__V1__DISPOSAL__DISPOSAL_CEMETERY);
	assert_int_equal(f->funeral_certificate_status,
	                 ELDERGATE__V1__CERTIFICATE_STATUS__CERTIFICATE_STATUS_VALID);
	assert_string_equal(f->informant_phone, "");
	assert_int_equal(r.record->n_cleared_fields, 1);
	assert_string_equal(r.record->cleared_fields[0], "informant_phone");
	/* zero is a number; what stands in; precision of a month; what is not there */
	put(&r, "AGE", "0");
	put(&r, "IDT", "77");
	put(&r, "DIS", "b");
	put(&r, "D", "2026年2月");
	put(&r, "C", NULL);
	put(&r, "TEL", "123");
	good(&r);
	f = r.record->funeral;
	assert_int_equal(f->stated_age_presence_case, ELDERGATE__V1__FUNERAL__STATED_AGE_PRESENCE_STATED_AGE);
	assert_int_equal(f->stated_age, 0);
	assert_int_equal(f->id_type, ELDERGATE__V1__ID_TYPE__ID_TYPE_OTHER);
	assert_int_equal(f->disposal, ELDERGATE__V1__DISPOSAL__DISPOSAL_STORAGE);
	assert_int_equal(f->death_date->month, 2);
	assert_int_equal(f->death_date->day, 0);
	assert_null(f->cremation_time);
	assert_int_equal(r.record->n_cleared_fields, 0);
	assert_string_equal(f->informant_phone, "123");
	/* before 1970, within a second */
	put(&r, "T", "1960-01-01 08:00:00.25");
	good(&r);
	assert_int_equal(r.record->event_time->seconds, -315619200);
	assert_int_equal(r.record->event_time->nanos, 250000000);
	assert_int_equal(r.record->version, -315619199750000);
	put(&r, "T", "2026-03-01 08:00:00");
	/* no date; an age that is none, which `otherwise` lets go */
	put(&r, "D", "1900-1-1");
	put(&r, "AGE", "old");
	good(&r);
	f = r.record->funeral;
	assert_null(f->death_date);
	assert_null(r.record->valid_from);
	assert_int_equal(f->stated_age_presence_case, ELDERGATE__V1__FUNERAL__STATED_AGE_PRESENCE__NOT_SET);
	rig_close(&r);
}

static void voids(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, EVERY);
	funeral_row(&r);
	put(&r, "OP", "D");
	put(&r, "AGE", NULL);
	put(&r, "D", "nonsense"); /* what it said does not matter any more */
	good(&r);
	assert_true(r.out.void_op);
	assert_int_equal(r.record->operation, ELDERGATE__V1__OPERATION__OPERATION_VOID);
	assert_int_equal(r.record->section_case, ELDERGATE__V1__RECORD__SECTION_FUNERAL);
	assert_string_equal(r.record->funeral->name, "");
	assert_null(r.record->valid_from);
	put(&r, "T", "yesterday"); /* which version it is does */
	assert_string_equal(bad(&r), "VERSION_INVALID version T, TIME_INVALID event_time T");
	rig_close(&r);
	rig_open(&r, HEAD FIELDS "rows:\n  key: K\n  version: V\n  operation: {column: OP, void: [D], "
	                         "otherwise: assert, void_version: OLD}\n");
	plain_row(&r);
	put(&r, "OP", "whatever");
	put(&r, "OLD", "");
	good(&r);
	assert_false(r.out.void_op);
	assert_int_equal(r.out.version, 3);
	put(&r, "OP", "");
	good(&r);
	assert_false(r.out.void_op);
	put(&r, "OP", "D");
	assert_string_equal(bad(&r), "VERSION_MISSING version OLD");
	put(&r, "OLD", "2");
	good(&r);
	assert_true(r.out.void_op);
	assert_int_equal(r.record->version, 2);
	rig_close(&r);
}

static void faults(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, EVERY);
	funeral_row(&r);
	put(&r, "NO", " - ");
	assert_string_equal(bad(&r), "KEY_MISSING source_key ORG");
	funeral_row(&r);
	put(&r, "T", "yesterday");
	assert_string_equal(bad(&r), "VERSION_INVALID version T, TIME_INVALID event_time T");
	put(&r, "T", "");
	assert_string_equal(bad(&r), "VERSION_MISSING version T");
	funeral_row(&r);
	put(&r, "OP", "X");
	assert_string_equal(bad(&r), "OPERATION_UNKNOWN operation OP");
	put(&r, "OP", "");
	assert_string_equal(bad(&r), "OPERATION_UNKNOWN operation OP");
	funeral_row(&r);
	put(&r, "D", "2026/2/28");
	assert_string_equal(bad(&r), "DATE_INVALID funeral.death_date D");
	put(&r, "D", "20260230");
	assert_string_equal(bad(&r), "DATE_INVALID valid_from D, DATE_INVALID funeral.death_date D");
	funeral_row(&r);
	put(&r, "C", "2026/03/01 24:30");
	assert_string_equal(bad(&r), "TIME_INVALID funeral.cremation_time C");
	funeral_row(&r);
	put(&r, "DIS", "z");
	assert_string_equal(bad(&r), "CODE_NOT_MAPPED funeral.disposal DIS");
	put(&r, "DIS", "\xD5\xC5");
	assert_string_equal(bad(&r), "TEXT_NOT_UTF8 funeral.disposal DIS");
	funeral_row(&r);
	put(&r, "MING", "\xFF");
	assert_string_equal(bad(&r), "TEXT_NOT_UTF8 funeral.name XING");
	funeral_row(&r);
	r.values[7] = (struct eg_bytes){(const uint8_t *)"a\0b", 3};
	assert_string_equal(bad(&r), "TEXT_NUL funeral.name XING");
	/* the error's text holds no value */
	assert_string_equal(r.err.text, "TEXT_NUL: The text contains a NUL character.");
	assert_string_equal(r.err.field, "funeral.name");
	assert_string_equal(r.out.faults[0].text, "文本含有空字符（NUL）。");
	static char large[EG_VALUE_BYTES_MAX + 2];
	memset(large, 'x', EG_VALUE_BYTES_MAX + 1);
	put(&r, "XING", large);
	assert_string_equal(bad(&r), "VALUE_TOO_LARGE funeral.name XING");
	rig_close(&r);
	rig_open(&r, WHOLE);
	plain_row(&r);
	large[0] = '\xE5', large[1] = '\xBC', large[2] = '\xA0'; /* 200 characters, 202 bytes */
	large[202] = 0;
	put(&r, "K", large);
	good(&r);
	large[202] = 'x';
	large[203] = 0;
	put(&r, "K", large);
	assert_string_equal(bad(&r), "KEY_TOO_LONG source_key K");
	put(&r, "K", "");
	put(&r, "V", "1.5");
	assert_string_equal(bad(&r), "KEY_MISSING source_key K, VERSION_INVALID version V");
	rig_close(&r);
}

static void many_faults(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, HEAD "rows: {key: K, version: V, require: [A, B, C, D, E, F, G, H, I, J]}\n" FIELDS);
	plain_row(&r);
	const char *names[] = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"};
	for (unsigned i = 0; i < 10; i++)
		put(&r, names[i], " ");
	assert_int_equal(run(&r), EG_INVALID);
	assert_int_equal(r.out.n_faults, EG_ROW_FAULTS_MAX);
	assert_string_equal(r.out.faults[7].code, "REQUIRED_MISSING");
	assert_string_equal(r.out.faults[7].column, "H");
	rig_close(&r);
}

static void forms_of_amounts_and_months(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r,
	         "mapping: 1\ndataset: dibao\nsection: assistance\n"
	         "gateway: {address: 'tcp://h:1', server_key: '0123456789012345678901234567890123456789', "
	         "key_file: /k}\nstate: /s\nconnector: paper\nrows: {key: K, version: V}\nfields:\n"
	         "  id_number: ID\n  name: XM\n  monthly_amount_fen: {column: JE, amount: yuan}\n"
	         "  assistance_begin_month: {column: KS, month: auto}\n"
	         "  assistance_case_number: {column: HH, apply: [refuse_scientific, {pad: {to: 8}}]}\n"
	         "  assistance_local_category: {column: LB, codes: {a: A}, otherwise: keep}\n");
	plain_row(&r);
	put(&r, "JE", "1,234.5元");
	put(&r, "KS", "2026-03-15");
	put(&r, "HH", "12345");
	put(&r, "LB", "zz");
	good(&r);
	const Eldergate__V1__Assistance *a = r.record->assistance;
	assert_int_equal(a->monthly_amount_fen, 123450);
	assert_int_equal(a->assistance_begin_month->month, 3);
	assert_int_equal(a->assistance_begin_month->day, 0);
	assert_string_equal(a->assistance_case_number, "00012345");
	assert_string_equal(a->assistance_local_category, "zz");
	put(&r, "JE", "12.345");
	put(&r, "HH", "3.30302E+17");
	assert_string_equal(bad(&r), "EXCEL_DAMAGE assistance.assistance_case_number HH, "
	                             "AMOUNT_INVALID assistance.monthly_amount_fen JE");
	assert_string_equal(eg_mapping_info(r.m)->state_dir, "/s");
	assert_string_equal(eg_mapping_info(r.m)->gateway_key_file, "/k");
	rig_close(&r);
}

static void rows_for_others(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, HEAD "rows: {key: K, version: V, only: {LX: ['1', '2'], ZT: [x]}}\n" FIELDS);
	plain_row(&r);
	put(&r, "LX", " 2 ");
	put(&r, "ZT", "x");
	good(&r);
	assert_false(r.out.skipped);
	put(&r, "LX", "3");
	put(&r, "K", ""); /* its faults are nobody's */
	good(&r);
	assert_true(r.out.skipped);
	assert_int_equal(r.out.record.len, 0);
	rig_close(&r);
}

/* Whatever brought the row: the file connector decodes such names, ODBC and JSON hand them out as they are.
 */
static void characters_that_moved(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, WHOLE);
	static const char *const names[] = {"XM", "EXTRA", "V", "K", "ID"};
	struct eg_bytes values[] = {eg_bytes_of("张\xEE\xA1\xA3"), eg_bytes_of("\xEE\xA0\x96"),
	                            eg_bytes_of("9"), eg_bytes_of("k\xEE\xA1\xA3"), eg_bytes_of("1")};
	struct eg_columns columns = {.generation = 77, .n = 5, .names = names};
	plain_row(&r);
	r.in.columns = &columns;
	r.in.values = values;
	good(&r);
	assert_string_equal(r.record->registration->name, "张䶮");
	assert_string_equal(r.record->source_key, "k䶮");
	assert_int_equal(values[0].len, 6); /* the source's own is as it was */
	rig_close(&r);
}

static void schema_changes(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, WHOLE);
	plain_row(&r);
	good(&r);
	/* other order, other case, more columns: found again */
	static const char *const other[] = {"xm", "EXTRA", "v", "k", "id"};
	struct eg_bytes values[] = {eg_bytes_of("李四"), eg_bytes_of("?"), eg_bytes_of("9"),
	                            eg_bytes_of("k2"), eg_bytes_of("1")};
	struct eg_columns columns = {.generation = 77, .n = 5, .names = other};
	r.in.columns = &columns;
	r.in.values = values;
	good(&r);
	assert_string_equal(r.record->source_key, "k2");
	assert_string_equal(r.record->registration->name, "李四");
	/* one is gone */
	static const char *const gone[] = {"XMM", "V", "K", "ID", "ID"};
	columns = (struct eg_columns){.generation = 78, .n = 4, .names = gone};
	assert_int_equal(run(&r), EG_CONFIG);
	assert_string_equal(r.err.text,
	                    "the source has no column 'XM', which registration.name (/site/m.yaml:10) "
	                    "needs; did you mean 'XMM'?");
	assert_string_equal(r.err.field, "registration.name");
	assert_int_equal(eg_mapper_bind(r.p, &columns, &r.err), EG_CONFIG);
	/* A source without a schema has not shown it yet: the row is refused, and those that follow need not
	 * be. */
	static const char *const lacking[] = {"XMM", "EXTRA", "V", "K", "ID"};
	columns = (struct eg_columns){.generation = 78, .n = 5, .names = lacking, .open = true};
	assert_int_equal(run(&r), EG_INVALID);
	assert_string_equal(r.out.faults[0].code, "COLUMN_MISSING");
	assert_string_equal(r.out.faults[0].column, "XM");
	assert_string_equal(r.out.faults[0].field, "registration.name");
	assert_true(r.out.key.len > 0); /* it still stands in a full list */
	columns = (struct eg_columns){.generation = 80, .n = 5, .names = other, .open = true};
	good(&r);
	/* one stands twice */
	columns = (struct eg_columns){.generation = 79, .n = 5, .names = gone};
	assert_int_equal(run(&r), EG_CONFIG);
	assert_string_equal(r.err.text,
	                    "the source has 2 columns 'ID'; registration.id_number (/site/m.yaml:9) "
	                    "needs to know which");
	/* and back again */
	r.in.columns = &r.columns;
	r.in.values = r.values;
	good(&r);
	rig_close(&r);
}

static void optional_columns(void **state)
{
	struct rig r;
	(void)state;
	rig_open(&r, HEAD "rows: {key: K, version: V, optional: [CYM, XX], require: [XX]}\n" FIELDS
	                  "  former_name: {column: CYM, empty: clear}\n");
	plain_row(&r);
	assert_string_equal(bad(&r), "REQUIRED_MISSING  XX");
	put(&r, "XX", "x");
	good(&r);
	assert_string_equal(r.record->cleared_fields[0], "former_name");
	put(&r, "CYM", "李");
	good(&r);
	assert_string_equal(r.record->registration->former_name, "李");
	rig_close(&r);
}

static void lists(void **state)
{
	struct rig r;
	struct eg_list_scope scope;
	(void)state;
	rig_open(
	        &r, HEAD FIELDS
	        "rows: {key: K, version: {place: true, apply: [{split: {by: _, part: 3}}], date: YYYYMMDD}}\n"
	        "list: {as_of: {place: true, apply: [{split: {by: _, part: 3}}], date: YYYYMMDD}, "
	        "regions: ['3303', '330381']}\n");
	plain_row(&r);
	good(&r);
	assert_int_equal(r.out.version, 1772294400000000); /* 2026-03-01 00:00 +08:00 */
	r.in.kind = EG_IN_LIST_BEGIN;
	r.in.list.name = "LIST_330302_20260301_FULL.csv";
	assert_int_equal(eg_mapper_list(r.p, &r.in, &scope, &r.err), EG_OK);
	assert_int_equal(scope.as_of, 1772294400000000);
	assert_int_equal(scope.n_regions, 2);
	assert_string_equal(scope.regions[1], "330381");
	/* the connector knows better */
	static const char *const own[] = {"53"};
	r.in.list.as_of = 5;
	r.in.list.n_regions = 1;
	r.in.list.regions = own;
	assert_int_equal(eg_mapper_list(r.p, &r.in, &scope, &r.err), EG_OK);
	assert_int_equal(scope.as_of, 5);
	assert_string_equal(scope.regions[0], "53");
	r.in.list.as_of = 0;
	r.in.list.name = "LIST_330302.csv";
	assert_int_equal(eg_mapper_list(r.p, &r.in, &scope, &r.err), EG_INVALID);
	assert_non_null(strstr(r.err.text, "list.as_of (/site/m.yaml:11)"));
	rig_close(&r);
	rig_open(&r, WHOLE);
	r.in.kind = EG_IN_LIST_BEGIN;
	assert_int_equal(eg_mapper_list(r.p, &r.in, &scope, &r.err), EG_CONFIG);
	/* Where records have no region, the one in a file's name limits nothing. */
	r.in.list.as_of = 5;
	r.in.list.n_regions = 1;
	r.in.list.regions = own;
	struct eg_mapping_info *info = (struct eg_mapping_info *)(uintptr_t)eg_mapping_info(r.m);
	enum eg_section section = info->section;
	info->section = EG_FUNERAL;
	assert_int_equal(eg_mapper_list(r.p, &r.in, &scope, &r.err), EG_OK);
	assert_int_equal(scope.n_regions, 0);
	info->section = section;
	rig_close(&r);
}

/* Whatever bytes a row holds: a record that decodes and is the same twice, or faults. */
static void garbage(void **state)
{
	static const char *const pieces[] = {
	        "1", "20260228", "-",  "E+17", "张", "\xFF",         "D", "\0",
	        " ", "年",       "01", ".5",   "/",  "\xE3\x80\x80", "I", "2026-03-01 08:00:00"};
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL), records = 0;
	struct rig r;
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srand(seed);
	rig_open(&r, EVERY);
	funeral_row(&r);
	for (int round = 0; round < 20000; round++) {
		static char cells[CELLS_MAX][64];
		funeral_row(&r);
		for (unsigned i = 0; i < r.columns.n; i++) {
			size_t len = 0;
			if (rand() % 4)
				continue;
			for (int k = rand() % 4; k > 0; k--) {
				const char *piece = pieces[(size_t)rand() % 16];
				size_t n = *piece ? strlen(piece) : 1;
				memcpy(cells[i] + len, piece, n);
				len += n;
			}
			r.values[i] = (struct eg_bytes){(const uint8_t *)cells[i], len};
		}
		if (run(&r)) {
			assert_true(r.out.n_faults > 0);
			continue;
		}
		records++;
		uint8_t first[2000];
		size_t len = r.out.record.len;
		assert_true(len <= sizeof first);
		memcpy(first, r.out.record.p, len);
		good(&r);
		assert_int_equal(r.out.record.len, len);
		assert_memory_equal(r.out.record.p, first, len);
	}
	assert_true(records > 100);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(smallest),        cmocka_unit_test(every_type),
	        cmocka_unit_test(voids),           cmocka_unit_test(faults),
	        cmocka_unit_test(many_faults),     cmocka_unit_test(forms_of_amounts_and_months),
	        cmocka_unit_test(rows_for_others), cmocka_unit_test(characters_that_moved),
	        cmocka_unit_test(schema_changes),  cmocka_unit_test(optional_columns),
	        cmocka_unit_test(lists),           cmocka_unit_test(garbage)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
