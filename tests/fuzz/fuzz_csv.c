/* fuzz_csv: an agency's file, as the file connector reads it and the mapping makes records of its rows; its
 * control file; its name; a file as the command line reads it.
 *
 *   1 byte: what it is and in which character set; then the bytes
 *
 * Bytes are counted and digested whole; every cell is UTF-8; a row that is written again reads as the same
 * cells; a record that the mapping makes is one that the edge can read; no reason and no error holds an ID
 * number.
 */
#include "fuzz.h"

#include "cli/sheet.h"
#include "common/charset.h"
#include "common/mapper.h"
#include "common/settings.h"
#include "connectors/file_columns.h"
#include "connectors/file_control.h"
#include "connectors/file_csv.h"
#include "connectors/file_reader.h"
#include "edge/wire.h"
#include "eldergate/adapter.h"

#include <iconv.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_OF_ROWS, CONTROL, NAME, SHEET };
/* Bits of the first byte. */
enum { KIND_BITS = 2, ENCODINGS = 3, WITHOUT_HEADER = 1 << 5, SEMICOLON = 1 << 6, POLICE = 1 << 7 };
enum { LIST = 1 << 5 }; /* of a SHEET, whose section stands where the encoding does */
enum { ROWS_MAX = 2000, ARENA = 16 << 20 };

/* The shipped ones, whose columns the seeds have. */
static const char *const shipped[] = {"adapters/assistance/mapping.yaml", "adapters/police/mapping.yaml"};
static struct eg_mapping *mappings[2];
static struct eg_mapper *mappers[2];
static struct eg_settings *settings[2][2][ENCODINGS]; /* without header, semicolon */
static int fd;
static struct eg_arena *arena;

static const char settings_text[] = "inbox: in\n"
                                    "name: 'DIBAO_{region}_{as_of}_{sequence:3}_{kind}.csv'\n"
                                    "control: .ctl\n"
                                    "position: date_sequence\n"
                                    "max_line: 400\n"
                                    "encoding: %s\n"
                                    "delimiter: '%s'\n"
                                    "%s";

void fuzz_start(void)
{
	static const char *const encodings[ENCODINGS] = {"auto", "utf-8", "gb18030"};
	static const struct eg_connector_type *const connectors[] = {&eg_connector_file, &eg_connector_table,
	                                                             NULL};
	struct eg_err err = {0};
	for (unsigned i = 0; i < 2; i++) {
		enum eg_rc rc = eg_mapping_load(&mappings[i], shipped[i], connectors, NULL, &err);
		if (rc)
			fprintf(stderr, "%s (run this in the project's folder)\n", err.text);
		MUST(!rc && !eg_mapper_new(&mappers[i], mappings[i], &err));
	}
	for (unsigned i = 0; i < 2 * 2 * ENCODINGS; i++) {
		char text[sizeof settings_text + 100];
		snprintf(text, sizeof text, settings_text, encodings[i / 4], i & 2 ? ";" : ",",
		         i & 1 ? "header: false\ncolumns: [RYBH, BBH, XM, GMSFHM]\n" : "");
		MUST(!eg_settings_parse(text, "settings", file_source_settings,
		                        &settings[i & 1][i >> 1 & 1][i / 4], &err));
	}
	fd = memfd_create("file", MFD_CLOEXEC);
	arena = eg_arena_new(ARENA);
	MUST(fd >= 0 && arena);
}

/* ---- rows ---- */

struct rest {
	struct eg_bytes bytes;
};

static ssize_t read_rest(void *arg, void *p, size_t len)
{
	struct eg_bytes got = fuzz_take_bytes(&((struct rest *)arg)->bytes, len);
	if (got.len)
		memcpy(p, got.p, got.len);
	return (ssize_t)got.len;
}

