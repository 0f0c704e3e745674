/* http_world: the tests' peer (http_peer.py), a checkpoint, and connectors made from YAML. */
#ifndef EG_TEST_HTTP_WORLD_H
#define EG_TEST_HTTP_WORLD_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "common/settings.h"
#include "eldergate/adapter.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PLAIN, TLS, STRANGER, MUTUAL, OLD, DEAF, PORTS };

/* How long a test waits before it has failed. */
#define PATIENCE (20 * EG_SECOND)

static struct {
	char dir[64];
	int ports[PORTS];
	pid_t pid;
	int leash; /* the peer ends when this closes */
	struct eg_checkpoint *checkpoint;
	struct eg_settings *settings;
	struct eg_connector *c;
	struct eg_err err;
	long mark; /* in DIR/requests: where this test began */
} w;

static int world_open(void **state)
{
	(void)state;
	int in[2], out[2];
	eg_log_open("test", EG_LOG_ERROR, false);
	strcpy(w.dir, "/tmp/eg-http-XXXXXX");
	if (!mkdtemp(w.dir) || pipe(in) || pipe(out))
		return -1;
	w.pid = fork();
	if (!w.pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl("/usr/bin/python3", "/usr/bin/python3", "-I", "tests/unit/adapters/http_peer.py", w.dir,
		      (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	w.leash = in[1];
	FILE *f = fdopen(out[0], "r");
	int n = 0;
	while (f && n < PORTS && fscanf(f, "%d", &w.ports[n]) == 1)
		n++;
	if (f)
		fclose(f);
	/* What the environment says of proxies must not matter. */
	setenv("http_proxy", "http://127.0.0.1:9/", 1);
	setenv("https_proxy", "http://127.0.0.1:9/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:9/", 1);
	return n == PORTS ? 0 : -1;
}

static int world_close(void **state)
{
	(void)state;
	char command[128];
	close(w.leash);
	waitpid(w.pid, NULL, 0);
	snprintf(command, sizeof command, "rm -rf %s", w.dir);
	return system(command);
}

static struct eg_buf requests_buffer;

/* All that the peer was asked since the test began. */
static const char *requests(void)
{
	char path[128];
	snprintf(path, sizeof path, "%s/requests", w.dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	long end = ftell(f);
	fseek(f, w.mark, SEEK_SET);
	eg_buf_reset(&requests_buffer);
	size_t len = (size_t)(end - w.mark);
	uint8_t *p = eg_buf_grow(&requests_buffer, len + 1);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, len, f), len);
	p[len] = 0;
	fclose(f);
	return (const char *)requests_buffer.p;
}

static inline unsigned asked(const char *what)
{
	unsigned n = 0;
	for (const char *p = requests(); (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void open_checkpoint(void)
{
	char path[96];
	snprintf(path, sizeof path, "%s/state", w.dir);
	mkdir(path, 0700);
	assert_int_equal(eg_checkpoint_open(&w.checkpoint, path, &w.err), EG_OK);
}

static int test_begin(void **state)
{
	(void)state;
	char path[128];
	struct stat st;
	snprintf(path, sizeof path, "%s/requests", w.dir);
	w.mark = stat(path, &st) ? 0 : (long)st.st_size;
	open_checkpoint();
	return 0;
}

static void close_connector(void)
{
	eg_connector_http.close(w.c);
	w.c = NULL;
	eg_settings_free(w.settings);
	w.settings = NULL;
}

static int test_end(void **state)
{
	(void)state;
	char path[96];
	close_connector();
	eg_checkpoint_close(w.checkpoint);
	w.checkpoint = NULL;
	snprintf(path, sizeof path, "rm -rf %s/state", w.dir);
	eg_buf_free(&requests_buffer);
	return system(path);
}

/* Quick where the presets are patient. */
#define QUICK                                                                                                \
	"plain_http: true\nretries: 2\nretry_first: 1ms\nretry_max: 5ms\nretry_after_max: 20ms\n"            \
	"timeout: 10s\nevery: 1ms\n"

static enum eg_rc try_open(bool target, struct eg_connector_options o, const char *yaml)
{
	const struct eg_connector_type *t = &eg_connector_http;
	close_connector();
	enum eg_rc rc = eg_settings_parse(yaml, "test.yaml", target ? t->target_settings : t->source_settings,
	                                  &w.settings, &w.err);
	if (rc)
		fail_msg("%s", w.err.text);
	o.settings = w.settings;
	o.checkpoint = w.checkpoint;
	o.prefix = "src.";
	return (target ? t->open_target : t->open_source)(&w.c, &o, &w.err);
}

static void must_open(bool target, struct eg_connector_options o, const char *yaml)
{
	if (try_open(target, o, yaml))
		fail_msg("%s", w.err.text);
}

#define YAML(text, ...)                                                                                      \
	({                                                                                                   \
		static char yaml[8192];                                                                      \
		snprintf(yaml, sizeof yaml, text, __VA_ARGS__);                                              \
		yaml;                                                                                        \
	})

/* What comes next; EG_EMPTY only when nothing does for long. */
static enum eg_rc next_within(struct eg_in *in, int64_t us)
{
	int64_t until = eg_mono_us() + us;
	enum eg_rc rc;
	do {
		rc = eg_connector_http.next(w.c, until, in, &w.err);
	} while (rc == EG_EMPTY && eg_mono_us() < until);
	return rc;
}

static enum eg_rc next(struct eg_in *in)
{
	return next_within(in, PATIENCE);
}

static inline void must_be(struct eg_in *in, enum eg_in_kind kind)
{
	enum eg_rc rc = next(in);
	if (rc)
		fail_msg("%s: %s", eg_rc_name(rc), w.err.text);
	assert_int_equal(in->kind, kind);
}

#endif
