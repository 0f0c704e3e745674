/* An HTTP target that is down for longer than any change is tried: nothing is parked, all of it comes after.
 */
#include "base/clock.h"
#include "base/log.h"
#include "common/deliver.h"
#include "common/requests.h"
#include "common/settings.h"
#include "eldergate/adapter.h"
#include "eldergate/v1/feed.pb-c.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "world.h"

#define PATIENCE (20 * EG_SECOND)

/* ---- the peer ---- */

/* Answers each request as it is told and hangs up. Its thread ends with the listener. */
static struct {
	int port, listener;
	pthread_t thread;
	const char *answer; /* NULL: hangs up without one */
	char got[400];      /* idempotency keys, in order; the thread's until it is joined */
} peer;

/* A socket at a port of the loopback address; negative: it is another's. */
static int bound(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	                        .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 8) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One where nobody listens, of those that the kernel gives to nobody who does not ask: it must be free still
 * when the peer comes up. */
static int free_port(void)
{
	int port = 10000 + (int)(getpid() % 18000), fd;
	while ((fd = bound(port)) < 0)
		port = port < 28000 ? port + 1 : 10000;
	close(fd);
	return port;
}

static void serve(int fd)
{
	static const char header[] = "Idempotency-Key: ";
	char text[4096];
	size_t len = 0;
	ssize_t n;
	do {
		n = read(fd, text + len, sizeof text - 1 - len);
		len += n > 0 ? (size_t)n : 0;
		text[len] = 0;
	} while (n > 0 && !strstr(text, "\"ID\""));
	const char *key = strstr(text, header);
	if (key) {
		key += sizeof header - 1;
		size_t have = strlen(peer.got);
		snprintf(peer.got + have, sizeof peer.got - have, "%.*s ", (int)strcspn(key, "\r\n"), key);
	}
	if (peer.answer)
		dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", peer.answer);
}

static void *answer_all(void *arg)
{
	(void)arg;
	int fd;
	while ((fd = accept(peer.listener, NULL, NULL)) >= 0) {
		serve(fd);
		close(fd);
	}
	return NULL;
}

static void peer_up(const char *answer)
{
	peer.answer = answer;
	peer.listener = bound(peer.port);
	assert_true(peer.listener >= 0);
	assert_int_equal(pthread_create(&peer.thread, NULL, answer_all, NULL), 0);
}

static void peer_down(void)
{
	shutdown(peer.listener, SHUT_RDWR);
	pthread_join(peer.thread, NULL);
	close(peer.listener);
}

/* ---- the agent ---- */

static struct eg_deliver *deliver;
static struct eg_settings *settings;

static int begin(void **state)
{
	char yaml[400];
	struct eg_err err = {0};
	if (world_open(state))
		return 1;
	memset(&peer, 0, sizeof peer);
	peer.port = free_port();
	snprintf(yaml, sizeof yaml,
	         "url: http://127.0.0.1:%d/\nplain_http: true\nbody: '${columns}'\nretries: 1\n"
	         "retry_first: 1ms\nretry_max: 1ms\n",
	         peer.port);
	if (eg_settings_parse(yaml, "test.yaml", eg_connector_http.target_settings, &settings, &err))
		fail_msg("%s", err.text);
	limits.attempts = 2;
	mapping.outbound.connector = &eg_connector_http;
	mapping.outbound.target = settings;
	struct eg_deliver_options o = {.mapping = &mapping,
	                               .link = &fake,
	                               .checkpoint = checkpoint,
	                               .limits = &limits,
	                               .counts = &counts};
	return eg_deliver_open(&deliver, &o, NULL) != EG_OK;
}

static int end(void **state)
{
	eg_deliver_close(deliver);
	eg_settings_free(settings);
	return world_close(state);
}

static void turn(void)
{
	struct eg_link_event e;
	int64_t now = eg_mono_us();
	while (eg_link_wait(&fake, 0, &e, NULL) == EG_OK)
		eg_deliver_event(deliver, &e, now);
	eg_deliver_turn(deliver, now);
	poll(NULL, 0, 1); /* pauses of the agent pass */
}

/* Changes 11 and 12, of one person each. */
static void window(void)
{
	static const uint64_t seqs[] = {11, 12};
	static const char *const persons[] = {"a", "b"};
	Eldergate__V1__SubscribeResponse w = ELDERGATE__V1__SUBSCRIBE_RESPONSE__INIT;
	Eldergate__V1__Cursor cursor = ELDERGATE__V1__CURSOR__INIT;
	Eldergate__V1__ChangeEvent event[2];
	Eldergate__V1__FeedItem item[2], *pointers[2];
	for (unsigned i = 0; i < 2; i++) {
		eldergate__v1__change_event__init(&event[i]);
		eldergate__v1__feed_item__init(&item[i]);
		event[i].log_id = "log";
		event[i].seq = seqs[i];
		event[i].person_ref = (char *)(uintptr_t)persons[i];
		item[i].item_case = ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE;
		item[i].change = &event[i];
		pointers[i] = &item[i];
	}
	cursor.log_id = "log";
	cursor.seq = 12;
	w.n_items = 2;
	w.items = pointers;
	w.next = &cursor;
	turn();
	assert_non_null(fake_open_call("Subscribe"));
	fake_say(fake_open_call("Subscribe"), &w.base);
}

static void an_outage_parks_nothing(void **state)
{
	(void)state;
	int64_t until = eg_mono_us() + PATIENCE;
	window();
	while (counts.target_failures < 12) {
		assert_true(eg_mono_us() < until);
		turn();
	}
	assert_int_equal(eg_parked_count(checkpoint), 0);
	peer_up("200 OK");
	while (counts.delivered < 2) {
		assert_true(eg_mono_us() < until);
		turn();
	}
	peer_down();
	assert_string_equal(peer.got, "log-11 log-12 ");
	assert_int_equal(eg_parked_count(checkpoint), 0);
}

/* What the peer answers to a change, or dies of, does count. */
static void what_was_sent_counts(void **state)
{
	static const char *const answers[] = {"503 No", NULL};
	for (unsigned i = 0; i < 2; i++) {
		int64_t until = eg_mono_us() + PATIENCE;
		window();
		peer_up(answers[i]);
		while (!eg_parked_count(checkpoint)) {
			assert_true(eg_mono_us() < until);
			turn();
		}
		peer_down();
		assert_int_equal(end(state), 0);
		assert_int_equal(begin(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(an_outage_parks_nothing, begin, end),
	        cmocka_unit_test_setup_teardown(what_was_sent_counts, begin, end),
	};
	eg_log_open("test", EG_LOG_ERROR, false);
	return cmocka_run_group_tests_name("http_outage", tests, NULL, NULL);
}
