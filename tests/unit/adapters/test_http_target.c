/* The HTTP connector's target: what is delivered, refused, in doubt; each change has one key for ever. */
#include "http_world.h"

#define TARGET QUICK "code_path: /code\nok_codes: [\"0\"]\nexists_codes: [there]\n"

static const char *const names[] = {"id", "status", "none"};

static struct eg_delivery change(const char *id, const char *status, struct eg_bytes values[3])
{
	values[0] = eg_bytes_of(id);
	values[1] = eg_bytes_of(status);
	values[2] = (struct eg_bytes){NULL, 0};
	return (struct eg_delivery){id, 3, names, values};
}

static void open_target(const char *path, const char *more)
{
	/* `every` is a source's. */
	static char yaml[4096];
	snprintf(yaml, sizeof yaml, TARGET "url: http://127.0.0.1:%d%s\n%s", w.ports[PLAIN], path, more);
	char *every = strstr(yaml, "every: 1ms\n");
	memmove(every, every + 11, strlen(every + 11) + 1);
	must_open(true, (struct eg_connector_options){0}, yaml);
}

static struct eg_delivery_result results[8];

static enum eg_rc deliver(const struct eg_delivery *d, unsigned n)
{
	return eg_connector_http.deliver(w.c, d, n, results, eg_mono_us() + PATIENCE, &w.err);
}

static void one_by_one(void **state)
{
	(void)state;
	struct eg_bytes v[2][3];
	struct eg_delivery d[] = {change("one:1", "say \"hi\"", v[0]), change("one:2", "gone", v[1])};
	open_target("/deliver",
	            "headers: [\"X-Id: ${column.id}\"]\n"
	            "body: '{\"key\":\"${event_id}\",\"data\":${columns},\"s\":\"${column.status}\"}'\n");
	assert_int_equal(deliver(d, 2), EG_OK);
	assert_int_equal(results[0].rc, EG_OK);
	assert_int_equal(results[1].rc, EG_OK);
	const char *all = requests();
	assert_non_null(strstr(all, "Idempotency-Key: one:1\n"));
	assert_non_null(strstr(all, "Idempotency-Key: one:2\n"));
	assert_non_null(strstr(all, "X-Id: one:1\n"));
	assert_non_null(strstr(all, "Content-Type: application/json; charset=utf-8\n"));
	assert_non_null(strstr(all, "\n\n{\"key\":\"one:1\",\"data\":{\"id\":\"one:1\",\"status\":\"say "
	                            "\\\"hi\\\"\",\"none\":null},\"s\":\"say \\\"hi\\\"\"}\n--\n"));
	/* Again: the peer knows the key, and that is as good. */
	assert_int_equal(deliver(d, 2), EG_OK);
	assert_int_equal(results[0].rc, EG_OK);
	assert_int_equal(asked("POST /deliver"), 4);
}

/* 409 may say that something else is there: whether it means "delivered before" is the site's to say. */
static void statuses_that_say_it_is_there(void **state)
{
	(void)state;
	struct eg_bytes v[3];
	struct eg_delivery d = change("there:1", "x", v);
	static const struct {
		const char *setting;
		enum eg_rc rc;
	} cases[] = {{"", EG_OK},
	             {"", EG_INVALID},
	             {"exists_statuses: ['410']\n", EG_INVALID},
	             {"exists_statuses: ['410', '409']\n", EG_OK}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		must_open(true, (struct eg_connector_options){0},
		          YAML("url: http://127.0.0.1:%d/deliver\nplain_http: true\nbody: '${columns}'\n%s",
		               w.ports[PLAIN], cases[i].setting));
		assert_int_equal(deliver(&d, 1), EG_OK);
		assert_int_equal(results[0].rc, cases[i].rc);
	}
}

static void an_answer_that_was_lost(void **state)
{
	(void)state;
	struct eg_bytes v[3];
	struct eg_delivery d = change("lost:1", "x", v);
	open_target("/deliver_once_lost", "body: '${columns}'\n");
	assert_int_equal(deliver(&d, 1), EG_OK);
	assert_int_equal(results[0].rc, EG_OK);
	assert_true(asked("Idempotency-Key: lost:1") >= 2);
}