/* Cells that are written as one line read as the same cells. */
static void written_again(const struct eg_bytes *cells, unsigned n)
{
	struct eg_buf line = {0};
	const struct eg_csv_options o = {.cells_max = 1000, .row_bytes_max = 1 << 20, .row_lines_max = 1000};
	struct eg_csv_row row;
	eg_buf_add(&line, "\xEF\xBB\xBF", 3); /* else a first cell that begins so would lose it */
	for (unsigned i = 0; i < n; i++) {
		if (i)
			eg_buf_add_u8(&line, ',');
		/* A single empty cell unquoted would be a blank line. */
		if (n == 1 && !cells[i].len)
			eg_buf_add(&line, "\"\"", 2);
		else
			eg_csv_write(&line, cells[i]);
	}
	eg_buf_add(&line, "\r\n", 2);
	struct rest rest = {eg_buf_bytes(&line)};
	struct eg_charset_lines *lines =
	        eg_charset_lines_new("again", EG_CHARSET_UTF8, read_rest, &rest, 1 << 20);
	struct eg_csv *csv = eg_csv_new(&o, eg_charset_line, lines);
	MUST(lines && csv);
	MUST(!eg_csv_next(csv, &row, NULL));
	MUST(!row.fault && row.n == n);
	for (unsigned i = 0; i < n; i++)
		MUST(eg_bytes_equal(row.cells[i].text, cells[i]));
	MUST(eg_csv_next(csv, &row, NULL) == EG_EMPTY);
	eg_csv_free(csv);
	eg_charset_lines_free(lines);
	eg_buf_free(&line);
}

static void map(struct eg_mapper *mapper, struct file_columns *columns, const struct file_row *row)
{
	struct eg_err err = {0};
	struct eg_mapped got;
	struct eg_in in = {.kind = EG_IN_ROW,
	                   .ref = 1,
	                   .columns = file_columns(columns),
	                   .values = file_columns_row(columns, row->values),
	                   .place = "DIBAO_330302_20260101_001_FULL.csv",
	                   .line = row->line};
	enum eg_rc rc = eg_mapper_row(mapper, &in, &got, &err);
	fuzz_reason(rc, &err);
	fuzz_discreet(err.text);
	if (rc) {
		MUST(rc != EG_INVALID || got.n_faults);
		for (unsigned i = 0; rc == EG_INVALID && i < got.n_faults; i++) {
			MUST(*got.faults[i].code && *got.faults[i].text && *got.faults[i].en);
			fuzz_discreet(got.faults[i].en);
		}
		return;
	}
	if (got.skipped)
		return;
	struct eg_item item = {0};
	MUST(got.record.len && got.key.len && !got.n_faults);
	eg_arena_reset(arena);
	uint8_t *record = fuzz_copy(got.record, false);
	MUST(eg_record_read((struct eg_bytes){record, got.record.len}, arena, &item));
	MUST(!item.malformed);
	MUST(eg_bytes_equal(item.claim.source_key, got.key) && item.claim.version == got.version);
	MUST((item.claim.op == EG_VOID) == got.void_op);
	MUST(eg_utf8_valid(got.key));
	free(record);
}

static void digest_of(struct eg_bytes in, uint8_t out[EG_HASH_SIZE])
{
	eg_sha256(&in, 1, out);
}

static void rows(const struct eg_settings *s, struct eg_mapper *mapper, struct eg_bytes in)
{
	struct file_rules rules;
	struct file_reader *reader;
	struct file_row row;
	struct file_sum sum;
	struct eg_err err = {0};
	struct file_name name;
	struct file_columns *columns = file_columns_new();
	uint8_t digest[EG_HASH_SIZE];
	uint64_t line = 0;
	unsigned n_header, n = 0;
	bool bound = false;
	MUST(columns && !file_rules_read(&rules, s, &err));
	MUST(file_pattern_match(&rules.pattern, "DIBAO_330302_20260101_001_FULL.csv", &name));
	MUST(ftruncate(fd, 0) == 0 && pwrite(fd, in.p, in.len, 0) == (ssize_t)in.len &&
	     lseek(fd, 0, SEEK_SET) == 0);
	MUST(!file_reader_open(&reader, &rules, fd, EG_HASH_SHA256, &err));
	do {
		enum eg_rc rc = file_reader_next(reader, &row, &err);
		fuzz_reason(rc, &err);
		MUST(!rc); /* nothing that a file holds is an error of the reader */
		const struct eg_bytes *header = file_reader_header(reader, &n_header);
		if (row.kind == PIECE_ROW || row.kind == PIECE_BAD) {
			MUST(row.line > line);
			MUST(row.raw.len && row.raw.len <= in.len);
			line = row.line;
		}
		MUST((row.kind == PIECE_BAD || row.kind == PIECE_FAULT) == (row.reason != FILE_REASON_NONE));
		if (row.kind != PIECE_ROW)
			continue;
		for (unsigned i = 0; i < n_header; i++)
			MUST(eg_utf8_valid(row.values[i]) && eg_utf8_valid(header[i]));
		written_again(row.values, n_header);
		if (!bound)
			MUST(!file_columns_set(columns, header, n_header, &name, rules.position, &err));
		bound = true;
		map(mapper, columns, &row);
	} while (row.kind != PIECE_END && ++n < ROWS_MAX);
	if (row.kind == PIECE_END) {
		file_reader_sum(reader, &sum);
		digest_of(in, digest);
		MUST(sum.size == (int64_t)in.len && memcmp(sum.digest, digest, sizeof digest) == 0);
		MUST(sum.torn == (in.len && in.p[in.len - 1] != '\n'));
	}
	file_reader_close(reader);
	file_columns_free(columns);
}

