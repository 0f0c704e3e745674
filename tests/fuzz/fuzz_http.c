/* fuzz_http: answers of an agency's HTTP interface, JSON and SOAP: judged, cut into rows, and the next page
 * found.
 *
 *   1 byte: whose answers; 1 byte: the HTTP status; 1 byte and so much: the Content-Type; then pages, 2 bytes
 * and so much each
 *
 * What is no answer has a reason that shows nothing of it; a row is UTF-8 without NUL, or told as bad; the
 * place in the checkpoint reads back as it was, and holds no ID number.
 */
#include "fuzz.h"

#include "base/clock.h"
#include "common/settings.h"
#include "connectors/http_answer.h"
#include "connectors/http_round.h"
#include "connectors/http_rows.h"
#include "connectors/http_source.h"
#include "model/id_number.h"

enum { PAGES_MAX = 8 };
#define NOW    (INT64_C(1767225600) * EG_SECOND)
#define COMMON "url: 'https://agency.example/list'\nmax_response: 64KiB\n"
#define WINDOW "mode: window\nstart: 2025-12-01T00:00:00+08:00\nmax_window: 3650d\n"

static const char *const texts[] = {
        COMMON WINDOW
        "paging: page\npage_size: 2\ncode_path: /code\nrows_path: /data/list\ntotal_path: /data/total\n"
        "retry_codes: ['500']\nauth_codes: ['401']\nquota_codes: ['429']\nlists: [tags]\n",
        COMMON "mode: cursor\npaging: cursor\nrows_path: /rows\ncursor_path: /next\nmore_path: /more\n",
        COMMON "mode: list\npaging: page\nrows_path: ''\ntotal_path: /0/total\nlist_name: l\n",
        COMMON WINDOW "answer_format: xml\npaging: none\ncode_path: /Envelope/Body/QueryResponse/code\n"
                      "rows_path: /Envelope/Body/QueryResponse/rows/row\nlists: [tag]\n",
        COMMON WINDOW
        "answer_format: xml\ninner_format: json\ninner_path: /Envelope/Body/QueryResponse/return\n"
        "paging: none\ncode_path: /code\nrows_path: /rows\ncharset: GBK\n",
        COMMON "mode: cursor\npaging: cursor\ninner_format: xml\ninner_path: /result\nrows_path: /r/row\n"
               "cursor_path: /r/@next\n",
};
enum { PEERS = sizeof texts / sizeof *texts };

static struct peer {
	struct eg_settings *s;
	struct eg_http_answer answer;
	struct eg_http_rows *rows;
} peers[PEERS];

void fuzz_start(void)
{
	struct eg_err err = {0};
	for (unsigned i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];
		enum eg_rc rc = eg_settings_parse(texts[i], "settings", eg_http_source_settings, &p->s, &err);
		if (!rc)
			rc = eg_http_source_check(p->s, &err);
		if (rc)
			fprintf(stderr, "%u: %s\n", i, err.text);
		MUST(!rc && !eg_http_answer_open(&p->answer, p->s, &err));
	}
}

static bool no_id(struct eg_bytes text)
{
	struct eg_id id;
	eg_id_parse(text, &id);
	return !(id.form >= EG_ID_RESIDENT_18 && !(id.flags & EG_ID_FAULTS));
}

static void place(const struct eg_http_place *p)
{
	char text[EG_HTTP_PLACE_TEXT], again[EG_HTTP_PLACE_TEXT];
	struct eg_http_place back = {0};
	eg_http_place_text(p, text);
	MUST(eg_http_place_read(&back, eg_bytes_of(text)));
	eg_http_place_text(&back, again);
	MUST(strcmp(text, again) == 0);
	MUST(back.high == p->high && back.page == p->page && strcmp(back.cursor, p->cursor) == 0);
	MUST(eg_utf8_valid(eg_bytes_of(p->cursor)) && !strchr(p->cursor, '\n'));
	MUST(no_id(eg_bytes_of(p->cursor)));
}

static void rows(struct peer *p)
{
	struct eg_in row;
	unsigned n = 0, said = eg_http_rows_count(p->rows);
	for (; memset(&row, 0, sizeof row), eg_http_rows_next(p->rows, &row); n++) {
		MUST(row.columns && row.columns->n <= EG_HTTP_COLUMNS_MAX);
		if (row.kind == EG_IN_BAD) {
			MUST(row.reason && *row.reason && row.raw.len);
			fuzz_discreet(row.reason);
			continue;
		}
		MUST(row.kind == EG_IN_ROW);
		for (unsigned i = 0; i < row.columns->n; i++) {
			MUST(strlen(row.columns->names[i]) < EG_HTTP_COLUMN_NAME_MAX);
			for (unsigned k = 0; k < i && row.columns->n < 64; k++)
				MUST(strcmp(row.columns->names[i], row.columns->names[k]) != 0);
			MUST(!row.values[i].p || eg_utf8_valid(row.values[i]));
		}
	}
	MUST(n == said);
}

