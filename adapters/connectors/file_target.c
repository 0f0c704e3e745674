/* file_target: see file_target.h.
 *
 *   DONE(n) --save WRITING(n+1, events)--> WRITING --file, control file, save--> DONE(n+1)
 *
 * After a crash in WRITING the control file decides: there, the batch is done; not there, the number is used
 * for the next batch, which begins with the same events. In the checkpoint, PREFIX out: u8 state, u64 number,
 * u64 date, then 16 bytes for each event; integers are big-endian. */
#include "connectors/file_target.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "connectors/file_csv.h"
#include "connectors/file_name.h"
#include "connectors/file_outbox.h"
#include "connectors/file_rules.h"
#include "trust/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN = 16, HEAD = 1 + 8 + 8, NAME_CAP = 256, SHANGHAI_S = 28800 };
enum state { DONE = 1, WRITING = 2 };

struct file_target {
	struct file_outbox *outbox;
	struct file_pattern pattern;
	const char *control;
	enum eg_hash_kind digest;
	bool gb18030;
	struct eg_checkpoint *checkpoint; /* the caller's */
	char key[NAME_CAP];
	enum state state;
	int64_t number, date; /* of the batch in this state */
	struct eg_buf events; /* its tokens */
};

/* ---- the checkpoint ---- */

static enum eg_rc load(struct file_target *t, struct eg_err *err)
{
	struct eg_bytes v = eg_checkpoint_get(t->checkpoint, t->key);
	t->state = DONE;
	if (!v.len)
		return EG_OK;
	if (v.len < HEAD || (v.len - HEAD) % TOKEN || (v.p[0] != DONE && v.p[0] != WRITING))
		return eg_fail(err, EG_CORRUPT, "the checkpoint's record of outbound files is not readable");
	t->state = v.p[0];
	for (unsigned i = 0; i < 8; i++) {
		t->number = t->number << 8 | v.p[1 + i];
		t->date = t->date << 8 | v.p[9 + i];
	}
	eg_buf_add(&t->events, v.p + HEAD, v.len - HEAD);
	return t->events.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for outbound events") : EG_OK;
}

static enum eg_rc save(struct file_target *t, struct eg_err *err)
{
	struct eg_buf b = {0};
	eg_buf_add_u8(&b, (uint8_t)t->state);
	eg_buf_add_be(&b, (uint64_t)t->number, 8);
	eg_buf_add_be(&b, (uint64_t)t->date, 8);
	eg_buf_add(&b, t->events.p, t->events.len);
	enum eg_rc rc = b.failed || t->events.failed
	                        ? eg_fail(err, EG_NO_MEMORY, "no memory for a checkpoint")
	                        : eg_checkpoint_put(t->checkpoint, t->key, eg_buf_bytes(&b), err);
	eg_buf_free(&b);
	return rc ? rc : eg_checkpoint_save(t->checkpoint, err);
}

static void token_of(const struct file_target *t, const struct eg_delivery *d, uint8_t out[TOKEN])
{
	eg_checkpoint_token(t->checkpoint, eg_bytes_of(d->event_id), out);
}

static bool written(const struct file_target *t, const struct eg_delivery *d)
{
	uint8_t token[TOKEN];
	token_of(t, d, token);
	for (size_t i = 0; i < t->events.len; i += TOKEN)
		if (memcmp(t->events.p + i, token, TOKEN) == 0)
			return t->state == DONE;
	return false;
}

/* ---- names ---- */

static enum eg_rc names(const struct file_target *t, struct file_name *name, char control[NAME_CAP],
                        struct eg_err *err)
{
	*name = (struct file_name){.sequence = t->number, .as_of = t->date};
	if (!file_pattern_format(&t->pattern, name))
		return eg_fail(err, EG_OUT_OF_RANGE,
		               "outbound file %lld: the number does not fit the name pattern",
		               (long long)t->number);
	snprintf(control, NAME_CAP, "%s%s", name->name, t->control);
	return EG_OK;
}

