/* file_world: an inbox, an outbox and a checkpoint of their own for a test, and an agent that does as it is
 * told.
 *
 * What the source hands out is written down as text: "[NAME 3" a list begins with 3 rows declared, "2=x " the
 * row of line 2 with first value x, "!5:CHARSET " a bad line, "]" the list ends, "X" it is abandoned, "." the
 * end. */
#ifndef FILE_WORLD_H
#define FILE_WORLD_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "common/settings.h"
#include "connectors/file_dir.h"
#include "connectors/file_rules.h"
#include "eldergate/adapter.h"
#include "trust/crypto.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NAMES "name: D_{region}_{as_of}_{sequence}_{kind}.csv\n"
#define QUICK NAMES "settle: 20ms\npoll: 5ms\nretry: 20ms\n"
#define CTL   QUICK "control: .ctl\n"
#define HEAD  "id,name\r\n"

struct world {
	char root[64];
	int inbox;
	struct eg_settings *settings;
	struct eg_checkpoint *checkpoint;
	struct eg_connector *source;
	struct eg_buf trace;
	uint32_t revision; /* of the mapping */
	/* What the agent does. NULL: everything is taken. */
	void (*judge)(struct world *w, const struct eg_in *in, struct eg_verdict *v);
	void (*before)(struct world *w, const struct eg_in *in); /* as soon as it is handed out */
	void (*late)(struct world *w);                           /* every row is out, no verdict is in */
	int64_t taken_at;                                        /* of the last list */
	uint64_t calls;                                          /* of the test's own */
};

static inline void path_in(const struct world *w, const char *name, char out[512])
{
	snprintf(out, 512, "%s/inbox/%s", w->root, name);
}

static inline void put_bytes(const struct world *w, const char *name, struct eg_bytes bytes)
{
	assert_int_equal(file_put(w->inbox, name, bytes, NULL), EG_OK);
}

static inline void put(const struct world *w, const char *name, const char *text)
{
	put_bytes(w, name, eg_bytes_of(text));
}

static inline void sha_of(struct eg_bytes bytes, char hex[65])
{
	uint8_t out[EG_HASH_SIZE];
	struct eg_hash *d = eg_hash_new(EG_HASH_SHA256);
	eg_hash_add(d, &(struct eg_bytes){bytes.p, bytes.len}, 1);
	eg_hash_end(d, out);
	eg_hash_free(d);
	eg_hex(out, sizeof out, hex);
}

static inline void control_of(const struct world *w, const char *name, struct eg_bytes bytes, int rows)
{
	char file[128], text[256], hex[65];
	sha_of(bytes, hex);
	snprintf(file, sizeof file, "%s.ctl", name);
	snprintf(text, sizeof text, "rows=%d\nsize=%zu\nsha256=%s\n", rows, bytes.len, hex);
	put(w, file, text);
}

/* A file with its right control file. */
static inline void put_whole(const struct world *w, const char *name, const char *text, int rows)
{
	put(w, name, text);
	control_of(w, name, eg_bytes_of(text), rows);
}

static inline bool there(const struct world *w, const char *name)
{
	char path[512];
	struct stat st;
	path_in(w, name, path);
	return lstat(path, &st) == 0;
}

