/* sandbox: see sandbox.h. */
#include "cli/sandbox.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/sheet.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "model/id_number.h"

#include <stdio.h>
#include <string.h>

struct text {
	const char *p;
	size_t left;
};

static ssize_t read_text(void *arg, void *to, size_t len)
{
	struct text *t = arg;
	if (len > t->left)
		len = t->left;
	memcpy(to, t->p, len);
	t->p += len;
	t->left -= len;
	return (ssize_t)len;
}

/* One row, as a CSV file would have it: the same reader makes the record of it. */
static enum eg_rc record_of(enum eg_section section, const char *key, struct eg_buf *out, struct eg_err *err)
{
	char csv[512], number[19] = "33030219400101001";
	struct sheet *sheet = NULL;
	unsigned line;
	number[17] = eg_id_check_digit(number);
	number[18] = 0;
	int len = snprintf(csv, sizeof csv,
	                   "source_key,version,operation,event_time,id_number,id_type,name,sex,birth_date\n"
	                   "%s,1,ASSERT,2025-07-01 09:00:00,%s,RESIDENT,测试,1,1940-01-01\n",
	                   key, number);
	struct text text = {csv, (size_t)len};
	enum eg_rc rc = sheet_open(&sheet, "sandbox record", read_text, &text, section, err);
	if (!rc)
		rc = sheet_next(sheet, out, &line, err);
	sheet_close(sheet);
	return rc;
}

enum eg_rc sandbox_request(const char *dataset, enum eg_section section, char key[SANDBOX_KEY],
                           struct eg_buf *out, struct eg_err *err)
{
	Eldergate__V1__SubmitRequest request = ELDERGATE__V1__SUBMIT_REQUEST__INIT;
	struct eg_buf bytes = {0};
	snprintf(key, SANDBOX_KEY, "eldergate-test-%lld", (long long)eg_now_us());
	enum eg_rc rc = record_of(section, key, &bytes, err);
	Eldergate__V1__Record *record = rc ? NULL : eldergate__v1__record__unpack(NULL, bytes.len, bytes.p);
	if (!rc && !record)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a record");
	request.batch_id = "agency-test";
	request.dataset = (char *)(uintptr_t)dataset;
	request.n_records = 1;
	request.records = &record;
	request.dry_run = true;
	if (!rc)
		rc = pack(&request.base, out, err);
	if (record)
		eldergate__v1__record__free_unpacked(record, NULL);
	eg_buf_free(&bytes);
	return rc;
}
