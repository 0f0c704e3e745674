/* Rows of a CSV file as encoded records: every kind of column, and faults told by place and column, never by
 * value. */
#include "cli/sheet.h"

#include "cli/json.h"
#include "eldergate/v1/elder.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static ssize_t read_text(void *arg, void *p, size_t len)
{
	struct eg_bytes *rest = arg;
	if (len > rest->len)
		len = rest->len;
	memcpy(p, rest->p, len);
	rest->p += len;
	rest->len -= len;
	return (ssize_t)len;
}

/* The records as JSON, one behind the other, or the error's text. */
static const char *records(enum eg_section s, const char *text)
{
	static struct eg_buf out;
	struct eg_bytes rest = eg_bytes_of(text);
	struct sheet *sheet = NULL;
	struct eg_buf record = {0};
	struct eg_err err = {0};
	unsigned line;
	eg_buf_reset(&out);
	enum eg_rc rc = sheet_open(&sheet, "f.csv", read_text, &rest, s, &err);
	while (!rc) {
		eg_buf_reset(&record);
		if ((rc = sheet_next(sheet, &record, &line, &err)))
			break;
		Eldergate__V1__Record *r = eldergate__v1__record__unpack(NULL, record.len, record.p);
		assert_non_null(r);
		eg_buf_printf(&out, "%u:", line);
		json_message(&out, &r->base);
		eldergate__v1__record__free_unpacked(r, NULL);
	}
	if (rc != EG_EMPTY)
		eg_buf_printf(&out, "%s", err.text);
	eg_buf_add_u8(&out, 0);
	sheet_close(sheet);
	eg_buf_free(&record);
	return (const char *)out.p;
}

static void all_kinds_of_values(void **state)
{
	(void)state;
	assert_string_equal(
	        records(EG_REGISTRATION, "source_key,version,mapping_revision,operation,event_time,valid_"
	                                 "from,valid_to,cleared_fields,name,"
	                                 "birth_date,registration_status\n"
	                                 "A-1,7,2,ASSERT,2026-03-02 10:15:30,2026-03,,former_name "
	                                 "household_number,\"\xE5\xBC\xA0 x\",1949,moved-out\n"
	                                 "A-2,-8,,void,2026-03-02,,,,,,\n"),
	        "2:{\"source_key\":\"A-1\",\"version\":\"7\",\"mapping_revision\":2,\"operation\":"
	        "\"OPERATION_ASSERT\","
	        "\"event_time\":\"2026-03-02T02:15:30.000000Z\",\"valid_from\":{\"year\":2026,\"month\":3},"
	        "\"cleared_fields\":[\"former_name\",\"household_number\"],\"registration\":{\"name\":"
	        "\"\xE5\xBC\xA0 x\","
	        "\"birth_date\":{\"year\":1949},\"registration_status\":\"REGISTRATION_STATUS_MOVED_OUT\"}}"
	        "3:{\"source_key\":\"A-2\",\"version\":\"-8\",\"operation\":\"OPERATION_VOID\","
	        "\"event_time\":\"2026-03-01T16:00:00.000000Z\",\"registration\":{}}");
	assert_string_equal(records(EG_ASSISTANCE, "source_key,version,monthly_amount_fen\nA,1,0\n"),
	                    "2:{\"source_key\":\"A\",\"version\":\"1\",\"operation\":\"OPERATION_ASSERT\","
	                    "\"assistance\":{\"monthly_amount_fen\":\"0\"}}");
	assert_string_equal(
	        records(EG_FUNERAL, "source_key,version,cremation_time\nA,1,2026-03-02T10:15:00Z\n"),
	        "2:{\"source_key\":\"A\",\"version\":\"1\",\"operation\":\"OPERATION_ASSERT\","
	        "\"funeral\":{\"cremation_time\":\"2026-03-02T10:15:00.000000Z\"}}");
}

static void faults(void **state)
{
	(void)state;
	assert_string_equal(records(EG_CARE, ""), "a file is empty: its first line must name the columns");
	assert_string_equal(
	        records(EG_CARE, "source_key,version,colour\n"),
	        "f.csv:1:20: there is no column 'colour' here; `eldergate fields care` lists them");
	/* Without a header a value stands there, which is not repeated, be it made of letters. */
	assert_string_equal(records(EG_CARE, "WANGGUILAN,1\n"),
	                    "f.csv:1:1: there is no column '...' here; `eldergate fields care` lists them");
	assert_string_equal(records(EG_CARE, "source_key,version,33030219400101001X\n"),
	                    "f.csv:1:20: there is no column '...' here; `eldergate fields care` lists them");
	assert_string_equal(records(EG_CARE, "33030219400101001X,1\n"),
	                    "f.csv:1:1: there is no column '...' here; `eldergate fields care` lists them");
	assert_string_equal(records(EG_CARE, "source_key,version,name,name\n"),
	                    "f.csv:1:25: the column 'name' stands here twice");
	assert_string_equal(records(EG_CARE, "source_key,name\n"),
	                    "f.csv:1:1: the columns source_key and version are needed");
	assert_string_equal(records(EG_CARE, "source_key,version\nA,1,2\n"),
	                    "f.csv:2:1: 3 cells, but the header names 2 columns");
	assert_string_equal(records(EG_CARE, "source_key,version\n,1\n"),
	                    "f.csv:2:1: the row has no source_key");
	assert_string_equal(records(EG_CARE, "source_key,version\nA,one\n"),
	                    "f.csv:2:3: column version: this is not a whole number");
	assert_string_equal(records(EG_CARE, "source_key,version\nA,99999999999999999999\n"),
	                    "f.csv:2:3: column version: this is not a whole number");
	assert_string_equal(
	        records(EG_CARE, "source_key,version,birth_date\nA,1,1.10.1949\n"),
	        "f.csv:2:5: column birth_date: this is not a date such as 1949-10-01, 1949-10 or 1949");
	assert_string_equal(records(EG_CARE, "source_key,version,operation\nA,1,DELETE\n"),
	                    "f.csv:2:5: column operation: this is not ASSERT or VOID");
	assert_string_equal(records(EG_CARE, "source_key,version,event_time\nA,1,noon\n"),
	                    "f.csv:2:5: column event_time: this is not a time such as 2026-03-02 10:15:00");
}

static void instants(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds; /* -1: none */
	} rows[] = {{"2026-03-02T02:15:00Z", 1772417700},
	            {"2026-03-02T10:15:00+08:00", 1772417700},
	            {"2026-03-02 10:15:00", 1772417700},
	            {"2026-03-02T10:15", 1772417700},
	            {"2026-03-02", 1772380800},
	            {"2026-03", -1},
	            {"2026-03-02 25:00:00", -1},
	            {"2026-02-30", -1},
	            {"20260302", -1},
	            {"", -1}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t us = 0;
		bool ok = sheet_instant(rows[i].text, &us);
		if (ok != (rows[i].seconds >= 0) || (ok && us != rows[i].seconds * EG_SECOND))
			fail_msg("%s: %d %lld", rows[i].text, ok, (long long)us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_kinds_of_values), cmocka_unit_test(faults),
	                                   cmocka_unit_test(instants)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
