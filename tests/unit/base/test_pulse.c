/* Pulses: who has not turned for the longest is told, who rests is not; what the service manager is told. */
#include "base/clock.h"
#include "base/notify.h"
#include "base/pulse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* As if its last turn had been so long ago. */
static void age(struct eg_pulse *p, int64_t us)
{
	atomic_store(&p->turned, eg_mono_us() - us);
}

static void the_longest_is_told(void **state)
{
	(void)state;
	struct eg_pulse a = {0}, b = {0}, c = {0};
	char name[16] = "nobody";
	assert_int_equal(eg_pulse_late(0, name), 0);
	eg_pulse_begin(&a, "a");
	eg_pulse_begin(&b, "b");
	eg_pulse_begin(&c, "c");
	age(&a, 5 * EG_SECOND);
	age(&b, 9 * EG_SECOND);
	age(&c, 7 * EG_SECOND);
	assert_int_equal(eg_pulse_late(60 * EG_SECOND, name), 0);
	assert_string_equal(name, "nobody");
	int64_t late = eg_pulse_late(6 * EG_SECOND, name);
	assert_true(late >= 9 * EG_SECOND && late < 60 * EG_SECOND);
	assert_string_equal(name, "b");
	eg_pulse_turn(&b);
	assert_true(eg_pulse_late(6 * EG_SECOND, name) >= 7 * EG_SECOND);
	assert_string_equal(name, "c");
	eg_pulse_rest(&c);
	assert_int_equal(eg_pulse_late(6 * EG_SECOND, name), 0);
	age(&c, 7 * EG_SECOND);
	eg_pulse_end(&c);
	assert_int_equal(eg_pulse_late(6 * EG_SECOND, name), 0);
	eg_pulse_end(&a);
	eg_pulse_end(&a); /* once more is fine */
	age(&b, 7 * EG_SECOND);
	assert_true(eg_pulse_late(6 * EG_SECOND, name) > 0);
	assert_string_equal(name, "b");
	eg_pulse_end(&b);
	assert_int_equal(eg_pulse_late(0, name), 0);
}

/* ---- the service manager ---- */

static int listen_at(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	memcpy(at.sun_path, name, len);
	if (*name == '@')
		at.sun_path[0] = 0;
	assert_int_equal(
	        bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	        0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void hears(int fd, const char *expected)
{
	char text[1024];
	ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	assert_true(n >= 0);
	text[n] = 0;
	assert_string_equal(text, expected);
}

static void all_is_told_at(const char *name)
{
	char text[1024];
	long long us;
	int fd = listen_at(name), end = 0;
	eg_notify("STOPPING=1");
	hears(fd, "STOPPING=1");
	eg_notify_ready("serving");
	hears(fd, "READY=1\nSTATUS=serving");
	eg_notify_status("late");
	hears(fd, "STATUS=late");
	int64_t before = eg_mono_us();
	eg_notify_reloading("reading");
	ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = 0;
	assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading%n", &us, &end), 1);
	assert_int_equal(end, n);
	assert_true(us >= before && us <= eg_mono_us());
	close(fd);
}

static void by_path_and_by_abstract_name(void **state)
{
	(void)state;
	char place[] = "/tmp/eldergate-notify-XXXXXX", name[64];
	assert_non_null(mkdtemp(place));
	snprintf(name, sizeof name, "%s/socket", place);
	all_is_told_at(name);
	unlink(name);
	rmdir(place);
	snprintf(name, sizeof name, "@eldergate-test-%ld", (long)getpid());
	all_is_told_at(name);
}

static void nobody_listens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	eg_notify("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	eg_notify("READY=1");
	setenv("NOTIFY_SOCKET", "/nonexistent/eldergate", 1);
	eg_notify("READY=1"); /* the log tells */
	setenv("NOTIFY_SOCKET", "no-address", 1);
	eg_notify("READY=1");
}

static void how_often_the_manager_asks(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "0", "-5", "soon", "10s"};
	char own[32];
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(eg_notify_watchdog_us(), 0);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		setenv("WATCHDOG_USEC", bad[i], 1);
		assert_int_equal(eg_notify_watchdog_us(), 0);
	}
	setenv("WATCHDOG_USEC", "20000000", 1);
	assert_int_equal(eg_notify_watchdog_us(), 20000000);
	snprintf(own, sizeof own, "%ld", (long)getpid());
	setenv("WATCHDOG_PID", own, 1);
	assert_int_equal(eg_notify_watchdog_us(), 20000000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(eg_notify_watchdog_us(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_longest_is_told),
	        cmocka_unit_test(by_path_and_by_abstract_name),
	        cmocka_unit_test(nobody_listens),
	        cmocka_unit_test(how_often_the_manager_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
