/* test_probe: a port that answers is told from one where connections pile up before nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"
#include "edge/probe.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener(int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void turn_away(void *arg)
{
	char said[64];
	int fd = accept(*(int *)arg, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(recv(fd, said, sizeof said, 0) > 0);
	close(fd);
}

static void test_somebody(void **state)
{
	(void)state;
	struct eg_thread *t = NULL;
	struct eg_err err = {0};
	int port, fd = listener(&port);
	assert_int_equal(eg_thread_start(&t, "porter", turn_away, &fd, &err), EG_OK);
	assert_int_equal(eg_probe_once("127.0.0.1:0", port, 5000000, &err), EG_OK);
	eg_thread_join(t);
	close(fd);
}

static void test_nobody_takes_it_up(void **state)
{
	(void)state;
	struct eg_err err = {0};
	int port, fd = listener(&port);
	assert_int_equal(eg_probe_once("0.0.0.0:0", port, 100000, &err), EG_UNAVAILABLE);
	assert_non_null(strstr(err.text, "restart"));
	close(fd);
	assert_int_equal(eg_probe_once("127.0.0.1:0", port, 100000, &err),
	                 EG_UNAVAILABLE); /* nobody listens */
}

static void test_start_and_stop(void **state)
{
	(void)state;
	struct eg_probe *p = NULL;
	struct eg_err err = {0};
	assert_int_equal(eg_probe_start(&p, "127.0.0.1:1", 1, &err), EG_OK);
	assert_false(eg_probe_dead(p));
	assert_false(eg_probe_dead(NULL));
	eg_probe_stop(p); /* at once, though it would wait */
	eg_probe_free(p);
	eg_probe_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_somebody),
	        cmocka_unit_test(test_nobody_takes_it_up),
	        cmocka_unit_test(test_start_and_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
