/* sqlite: opens and closes the store, its connections and their statements.
 *
 * Files of DIR: eldergate.db (with -wal and -shm), lock, reserve; all of mode 0600. The tables are those of
 * gateway/FORMAT.md. Thread: open and close belong to one thread; a reader is opened by the thread that uses
 * it. Ownership: the store owns the writer connection; readers belong to their openers. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/dir.h"
#include "store/sqlite_conn.h"
#include "store/sqlite_pages.h"
#include "store/vfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FORMAT              1
#define DATABASE            "eldergate.db"
#define PAGE_BYTES          4096
#define WAL_PAGES_DEFAULT   65536
#define CACHE_KIB_DEFAULT   65536
#define READER_CACHE_KIB    4096
#define FROZEN_MAP          1LL /* readers of a store that nobody writes map it (sqlite_map.h), whatever its size */
#define RESERVE_DEFAULT     (16LL << 20)
#define RESERVE_PART        (1LL << 20) /* given back at a time */
#define RESERVE_ROOM        4           /* refilled when the disk has this many times as much free */
#define WAL_FRAME_BYTES     (PAGE_BYTES + 24)
#define STATEMENT_TEXT_ROOM 256

static const char *const statement_text[EG_STMT_COUNT] = {
#define X(name, sql) [EG_ST_##name] = (sql),
#include "store/statements.def"
#undef X
};

/* In the order of gateway/FORMAT.md. The indexes are this file's own. */
static const char schema[] =
        "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS \"key\" (name TEXT PRIMARY KEY NOT NULL, wrapped BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS person (\"row\" INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
        " version INTEGER NOT NULL, last_seq INTEGER NOT NULL, body BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS source_key (\"row\" INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE,"
        " person INTEGER NOT NULL, body BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS alias (\"key\" BLOB NOT NULL, source INTEGER NOT NULL,"
        " PRIMARY KEY (\"key\", source)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS link (\"row\" INTEGER PRIMARY KEY, a BLOB NOT NULL, b BLOB NOT NULL,"
        " kind INTEGER NOT NULL, seq INTEGER NOT NULL);"
        "CREATE INDEX IF NOT EXISTS link_a ON link (a);"
        "CREATE INDEX IF NOT EXISTS link_b ON link (b);"
        "CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, header BLOB NOT NULL, claim BLOB,"
        " effect BLOB, leaf BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS tile (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS checkpoint (size INTEGER PRIMARY KEY, time INTEGER NOT NULL,"
        " note TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS case_file (\"row\" INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
        " kind INTEGER NOT NULL, state INTEGER NOT NULL, person INTEGER NOT NULL, opened INTEGER NOT NULL,"
        " closed INTEGER NOT NULL, subject BLOB NOT NULL UNIQUE, body BLOB NOT NULL);"
        "CREATE INDEX IF NOT EXISTS case_open ON case_file (state) WHERE state = 1;"
        "CREATE TABLE IF NOT EXISTS reject (seq INTEGER PRIMARY KEY, agency TEXT NOT NULL,"
        " dataset TEXT NOT NULL, state INTEGER NOT NULL, source BLOB NOT NULL, version INTEGER NOT NULL,"
        " mapping_revision INTEGER NOT NULL, digest BLOB NOT NULL);"
        "CREATE INDEX IF NOT EXISTS reject_source ON reject (source);"
        "CREATE INDEX IF NOT EXISTS reject_agency ON reject (agency);"
        "CREATE INDEX IF NOT EXISTS reject_open ON reject (agency) WHERE state = 1;"
        "CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS dataset (name TEXT PRIMARY KEY NOT NULL, event_time INTEGER NOT NULL,"
        " heard INTEGER NOT NULL, seq INTEGER NOT NULL, records INTEGER NOT NULL, rejects INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS lag (person INTEGER PRIMARY KEY, since INTEGER NOT NULL);"
        "CREATE INDEX IF NOT EXISTS lag_since ON lag (since);"
        "CREATE TABLE IF NOT EXISTS list (\"row\" INTEGER PRIMARY KEY, agency TEXT NOT NULL,"
        " dataset TEXT NOT NULL, list_id TEXT NOT NULL, digest BLOB NOT NULL, as_of INTEGER NOT NULL,"
        " phase INTEGER NOT NULL, pinned INTEGER NOT NULL, seq INTEGER NOT NULL, spool BLOB NOT NULL,"
        " body BLOB NOT NULL);"
        "CREATE INDEX IF NOT EXISTS list_digest ON list (digest);"
        "CREATE INDEX IF NOT EXISTS list_seq ON list (seq);"
        "CREATE INDEX IF NOT EXISTS list_phase ON list (phase);"
        "CREATE INDEX IF NOT EXISTS list_of ON list (agency, dataset);"
        "CREATE TABLE IF NOT EXISTS standing (list INTEGER PRIMARY KEY);"
        /* Of several lists that did not fail the newest stands, so only a store of before this table has such
         * and none here. */
        "INSERT INTO standing (list) SELECT \"row\" FROM list WHERE phase <> 8 AND NOT EXISTS (SELECT 1 FROM "
        "standing);"
        "INSERT INTO meta (name, value) VALUES ('format', x'0000000000000001') ON CONFLICT DO NOTHING;";

