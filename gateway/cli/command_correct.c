/* command_correct: `eldergate rejects correct`: corrected rows in place of quarantined ones. Which reject a
 * row corrects follows from its source key: the newest open reject of that key whose version is not above the
 * row's. */
#include "cli/commands.h"

#include "cli/file.h"
#include "cli/sheet.h"
#include "cli/tally.h"
#include "eldergate/v1/exchange.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE "/eldergate.v1.ExchangeService/"
enum { PAGE = 500, FILE_MAX = 256 << 20, AT_ONCE = 200 };

/* A reject that waits. */
struct open_reject {
	char *source_key; /* owned */
	int64_t version;
	uint64_t seq;
};

struct correcting {
	struct cli *c;
	struct open_reject *rejects;
	size_t n_rejects, room;
	Eldergate__V1__Correction corrections[AT_ONCE], *list[AT_ONCE];
	struct origin where[AT_ONCE];
	unsigned n;
	struct tally tally;
	uint64_t batches;
};

static enum eg_rc remember(struct correcting *x, const Eldergate__V1__Reject *r, struct eg_err *err)
{
	if (x->n_rejects == x->room) {
		size_t room = x->room ? 2 * x->room : 256;
		struct open_reject *bigger = realloc(x->rejects, room * sizeof *bigger);
		if (!bigger)
			return eg_fail(err, EG_NO_MEMORY, "no memory for rejects");
		x->rejects = bigger;
		x->room = room;
	}
	struct open_reject *o = &x->rejects[x->n_rejects];
	*o = (struct open_reject){strdup(r->source_key), r->version, r->reject_seq};
	if (!o->source_key)
		return eg_fail(err, EG_NO_MEMORY, "no memory for rejects");
	x->n_rejects++;
	return EG_OK;
}

static enum eg_rc load_rejects(struct correcting *x, const char *dataset, struct eg_err *err)
{
	Eldergate__V1__ListRejectsRequest request = ELDERGATE__V1__LIST_REJECTS_REQUEST__INIT;
	char token[256] = "";
	enum eg_rc rc = EG_OK;
	bool more = true;
	request.dataset = (char *)(uintptr_t)dataset;
	request.page_size = PAGE;
	while (!rc && more) {
		ProtobufCMessage *answer = NULL;
		request.page_token = token;
		rc = cli_call(x->c, SERVICE "ListRejects", &request.base,
		              &eldergate__v1__list_rejects_response__descriptor, &answer, err);
		if (rc)
			break;
		const Eldergate__V1__ListRejectsResponse *page =
		        (const Eldergate__V1__ListRejectsResponse *)answer;
		for (size_t i = 0; i < page->n_rejects && !rc; i++)
			rc = remember(x, page->rejects[i], err);
		snprintf(token, sizeof token, "%s", page->next_page_token);
		more = *token;
		protobuf_c_message_free_unpacked(answer, NULL);
	}
	return rc;
}

static uint64_t reject_of(const struct correcting *x, const Eldergate__V1__Record *r)
{
	const struct open_reject *best = NULL;
	for (size_t i = 0; i < x->n_rejects; i++) {
		const struct open_reject *o = &x->rejects[i];
		if (strcmp(o->source_key, r->source_key) == 0 && o->version <= r->version &&
		    (!best || o->version > best->version))
			best = o;
	}
	return best ? best->seq : 0;
}

