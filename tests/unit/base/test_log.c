/* The log: JSON lines as they leave standard error, journal entries as they reach its socket, no torn line.
 *
 * log.c is compiled in here, so that the journal's socket can be one of the test's own. */
static char journal_path[108];
#define EG_JOURNAL_SOCKET journal_path
#include "base/log.c"

#include "base/thread.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

static int old_stderr;

/* From here on standard error is a file in memory. */
static int capture(void)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(fd >= 0);
	old_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	return fd;
}

/* Standard error is itself again; what came meanwhile, to be freed. */
static char *captured(int fd)
{
	assert_true(dup2(old_stderr, STDERR_FILENO) >= 0);
	close(old_stderr);
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	close(fd);
	return text;
}

/* The line's text behind its time, which is checked on the way. */
static const char *after_time(const char *line)
{
	int64_t us;
	char time[28] = "";
	assert_int_equal(strncmp(line, "{\"time\":\"", 9), 0);
	memcpy(time, line + 9, 27);
	assert_true(eg_instant_parse(time, &us));
	assert_true(llabs(eg_now_us() - us) < 60 * EG_SECOND);
	assert_int_equal(line[36], '"');
	return line + 37;
}

static void json_line(void **state)
{
	(void)state;
	eg_log_open("test \"log\"", EG_LOG_DEBUG, false);
	int fd = capture();
	eg_log(EG_LOG_INFO, "writer.commit", EG_I("records", 42), EG_I("least", INT64_MIN),
	       EG_T("agency", "police-1"), EG_R("seconds", 0.1), EG_R("nan", (double)NAN), EG_B("bulk", true),
	       EG_B("late", false), EG_T("none", NULL));
	char *text = captured(fd);
	assert_string_equal(
	        after_time(text),
	        ",\"level\":\"info\",\"event\":\"writer.commit\",\"program\":\"test \\\"log\\\"\","
	        "\"records\":42,\"least\":-9223372036854775808,\"agency\":\"police-1\","
	        "\"seconds\":0.1,\"nan\":null,\"bulk\":true,\"late\":false,\"none\":null}\n");
	free(text);
}

static void hostile_text(void **state)
{
	(void)state;
	eg_log_open("t", EG_LOG_DEBUG, false);
	int fd = capture();
	eg_log(EG_LOG_WARN, "bad", EG_T("path", "a\"b\\c\n{\"event\":\"forged\"}\r\x1B[31m\x7F"),
	       EG_T("gb", "\xD6\xD0|\xED\xA0\x80"), EG_T("han", "\xE8\x80\x81"));
	char *text = captured(fd);
	assert_string_equal(
	        after_time(text),
	        ",\"level\":\"warn\",\"event\":\"bad\",\"program\":\"t\","
	        "\"path\":\"a\\\"b\\\\c\\n{\\\"event\\\":\\\"forged\\\"}\\u000d\\u001b[31m\\u007f\","
	        "\"gb\":\"\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\","
	        "\"han\":\"\xE8\x80\x81\"}\n");
	free(text);
}

static void long_text_is_cut(void **state)
{
	(void)state;
	static char value[3 * TEXT_MAX];
	eg_log_open("t", EG_LOG_DEBUG, false);
	for (size_t lead = 0; lead < 3; lead++) {
		size_t n = lead;
		memset(value, 'a', lead);
		for (; n + 3 < sizeof value; n += 3)
			memcpy(value + n, "\xE8\x80\x81", 3);
		value[n] = '\0';
		int fd = capture();
		eg_log(EG_LOG_ERROR, "long", EG_T("v", value), EG_I("after", 1));
		char *text = captured(fd);
		assert_true(eg_utf8_valid(eg_bytes_of(text)));
		const char *end = strstr(text, "\xE2\x80\xA6\",\"after\":1}\n");
		assert_non_null(end);
		size_t kept = (size_t)(end - (strstr(text, "\"v\":\"") + 5));
		assert_in_range(kept, TEXT_MAX - 2, TEXT_MAX);
		free(text);
	}
	memset(value, 'a', TEXT_MAX);
	value[TEXT_MAX] = '\0';
	int fd = capture();
	eg_log(EG_LOG_ERROR, "long", EG_T("v", value));
	char *text = captured(fd);
	assert_null(strstr(text, "\xE2\x80\xA6"));
	free(text);
}

static void levels_and_errno(void **state)
{
	(void)state;
	eg_log_open("t", EG_LOG_WARN, false);
	int fd = capture();
	errno = ENOSPC;
	eg_log(EG_LOG_INFO, "too.low", EG_I("n", 1));
	eg_log(EG_LOG_ERROR, "bare");
	assert_int_equal(errno, ENOSPC);
	char *text = captured(fd);
	assert_string_equal(after_time(text), ",\"level\":\"error\",\"event\":\"bare\",\"program\":\"t\"}\n");
	free(text);
}

static void errors_as_fields(void **state)
{
	(void)state;
	struct eg_err err;
	eg_log_open("t", EG_LOG_INFO, false);
	int fd = capture();
	eg_fail_field(&err, EG_NO_SPACE, "store.path", "no room");
	eg_log_err(EG_LOG_ERROR, "store.failed", &err);
	eg_fail(&err, EG_CORRUPT, "page 7");
	err.fatal = true;
	eg_log_err(EG_LOG_ERROR, "store.failed", &err);
	char *text = captured(fd), *second = strchr(text, '\n') + 1;
	assert_non_null(
	        strstr(text, "\"error\":\"no_space\",\"reason\":\"no room\",\"field\":\"store.path\"}\n"));
	assert_string_equal(after_time(second),
	                    ",\"level\":\"error\",\"event\":\"store.failed\",\"program\":\"t\","
	                    "\"error\":\"corrupt\",\"reason\":\"page 7\",\"fatal\":true}\n");
	free(text);
}

