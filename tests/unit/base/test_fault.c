/* Kill points, seeded faults and the nth failure; in other builds, that they are nothing. */
#include "base/fault.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Passes points in a child of that environment; its wait status. The child's exit code is the passages it
 * survived. */
static int pass(const char *kill_setting, const char *unsafe_setting)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int survived = 0;
		setenv("ELDERGATE_KILL", kill_setting, 1);
		setenv("ELDERGATE_UNSAFE", unsafe_setting, 1);
		if (eg_unsafe("ack_before_commit") || eg_unsafe("ack"))
			_exit(100);
		for (int i = 0; i < 3; i++) {
			eg_kill_point("writer.before_commit");
			survived++;
			eg_kill_point("writer.after_commit");
		}
		_exit(survived);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void assert_exits(int status, int code)
{
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

#ifdef EG_FAULT
static void assert_killed(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* Passes a point that stops the process, who goes on behind it when it is told to. */
static void stop_points(void **state)
{
	(void)state;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setenv("ELDERGATE_KILL", "writer.before_commit:2", 1);
		setenv("ELDERGATE_KILL_WITH", "STOP", 1);
		eg_kill_point("writer.before_commit");
		eg_kill_point("writer.before_commit");
		_exit(7);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGSTOP);
	assert_int_equal(kill(child, SIGCONT), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_exits(status, 7);

	setenv("ELDERGATE_KILL_WITH", "KILL", 1);
	assert_killed(pass("writer.before_commit", ""));
	setenv("ELDERGATE_KILL_WITH", "HUP", 1);
	assert_exits(pass("writer.before_commit", ""), 78);
	unsetenv("ELDERGATE_KILL_WITH");
}

static void kill_points(void **state)
{
	(void)state;
	assert_killed(pass("writer.before_commit", ""));
	assert_killed(pass("writer.after_commit:1", ""));
	assert_killed(pass("writer.before_commit:3", ""));
	assert_exits(pass("writer.before_commit:4", ""), 3); /* not reached so often */
	assert_exits(pass("writer.before", ""), 3);          /* another point */
	assert_exits(pass("", ""), 3);
	static const char *const wrong[] = {"writer.before_commit:", "writer.before_commit:0",
	                                    "writer.before_commit:x", "writer.before_commit:1x", ":1"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_exits(pass(wrong[i], ""), 78);
}

static void seeded_faults(void **state)
{
	(void)state;
	assert_exits(pass("", "ack_before_commit"), 100);
	assert_exits(pass("", "ack_before"), 3);
}

static void nth_fault(void **state)
{
	(void)state;
	assert_false(eg_fault());
	assert_false(eg_fault_hit());
	for (long nth = 1; nth <= 5; nth++) {
		eg_fault_arm(nth);
		for (long call = 1; call <= 20; call++) {
			assert_int_equal(eg_fault(), call == nth);
			assert_int_equal(eg_fault_hit(), call >= nth);
		}
	}
	eg_fault_arm(3);
	eg_fault_arm(0);
	for (int i = 0; i < 5; i++)
		assert_false(eg_fault());
	assert_false(eg_fault_hit());
}
#else
static void nothing_is_left_of_them(void **state)
{
	(void)state;
	assert_exits(pass("writer.before_commit", "ack_before_commit"), 3);
	assert_false(eg_fault());
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef EG_FAULT
	        cmocka_unit_test(kill_points),
	        cmocka_unit_test(stop_points),
	        cmocka_unit_test(seeded_faults),
	        cmocka_unit_test(nth_fault),
#else
	        cmocka_unit_test(nothing_is_left_of_them),
#endif
	};
	return cmocka_run_group_tests_name("base/fault", tests, NULL, NULL);
}