static int64_t today(void)
{
	struct eg_date d = eg_date_of_instant(eg_now_us(), SHANGHAI_S);
	return d.year * 10000 + d.month * 100 + d.day;
}

/* ---- opening ---- */

/* What they say, if they go together. */
static enum eg_rc read_settings(struct file_target *t, struct eg_sftp_options *server,
                                const struct eg_settings *s, struct eg_err *err)
{
	struct eg_err why = {0};
	t->control = eg_settings_text(s, "control");
	t->digest = strcmp(eg_settings_text(s, "digest"), "sm3") == 0 ? EG_HASH_SM3 : EG_HASH_SHA256;
	t->gb18030 = strcmp(eg_settings_text(s, "encoding"), "gb18030") == 0;
	enum eg_rc rc = eg_sftp_options_read(server, s, err);
	if (rc)
		return rc;
	if ((*server->host != 0) == (*eg_settings_text(s, "outbox") != 0))
		return eg_settings_fail(s, "outbox", err, "either a folder here, or sftp_host");
	if (t->control[0] != '.')
		return eg_settings_fail(s, "control", err, "it begins with '.', such as \".ctl\"");
	if (file_pattern_parse(&t->pattern, eg_settings_text(s, "name"), &why))
		return eg_settings_fail(s, "name", err, "%s", why.text);
	if (!file_pattern_has(&t->pattern, PART_SEQUENCE) || file_pattern_has(&t->pattern, PART_REGION))
		return eg_settings_fail(s, "name", err, "outbound names have {sequence} and no {region}");
	return EG_OK;
}

enum eg_rc file_target_check(const struct eg_settings *s, struct eg_err *err)
{
	struct file_target t = {0};
	struct eg_sftp_options server;
	return read_settings(&t, &server, s, err);
}

enum eg_rc file_target_open(struct file_target **out, const struct eg_connector_options *o,
                            struct eg_err *err)
{
	*out = NULL;
	struct file_target *t = calloc(1, sizeof *t);
	if (!t)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the file connector");
	struct eg_sftp_options server;
	t->checkpoint = o->checkpoint;
	snprintf(t->key, sizeof t->key, "%sout", o->prefix);
	enum eg_rc rc = read_settings(t, &server, o->settings, err);
	if (!rc)
		rc = load(t, err);
	if (!rc)
		rc = file_outbox_open(&t->outbox, eg_settings_text(o->settings, "outbox"), &server, err);
	if (rc) {
		file_target_close(t);
		return rc;
	}
	*out = t;
	return EG_OK;
}

void file_target_close(struct file_target *t)
{
	if (!t)
		return;
	file_outbox_close(t->outbox);
	eg_buf_free(&t->events);
	free(t);
}

/* ---- delivering ---- */

/* What a crash, or a failure, left open. */
static enum eg_rc resolve(struct file_target *t, struct eg_err *err)
{
	struct file_name name;
	char control[NAME_CAP];
	bool has = false;
	if (t->state != WRITING)
		return EG_OK;
	enum eg_rc rc = names(t, &name, control, err);
	if (!rc)
		rc = file_outbox_has(t->outbox, control, &has, err);
	if (rc || !has)
		return rc;
	t->state = DONE;
	return save(t, err);
}

static bool same_columns(const struct eg_delivery *a, const struct eg_delivery *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	return true;
}

static enum eg_rc control_text(const struct file_target *t, const char *name, struct eg_bytes bytes,
                               unsigned rows, struct eg_buf *out, struct eg_err *err)
{
	uint8_t digest[EG_HASH_SIZE];
	char hex[2 * EG_HASH_SIZE + 1];
	struct eg_hash *d = eg_hash_new(t->digest);
	if (!d)
		return eg_fail(err, EG_CRYPTO, "this digest is not offered here");
	eg_hash_add(d, &(struct eg_bytes){bytes.p, bytes.len}, 1);
	eg_hash_end(d, digest);
	eg_hash_free(d);
	eg_hex(digest, sizeof digest, hex);
	eg_buf_printf(out, "file=%s\r\nrows=%u\r\nsize=%zu\r\n%s=%s\r\n", name, rows, bytes.len,
	              t->digest == EG_HASH_SM3 ? "sm3" : "sha256", hex);
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for an outbound file") : EG_OK;
}