/* The text of a file below the inbox; "" if there is none. One at a time. */
static inline const char *text_of(const struct world *w, const char *name)
{
	static char text[65536];
	char path[512];
	path_in(w, name, path);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

static inline struct eg_connector_options options_of(const struct world *w)
{
	return (struct eg_connector_options){.settings = w->settings,
	                                     .checkpoint = w->checkpoint,
	                                     .prefix = "t.",
	                                     .once = true,
	                                     .revision = w->revision};
}

static inline void load_checkpoint(struct world *w)
{
	char path[128];
	snprintf(path, sizeof path, "%s/state", w->root);
	eg_checkpoint_close(w->checkpoint);
	assert_int_equal(eg_checkpoint_open(&w->checkpoint, path, NULL), EG_OK);
}

static inline void settings_are(struct world *w, const char *yaml)
{
	char text[8192];
	struct eg_err err = {0};
	snprintf(text, sizeof text, "inbox: %s/inbox\n%s", w->root, yaml);
	eg_settings_free(w->settings);
	if (eg_settings_parse(text, "test.yaml", file_source_settings, &w->settings, &err))
		fail_msg("%s", err.text);
}

static inline void world_open(struct world *w, const char *yaml)
{
	char path[128];
	*w = (struct world){.root = "/tmp/eg-file-XXXXXX", .inbox = -1};
	assert_non_null(mkdtemp(w->root));
	snprintf(path, sizeof path, "%s/state", w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/inbox", w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_dir_open(&w->inbox, path, NULL), EG_OK);
	load_checkpoint(w);
	settings_are(w, yaml);
}

static inline void world_close(struct world *w)
{
	char command[128];
	eg_connector_file.close(w->source);
	eg_settings_free(w->settings);
	eg_checkpoint_close(w->checkpoint);
	eg_buf_free(&w->trace);
	if (w->inbox >= 0)
		close(w->inbox);
	snprintf(command, sizeof command, "rm -rf %s", w->root);
	assert_int_equal(system(command), 0);
}

static inline void note(struct world *w, const struct eg_in *in)
{
	struct eg_buf *b = &w->trace;
	switch (in->kind) {
	case EG_IN_ROW:
		assert_true(in->columns->n >= 6 &&
		            strcmp(in->columns->names[in->columns->n - 6], "file.name") == 0);
		eg_buf_printf(b, "%llu=%.*s ", (unsigned long long)in->line, (int)in->values[0].len,
		              (const char *)in->values[0].p);
		break;
	case EG_IN_BAD:
		assert_true(in->raw.len > 0);
		eg_buf_printf(b, "!%llu:%s ", (unsigned long long)in->line, in->reason);
		break;
	case EG_IN_LIST_BEGIN:
		eg_buf_printf(b, "[%s %lld ", in->list.name, (long long)in->list.count);
		w->taken_at = in->list.taken_at;
		break;
	case EG_IN_LIST_END:
		eg_buf_printf(b, "]");
		break;
	case EG_IN_LIST_ABANDON:
		eg_buf_printf(b, "X");
		break;
	case EG_IN_END:
		eg_buf_printf(b, ".");
	}
}

#define BATCH_MAX 100000 /* of one file */
static struct eg_verdict batch[BATCH_MAX];

/* Everything that is there, once: until the end, or the first error, which it returns. */
static inline enum eg_rc take(struct world *w, struct eg_connector_options o, struct eg_err *err)
{
	unsigned n = 0;
	eg_buf_reset(&w->trace);
	enum eg_rc rc = eg_connector_file.open_source(&w->source, &o, err);
	for (bool end = false; !rc && !end;) {
		struct eg_in in;
		rc = eg_connector_file.next(w->source, eg_mono_us() + 20 * EG_SECOND, &in, err);
		if (rc == EG_EMPTY) {
			assert_true(n > 0); /* nothing else may make it wait here */
			if (w->late)
				w->late(w);
			rc = eg_connector_file.settle(w->source, batch, n, err);
			n = 0;
		} else if (!rc) {
			note(w, &in);
			end = in.kind == EG_IN_END;
			if (w->before)
				w->before(w, &in);
			if (!end) {
				assert_true(n < BATCH_MAX);
				batch[n] = (struct eg_verdict){.ref = in.ref,
				                               .code = EG_VERDICT_TAKEN,
				                               .reason = "",
				                               .field = "",
				                               .text = ""};
				if (w->judge)
					w->judge(w, &in, &batch[n]);
				n++;
			}
		}
	}
	eg_connector_file.close(w->source);
	w->source = NULL;
	return rc;
}

/* The trace of it. */
static inline const char *taken(struct world *w)
{
	struct eg_err err = {0};
	if (take(w, options_of(w), &err))
		fail_msg("%s", err.text);
	eg_buf_add_u8(&w->trace, 0);
	return (const char *)w->trace.p;
}

#endif