/* ---- connections ---- */

enum eg_rc eg_conn_fail(struct eg_conn *c, int code, const char *doing, struct eg_err *err)
{
	const char *what =
	        code == sqlite3_extended_errcode(c->db) ? sqlite3_errmsg(c->db) : sqlite3_errstr(code);
	int os = sqlite3_system_errno(c->db);
	bool fsync_failed = code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
	enum eg_rc rc;
	switch (code & 0xff) {
	case SQLITE_FULL:
		rc = EG_NO_SPACE;
		break;
	case SQLITE_IOERR:
		rc = !fsync_failed && (os == ENOSPC || os == EDQUOT) ? EG_NO_SPACE : EG_IO;
		if (code == SQLITE_IOERR_NOMEM)
			rc = EG_NO_MEMORY;
		break;
	case SQLITE_NOMEM:
		rc = EG_NO_MEMORY;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		rc = EG_BUSY;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		rc = EG_CORRUPT;
		break;
	case SQLITE_CONSTRAINT:
		rc = EG_EXISTS;
		break;
	case SQLITE_TOOBIG:
		rc = EG_LIMIT;
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		rc = EG_IO;
		break;
	default:
		rc = EG_INTERNAL;
	}
	/* SQLite's texts name tables, columns and files, never values. */
	eg_fail(err, rc, "store %s: %s: %s (SQLite %d)", c->store->dir, doing, what, code);
	bool fatal = fsync_failed || rc == EG_CORRUPT;
	if (err)
		err->fatal = fatal;
	if (fatal && c->writer)
		c->store->broken = true;
	return rc;
}

enum eg_rc eg_conn_stmt(struct eg_conn *c, enum eg_stmt id, sqlite3_stmt **out, struct eg_err *err)
{
	if (!c->stmt[id]) {
		int code = sqlite3_prepare_v3(c->db, statement_text[id], -1, SQLITE_PREPARE_PERSISTENT,
		                              &c->stmt[id], NULL);
		if (code != SQLITE_OK)
			return eg_conn_fail(c, code, "a statement", err);
	}
	*out = c->stmt[id];
	return EG_OK;
}

enum eg_rc eg_conn_run(struct eg_conn *c, enum eg_stmt id, struct eg_err *err)
{
	sqlite3_stmt *st = NULL;
	enum eg_rc rc = eg_conn_stmt(c, id, &st, err);
	if (rc != EG_OK)
		return rc;
	int code = sqlite3_step(st);
	if (code != SQLITE_DONE)
		rc = eg_conn_fail(c, code, statement_text[id], err);
	sqlite3_reset(st);
	return rc;
}

