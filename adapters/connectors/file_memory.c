/* file_memory: see file_memory.h. Integers are big-endian. */
#include "connectors/file_memory.h"

#include "connectors/file_dir.h"

#include <stdio.h>
#include <string.h>

enum { NAME_CAP = 256, PROGRESS_BYTES = EG_HASH_SIZE + 5 * 8, TOKEN_BYTES = 16 };

static uint64_t get_be64(const uint8_t *p)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void done_name(const struct file_memory *m, const struct file_name *name,
                      const uint8_t digest[EG_HASH_SIZE], uint64_t revision, char out[NAME_CAP])
{
	struct eg_buf b = {0};
	uint8_t token[TOKEN_BYTES];
	char hex[2 * TOKEN_BYTES + 1];
	eg_buf_printf(&b, "%lld %s %lld %d ", (long long)name->as_of, name->region, (long long)name->sequence,
	              name->has_kind && name->full);
	eg_buf_add(&b, digest, EG_HASH_SIZE);
	eg_buf_add_be(&b, revision, 8);
	eg_checkpoint_token(m->checkpoint, eg_buf_bytes(&b), token);
	eg_hex(token, sizeof token, hex);
	snprintf(out, NAME_CAP, "%sdone.%s", m->prefix, hex);
	eg_buf_free(&b);
}

static void progress_name(const struct file_memory *m, const char *name, char out[NAME_CAP])
{
	snprintf(out, NAME_CAP, "%sat.%s", m->prefix, name);
}

bool file_memory_done(const struct file_memory *m, const struct file_name *name,
                      const uint8_t digest[EG_HASH_SIZE])
{
	char key[NAME_CAP];
	done_name(m, name, digest, m->revision, key);
	return eg_checkpoint_get(m->checkpoint, key).len > 0;
}

bool file_memory_progress(const struct file_memory *m, const char *name, const uint8_t digest[EG_HASH_SIZE],
                          struct file_progress *out)
{
	char key[NAME_CAP];
	progress_name(m, name, key);
	struct eg_bytes v = eg_checkpoint_get(m->checkpoint, key);
	if (v.len != PROGRESS_BYTES || memcmp(v.p, digest, EG_HASH_SIZE) != 0)
		return false;
	const uint8_t *p = v.p + EG_HASH_SIZE;
	if (get_be64(p + 32) != m->revision)
		return false; /* from its first line, so that all of it is sent under one */
	memcpy(out->digest, v.p, EG_HASH_SIZE);
	out->line = get_be64(p);
	out->counts = (struct file_counts){get_be64(p + 8), get_be64(p + 16), get_be64(p + 24)};
	return true;
}

enum eg_rc file_memory_put_progress(const struct file_memory *m, const char *name,
                                    const struct file_progress *p, struct eg_err *err)
{
	char key[NAME_CAP];
	struct eg_buf b = {0};
	progress_name(m, name, key);
	eg_buf_add(&b, p->digest, EG_HASH_SIZE);
	eg_buf_add_be(&b, p->line, 8);
	eg_buf_add_be(&b, p->counts.taken, 8);
	eg_buf_add_be(&b, p->counts.refused, 8);
	eg_buf_add_be(&b, p->counts.bad, 8);
	eg_buf_add_be(&b, m->revision, 8);
	enum eg_rc rc = b.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a checkpoint")
	                         : eg_checkpoint_put(m->checkpoint, key, eg_buf_bytes(&b), err);
	eg_buf_free(&b);
	return rc ? rc : eg_checkpoint_save(m->checkpoint, err);
}

enum eg_rc file_memory_drop_progress(const struct file_memory *m, const char *name, struct eg_err *err)
{
	char key[NAME_CAP];
	progress_name(m, name, key);
	if (!eg_checkpoint_get(m->checkpoint, key).len)
		return EG_OK;
	eg_checkpoint_drop(m->checkpoint, key);
	return eg_checkpoint_save(m->checkpoint, err);
}

struct oldest {
	uint64_t n, number, highest;
	char name[NAME_CAP];
};

static void look(void *arg, const char *name, struct eg_bytes value)
{
	struct oldest *o = arg;
	uint64_t number = value.len == 8 ? get_be64(value.p) : 0;
	if (!o->n++ || number < o->number) {
		o->number = number;
		snprintf(o->name, sizeof o->name, "%s", name);
	}
	o->highest = number > o->highest ? number : o->highest;
}