static void a_refused_one_is_told_and_the_rest_goes_on(void **state)
{
	(void)state;
	struct eg_bytes v[3][3];
	struct eg_delivery d[] = {change("mix:1", "a", v[0]), change("mix:2", "poison", v[1]),
	                          change("mix:3", "c", v[2])};
	static const char *const bodies[] = {"body: '${columns}'\n",
	                                     "batch: 3\nbody: '{\"events\":[${events}]}'\n"
	                                     "item: '{\"key\":\"${event_id}\",\"row\":${columns}}'\n"};
	for (int i = 0; i < 2; i++) {
		open_target("/deliver", bodies[i]);
		assert_int_equal(deliver(d, 3), EG_OK);
		assert_int_equal(results[0].rc, EG_OK);
		assert_int_equal(results[1].rc, EG_INVALID);
		assert_non_null(strstr(results[1].err.text, "status 422, code bad"));
		assert_false(eg_rc_retryable(results[1].rc));
		assert_int_equal(results[2].rc, EG_OK);
	}
	/* The batch as a whole, then each: three before, and four now. */
	assert_int_equal(asked("POST /deliver"), 7);
}

static void batches(void **state)
{
	(void)state;
	struct eg_bytes v[3][3];
	struct eg_delivery d[] = {change("bat:1", "<a>", v[0]), change("bat:2", "b", v[1]),
	                          change("bat:3", "c", v[2])};
	open_target("/deliver", "batch: 2\nbody_format: xml\nbody: '<l key=\"${event_id}\">${events}</l>'\n"
	                        "item: '<e id=\"${event_id}\">${columns}</e>'\n");
	assert_int_equal(deliver(d, 3), EG_OK);
	assert_int_equal(results[2].rc, EG_OK);
	assert_int_equal(asked("POST /deliver"), 2);
	assert_non_null(strstr(requests(), "><e id=\"bat:1\"><id>bat:1</id><status>&lt;a&gt;</status></e>"
	                                   "<e id=\"bat:2\"><id>bat:2</id><status>b</status></e></l>\n"));
	assert_non_null(strstr(requests(), "Idempotency-Key: bat:3\n"));
	/* The same changes have the same key. */
	assert_int_equal(deliver(d, 2), EG_OK);
	const char *first = strstr(requests(), "Idempotency-Key: "), *last = first;
	for (const char *p = first; p; p = strstr(p + 1, "Idempotency-Key: "))
		last = p;
	assert_memory_equal(first, last, 17 + 64);
	/* With other contents they have another: the peer has not seen those. */
	v[1][1] = eg_bytes_of("c");
	assert_int_equal(deliver(d, 2), EG_OK);
	first = strstr(requests(), "Idempotency-Key: ");
	for (const char *p = first; p; p = strstr(p + 1, "Idempotency-Key: "))
		last = p;
	assert_memory_not_equal(first, last, 17 + 64);
	const char *body = strstr(last, "<l key=\"");
	assert_non_null(body);
	assert_memory_equal(body + 8, last + 17, 64);
}

static void what_fails_waits_and_so_does_the_rest(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum eg_rc rc;
	} cases[] = {{"/seq/503", EG_UNAVAILABLE}, {"/seq/401", EG_UNAVAILABLE},
	             {"/seq/302", EG_UNAVAILABLE}, {"/huge", EG_UNAVAILABLE},
	             {"/gzip", EG_UNAVAILABLE},    {"/body/html", EG_UNAVAILABLE},
	             {"/code/busy", EG_INVALID}};
	struct eg_bytes v[2][3];
	struct eg_delivery d[] = {change("wait:1", "a", v[0]), change("wait:2", "b", v[1])};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		open_target(cases[i].path, "body: '${columns}'\nmax_response: 64KiB\n");
		assert_int_equal(deliver(d, 2), EG_OK);
		if (results[0].rc != cases[i].rc)
			fail_msg("%s: %s %s", cases[i].path, eg_rc_name(results[0].rc), results[0].err.text);
		assert_int_equal(results[1].rc, eg_rc_retryable(cases[i].rc) ? EG_BUSY : EG_INVALID);
	}
	open_target("/code/busy-busy-0", "body: '${columns}'\nretry_codes: [busy]\n");
	assert_int_equal(deliver(d, 1), EG_OK);
	assert_int_equal(results[0].rc, EG_OK);
}

/* That a renewal is refused says nothing about the change, which must not be parked for it. */
static void a_refused_renewal_parks_nothing(void **state)
{
	(void)state;
	struct eg_bytes v[3];
	struct eg_delivery d = change("renew:1", "a", v);
	char more[200];
	snprintf(more, sizeof more,
	         "body: '${columns}'\nsecret: x\nrenew_url: http://127.0.0.1:%d/code/nope\n", w.ports[PLAIN]);
	open_target("/deliver", more);
	assert_int_equal(deliver(&d, 1), EG_UNAVAILABLE);
	assert_int_equal(results[0].rc, EG_BUSY);
	assert_int_equal(asked("POST /deliver"), 0);
}