/* False: the round is over. */
static bool page(struct peer *p, struct eg_http_round *round, const struct eg_curl_answer *raw)
{
	struct eg_err err = {0};
	enum eg_http_turn turn = EG_HTTP_OVER;
	int64_t total = -1;
	eg_http_round_values(round);
	enum eg_http_outcome outcome = eg_http_answer_read(&p->answer, p->s, raw, true, &err);
	if (outcome != EG_HTTP_DONE) {
		MUST(err.rc && *err.text);
		fuzz_discreet(err.text);
		return false;
	}
	MUST(p->answer.doc);
	enum eg_rc rc = eg_http_rows_page(p->rows, &p->answer, &err);
	if (!rc) {
		unsigned n = eg_http_rows_count(p->rows);
		rows(p);
		rc = eg_http_round_page(round, p->answer.doc, n, NOW, &turn, &total, &err);
	}
	fuzz_reason(rc, &err);
	fuzz_discreet(err.text);
	if (rc)
		return false;
	MUST(total >= -1);
	place(&round->at);
	return turn != EG_HTTP_OVER;
}

void fuzz_one(struct eg_bytes in)
{
	static const int statuses[] = {200, 200, 200, 200, 204, 400, 401, 429, 500, 302, 409, 999};
	struct peer *p = &peers[fuzz_take(&in, 1) % PEERS];
	struct eg_curl_answer raw = {
	        .status = statuses[fuzz_take(&in, 1) % (sizeof statuses / sizeof *statuses)]};
	struct eg_bytes type = fuzz_take_bytes(&in, (size_t)fuzz_take(&in, 1) % sizeof raw.content_type);
	struct eg_http_round round;
	struct eg_http_place start = {.total = -1};
	struct eg_err err = {0};
	if (type.len)
		memcpy(raw.content_type, type.p, type.len);
	/* Columns are remembered from page to page; another input's must not be. */
	MUST(!eg_http_rows_open(&p->rows, p->s, &err));
	MUST(!eg_http_round_open(&round, p->s, &err));
	MUST(eg_http_round_begin(&round, &start, NOW));
	bool more = true;
	for (unsigned n = 0; more && in.len && n < PAGES_MAX; n++) {
		struct eg_bytes body = fuzz_take_bytes(&in, (size_t)fuzz_take(&in, 2));
		uint8_t *copy = fuzz_copy(body, false);
		raw.body = (struct eg_bytes){copy, body.len};
		more = page(p, &round, &raw);
		free(copy);
	}
	eg_http_rows_close(p->rows);
	eg_buf_free(&p->answer.text);
	eg_arena_reset(p->answer.arena);
}

/* ---- seeds ---- */

static void seed_of(unsigned peer, const char *type, const char *one, const char *two)
{
	struct eg_buf b = {0};
	eg_buf_add_u8(&b, (uint8_t)peer);
	eg_buf_add_u8(&b, 0);
	eg_buf_add_u8(&b, (uint8_t)strlen(type));
	eg_buf_add(&b, type, strlen(type));
	for (unsigned i = 0; i < 2; i++) {
		const char *body = i ? two : one;
		if (!body)
			continue;
		eg_buf_add_be(&b, strlen(body), 2);
		eg_buf_add(&b, body, strlen(body));
	}
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
}

#define JSON "application/json; charset=utf-8"
#define SOAP(inside)                                                                                         \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope "                                             \
	"xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                             \
	"xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><s:Body><QueryResponse>" inside             \
	"</QueryResponse></s:Body></s:Envelope>"

void fuzz_seeds(void)
{
	seed_of(0, JSON,
	        "{\"code\":\"0\",\"data\":{\"total\":3,\"list\":[{\"id\":1,\"name\":\"王\",\"tags\":[\"a\","
	        "\"b\"],"
	        "\"at\":{\"x\":true,\"y\":null}},{\"id\":2,\"name\":\"\\u674e\",\"n\":-1.5e3}]}}",
	        "{\"code\":\"200\",\"data\":{\"total\":3,\"list\":[{\"id\":3,\"extra\":\"\\ud83d\\ude00\"}]}"
	        "}");
	seed_of(0, JSON, "{\"code\":\"0\",\"data\":{\"total\":1,\"list\":[{\"a\":\"x\\u0000y\"}]}}", NULL);
	seed_of(0, JSON, "{\"code\":\"500\",\"message\":\"busy\"}", NULL);
	seed_of(0, JSON, "{\"code\":\"0\",\"data\":{\"total\":0,\"list\":null}}", NULL);
	seed_of(1, "text/json", "{\"rows\":[{\"a\":\"1\"},{\"a\":[1]},7],\"next\":\"c1\",\"more\":true}",
	        "{\"rows\":[],\"next\":\"c2\",\"more\":\"1\"}");
	seed_of(2, JSON, "[{\"total\":2},{\"a.b\":1,\"a\":{\"b\":2}}]", "[{\"total\":2}]");
	seed_of(3, "text/xml",
	        SOAP("<code>0</code><rows><row id=\"1\"><name>王 &amp; "
	             "&#x674e;</name><tag>a</tag><tag>b</tag></row>"
	             "<row><name xsi:nil=\"true\"/><n><![CDATA[<x>]]></n></row></rows>"),
	        NULL);
	seed_of(3, "application/soap+xml; charset=GB2312", SOAP("<code>200</code><rows/>"), NULL);
	seed_of(4, "text/xml", SOAP("<return>{\"code\":0,\"rows\":[{\"a\":1}]}</return>"), NULL);
	seed_of(5, JSON, "{\"result\":\"<r next='7'><row><a>1</a></row><row b='2'/></r>\"}",
	        "{\"result\":\"<r next=''><row/></r>\"}");
}
