/* The HTTP connector against peers that are broken or mean harm: each ends in an error that says why, in
 * time, with memory flat, and the place has not moved. */
#include "http_world.h"

#include <sys/resource.h>

#define HOSTILE                                                                                              \
	"retries: 0\nevery: 1h\nmode: window\nstart: 2026-01-01T00:00:00+08:00\nmax_window: 3650d\n"         \
	"paging: none\ncode_path: /code\nrows_path: /data/list\nmax_response: 1MiB\n"

static void open_hostile(int port, const char *scheme, const char *path, const char *more)
{
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(HOSTILE "url: %s://127.0.0.1:%d%s\nplain_http: true\n%s", scheme, w.ports[port], path,
	               more));
}

/* Fails with rc and a text that says why, and nothing was kept. */
static void must_fail(enum eg_rc rc, const char *why)
{
	struct eg_in in;
	enum eg_rc got = next(&in);
	if (got != rc || !strstr(w.err.text, why))
		fail_msg("%s (%s), not %s (%s)", eg_rc_name(got), w.err.text, eg_rc_name(rc), why);
	assert_int_equal(eg_checkpoint_get(w.checkpoint, "src.http.place").len, 0);
}

static void answers_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *path, *more, *why;
	} cases[] = {
	        {"/body/error", "", "status 200, code 9002"},
	        {"/body/longcode", "", "a code that is not told"},
	        {"/body/nocode", "", "no code at /code"},
	        {"/body/norows", "", "no rows at /data/list"},
	        {"/body/deep", "", "nested deeper"},
	        {"/body/twice", "", "a key occurs twice"},
	        {"/body/html", "", "Content-Type"},
	        {"/body/notype", "", "Content-Type"},
	        {"/body/error", "answer_format: xml\n", "Content-Type"},
	        {"/body/cut", "", "cut short"},
	        {"/body/nullrows", "charset: no-such-set\n", "character set"},
	        {"/body/laughs", "answer_format: xml\n", "DOCTYPE"},
	        {"/body/entity", "answer_format: xml\ncode_path: /a/code\nrows_path: /a/row\n", "DOCTYPE"},
	        {"/status204", "", "without a body"},
	        {"/gzip", "", "compressed"},
	        {"/garbage", "", "HTTP"},
	        {"/close", "", "cannot be reached"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char more[512] = "";
		/* A key may stand once only. */
		const char *base = "mode: window\nstart: 2026-01-01T00:00:00+08:00\nmax_window: 3650d\n"
		                   "paging: none\nretries: 0\nplain_http: true\n";
		snprintf(more, sizeof more, "%s%s%s%s", base, cases[i].more,
		         strstr(cases[i].more, "code_path") ? "" : "code_path: /code\n",
		         strstr(cases[i].more, "rows_path") ? "" : "rows_path: /data/list\n");
		must_open(false, (struct eg_connector_options){.once = true},
		          YAML("url: http://127.0.0.1:%d%s\n%s", w.ports[PLAIN], cases[i].path, more));
		must_fail(EG_UNAVAILABLE, cases[i].why);
		assert_null(strstr(w.err.text, "ZHANG"));
		assert_null(strstr(w.err.text, "3303"));
	}
	open_hostile(PLAIN, "http", "/body/notype", "content_types: [\"application/octet-stream\"]\n");
	must_fail(EG_UNAVAILABLE, "Content-Type");
	open_hostile(PLAIN, "http", "/body/nullrows", "content_types: [\"application/json\"]\n");
	struct eg_in in;
	must_be(&in, EG_IN_END);
}