static enum eg_rc send(struct correcting *x, struct eg_err *err)
{
	Eldergate__V1__ResubmitRequest request = ELDERGATE__V1__RESUBMIT_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	char batch[64];
	snprintf(batch, sizeof batch, "correction-%06" PRIu64, ++x->batches);
	request.batch_id = batch;
	request.dataset = (char *)(uintptr_t)cli_option(x->c, "dataset");
	request.corrections = x->list;
	request.n_corrections = x->n;
	enum eg_rc rc = cli_call(x->c, SERVICE "Resubmit", &request.base,
	                         &eldergate__v1__resubmit_response__descriptor, &answer, err);
	if (!rc && ((const Eldergate__V1__ResubmitResponse *)answer)->receipt)
		tally_add(&x->tally, x->c, ((const Eldergate__V1__ResubmitResponse *)answer)->receipt,
		          x->where, x->n);
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

static void drop(struct correcting *x)
{
	for (unsigned i = 0; i < x->n; i++)
		eldergate__v1__record__free_unpacked(x->corrections[i].record, NULL);
	x->n = 0;
}

static enum eg_rc take_row(struct correcting *x, const struct eg_buf *record, unsigned line,
                           struct eg_err *err)
{
	Eldergate__V1__Record *r = eldergate__v1__record__unpack(NULL, record->len, record->p);
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a record");
	uint64_t seq = reject_of(x, r);
	if (!seq) {
		eldergate__v1__record__free_unpacked(r, NULL);
		return eg_fail(err, EG_NOT_FOUND,
		               "line %u: its source_key has no open reject with this version or an older one",
		               line);
	}
	eldergate__v1__correction__init(&x->corrections[x->n]);
	x->corrections[x->n].reject_seq = seq;
	x->corrections[x->n].record = r;
	x->list[x->n] = &x->corrections[x->n];
	x->where[x->n++] = (struct origin){.line = line};
	return EG_OK;
}

static ssize_t read_text(void *arg, void *p, size_t len)
{
	struct eg_bytes *rest = arg;
	if (len > rest->len)
		len = rest->len;
	if (len)
		memcpy(p, rest->p, len);
	rest->p += len;
	rest->len -= len;
	return (ssize_t)len;
}

static enum eg_rc correct(struct correcting *x, struct sheet *sheet, struct eg_err *err)
{
	struct eg_buf record = {0};
	enum eg_rc rc = EG_OK;
	unsigned line;
	while (!rc) {
		eg_buf_reset(&record);
		rc = sheet_next(sheet, &record, &line, err);
		if (!rc)
			rc = take_row(x, &record, line, err);
		if (x->n == AT_ONCE || (rc == EG_EMPTY && x->n)) {
			enum eg_rc sent = send(x, err);
			drop(x);
			rc = sent ? sent : rc;
		}
	}
	drop(x);
	eg_buf_free(&record);
	return rc == EG_EMPTY ? EG_OK : rc;
}

enum eg_rc rejects_correct(struct cli *c, struct eg_err *err)
{
	static struct correcting x;
	const char *dataset = cli_option(c, "dataset"), *section = cli_option(c, "section");
	enum eg_section s = eg_section_by_name(section ? section : dataset);
	struct pump_result none = {0};
	struct sheet *sheet = NULL;
	struct eg_buf file = {0}, out = {0};
	x.c = c;
	if (!s)
		return eg_fail(err, EG_USAGE, "--section must be registration, assistance, funeral or care");
	enum eg_rc rc = file_read(c->arguments[0], FILE_MAX, &file, err);
	struct eg_bytes rest = eg_buf_bytes(&file);
	if (!rc)
		rc = sheet_open(&sheet, c->arguments[0], read_text, &rest, s, err);
	if (!rc)
		rc = load_rejects(&x, dataset, err);
	if (!rc)
		rc = correct(&x, sheet, err);
	if (!rc && c->json) {
		none.batches = x.batches;
		tally_json(&x.tally, &none, c->arguments, &out);
		fwrite(out.p, 1, out.failed ? 0 : out.len, stdout);
	} else if (!rc) {
		tally_show(&x.tally, c, c->arguments, stdout);
	}
	if (!rc && tally_of(&x.tally, ELDERGATE__V1__OUTCOME__OUTCOME_REFUSED))
		rc = eg_fail(err, EG_INVALID, "%" PRIu64 " corrections were refused",
		             tally_of(&x.tally, ELDERGATE__V1__OUTCOME__OUTCOME_REFUSED));
	if (!rc && x.tally.refused_batches)
		rc = eg_fail(err, x.tally.refusal_rc, "%.300s", x.tally.refusal);
	for (size_t i = 0; i < x.n_rejects; i++)
		free(x.rejects[i].source_key);
	free(x.rejects);
	sheet_close(sheet);
	eg_buf_free(&file);
	eg_buf_free(&out);
	return rc;
}