/* One or more statements without results that matter. */
static enum eg_rc run_text(struct eg_conn *c, const char *sql, const char *doing, struct eg_err *err)
{
	int code = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? EG_OK : eg_conn_fail(c, code, doing, err);
}

static int after_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	((struct eg_store *)arg)->wal_now = pages;
	return SQLITE_OK;
}

enum eg_rc eg_conn_open(struct eg_conn *c, int64_t cache_kib, struct eg_err *err)
{
	struct eg_store *s = c->store;
	bool writes = (c->writer || c->copies) && !s->read_only;
	int flags = SQLITE_OPEN_NOMUTEX | (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	int code = sqlite3_open_v2(s->path, &c->db, flags, s->vfs);
	if (code != SQLITE_OK)
		return c->db ? eg_conn_fail(c, code, "open", err)
		             : eg_fail(err, EG_NO_MEMORY, "no memory for a connection to the store");
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_busy_timeout(c->db, EG_BUSY_MS);
	/* The writer checkpoints by its own plan; nobody does at the close of a file that others use. */
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !writes || c->copies, NULL);
	char text[STATEMENT_TEXT_ROOM];
	snprintf(text, sizeof text,
	         "PRAGMA %s; PRAGMA cache_size = -%lld; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = %lld;"
	         "PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = %s;",
	         s->read_only ? "locking_mode = EXCLUSIVE"
	         : writes     ? "page_size = 4096"
	                      : "query_only = ON",
	         (long long)cache_kib, s->read_only && !c->writer ? FROZEN_MAP : 0LL,
	         eg_unsafe("sync_off") ? "OFF" : "FULL");
	return run_text(c, text, "settings", err);
}

void eg_conn_shut(struct eg_conn *c)
{
	for (int i = 0; i < EG_STMT_COUNT; i++)
		sqlite3_finalize(c->stmt[i]);
	if (c->db && sqlite3_close(c->db) != SQLITE_OK)
		eg_log(EG_LOG_ERROR, "store.close_failed", EG_T("dir", c->store->dir));
	c->db = NULL;
}

enum eg_rc eg_store_reader(struct eg_store *s, struct eg_conn **out, struct eg_err *err)
{
	*out = NULL;
	struct eg_conn *c = calloc(1, sizeof *c);
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a reader of the store");
	c->store = s;
	enum eg_rc rc = eg_conn_open(c, READER_CACHE_KIB, err);
	/* The schema is read here, so that a store that cannot be read says so now. */
	if (rc == EG_OK)
		rc = eg_read_begin(c, err);
	if (rc != EG_OK) {
		eg_conn_shut(c);
		free(c);
		return rc;
	}
	eg_read_end(c);
	atomic_fetch_add(&s->conns, 1);
	*out = c;
	return EG_OK;
}

void eg_conn_close(struct eg_conn *c)
{
	if (!c)
		return;
	eg_read_end(c);
	atomic_fetch_sub(&c->store->conns, 1);
	eg_conn_shut(c);
	free(c);
}

/* ---- the store ---- */

static enum eg_rc use_wal(struct eg_store *s, struct eg_err *err)
{
	struct eg_conn *w = &s->writer;
	char mode[16] = "";
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(w->db, "PRAGMA journal_mode = WAL", -1, &st, NULL);
	if (code == SQLITE_OK && (code = sqlite3_step(st)) == SQLITE_ROW) {
		const unsigned char *got = sqlite3_column_text(st, 0);
		snprintf(mode, sizeof mode, "%s", got ? (const char *)got : "");
		code = SQLITE_OK;
	}
	enum eg_rc rc = code == SQLITE_OK ? EG_OK : eg_conn_fail(w, code, "write-ahead log", err);
	sqlite3_finalize(st);
	if (rc == EG_OK && strcmp(mode, "wal") != 0)
		rc = eg_fail(err, EG_IO, "store %s: the file system allows no write-ahead log", s->dir);
	if (rc != EG_OK)
		return rc;
	char text[STATEMENT_TEXT_ROOM];
	snprintf(text, sizeof text, "PRAGMA journal_size_limit = %lld;",
	         (long long)(s->copier ? EG_WAL_HARD_LIMIT(s) : s->wal_pages) * WAL_FRAME_BYTES);
	rc = run_text(w, text, "settings", err);
	sqlite3_wal_hook(w->db, after_commit, s); /* wal_autocheckpoint would be the same hook: it is off */
	return rc;
}

