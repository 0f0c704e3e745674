/* fuzz_mapping: mapping files, read and checked as `check --mapping` does, then used on a few rows.
 *
 * A file that is refused has a complaint with its place; one that is taken has settings within their bounds,
 * and makes of any row a record that the edge can read, or says why not.
 */
#include "fuzz.h"

#include "common/mapper.h"
#include "common/outbound.h"
#include "edge/wire.h"
#include "eldergate/adapter.h"

#include <fcntl.h>
#include <unistd.h>

enum { ARENA = 16 << 20, COLUMNS = 25 };

static const struct eg_connector_type *const connectors[] = {&eg_connector_table, &eg_connector_file,
                                                             &eg_connector_http, NULL};
static struct eg_arena *arena;
static struct eg_complaints complaints;

/* Of the shipped mappings, and what their rows may hold. */
static const char *const names[COLUMNS] = {
        "RYBH",          "BBH",        "OP",       "XM",       "CYM",      "XB",       "MZ",
        "CSRQ",          "GMSFHM",     "RYZT",     "BGSJ",     "SWRQ",     "户编号",   "成员序号",
        "姓名",          "身份证号",   "出生日期", "救助类别", "救助状态", "起始年月", "月保障金额",
        "file.position", "file.as_of", "ID",       "K"};
static const char *const cells[][COLUMNS] = {
        {"R1",
         "20260101120000",
         "I",
         "王·建国",
         "",
         "1",
         "1",
         "19400101",
         "11010519491231002x",
         "1",
         "2026-01-01 12:00:00",
         "20250103",
         "H001",
         "1",
         "李",
         "330302194001010011",
         "1940年1月1日",
         "城市低保",
         "在保",
         "2026-03",
         "815.50",
         "20260101000000001",
         "2026-01-01",
         "7",
         "key"},
        {" ",
         "-9223372036854775808",
         "D",
         "Ｗａｎｇ•",
         "NULL",
         "９",
         "汉",
         "15000",
         "3.30302E+17",
         "９９",
         "1769904000000",
         "无",
         "",
         "00",
         "𠮷",
         "110105491231002",
         "农历正月初一",
         "其他",
         "退保",
         "2026年13月",
         "-0.005",
         "9223372036854775807",
         "x",
         "",
         "\xEE\x9F\x87"},
        {0},
};
enum { ROWS = sizeof cells / sizeof *cells };

void fuzz_start(void)
{
	arena = eg_arena_new(ARENA);
	MUST(arena);
}

static void use(const struct eg_mapping *m)
{
	struct eg_mapper *mapper;
	struct eg_err err = {0};
	struct eg_bytes values[COLUMNS];
	const struct eg_columns columns = {.generation = 1, .n = COLUMNS, .names = names, .open = true};
	MUST(!eg_mapper_new(&mapper, m, &err));
	for (unsigned r = 0; r < ROWS; r++) {
		struct eg_mapped got;
		struct eg_in in = {.kind = EG_IN_ROW,
		                   .ref = r + 1,
		                   .columns = &columns,
		                   .values = values,
		                   .place = "T",
		                   .line = r};
		for (unsigned i = 0; i < COLUMNS; i++)
			values[i] = cells[r][i] ? eg_bytes_of(cells[r][i]) : (struct eg_bytes){0};
		enum eg_rc rc = eg_mapper_row(mapper, &in, &got, &err);
		fuzz_reason(rc, &err);
		MUST(rc != EG_INVALID || got.n_faults);
		if (rc || got.skipped)
			continue;
		struct eg_item item = {0};
		eg_arena_reset(arena);
		MUST(eg_record_read(got.record, arena, &item));
		MUST(!item.malformed && eg_bytes_equal(item.claim.source_key, got.key));
	}
	eg_mapper_free(mapper);
}

