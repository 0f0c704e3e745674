/* archive: see archive.h. */
#include "cli/archive.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, META_BYTES = 1 << 16, CACHE_KIB = 256 << 10 };

static enum eg_rc key_get(void *arg, const char *name, uint8_t wrapped[60], struct eg_err *err)
{
	enum eg_rc rc = eg_get_key(arg, name, wrapped, err);
	return rc == EG_EMPTY ? EG_NOT_FOUND : rc;
}

static enum eg_rc key_list(void *arg, const char *prefix, void (*each)(void *, const char *), void *each_arg,
                           struct eg_err *err)
{
	return eg_list_keys(arg, prefix, each, each_arg, err);
}

static enum eg_rc read_log_id(struct archive *a, struct eg_err *err)
{
	struct eg_bytes id = {0};
	struct eg_arena *arena = eg_arena_new(META_BYTES);
	enum eg_rc rc = arena ? eg_get_meta(a->conn, "log_id", arena, &id, err)
	                      : eg_fail(err, EG_NO_MEMORY, "no memory to read the log's id");
	if (rc == EG_EMPTY || (!rc && id.len != sizeof a->log_id))
		rc = eg_fail(err, EG_CORRUPT, "the store does not say which log it holds");
	if (!rc)
		memcpy(a->log_id, id.p, sizeof a->log_id);
	eg_arena_free(arena);
	return rc;
}

enum eg_rc archive_open(struct archive *a, const char *dir, const char *root_key, struct eg_err *err)
{
	struct eg_store_options o = {.dir = dir, .read_only = true, .cache_kib = CACHE_KIB};
	char path[PATH_BYTES];
	enum eg_rc rc;
	*a = (struct archive){0};
	snprintf(path, sizeof path, "%s/root.key", dir);
	if (!root_key)
		root_key = path;
	if (access(root_key, R_OK) != 0)
		return eg_fail_errno(err, "root key %s", root_key);
	if ((rc = eg_crypto_open(err)) || (rc = eg_store_open(&a->store, &o, err)))
		return rc;
	/* Nobody writes, so one connection sees one state throughout; this one has the large cache. */
	a->conn = eg_store_writer(a->store);
	struct eg_vault_keys keys = {.arg = a->conn, .get = key_get, .list = key_list};
	rc = eg_vault_open(&a->vault, root_key, false, keys, err);
	if (!rc)
		rc = read_log_id(a, err);
	if (rc)
		archive_close(a);
	return rc;
}

void archive_close(struct archive *a)
{
	if (a->vault)
		eg_vault_close(a->vault);
	if (a->store)
		eg_store_close(a->store);
	*a = (struct archive){0};
}