enum { THREADS = 4, LINES = 200 };

static void chatter(void *arg)
{
	char value[3000];
	memset(value, *(const char *)arg, sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		eg_log(EG_LOG_INFO, "chatter", EG_T("a", value), EG_T("b", value));
}

/* Through a pipe, which takes long lines in pieces. */
static void lines_are_not_torn(void **state)
{
	(void)state;
	static const char letters[] = "abcd";
	struct eg_thread *t[THREADS];
	int ends[2], lines = 0, torn = 0;
	char *line = NULL;
	size_t room = 0;
	eg_log_open("t", EG_LOG_INFO, false);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	/* A writer that does not block gets pieces and EAGAIN: the harder case. */
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	old_stderr = dup(STDERR_FILENO);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(eg_thread_start(&t[i], "chatter", chatter, (void *)(letters + i), NULL),
		                 EG_OK);
	FILE *in = fdopen(ends[0], "r");
	for (; lines < THREADS * LINES; lines++) {
		ssize_t len = getline(&line, &room, in);
		const char *a = len > 0 ? strstr(line, "\"a\":\"") : NULL;
		char c = a ? a[5] : 0;
		if (!a || strncmp(line, "{\"time\"", 7) != 0 || strspn(a + 5, (char[]){c, 0}) != 2999 ||
		    strcmp(line + len - 3, "\"}\n") != 0)
			torn++;
	}
	for (int i = 0; i < THREADS; i++)
		eg_thread_join(t[i]);
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	fclose(in);
	free(line);
	assert_int_equal(torn, 0);
}

static int journal_open(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(at.sun_path, journal_path, sizeof at.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

static int journal_place(void **state)
{
	(void)state;
	static char folder[] = "/tmp/eldergate-test-log-XXXXXX";
	if (!mkdtemp(folder))
		return -1;
	*state = folder;
	snprintf(journal_path, sizeof journal_path, "%s/socket", folder);
	return 0;
}

static int journal_clean(void **state)
{
	unlink(journal_path);
	return rmdir(*state);
}

static void journal_entry(void **state)
{
	(void)state;
	char got[16384];
	int fd = journal_open();
	eg_log_open("eldergated", EG_LOG_INFO, true);
	int err_fd = capture();
	eg_log(EG_LOG_WARN, "relay.restart", EG_T("reason", "two\nlines"), EG_I("seq", -7), EG_R("age", 1.5),
	       EG_B("first", true), EG_T("grpc.code", "x=y"), EG_T("_hidden", ""), EG_T("none", NULL));
	eg_log(EG_LOG_INFO, "plain");
	char *text = captured(err_fd);
	assert_string_equal(text, "");
	free(text);
	static const char want[] =
	        "MESSAGE=relay.restart\nPRIORITY=4\nSYSLOG_IDENTIFIER=eldergated\n"
	        "REASON\n\x09\0\0\0\0\0\0\0two\nlines\nSEQ=-7\nAGE=1.5\nFIRST=true\nGRPC_CODE=x=y\n"
	        "X_HIDDEN=\nNONE=\n";
	assert_int_equal(recv(fd, got, sizeof got, 0), sizeof want - 1);
	assert_memory_equal(got, want, sizeof want - 1);
	static const char plain[] = "MESSAGE=plain\nPRIORITY=6\nSYSLOG_IDENTIFIER=eldergated\n";
	assert_int_equal(recv(fd, got, sizeof got, 0), sizeof plain - 1);
	assert_memory_equal(got, plain, sizeof plain - 1);
	close(fd);
	unlink(journal_path);
	eg_log_open("t", EG_LOG_INFO, false);
}

static void journal_gone_and_back(void **state)
{
	(void)state;
	char got[4096];
	eg_log_open("t", EG_LOG_INFO, true);
	for (int round = 0; round < 2; round++) {
		int err_fd = capture();
		errno = EXDEV;
		eg_log(EG_LOG_INFO, "nobody.listens"); /* no socket */
		assert_int_equal(errno, EXDEV);
		char *text = captured(err_fd);
		assert_non_null(strstr(text, "\"event\":\"nobody.listens\""));
		free(text);
		int fd = journal_open();
		err_fd = capture();
		eg_log(EG_LOG_INFO, "back");
		text = captured(err_fd);
		assert_string_equal(text, "");
		free(text);
		assert_true(recv(fd, got, sizeof got, 0) > 0);
		close(fd);
		unlink(journal_path);
	}
	eg_log_open("t", EG_LOG_INFO, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(json_line),        cmocka_unit_test(hostile_text),
	        cmocka_unit_test(long_text_is_cut), cmocka_unit_test(levels_and_errno),
	        cmocka_unit_test(errors_as_fields), cmocka_unit_test(lines_are_not_torn),
	        cmocka_unit_test(journal_entry),    cmocka_unit_test(journal_gone_and_back),
	};
	return cmocka_run_group_tests_name("base/log", tests, journal_place, journal_clean);
}
