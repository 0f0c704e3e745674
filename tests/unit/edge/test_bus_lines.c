/* The connections of the bus: too many push out the oldest stranger, strangers that send too much and
 * hoarders are cut, and no other socket is ever touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/metric.h"
#include "edge/bus_lines.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX = 4, HOARD = 2 * (int)EG_BUS_STRANGER_BYTES };

struct place {
	int fd;
	struct sockaddr_in at;
	char endpoint[64];
};

static struct place listener(void)
{
	struct place p = {.at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof p.at;
	p.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(p.fd, (struct sockaddr *)&p.at, sizeof p.at), 0);
	assert_int_equal(listen(p.fd, 16), 0);
	assert_int_equal(getsockname(p.fd, (struct sockaddr *)&p.at, &len), 0);
	snprintf(p.endpoint, sizeof p.endpoint, "tcp://127.0.0.1:%d", ntohs(p.at.sin_port));
	return p;
}

/* fds[0]: the peer's, fds[1]: ours. */
static void join(const struct place *p, int fds[2])
{
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], (const struct sockaddr *)&p->at, sizeof p->at), 0);
	fds[1] = accept(p->fd, NULL, NULL);
	assert_true(fds[1] >= 0);
}

static void part(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* The peer sees its end. */
static bool is_cut(int fds[2])
{
	char byte;
	return recv(fds[0], &byte, 1, MSG_DONTWAIT) == 0;
}

static void send_bytes(int fds[2], size_t n)
{
	static char bytes[4096];
	while (n) {
		size_t some = n < sizeof bytes ? n : sizeof bytes;
		assert_int_equal(send(fds[0], bytes, some, 0), some);
		n -= some;
		while (some) { /* else the kernel's window closes */
			ssize_t got = recv(fds[1], bytes, some, 0);
			assert_true(got > 0);
			some -= (size_t)got;
		}
	}
}

static struct eg_bus_lines *lines(const struct place *p)
{
	struct eg_bus_lines *l = eg_bus_lines_new(MAX, HOARD);
	assert_non_null(l);
	assert_int_equal(eg_bus_lines_listens(l, p->endpoint, NULL), EG_OK);
	return l;
}

static void too_many(void **state)
{
	(void)state;
	struct place p = listener();
	struct eg_bus_lines *l = lines(&p);
	int fds[MAX + 3][2];
	for (unsigned i = 0; i < MAX + 3; i++) {
		join(&p, fds[i]);
		assert_int_equal(eg_bus_lines_accepted(l, fds[i][1]), i < MAX);
		if (i == 0 || i == 2)
			eg_bus_lines_spoke(l, fds[i][1], true);
		else
			eg_bus_lines_spoke(l, fds[i][1], false); /* no greeting */
	}
	/* 0 and 2 have greeted; 1, 3 and 4 were the oldest of the others. */
	static const bool cut[MAX + 3] = {[1] = true, [3] = true, [4] = true};
	for (unsigned i = 0; i < MAX + 3; i++)
		assert_int_equal(is_cut(fds[i]), cut[i]);
	/* One that goes by itself makes room. */
	eg_bus_lines_gone(l, fds[0][1], "");
	part(fds[0]);
	join(&p, fds[0]);
	assert_true(eg_bus_lines_accepted(l, fds[0][1]));
	/* When all have greeted it is the new one that goes. */
	for (unsigned i = 0; i < MAX + 3; i++)
		eg_bus_lines_spoke(l, fds[i][1], true);
	int late[2];
	join(&p, late);
	assert_false(eg_bus_lines_accepted(l, late[1]));
	assert_true(is_cut(late));
	part(late);
	for (unsigned i = 0; i < MAX + 3; i++)
		part(fds[i]);
	eg_bus_lines_free(l);
	close(p.fd);
}

static void hoarders(void **state)
{
	(void)state;
	struct place p = listener();
	struct eg_bus_lines *l = lines(&p);
	int talks[2], hoards[2];
	join(&p, talks);
	join(&p, hoards);
	eg_bus_lines_accepted(l, talks[1]);
	eg_bus_lines_accepted(l, hoards[1]);
	eg_bus_lines_spoke(l, talks[1], true);
	eg_bus_lines_spoke(l, hoards[1], true);
	for (unsigned i = 0; i < 20; i++) { /* much, but in messages */
		send_bytes(talks, HOARD);
		eg_bus_lines_spoke(l, talks[1], false); /* greeted once is greeted */
		if (i < 5) {
			send_bytes(hoards, HOARD);
			eg_bus_lines_spoke(l, hoards[1], true);
		}
		assert_int_equal(eg_bus_lines_look(l), 0);
	}
	send_bytes(hoards, HOARD);
	assert_int_equal(eg_bus_lines_look(l), 0); /* as much as one may */
	send_bytes(hoards, 1);
	assert_int_equal(eg_bus_lines_look(l), 1);
	assert_true(is_cut(hoards));
	assert_false(is_cut(talks));
	part(talks);
	part(hoards);
	eg_bus_lines_free(l);
	close(p.fd);
}

/* Whoever has not greeted yet has a small bound, whether its bytes become messages or not. */
static void strangers(void **state)
{
	(void)state;
	struct place p = listener();
	struct eg_bus_lines *l = lines(&p);
	int silent[2], talks[2], greets[2];
	join(&p, silent);
	join(&p, talks);
	join(&p, greets);
	eg_bus_lines_accepted(l, silent[1]);
	eg_bus_lines_accepted(l, talks[1]);
	eg_bus_lines_accepted(l, greets[1]);
	send_bytes(silent, EG_BUS_STRANGER_BYTES);
	send_bytes(talks, EG_BUS_STRANGER_BYTES);
	send_bytes(greets, EG_BUS_STRANGER_BYTES);
	assert_int_equal(eg_bus_lines_look(l), 0); /* as much as one may */
	eg_bus_lines_spoke(l, talks[1], false);
	eg_bus_lines_spoke(l, greets[1], true);
	send_bytes(silent, 1);
	send_bytes(talks, 1);
	send_bytes(greets, 1);
	assert_int_equal(eg_bus_lines_look(l), 2);
	assert_true(is_cut(silent));
	assert_true(is_cut(talks));
	assert_false(is_cut(greets));
	part(silent);
	part(talks);
	part(greets);
	eg_bus_lines_free(l);
	close(p.fd);
}

/* A descriptor that has become something else meanwhile is left alone. */
static void others(void **state)
{
	(void)state;
	struct place p = listener(), other = listener();
	struct eg_bus_lines *l = lines(&p);
	int pair[2], foreign[2], fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	join(&other, foreign);
	eg_bus_lines_accepted(l, pair[1]);
	eg_bus_lines_accepted(l, foreign[1]);
	eg_bus_lines_accepted(l, 100000); /* none at all */
	send_bytes(foreign, HOARD + 1);
	assert_int_equal(eg_bus_lines_look(l), 1); /* out of the table, but not cut */
	for (unsigned i = 0; i < MAX + 2; i++) {
		join(&p, fds);
		eg_bus_lines_accepted(l, fds[1]);
		eg_bus_lines_spoke(l, fds[1], true);
		part(fds);
	}
	assert_false(is_cut(pair));
	assert_false(is_cut(foreign));
	part(pair);
	part(foreign);
	eg_bus_lines_free(l);
	close(p.fd);
	close(other.fd);
}

static double failed(void)
{
	return eg_metric_get(EG_M_BUS_REFUSED, "handshake");
}

/* A last message may come when its descriptor is another's already, and who is cut never settles: neither
 * hides a later one without a handshake. */
static void what_is_left_over(void **state)
{
	(void)state;
	struct place p = listener();
	struct eg_bus_lines *l = lines(&p);
	int a[2];
	join(&p, a);
	eg_bus_lines_accepted(l, a[1]);
	eg_bus_lines_shook(l);
	eg_bus_lines_gone(l, a[1], "none");
	eg_bus_lines_accepted(l, a[1]);
	eg_bus_lines_spoke(l, a[1], true); /* the one before */
	eg_bus_lines_shook(l);
	eg_bus_lines_gone(l, a[1], "none");
	double before = failed();
	eg_bus_lines_accepted(l, a[1]);
	eg_bus_lines_gone(l, a[1], "none");
	assert_true(failed() == before + 1);
	part(a);
	close(p.fd);
	eg_bus_lines_free(l);
}

/* Whoever's handshake came to an end is not counted, in whatever order that and its connection are told. */
static void without_a_handshake(void **state)
{
	(void)state;
	struct place p = listener();
	struct eg_bus_lines *l = lines(&p);
	int a[2], b[2], c[2];
	double before = failed();
	join(&p, a);
	join(&p, b);
	join(&p, c);
	eg_bus_lines_accepted(l, a[1]);
	eg_bus_lines_accepted(l, b[1]);
	eg_bus_lines_accepted(l, c[1]);
	eg_bus_lines_gone(l, a[1], "none");
	assert_true(failed() == before + 1);
	eg_bus_lines_gone(l, a[1], "none"); /* it is none of ours any more */
	assert_true(failed() == before + 1);
	eg_bus_lines_shook(l); /* b's */
	eg_bus_lines_spoke(l, b[1], false);
	eg_bus_lines_spoke(l, b[1], true);
	eg_bus_lines_gone(l, b[1], "none");
	assert_true(failed() == before + 1);
	eg_bus_lines_accepted(l, a[1]);
	eg_bus_lines_shook(l); /* c's, which speaks only when a has gone */
	eg_bus_lines_gone(l, a[1], "none");
	eg_bus_lines_spoke(l, c[1], true);
	assert_true(failed() == before + 2);
	eg_bus_lines_gone(l, c[1], "none");
	eg_bus_lines_accepted(l, a[1]);
	eg_bus_lines_shook(l);
	eg_bus_lines_gone(l, a[1], "none"); /* its key was refused, or its messages come behind its end */
	eg_bus_lines_spoke(l, a[1], true);
	assert_true(failed() == before + 2);
	part(a);
	part(b);
	part(c);
	close(p.fd);
	eg_bus_lines_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(too_many),
	        cmocka_unit_test(hoarders),
	        cmocka_unit_test(strangers),
	        cmocka_unit_test(others),
	        cmocka_unit_test(without_a_handshake),
	        cmocka_unit_test(what_is_left_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