static enum eg_rc check_format(struct eg_store *s, struct eg_err *err)
{
	struct eg_bytes value = {0};
	struct eg_arena *a = eg_arena_new(PAGE_BYTES);
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory to open the store");
	enum eg_rc rc = eg_get_meta(&s->writer, "format", a, &value, err);
	uint64_t format = 0;
	for (size_t i = 0; rc == EG_OK && value.len == 8 && i < 8; i++)
		format = format << 8 | value.p[i];
	eg_arena_free(a);
	if (rc == EG_EMPTY || (rc == EG_OK && format != FORMAT))
		return eg_fail(err, EG_CONFIG, "store %s has format %llu; this program knows format %d only",
		               s->dir, (unsigned long long)format, FORMAT);
	return rc;
}

static enum eg_rc open_to_write(struct eg_store *s, const struct eg_store_options *o, struct eg_err *err)
{
	enum eg_rc rc;
	if ((rc = eg_dir_touch(s->dir, DATABASE, err)) ||
	    (rc = eg_conn_open(&s->writer, o->cache_kib > 0 ? o->cache_kib : CACHE_KIB_DEFAULT, err)) ||
	    (rc = use_wal(s, err)) || (rc = eg_conn_run(&s->writer, EG_ST_BEGIN_WRITE, err)) ||
	    (rc = run_text(&s->writer, schema, "tables", err)) || (rc = check_format(s, err)) ||
	    (rc = eg_conn_run(&s->writer, EG_ST_COMMIT, err)) ||
	    (s->copier && (rc = eg_copier_start(s->copier, err))))
		return rc;
	struct eg_err why = {0};
	if (s->reserve_bytes > 0 && eg_dir_reserve(s->dir, s->reserve_bytes, &s->reserve_fd, &why) != EG_OK) {
		eg_log_err(EG_LOG_WARN, "store.no_reserve", &why);
		s->reserve_spent = s->reserve_fd >= 0; /* filled up as soon as there is room */
	}
	return eg_dir_sync(s->dir, err);
}

static enum eg_rc open_frozen(struct eg_store *s, const struct eg_store_options *o, struct eg_err *err)
{
	enum eg_rc rc;
	if (access(s->path, F_OK) != 0)
		return errno == ENOENT || errno == ENOTDIR
		               ? eg_fail(err, EG_NOT_FOUND, "there is no store in %s", s->dir)
		               : eg_fail_errno(err, "the store in %s", s->dir);
	if ((rc = eg_conn_open(&s->writer, o->cache_kib > 0 ? o->cache_kib : CACHE_KIB_DEFAULT, err)))
		return rc;
	/* One transaction for as long as it is open, or SQLite would look at its files before each statement.
	 */
	if ((rc = eg_conn_run(&s->writer, EG_ST_BEGIN_READ, err)))
		return rc;
	return check_format(s, err);
}

static pthread_once_t configured = PTHREAD_ONCE_INIT;