/* A number higher than all others of this prefix, once at most `most` - 1 of them are left. */
static uint64_t make_room(const struct file_memory *m, const char *kind, uint64_t most)
{
	char prefix[NAME_CAP];
	snprintf(prefix, sizeof prefix, "%s%s.", m->prefix, kind);
	struct oldest o = {0};
	eg_checkpoint_each(m->checkpoint, prefix, look, &o);
	while (o.n >= most) {
		eg_checkpoint_drop(m->checkpoint, o.name);
		o = (struct oldest){.highest = o.highest};
		eg_checkpoint_each(m->checkpoint, prefix, look, &o);
	}
	return o.highest + 1;
}

static enum eg_rc put_number(const struct file_memory *m, const char *key, uint64_t number,
                             struct eg_err *err)
{
	uint8_t value[8];
	for (unsigned i = 0; i < sizeof value; i++)
		value[i] = (uint8_t)(number >> (56 - 8 * i));
	return eg_checkpoint_put(m->checkpoint, key, (struct eg_bytes){value, sizeof value}, err);
}

static enum eg_rc put_done(const struct file_memory *m, const struct file_name *name,
                           const uint8_t digest[EG_HASH_SIZE], uint64_t revision, struct eg_err *err)
{
	char key[NAME_CAP];
	done_name(m, name, digest, revision, key);
	enum eg_rc rc = put_number(m, key, make_room(m, "done", m->remember), err);
	if (rc)
		return rc;
	progress_name(m, name->name, key);
	eg_checkpoint_drop(m->checkpoint, key);
	return eg_checkpoint_save(m->checkpoint, err);
}

enum eg_rc file_memory_put_done(const struct file_memory *m, const struct file_name *name,
                                const uint8_t digest[EG_HASH_SIZE], struct eg_err *err)
{
	return put_done(m, name, digest, m->revision, err);
}

/* ---- files that are gone ---- */

struct progresses {
	size_t skip;       /* the prefix */
	struct eg_buf all; /* name with its NUL, then the value */
};

static void gather(void *arg, const char *name, struct eg_bytes value)
{
	struct progresses *p = arg;
	if (value.len != PROGRESS_BYTES)
		return;
	eg_buf_add(&p->all, name + p->skip, strlen(name + p->skip) + 1);
	eg_buf_add(&p->all, value.p, value.len);
}

enum eg_rc file_memory_tidy(const struct file_memory *m, const struct file_pattern *pattern, int inbox,
                            struct eg_err *err)
{
	char prefix[NAME_CAP];
	progress_name(m, "", prefix);
	struct progresses p = {.skip = strlen(prefix)};
	eg_checkpoint_each(m->checkpoint, prefix, gather, &p);
	enum eg_rc rc = p.all.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a checkpoint") : EG_OK;
	for (size_t at = 0; !rc && at < p.all.len;) {
		const char *name = (const char *)p.all.p + at;
		const uint8_t *value = p.all.p + at + strlen(name) + 1;
		struct file_id id;
		struct file_name parts;
		bool all = get_be64(value + EG_HASH_SIZE) == FILE_ALL_LINES;
		if (file_stat(inbox, name, &id, NULL) == EG_NOT_FOUND)
			rc = all && file_pattern_match(pattern, name, &parts)
			             ? put_done(m, &parts, value, get_be64(value + EG_HASH_SIZE + 32), err)
			             : file_memory_drop_progress(m, name, err);
		at += strlen(name) + 1 + PROGRESS_BYTES;
	}
	eg_buf_free(&p.all);
	return rc;
}

/* ---- fetched files ---- */

enum { PULLED_MOST = 50000 };

enum eg_rc file_memory_put_pulled(const struct file_memory *m, const uint8_t token[16], struct eg_err *err)
{
	char key[NAME_CAP], hex[2 * TOKEN_BYTES + 1];
	eg_hex(token, TOKEN_BYTES, hex);
	snprintf(key, sizeof key, "%spulled.%s", m->prefix, hex);
	enum eg_rc rc = put_number(m, key, make_room(m, "pulled", PULLED_MOST), err);
	return rc ? rc : eg_checkpoint_save(m->checkpoint, err);
}

static void gather_token(void *arg, const char *name, struct eg_bytes value)
{
	uint8_t token[TOKEN_BYTES];
	const char *hex = strrchr(name, '.');
	(void)value;
	if (hex && strlen(hex + 1) == 2 * sizeof token && eg_unhex(hex + 1, token, sizeof token))
		eg_buf_add(arg, token, sizeof token);
}

void file_memory_pulled(const struct file_memory *m, struct eg_buf *tokens)
{
	char prefix[NAME_CAP];
	snprintf(prefix, sizeof prefix, "%spulled.", m->prefix);
	eg_checkpoint_each(m->checkpoint, prefix, gather_token, tokens);
}
