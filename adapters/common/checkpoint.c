/* checkpoint: see checkpoint.h.
 *
 * The file, integers big-endian: the 24 bytes of MAGIC, the 32-byte key of the tokens, u32 n, then n times in
 * order of name: u16 length, name, u32 length, value; last the SHA-256 of all before it.
 *
 *   clean --put, drop--> dirty --save--> written beside it --rename--> clean
 *
 * A crash before the rename leaves the old file, after it the new one; what a torn save leaves beside it is
 * never read. */
#include "common/checkpoint.h"

#include "base/fault.h"
#include "trust/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[24] = "eldergate checkpoint 1\n";
enum { HEAD = sizeof MAGIC + EG_KEY_SIZE + 4, PATH_ROOM = 4096, NAME_MAX_LEN = 128 };

struct value {
	char *name; /* owned */
	uint8_t *p; /* owned; NULL if empty */
	size_t len;
};

struct eg_checkpoint {
	char dir[PATH_ROOM - 32];
	int lock;             /* -1: read only */
	struct value *values; /* ascending by name */
	unsigned n, cap;
	size_t bytes; /* as they would stand in the file */
	bool dirty;
	uint8_t key[EG_KEY_SIZE];
	struct eg_mac *mac; /* of key */
};

/* ---- the values ---- */

/* Where the name is, or where it belongs. */
static unsigned place_of(const struct eg_checkpoint *c, const char *name, bool *there)
{
	unsigned low = 0, high = c->n;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = strcmp(c->values[middle].name, name);
		if (order == 0) {
			*there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*there = false;
	return low;
}

static size_t stored_size(const char *name, size_t len)
{
	return 2 + strlen(name) + 4 + len;
}

static bool name_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-");
	return len > 0 && len <= NAME_MAX_LEN && !name[len];
}

static bool make_room(struct eg_checkpoint *c)
{
	if (c->n < c->cap)
		return true;
	unsigned cap = c->cap ? 2 * c->cap : 16;
	struct value *grown = realloc(c->values, cap * sizeof *grown);
	if (!grown)
		return false;
	c->values = grown;
	c->cap = cap;
	return true;
}

static enum eg_rc insert(struct eg_checkpoint *c, unsigned at, const char *name, uint8_t *p, size_t len,
                         struct eg_err *err)
{
	char *own = make_room(c) ? strdup(name) : NULL;
	if (!own)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the checkpoint");
	memmove(&c->values[at + 1], &c->values[at], (c->n - at) * sizeof *c->values);
	c->values[at] = (struct value){.name = own, .p = p, .len = len};
	c->n++;
	return EG_OK;
}