/* ---- what stands beside ---- */

static void control(struct eg_bytes in)
{
	struct file_control c;
	struct eg_err err = {0};
	enum eg_rc rc = file_control_parse(&c, in, "DIBAO_330302_20260101_001_FULL.csv", &err);
	fuzz_reason(rc, &err);
	MUST(rc == EG_OK || rc == EG_INVALID);
	fuzz_discreet(err.text);
	if (!rc)
		MUST(c.rows >= -1 && c.size >= -1);
}

/* A pattern, a line end, a name. */
static void name(struct eg_bytes in)
{
	struct file_pattern p;
	struct file_name n;
	struct eg_err err = {0};
	char *text = (char *)fuzz_copy(in, true), *end = strchr(text, '\n');
	if (end)
		*end++ = 0;
	enum eg_rc rc = file_pattern_parse(&p, text, &err);
	fuzz_reason(rc, &err);
	if (!rc && end && file_pattern_match(&p, end, &n)) {
		struct file_name again;
		MUST(strcmp(n.name, end) == 0 && strlen(end) <= FILE_NAME_MAX && !strchr(end, '/'));
		MUST(!strchr(".-", end[0]));
		/* A sequence without a width may have had zeros before it. */
		MUST(!file_pattern_format(&p, &n) || file_pattern_match(&p, n.name, &again));
	}
	free(text);
}

/* ---- a file of the command line ---- */

/* Its rows come in order, each a record that the edge can read; the first fault is the end. */
static void sheet(struct eg_bytes in, enum eg_section section, bool list)
{
	struct rest rest = {in};
	struct sheet *s = NULL;
	struct eg_buf out = {0};
	struct eg_err err = {0};
	unsigned line = 1, before = 0;
	enum eg_rc rc = (list ? sheet_open_list : sheet_open)(&s, "file", read_rest, &rest, section, &err);
	for (unsigned n = 0; !rc && n < ROWS_MAX && !(rc = sheet_next(s, &out, &line, &err)); n++) {
		struct eg_item item = {0};
		MUST(line > before);
		before = line;
		eg_arena_reset(arena);
		uint8_t *record = fuzz_copy(eg_buf_bytes(&out), false);
		MUST(eg_record_read((struct eg_bytes){record, out.len}, arena, &item));
		MUST(item.malformed || item.claim.source_key.len);
		free(record);
		eg_buf_reset(&out);
	}
	if (rc && rc != EG_EMPTY) {
		fuzz_reason(rc, &err);
		MUST(rc == EG_INVALID || rc == EG_LIMIT);
		fuzz_discreet(err.text);
	}
	sheet_close(s);
	eg_buf_free(&out);
}

void fuzz_one(struct eg_bytes in)
{
	unsigned first = (unsigned)fuzz_take(&in, 1), kind = first & ((1 << KIND_BITS) - 1);
	unsigned encoding = (first >> KIND_BITS & 3) % ENCODINGS;
	uint8_t *p = fuzz_copy(in, false);
	in.p = p;
	if (kind == CONTROL)
		control(in);
	else if (kind == NAME)
		name(in);
	else if (kind == SHEET)
		sheet(in, (enum eg_section)(EG_REGISTRATION + (first >> KIND_BITS & 3)), (first & LIST) != 0);
	else
		rows(settings[(first & WITHOUT_HEADER) != 0][(first & SEMICOLON) != 0][encoding],
		     mappers[(first & POLICE) != 0], in);
	free(p);
}

/* ---- seeds ---- */