static void configure(void)
{
	/* One lock less on every allocation. Refused, and no matter, when SQLite runs already. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	eg_sqlite_pages_use();
}

enum eg_rc eg_store_open(struct eg_store **out, const struct eg_store_options *o, struct eg_err *err)
{
	*out = NULL;
	pthread_once(&configured, configure);
	struct eg_store *s = calloc(1, sizeof *s);
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the store");
	enum eg_rc rc = EG_OK;
	eg_gate_open(&s->gate);
	s->writer.store = s;
	s->writer.writer = true;
	s->read_only = o->read_only;
	s->lock_fd = s->reserve_fd = -1;
	s->wal_pages = s->checkpoint_at = o->wal_pages > 0 ? o->wal_pages : WAL_PAGES_DEFAULT;
	s->reserve_bytes = o->reserve_bytes ? o->reserve_bytes : RESERVE_DEFAULT;
	const char *vfs = o->read_only ? eg_frozen_vfs() : eg_vfs_over(o->vfs);
	const char *below = o->read_only ? "unix-none" : o->vfs;
	s->dir = strdup(o->dir);
	s->vfs = vfs ? strdup(vfs) : NULL;
	/* Where the one below is there, it was room for ours that was wanting. */
	bool spent = !s->dir || (vfs ? !s->vfs : !!sqlite3_vfs_find(below));
	if (spent || asprintf(&s->path, "%s/" DATABASE, o->dir) < 0) {
		s->path = NULL;
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the store");
	} else if (!vfs)
		rc = eg_fail(err, EG_UNIMPLEMENTED, "this SQLite has no VFS \"%s\" for the store to stand on",
		             below ? below : "unix");
	else if (o->copier != EG_COPIER_NONE && !s->read_only)
		rc = eg_copier_new(s, o->copier == EG_COPIER_THREAD, err);
	if (rc == EG_OK && !(rc = eg_dir_lock(s->dir, s->read_only, &s->lock_fd, err)))
		rc = s->read_only ? open_frozen(s, o, err) : open_to_write(s, o, err);
	if (rc != EG_OK) {
		s->broken = true; /* leave what is there as it is */
		eg_store_close(s);
		return rc;
	}
	*out = s;
	return EG_OK;
}

void eg_store_close(struct eg_store *s)
{
	if (!s)
		return;
	eg_copier_free(s->copier);
	if (atomic_load(&s->conns) > 0)
		eg_log(EG_LOG_ERROR, "store.readers_left", EG_I("count", atomic_load(&s->conns)));
	if (s->broken && s->writer.db) /* after a failed fsync the WAL may be the only good copy */
		sqlite3_db_config(s->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	eg_conn_shut(&s->writer); /* the last one: copies the WAL into the database and removes it */
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	eg_gate_close(&s->gate);
	free(s->vfs);
	free(s->path);
	free(s->dir);
	free(s);
}

struct eg_conn *eg_store_writer(struct eg_store *s)
{
	return &s->writer;
}

int64_t eg_store_wal_bytes(struct eg_store *s)
{
	char path[4096];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s-wal", s->path);
	if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) != 0)
		return 0;
	return st.st_size;
}

bool eg_store_spend_reserve(struct eg_store *s)
{
	int64_t given = s->reserve_fd >= 0 ? eg_dir_spend(s->reserve_fd, RESERVE_PART) : 0;
	s->reserve_spent |= given > 0;
	eg_log(EG_LOG_WARN, "store.reserve_spent", EG_I("bytes", given));
	return given > 0;
}

void eg_store_refill_reserve(struct eg_store *s)
{
	struct statvfs fs;
	if (!s->reserve_spent || fstatvfs(s->reserve_fd, &fs) != 0 ||
	    (int64_t)(fs.f_bavail * fs.f_frsize) < RESERVE_ROOM * s->reserve_bytes)
		return;
	struct eg_err why = {0};
	if (eg_dir_refill(s->reserve_fd, s->reserve_bytes, &why) == EG_OK)
		s->reserve_spent = false;
	else
		eg_log_err(EG_LOG_WARN, "store.no_reserve", &why);
}

bool eg_store_on_reserve(struct eg_store *s)
{
	eg_store_refill_reserve(s);
	return s->reserve_spent;
}