enum eg_rc eg_checkpoint_put(struct eg_checkpoint *c, const char *name, struct eg_bytes value,
                             struct eg_err *err)
{
	bool there;
	enum eg_rc rc = EG_OK;
	if (!name_ok(name))
		return eg_fail(err, EG_INVALID,
		               "a name in the checkpoint is 1 to %d of A-Z, a-z, 0-9, . _ / -", NAME_MAX_LEN);
	unsigned at = place_of(c, name, &there);
	size_t before = there ? stored_size(name, c->values[at].len) : 0;
	size_t after = c->bytes - before + stored_size(name, value.len);
	if (value.len > EG_CHECKPOINT_MAX || after > EG_CHECKPOINT_MAX)
		return eg_fail(err, EG_LIMIT, "the checkpoint in %s would grow over %d MiB", c->dir,
		               EG_CHECKPOINT_MAX >> 20);
	uint8_t *p = value.len ? malloc(value.len) : NULL;
	if (value.len && !p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the checkpoint");
	if (value.len)
		memcpy(p, value.p, value.len);
	if (there) {
		free(c->values[at].p);
		c->values[at].p = p;
		c->values[at].len = value.len;
	} else if ((rc = insert(c, at, name, p, value.len, err))) {
		free(p);
		return rc;
	}
	c->bytes = after;
	c->dirty = true;
	return EG_OK;
}

struct eg_bytes eg_checkpoint_get(const struct eg_checkpoint *c, const char *name)
{
	bool there;
	unsigned at = place_of(c, name, &there);
	return there ? (struct eg_bytes){c->values[at].p, c->values[at].len} : (struct eg_bytes){0};
}

void eg_checkpoint_drop(struct eg_checkpoint *c, const char *name)
{
	bool there;
	unsigned at = place_of(c, name, &there);
	if (!there)
		return;
	c->bytes -= stored_size(name, c->values[at].len);
	free(c->values[at].name);
	free(c->values[at].p);
	memmove(&c->values[at], &c->values[at + 1], (c->n - at - 1) * sizeof *c->values);
	c->n--;
	c->dirty = true;
}

void eg_checkpoint_each(const struct eg_checkpoint *c, const char *prefix,
                        void (*each)(void *arg, const char *name, struct eg_bytes value), void *arg)
{
	bool there;
	size_t len = strlen(prefix);
	for (unsigned i = place_of(c, prefix, &there); i < c->n; i++) {
		const struct value *v = &c->values[i];
		if (strncmp(v->name, prefix, len) != 0)
			break;
		each(arg, v->name, (struct eg_bytes){v->p, v->len});
	}
}

void eg_checkpoint_token(const struct eg_checkpoint *c, struct eg_bytes value, uint8_t out[16])
{
	uint8_t whole[EG_HASH_SIZE];
	eg_mac(c->mac, &value, 1, whole);
	memcpy(out, whole, 16);
}

/* ---- the file ---- */

static enum eg_rc corrupt(const struct eg_checkpoint *c, struct eg_err *err)
{
	return eg_fail(
	        err, EG_CORRUPT,
	        "%s/checkpoint was damaged after it was written; put a copy of it back; deleted, rows are "
	        "only "
	        "sent again, but parked events, numbers of files and quotas are lost, and changes that were "
	        "not delivered yet",
	        c->dir);
}

static uint64_t read_be(struct eg_bytes *in, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | in->p[i];
	in->p += bytes;
	in->len -= bytes;
	return v;
}

/* One value from the front of in; false if it is cut off or out of order. */
static bool parse_value(struct eg_checkpoint *c, struct eg_bytes *in)
{
	char name[NAME_MAX_LEN + 1] = "";
	if (in->len < 2)
		return false;
	size_t len = (size_t)read_be(in, 2);
	if (len > NAME_MAX_LEN || in->len < len + 4)
		return false;
	memcpy(name, in->p, len);
	in->p += len;
	in->len -= len;
	size_t size = (size_t)read_be(in, 4);
	if (in->len < size || (c->n && strcmp(c->values[c->n - 1].name, name) >= 0) ||
	    eg_checkpoint_put(c, name, (struct eg_bytes){in->p, size}, NULL))
		return false;
	in->p += size;
	in->len -= size;
	return true;
}

static enum eg_rc parse(struct eg_checkpoint *c, struct eg_bytes in, struct eg_err *err)
{
	uint8_t sum[EG_HASH_SIZE];
	if (in.len < HEAD + EG_HASH_SIZE || memcmp(in.p, MAGIC, sizeof MAGIC) != 0)
		return corrupt(c, err);
	in.len -= EG_HASH_SIZE;
	eg_sha256(&in, 1, sum);
	if (memcmp(sum, in.p + in.len, EG_HASH_SIZE) != 0)
		return corrupt(c, err);
	memcpy(c->key, in.p + sizeof MAGIC, EG_KEY_SIZE);
	in.p += HEAD - 4;
	in.len -= HEAD - 4;
	for (uint64_t n = read_be(&in, 4); n; n--)
		if (!parse_value(c, &in))
			return corrupt(c, err);
	c->dirty = false;
	return in.len ? corrupt(c, err) : EG_OK;
}

static enum eg_rc read_file(struct eg_checkpoint *c, int fd, struct eg_buf *out, struct eg_err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return eg_fail_errno(err, "%s/checkpoint", c->dir);
	if (!S_ISREG(st.st_mode) || st.st_size > EG_CHECKPOINT_MAX + HEAD + EG_HASH_SIZE)
		return corrupt(c, err);
	uint8_t *p = eg_buf_grow(out, (size_t)st.st_size);
	if (st.st_size && !p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the checkpoint");
	for (size_t have = 0; have < (size_t)st.st_size;) {
		ssize_t n = read(fd, p + have, (size_t)st.st_size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return eg_fail_errno(err, "%s/checkpoint", c->dir);
		if (n == 0)
			return corrupt(c, err);
		have += (size_t)n;
	}
	return EG_OK;
}

/* EG_EMPTY: there is none. */
static enum eg_rc load(struct eg_checkpoint *c, struct eg_err *err)
{
	char path[PATH_ROOM];
	struct eg_buf all = {0};
	snprintf(path, sizeof path, "%s/checkpoint", c->dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? EG_EMPTY : eg_fail_errno(err, "%s", path);
	enum eg_rc rc = read_file(c, fd, &all, err);
	if (!rc)
		rc = parse(c, eg_buf_bytes(&all), err);
	close(fd);
	eg_buf_free(&all);
	return rc;
}

static void compose(const struct eg_checkpoint *c, struct eg_buf *out)
{
	uint8_t sum[EG_HASH_SIZE] = {0};
	eg_buf_add(out, MAGIC, sizeof MAGIC);
	eg_buf_add(out, c->key, EG_KEY_SIZE);
	eg_buf_add_be(out, c->n, 4);
	for (unsigned i = 0; i < c->n; i++) {
		const struct value *v = &c->values[i];
		eg_buf_add_be(out, strlen(v->name), 2);
		eg_buf_add(out, v->name, strlen(v->name));
		eg_buf_add_be(out, v->len, 4);
		if (v->len)
			eg_buf_add(out, v->p, v->len);
	}
	struct eg_bytes all = eg_buf_bytes(out);
	eg_sha256(&all, 1, sum);
	eg_buf_add(out, sum, sizeof sum);
}

/* True when the call failed, really or because a test wanted it to. */
static bool broke(int result)
{
	if (result >= 0 && eg_fault()) {
		errno = EIO;
		return true;
	}
	return result < 0;
}

static bool write_all(int fd, struct eg_bytes b)
{
	while (b.len) {
		ssize_t n = write(fd, b.p, b.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		b.p += n;
		b.len -= (size_t)n;
	}
	return true;
}

static enum eg_rc write_beside(const char *path, struct eg_bytes all, struct eg_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return eg_fail_errno(err, "%s", path);
	/* In two parts, so that a crash test can end between them. */
	struct eg_bytes first = {all.p, all.len / 2}, second = {all.p + first.len, all.len - first.len};
	bool good = write_all(fd, first);
	eg_kill_point("checkpoint.torn");
	good = good && write_all(fd, second) && !broke(0);
	eg_kill_point("checkpoint.written");
	good = good && !broke(fsync(fd));
	enum eg_rc rc = good ? EG_OK : eg_fail_errno(err, "%s", path);
	close(fd);
	eg_kill_point("checkpoint.synced");
	return rc;
}

static enum eg_rc sync_dir(const char *dir, struct eg_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return eg_fail_errno(err, "%s", dir);
	enum eg_rc rc = broke(fsync(fd)) ? eg_fail_errno(err, "fsync of %s", dir) : EG_OK;
	close(fd);
	return rc;
}

enum eg_rc eg_checkpoint_save(struct eg_checkpoint *c, struct eg_err *err)
{
	char path[PATH_ROOM], beside[PATH_ROOM];
	struct eg_buf all = {0};
	if (!c->dirty)
		return EG_OK;
	snprintf(path, sizeof path, "%s/checkpoint", c->dir);
	snprintf(beside, sizeof beside, "%s/checkpoint.new", c->dir);
	compose(c, &all);
	enum eg_rc rc = all.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for the checkpoint")
	                           : write_beside(beside, eg_buf_bytes(&all), err);
	if (!rc && broke(rename(beside, path)))
		rc = eg_fail_errno(err, "%s", path);
	eg_kill_point("checkpoint.renamed");
	if (!rc)
		rc = sync_dir(c->dir, err);
	if (!rc)
		c->dirty = false;
	eg_buf_free(&all);
	return rc;
}

/* ---- opening ---- */

static enum eg_rc lock(struct eg_checkpoint *c, struct eg_err *err)
{
	char path[PATH_ROOM];
	snprintf(path, sizeof path, "%s/lock", c->dir);
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->lock < 0)
		return eg_fail_errno(err, "%s", path);
	if (flock(c->lock, LOCK_EX | LOCK_NB) == 0)
		return EG_OK;
	if (errno == EWOULDBLOCK)
		return eg_fail(err, EG_BUSY, "another adapter works with %s; stop that one first", c->dir);
	return eg_fail_errno(err, "locking %s", path);
}

static enum eg_rc begin(struct eg_checkpoint **out, const char *dir, struct eg_err *err)
{
	struct eg_checkpoint *c;
	if (strlen(dir) >= sizeof c->dir)
		return eg_fail(err, EG_CONFIG, "the name of the checkpoint's directory is too long");
	enum eg_rc rc = eg_crypto_open(err);
	if (rc)
		return rc;
	if (!(c = calloc(1, sizeof *c)))
		return eg_fail(err, EG_NO_MEMORY, "no memory for the checkpoint");
	c->lock = -1;
	strcpy(c->dir, dir);
	*out = c;
	return EG_OK;
}

static enum eg_rc finish(struct eg_checkpoint *c, struct eg_err *err)
{
	c->mac = eg_mac_new(c->key);
	return c->mac ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for the checkpoint");
}

enum eg_rc eg_checkpoint_open(struct eg_checkpoint **out, const char *dir, struct eg_err *err)
{
	struct eg_checkpoint *c;
	enum eg_rc rc = begin(&c, dir, err);
	if (rc)
		return rc;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		rc = eg_fail_errno(err, "the checkpoint's directory %s", dir);
	if (!rc)
		rc = lock(c, err);
	if (!rc && (rc = load(c, err)) == EG_EMPTY) {
		/* Saved before anything is done with it: tokens must not change from here on. */
		eg_random(c->key, sizeof c->key);
		c->dirty = true;
		rc = eg_checkpoint_save(c, err);
	}
	if (!rc)
		rc = finish(c, err);
	if (rc) {
		eg_checkpoint_close(c);
		return rc;
	}
	*out = c;
	return EG_OK;
}

enum eg_rc eg_checkpoint_peek(struct eg_checkpoint **out, const char *dir, struct eg_err *err)
{
	struct eg_checkpoint *c;
	enum eg_rc rc = begin(&c, dir, err);
	if (rc)
		return rc;
	rc = load(c, err);
	if (rc == EG_EMPTY)
		rc = eg_fail(err, EG_NOT_FOUND, "there is no checkpoint in %s", dir);
	if (!rc)
		rc = finish(c, err);
	if (rc) {
		eg_checkpoint_close(c);
		return rc;
	}
	*out = c;
	return EG_OK;
}

void eg_checkpoint_close(struct eg_checkpoint *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n; i++) {
		free(c->values[i].name);
		free(c->values[i].p);
	}
	free(c->values);
	eg_mac_free(c->mac);
	if (c->lock >= 0)
		close(c->lock);
	explicit_bzero(c->key, sizeof c->key);
	free(c);
}