/* What is wrong with the outbox is no fault of a change: it is repaired, and tried again. */
static enum eg_rc put(struct file_target *t, const char *name, struct eg_bytes bytes, struct eg_err *err)
{
	struct eg_err why = {0};
	enum eg_rc rc = file_outbox_put(t->outbox, name, bytes, &why);
	if (rc == EG_DENIED || rc == EG_INVALID || rc == EG_EXISTS || rc == EG_NOT_FOUND)
		return eg_fail(err, EG_UNAVAILABLE, "%s", why.text);
	if (rc && err)
		*err = why;
	return rc;
}

/* The file of n rows under the next number. */
static enum eg_rc write_batch(struct file_target *t, struct eg_bytes bytes, const struct eg_delivery *d,
                              unsigned n, struct eg_err *err)
{
	struct file_name name;
	char control[NAME_CAP];
	struct eg_buf text = {0};
	if (t->state == DONE) {
		t->number++;
		t->date = today();
	}
	t->state = WRITING;
	eg_buf_reset(&t->events);
	for (unsigned i = 0; i < n; i++) {
		uint8_t token[TOKEN];
		token_of(t, &d[i], token);
		eg_buf_add(&t->events, token, TOKEN);
	}
	enum eg_rc rc = names(t, &name, control, err);
	if (!rc)
		rc = control_text(t, name.name, bytes, n, &text, err);
	if (!rc)
		rc = save(t, err);
	eg_kill_point("file.out_before_file");
	if (!rc)
		rc = put(t, name.name, bytes, err);
	eg_kill_point("file.out_before_control");
	if (!rc)
		rc = put(t, control, eg_buf_bytes(&text), err);
	eg_kill_point("file.out_before_done");
	eg_buf_free(&text);
	if (rc)
		return rc;
	t->state = DONE;
	eg_log(EG_LOG_INFO, "file.written", EG_T("file", name.name), EG_I("rows", n),
	       EG_I("bytes", bytes.len));
	return save(t, err);
}

enum eg_rc file_target_deliver(struct file_target *t, const struct eg_delivery *deliveries, unsigned n,
                               struct eg_delivery_result *results, int64_t mono_deadline_us,
                               struct eg_err *err)
{
	struct eg_err why = {0};
	struct file_csv *csv = NULL;
	for (unsigned i = 0; i < n; i++)
		results[i] = (struct eg_delivery_result){.rc = EG_BUSY};
	file_outbox_deadline(t->outbox, mono_deadline_us);
	enum eg_rc rc = resolve(t, &why);
	unsigned from = 0;
	while (!rc && from < n && written(t, &deliveries[from]))
		results[from++].rc = EG_OK;
	unsigned end = from;
	if (!rc && from < n)
		rc = file_csv_new(&csv, &deliveries[from], t->gb18030, &why);
	enum eg_rc row = EG_OK;
	while (!rc && !row && end < n && same_columns(&deliveries[from], &deliveries[end])) {
		row = file_csv_row(csv, &deliveries[end], &results[end].err);
		results[end].rc = row ? row : EG_BUSY;
		end += !row;
	}
	if (!rc && end > from)
		rc = write_batch(t, file_csv_bytes(csv), &deliveries[from], end - from, &why);
	for (unsigned i = from; !rc && i < end; i++)
		results[i].rc = EG_OK;
	file_csv_free(csv);
	if (rc && err)
		*err = why;
	return rc;
}