static void seed_of(unsigned first, const char *text, const char *charset)
{
	struct eg_buf b = {0};
	eg_buf_add_u8(&b, (uint8_t)first);
	char out[4096], *to = out, *from = (char *)(uintptr_t)text;
	size_t left = strlen(text), room = sizeof out;
	iconv_t cd = iconv_open(charset, "UTF-8");
	MUST(cd != (iconv_t)-1 && iconv(cd, &from, &left, &to, &room) != (size_t)-1);
	iconv_close(cd);
	eg_buf_add(&b, out, sizeof out - room);
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
}

static const char assistance[] =
        "户编号,成员序号,姓名,身份证号,性别,出生日期,救助类别,与户主关系,自理能力,救助状态,停发原因,起始年月,"
        "终止年月,"
        "月保障金额,最近发放年月\r\n"
        "H001,1,王建国,33030219400101001X,男,1940-01-01,城市低保,户主,全自理,在保,,2026-03,,815.50,202604\r\n"
        "H001,2,\"李·秀英\",,女,15000,低保边缘,\"配偶, 妻\",半护理,停发,死亡,2026年3月,无,\"1,000\",\r\n"
        "H002,1,䶮,3.30302E+17,未知,1940/13/45,其他,,,注销,\"搬\r\n迁\",-,/,NULL,2026-3\r\n";
static const char police[] =
        "RYBH,BBH,OP,XM,CYM,XB,MZ,CSRQ,HYZK,HH,YHZGX,SSXQ,HJDZ,PCSBM,PCSMC,RYZT,QRRQ,QCRQ,SWRQ,SWZXRQ,BGSJ,"
        "GMSFHM\n"
        "R1,20260101120000,I,张 "
        "桂兰,,2,1,19400101,20,H1,01,330302,鹿城区×路１号,33030201,南门派出所,1,,,,,2026-01-01 "
        "12:00:00,110105 19491231002x\n"
        "R1,2,D,王,王二,9,01,19000101,-,,,,,,,3,20250101,20250102,20250103,20250104,2025-06-30T08:00:00+08:"
        "00,无\n";
static const char plain[] = "R1;1;王;110105491231002\nR2;2;\"a;\"\"b\";\n";

void fuzz_seeds(void)
{
	static const char *const charsets[ENCODINGS] = {"GB18030", "UTF-8", "GB18030"};
	for (unsigned e = 0; e < ENCODINGS; e++) {
		seed_of(e << KIND_BITS, assistance, charsets[e]);
		seed_of(e << KIND_BITS | POLICE, police, charsets[e]);
		seed_of(e << KIND_BITS | POLICE | SEMICOLON | WITHOUT_HEADER, plain, charsets[e]);
	}
	seed_of(POLICE, police, "UTF-16");
	seed_of(CONTROL,
	        "# "
	        "made\nrows=12\nsize,345\nsha256="
	        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
	        "UTF-8");
	seed_of(CONTROL,
	        "COUNT=12\r\nsm3=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\r\n"
	        "file=DIBAO_330302_20260101_001_FULL.csv\r\nother=1",
	        "UTF-8");
	seed_of(NAME, "DIBAO_{region}_{as_of}_{sequence:3}_{kind}.csv\nDIBAO_330302_20260101_001_FULL.csv",
	        "UTF-8");
	seed_of(NAME, "{sequence}.{kind}\n0042.INC", "UTF-8");
	for (unsigned list = 0; list <= LIST; list += LIST) {
		seed_of(SHEET | list,
		        "\xEF\xBB\xBFsource_key,version,operation,event_time,valid_from,cleared_fields,name,"
		        "id_number,birth_date\r\n"
		        "R1,1,,2026-03-02 10:15,2026,address_region,\"王, "
		        "桂兰\",33030219400101001X,1940-01\r\n"
		        "R2,2,VOID,,,,,,\r\nR3,3,9,,,,\"搬\r\n迁\",,1940-13\r\n",
		        "UTF-8");
		seed_of(SHEET | 1 << KIND_BITS | list, "source_key,version\n33030219400101001X,-\n", "UTF-8");
		seed_of(SHEET | 2 << KIND_BITS | list, "33030219400101001X,王桂兰\n", "UTF-8");
		seed_of(SHEET | 3 << KIND_BITS | list, "version,source_key,bed_code\n9,B,\"\"\"1\"\"\"\n",
		        "UTF-8");
	}
}