static long peak(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static int64_t sent(void)
{
	const char *at;
	int64_t until = eg_mono_us() + PATIENCE;
	while (!(at = strstr(requests(), "SENT ")) && eg_mono_us() < until)
		; /* the peer notices a moment later that we are gone */
	assert_non_null(at);
	return strtoll(at + 5, NULL, 10);
}

static void answers_without_end(void **state)
{
	(void)state;
	static const struct {
		const char *path, *why;
		int64_t at_most; /* taken by us and by the sockets between */
	} cases[] = {
	        {"/huge", "larger than max_response", 32 << 20},
	        {"/huge/yes", "larger than max_response", 32 << 20},
	        {"/chunked", "larger than max_response", 32 << 20},
	        {"/headers", "headers are larger", 32 << 20},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct stat st;
		char path[128];
		snprintf(path, sizeof path, "%s/requests", w.dir);
		if (!stat(path, &st))
			w.mark = (long)st.st_size;
		long before = peak();
		open_hostile(PLAIN, "http", cases[i].path, "");
		must_fail(EG_UNAVAILABLE, cases[i].why);
		close_connector();
		assert_in_range(peak() - before, 0, 48 << 10); /* KiB */
		assert_in_range(sent(), 0, cases[i].at_most);
	}
}

static void slow_peers(void **state)
{
	(void)state;
	int64_t begin = eg_mono_us();
	open_hostile(PLAIN, "http", "/drip", "slow_bytes: 50\nslow_time: 1s\n");
	must_fail(EG_DEADLINE, "too slow");
	open_hostile(PLAIN, "http", "/drip", "slow_bytes: 0\ntimeout: 300ms\n");
	must_fail(EG_DEADLINE, "too slow");
	open_hostile(PLAIN, "http", "/hang", "timeout: 300ms\n");
	must_fail(EG_DEADLINE, "too slow");
	open_hostile(DEAF, "http", "/pages/1", "connect_timeout: 300ms\n");
	must_fail(EG_DEADLINE, "too slow");
	assert_in_range(eg_mono_us() - begin, 0, 15 * EG_SECOND);
	/* Whoever waits for one is back at the deadline. */
	struct eg_in in;
	open_hostile(PLAIN, "http", "/hang", "");
	begin = eg_mono_us();
	assert_int_equal(eg_connector_http.next(w.c, begin + 50000, &in, &w.err), EG_EMPTY);
	assert_in_range(eg_mono_us() - begin, 40000, 5 * EG_SECOND);
	begin = eg_mono_us();
	close_connector();
	assert_in_range(eg_mono_us() - begin, 0, 2 * EG_SECOND);
}

static void redirects(void **state)
{
	(void)state;
	struct eg_in in;
	open_hostile(PLAIN, "http", "/redirect/same", "");
	must_fail(EG_UNAVAILABLE, "status 302");
	static const char *const away[] = {"/redirect/host", "/redirect/file", "/redirect/gopher",
	                                   "/redirect/loop"};
	for (size_t i = 0; i < sizeof away / sizeof *away; i++) {
		open_hostile(PLAIN, "http", away[i], "redirects: 3\n");
		must_fail(EG_UNAVAILABLE, "status 302");
	}
	assert_int_equal(asked("GET /redirect/loop"), 4);
	assert_int_equal(asked("GET /pages"), 0);
	open_hostile(PLAIN, "http", "/redirect/same", "redirects: 1\nquery: [\"page=1\", \"size=9\"]\n");
	must_be(&in, EG_IN_ROW);
	/* A request with a body is not sent elsewhere. */
	open_hostile(PLAIN, "http", "/redirect/same",
	             "redirects: 1\nmethod: POST\nbody: '{}'\nquery: [\"page=1\", \"size=9\"]\n");
	assert_int_equal(next(&in), EG_UNAVAILABLE);
}

static void nobody_there(void **state)
{
	(void)state;
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(HOSTILE "plain_http: true\nurl: http://127.0.0.1:%d/\n", 1));
	must_fail(EG_UNAVAILABLE, "cannot be reached");
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(HOSTILE
	               "plain_http: true\nurl: http://no-such-host.invalid:%d/\nconnect_timeout: 3s\n",
	               1));
	struct eg_in in;
	enum eg_rc rc = next(&in);
	assert_true(rc == EG_UNAVAILABLE || rc == EG_DEADLINE);
	/* A proxy that was set is used: this one is not there. */
	open_hostile(PLAIN, "http", "/body/nullrows", "proxy: http://127.0.0.1:1\n");
	must_fail(EG_UNAVAILABLE, "cannot be reached");
}

static void tls(void **state)
{
	(void)state;
	struct eg_in in;
	char ca[128], client[400];
	snprintf(ca, sizeof ca, "ca_file: %s/authority.pem\n", w.dir);
	snprintf(client, sizeof client, "%sclient_certificate: %s/client.pem\nclient_key: %s/client.key\n",
	         ca, w.dir, w.dir);
	open_hostile(TLS, "https", "/body/nullrows", "");
	must_fail(EG_UNAUTHENTICATED, "TLS"); /* the system does not know the authority */
	open_hostile(STRANGER, "https", "/body/nullrows", ca);
	must_fail(EG_UNAUTHENTICATED, "TLS"); /* a certificate for another name */
	open_hostile(OLD, "https", "/body/nullrows", ca);
	assert_int_not_equal(next(&in), EG_OK); /* TLS 1.1 */
	open_hostile(MUTUAL, "https", "/body/nullrows", ca);
	assert_int_not_equal(next(&in), EG_OK); /* it wants our certificate */
	open_hostile(PLAIN, "https", "/body/nullrows", ca);
	assert_int_not_equal(next(&in), EG_OK); /* no TLS at all */
	assert_int_equal(asked("GET "), 0);     /* none of them was told anything */
	open_hostile(TLS, "https", "/body/nullrows", ca);
	must_be(&in, EG_IN_END);
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_hostile(MUTUAL, "https", "/body/nullrows", client);
	must_be(&in, EG_IN_END);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)
	const struct CMUnitTest tests[] = {
	        TEST(answers_that_are_none),
	        TEST(answers_without_end),
	        TEST(slow_peers),
	        TEST(redirects),
	        TEST(nobody_there),
	        TEST(tls),
	};
	return cmocka_run_group_tests(tests, world_open, world_close);
}