static void use_outbound(const struct eg_mapping *m)
{
	struct eg_outbound *o;
	struct eg_err err = {0};
	struct eg_delivery d;
	bool skip;
	Eldergate__V1__ChangeEvent e = ELDERGATE__V1__CHANGE_EVENT__INIT;
	enum eg_rc rc = eg_outbound_new(&o, m, &err);
	fuzz_reason(rc, &err);
	MUST(!rc);
	e.log_id = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef";
	e.seq = 7;
	e.person_ref = (char *)(uintptr_t) "ab12";
	e.life_status_before = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE;
	e.life_status_after = ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_DECEASED;
	rc = eg_outbound_event(o, &e, &d, &skip, &err);
	fuzz_reason(rc, &err);
	if (!rc && !skip)
		for (unsigned i = 0; i < d.n; i++)
			MUST(d.names[i] && (d.values[i].p || !d.values[i].len));
	eg_outbound_free(o);
}

void fuzz_one(struct eg_bytes in)
{
	struct eg_mapping *m = NULL;
	struct eg_err err = {0};
	uint8_t *p = fuzz_copy(in, false);
	complaints = (struct eg_complaints){0};
	enum eg_rc rc = eg_mapping_parse(&m, "/site/m.yaml", (struct eg_bytes){p, in.len}, connectors,
	                                 &complaints, &err);
	free(p); /* everything was copied out of it */
	fuzz_reason(rc, &err);
	MUST((rc == EG_OK) == (m != NULL));
	MUST(rc == EG_OK || rc == EG_CONFIG);
	if (rc) {
		MUST(complaints.n && complaints.n <= EG_COMPLAINTS_MAX && complaints.total >= complaints.n);
		for (unsigned i = 0; i < complaints.n; i++)
			MUST(strncmp(complaints.items[i].text, "/site/m.yaml", 12) == 0);
		return;
	}
	const struct eg_mapping_info *info = eg_mapping_info(m);
	MUST(*info->dataset && info->section >= EG_REGISTRATION && info->section < EG_SECTION_END);
	MUST(info->connector && info->source && *info->gateway_address && *info->state_dir);
	use(m);
	if (info->has_outbound)
		use_outbound(m);
	eg_mapping_free(m);
}

/* ---- seeds: what the project ships, whole and in pieces ---- */

void fuzz_seeds(void)
{
	static const char *const shipped[] = {"police", "assistance", "funeral", "care"};
	static const char *const pieces[] = {
	        "rows: {key: K, version: {column: BBH, instant: auto}, apply: [trim, half_width]}\n"
	        "fields: {name: XM, birth_date: {column: CSRQ, date: [auto, excel, YYYYMMDD]}}\n",
	        "rows: {key: [RYBH, ID], version: BBH, only: {column: OP, values: [I]}, require: [XM]}\n"
	        "fields:\n  id_number: {column: GMSFHM, apply: [id_number, {pad: {to: 18}}], otherwise: "
	        "absent}\n"
	        "  sex: {column: XB, codes: {'1': '1', 男: '1'}, empty: {use: '9'}}\n",
	        "rows: {key: K, version: BBH, operation: {column: OP, assert: [I], void: [D]}}\n"
	        "fields: {name: {join: [XM, CYM], with: ' '}, address_text: {constant: x}}\n"
	        "list: {as_of: {place: 'L-{as_of}', date: YYYYMMDD}, regions: ['330302']}\n",
	};
	static const char head[] =
	        "mapping: 1\ndataset: people\nsection: registration\nconnector: table\nstate: state\n"
	        "gateway: {address: 'ipc:///run/bus', server_key: "
	        "'0123456789012345678901234567890123456789', "
	        "key_file: own.key}\nsource: {connection: DSN=x, table: T, claim: flag, key: [ID], flag: "
	        "F}\n";
	struct eg_buf b = {0};
	for (unsigned i = 0; i < sizeof shipped / sizeof *shipped; i++) {
		char path[96];
		snprintf(path, sizeof path, "adapters/%s/mapping.yaml", shipped[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fprintf(stderr, "%s is not there: run this in the project's folder\n", path);
		MUST(fd >= 0);
		eg_buf_reset(&b);
		uint8_t *p = eg_buf_grow(&b, 1 << 16);
		ssize_t n = p ? read(fd, p, 1 << 16) : -1;
		MUST(n > 0);
		fuzz_seed((struct eg_bytes){b.p, (size_t)n});
		close(fd);
	}
	for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		eg_buf_reset(&b);
		eg_buf_printf(&b, "%s%s", head, pieces[i]);
		fuzz_seed(eg_buf_bytes(&b));
	}
	eg_buf_free(&b);
}