/* Nor for a certificate that has ended. */
static void a_peer_that_is_not_the_right_one_gets_nothing(void **state)
{
	(void)state;
	struct eg_bytes v[2][3];
	struct eg_delivery d[] = {change("tls:1", "a", v[0]), change("tls:2", "b", v[1])};
	must_open(true, (struct eg_connector_options){0},
	          YAML("url: https://127.0.0.1:%d/deliver\nbody: '${columns}'\n", w.ports[STRANGER]));
	assert_int_equal(deliver(d, 2), EG_UNAVAILABLE);
	assert_non_null(strstr(w.err.text, "TLS"));
	assert_int_equal(results[0].rc, EG_BUSY);
	assert_int_equal(results[1].rc, EG_BUSY);
	assert_int_equal(asked("POST /deliver"), 0);
}

static void a_deadline_leaves_it_in_doubt(void **state)
{
	(void)state;
	struct eg_bytes v[2][3];
	struct eg_delivery d[] = {change("late:1", "a", v[0]), change("late:2", "b", v[1])};
	open_target("/hang", "body: '${columns}'\n");
	int64_t begin = eg_mono_us();
	assert_int_equal(eg_connector_http.deliver(w.c, d, 2, results, begin + 200000, &w.err), EG_OK);
	assert_in_range(eg_mono_us() - begin, 0, 5 * EG_SECOND);
	assert_int_equal(results[0].rc, EG_DEADLINE);
	assert_int_equal(results[1].rc, EG_BUSY);
	assert_true(eg_rc_retryable(results[0].rc));
}

static void calls_that_are_used_up(void **state)
{
	(void)state;
	struct eg_bytes v[2][3];
	struct eg_delivery d[] = {change("used:1", "a", v[0]), change("used:2", "b", v[1])};
	open_target("/deliver", "body: '${columns}'\ncalls_per_day: 1\n");
	int64_t begin = eg_mono_us();
	assert_int_equal(deliver(d, 2), EG_OK);
	assert_in_range(eg_mono_us() - begin, 0, PATIENCE / 2); /* nobody waits for midnight in here */
	assert_int_equal(results[0].rc, EG_OK);
	assert_int_equal(results[1].rc, EG_BUSY);
	assert_int_equal(asked("POST /deliver"), 1);
}

static void settings_of_targets(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *place;
	} cases[] = {
	        {"", "body"},
	        {"body: '{\"a\":\"${columns}\"}'\n", "body"},
	        {"body: '{\"a\":\"${events}\"}'\n", "body"},
	        {"batch: 2\nbody: '${columns}'\n", "body"},
	        {"batch: 2\nbody: '[${events}]'\nitem: '${column.a}'\n", "item"},
	        {"batch: 2\nbody_format: form\nbody: 'a=${events}'\n", "batch"},
	        {"body: '${columns}'\nidempotency_header: \"a b\"\n", "idempotency_header"},
	        {"body: '${columns}'\nexists_statuses: ['200']\n", "exists_statuses"},
	        {"body: '${columns}'\nexists_statuses: ['4o9']\n", "exists_statuses"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum eg_rc rc =
		        try_open(true, (struct eg_connector_options){0},
		                 YAML("url: http://127.0.0.1:9/\nplain_http: true\n%s", cases[i].yaml));
		if (rc != EG_CONFIG || !strstr(w.err.text, cases[i].place))
			fail_msg("%s: %s %s", cases[i].yaml, eg_rc_name(rc), rc ? w.err.text : "");
	}
	must_open(true, (struct eg_connector_options){0},
	          YAML("url: http://127.0.0.1:%d/?id=${column.a b}\nplain_http: true\nbody_format: form\n"
	               "body: 'key=${event_id}&a=${column.x}'\n",
	               9));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)
	const struct CMUnitTest tests[] = {
	        TEST(one_by_one),
	        TEST(statuses_that_say_it_is_there),
	        TEST(an_answer_that_was_lost),
	        TEST(a_refused_one_is_told_and_the_rest_goes_on),
	        TEST(batches),
	        TEST(what_fails_waits_and_so_does_the_rest),
	        TEST(a_refused_renewal_parks_nothing),
	        TEST(a_peer_that_is_not_the_right_one_gets_nothing),
	        TEST(a_deadline_leaves_it_in_doubt),
	        TEST(calls_that_are_used_up),
	        TEST(settings_of_targets),
	};
	return cmocka_run_group_tests(tests, world_open, world_close);
}
