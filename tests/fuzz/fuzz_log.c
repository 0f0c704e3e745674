/* fuzz_log: `log verify` on a data directory whose file was changed, as bytes or as values of its tables.
 *
 *   1 byte: which archive, and whether the auditor kept a checkpoint; then changes, each 1 byte and
 *     0  bytes of the file:  3 bytes place, 1 byte and so many bytes
 *     1  the file's end:     3 bytes place
 *     .. a value:            1 byte table, 2 bytes row, 1 byte column, then what the change needs
 *
 * A directory that verifies is the one that was made: its entries, its root, its persons, claims, versions,
 * cases and lists. One that does not has a reason.
 *
 * The archives are made by the gateway's own writer. Their ids and keys are random, so that an input means
 * something for its archive alone: EG_FUZZ_ARCHIVE is the folder that keeps them. Without it they last as
 * long as the process.
 */
#include "fuzz.h"

#include "road_world.h"

#include "road_lists.h" /* after it: its road has a short name */

#include "cli/file.h"
#include "cli/verify.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

enum { ARCHIVES = 2, CHANGES_MAX = 12, FILE_MAX = 64 << 20, NAME_ROOM = 200, PATH_ROOM = 300 };
static const unsigned sizes[ARCHIVES] = {12, 300}; /* operations; the second has full tiles */

static const char *const tables[] = {"log",       "person", "source_key", "link",     "tile", "checkpoint",
                                     "case_file", "reject", "list",       "standing", "lag",  "mark",
                                     "dataset",   "meta",   "key",        "alias"};
enum { TABLES = sizeof tables / sizeof *tables };

static struct made {
	char dir[NAME_ROOM];
	struct eg_buf db; /* its file as it was made */
	struct verify_result result;
	struct eg_checkpoint kept;
	uint8_t log[EG_HASH_SIZE]; /* of all that its entries hold */
} made[ARCHIVES];
static char work[NAME_ROOM], work_db[PATH_ROOM]; /* the changed one */

/* ---- archives ---- */

static void put_keys(void)
{
	struct eg_err err = {0};
	struct eg_tx tx = eg_tx_begin(r->store);
	for (unsigned i = 0; i < r->keys->n; i++)
		eg_tx_put_key(&tx, r->keys->names[i], r->keys->wrapped[i]);
	MUST(!eg_tx_end(&tx, &err));
}

static void copy(const char *from_dir, const char *to_dir, const char *name)
{
	char path[PATH_ROOM];
	struct eg_buf b = {0};
	snprintf(path, sizeof path, "%s/%s", from_dir, name);
	MUST(!file_read(path, FILE_MAX, &b, NULL));
	snprintf(path, sizeof path, "%s/%s", to_dir, name);
	fuzz_write(path, eg_buf_bytes(&b));
	eg_buf_free(&b);
}

/* A reviewer decides every case that is open, one way or the other. */
static void decide(void)
{
	struct eg_case_row *rows;
	struct eg_err err = {0};
	unsigned n;
	MUST(!eg_list_cases(r->reader, 0, 0, EG_CASE_OPEN, 500, r->arena, &rows, &n, &err));
	for (unsigned i = 0; i < n; i++) {
		struct eg_case_body body;
		enum eg_rc rc;
		road_case(r, rows[i].id, &body);
		bool conflict = body.n_digests > 0;
		eg_ticket_free(road_decide(r, rows[i].id,
		                           conflict ? EG_DECIDE_UPHOLD
		                           : i % 2  ? EG_DECIDE_LINK
		                                    : EG_DECIDE_APART,
		                           conflict ? body.digests[i % body.n_digests] : NULL, &rc));
	}
}

static void make(unsigned operations, const char *dir)
{
	struct world w;
	r = road_open(NULL);
	start_lists();
	world_make(&w, operations, 3);
	world_send(&w, r, false, false);
	decide();
	world_shuffle(&w);
	world_send(&w, r, false, false);
	free(w.ops);
	send_list("l1", 20260101, three, 3);
	send_list("l2", 20260201, three, 2);
	stop_road();
	r->checkpoint_us = 1; /* with the next commit */
	road_start(r);
	start_lists();
	send_record("a", "王一", 20260301);
	send_record("a", "王一", 20260302);
	put_keys();
	eg_intake_close(r->intake);
	eg_writer_drain(r->writer);
	stop_lists();
	road_stop(r);
	MUST(mkdir(dir, 0700) == 0);
	copy(r->dir, dir, "eldergate.db");
	copy(r->dir, dir, "root.key");
	eg_policy_unref(r->policy);
	eg_arena_free(r->arena);
	nftw(r->dir, road_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(r->keys);
	free(r);
}

static void keep_checkpoint(struct archive *a, struct made *m)
{
	struct eg_arena *arena = eg_arena_new(1 << 20);
	struct eg_bytes note;
	char id[2 * sizeof a->log_id + 1], origin[128];
	uint8_t key[32];
	uint64_t size;
	int64_t time;
	eg_hex(a->log_id, sizeof a->log_id, id);
	snprintf(origin, sizeof origin, "eldergate.%s", id);
	eg_vault_public(a->vault, key);
	MUST(arena && !eg_get_checkpoint(a->conn, 0, arena, &size, &time, &note, NULL));
	MUST(!eg_checkpoint_verify(note, origin, key, &m->kept, NULL));
	eg_arena_free(arena);
}

static void digest_log(const struct archive *a, uint8_t out[EG_HASH_SIZE])
{
	struct eg_arena *arena = eg_arena_new(64 << 20);
	struct eg_hash *h = eg_hash_new(EG_HASH_SHA256);
	struct eg_log_row *rows;
	uint64_t seq = 0;
	unsigned n = 1;
	MUST(arena && h);
	while (n) {
		eg_arena_reset(arena);
		MUST(!eg_list_entries(a->conn, seq, 100, 1 << 20, arena, &rows, &n, NULL));
		for (unsigned i = 0; i < n; i++) {
			const struct eg_bytes parts[] = {
			        rows[i].header, rows[i].claim, rows[i].effect, {rows[i].leaf, EG_HASH_SIZE}};
			eg_hash_add(h, parts, 4);
			seq = rows[i].seq;
		}
	}
	eg_hash_end(h, out);
	eg_hash_free(h);
	eg_arena_free(arena);
}

/* How it is when nobody touched it. */
static void look(struct made *m)
{
	struct archive a;
	struct eg_err err = {0};
	char path[PATH_ROOM];
	const struct verify_options o = {0};
	snprintf(path, sizeof path, "%s/eldergate.db", m->dir);
	MUST(!file_read(path, FILE_MAX, &m->db, &err));
	enum eg_rc rc = archive_open(&a, m->dir, NULL, &err);
	if (!rc)
		rc = verify_archive(&a, &o, &m->result, &err);
	if (rc)
		fprintf(stderr, "%s: %s\n", m->dir, err.text);
	MUST(!rc);
	keep_checkpoint(&a, m);
	digest_log(&a, m->log);
	archive_close(&a);
}

void fuzz_start(void)
{
	const char *kept = getenv("EG_FUZZ_ARCHIVE"), *given = getenv("EG_SEED");
	road_seed = given ? strtoull(given, NULL, 0) : 1;
	for (unsigned i = 0; i < ARCHIVES; i++) {
		struct made *m = &made[i];
		char path[PATH_ROOM];
		snprintf(m->dir, sizeof m->dir, "%.150s/archive-%u", kept ? kept : fuzz_dir(), i);
		snprintf(path, sizeof path, "%s/eldergate.db", m->dir);
		if (access(path, R_OK) != 0)
			make(sizes[i], m->dir);
		look(m);
		MUST(m->result.entries && m->result.lists == 2 && m->result.checkpoints);
	}
	MUST(made[1].result.tiles);
	snprintf(work, sizeof work, "%s/work", fuzz_dir());
	snprintf(work_db, sizeof work_db, "%s/eldergate.db", work);
	MUST(mkdir(work, 0700) == 0);
}

/* ---- changes of values ---- */

struct cell {
	sqlite3 *db;
	const char *table;
	char column[64];
	sqlite3_int64 row;
	struct eg_buf value;
	sqlite3_int64 number;
	int type;
};

/* Not for what was found in a file that bytes of were changed: SQLite may refuse anything then. */
static bool run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *how, ...)
{
	char sql[400];
	sqlite3_stmt *s = NULL;
	va_list args;
	va_start(args, how);
	sqlite3_vsnprintf(sizeof sql, sql, how, args);
	va_end(args);
	return sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK ? s : NULL;
}

static bool find(struct cell *c, unsigned row, unsigned column)
{
	sqlite3_stmt *s = prepare(
	        c->db,
	        "SELECT rowid, * FROM \"%w\" LIMIT 1 OFFSET (SELECT %u %% max(count(*), 1) FROM \"%w\")",
	        c->table, row, c->table);
	bool found = s && sqlite3_step(s) == SQLITE_ROW;
	if (found) {
		int at = 1 + (int)column % (sqlite3_column_count(s) - 1);
		c->row = sqlite3_column_int64(s, 0);
		snprintf(c->column, sizeof c->column, "%s", sqlite3_column_name(s, at));
		c->type = sqlite3_column_type(s, at);
		c->number = sqlite3_column_int64(s, at);
		eg_buf_reset(&c->value);
		const void *p = sqlite3_column_blob(s, at);
		eg_buf_add(&c->value, p, (size_t)sqlite3_column_bytes(s, at));
	}
	sqlite3_finalize(s);
	return found;
}

static void store(const struct cell *c)
{
	sqlite3_stmt *s = prepare(c->db, "UPDATE OR IGNORE \"%w\" SET \"%w\" = ?1 WHERE rowid = ?2", c->table,
	                          c->column);
	if (!s)
		return;
	int len = (int)c->value.len;
	if (c->type == SQLITE_INTEGER)
		sqlite3_bind_int64(s, 1, c->number);
	else if (c->type == SQLITE_TEXT)
		sqlite3_bind_text(s, 1, len ? (const char *)c->value.p : "", len, SQLITE_STATIC);
	else if (c->type == SQLITE_NULL)
		sqlite3_bind_null(s, 1);
	else
		sqlite3_bind_blob(s, 1, len ? (const void *)c->value.p : "", len, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, c->row);
	sqlite3_step(s);
	sqlite3_finalize(s);
}

static void drop_row(const struct cell *c)
{
	sqlite3_stmt *s = prepare(c->db, "DELETE FROM \"%w\" WHERE rowid = ?1", c->table);
	if (!s)
		return;
	sqlite3_bind_int64(s, 1, c->row);
	sqlite3_step(s);
	sqlite3_finalize(s);
}

/* The alias table has no row ids: one of its rows goes, or one comes. */
static void change_alias(sqlite3 *db, struct eg_bytes *in)
{
	char sql[300];
	unsigned row = (unsigned)fuzz_take(in, 2);
	if (fuzz_take(in, 1) % 2)
		snprintf(sql, sizeof sql,
		         "DELETE FROM alias WHERE (\"key\", source) IN (SELECT \"key\", source FROM alias "
		         "LIMIT 1 OFFSET %u)",
		         row % 32);
	else
		snprintf(sql, sizeof sql,
		         "INSERT OR IGNORE INTO alias SELECT \"key\", source + %u FROM alias LIMIT 1 OFFSET "
		         "%u",
		         (unsigned)fuzz_take(in, 1), row % 32);
	run(db, sql);
}

static void change_value(sqlite3 *db, unsigned what, struct eg_bytes *in)
{
	struct cell c = {.db = db, .table = tables[fuzz_take(in, 1) % TABLES]}, other = {.db = db};
	if (strcmp(c.table, "alias") == 0) {
		change_alias(db, in);
		return;
	}
	unsigned row = (unsigned)fuzz_take(in, 2), column = (unsigned)fuzz_take(in, 1);
	if (!find(&c, row, column))
		return;
	switch (what % 6) {
	case 0: { /* bytes of it */
		size_t at = (size_t)fuzz_take(in, 2);
		struct eg_bytes bytes = fuzz_take_bytes(in, (size_t)fuzz_take(in, 1));
		for (size_t i = 0; i < bytes.len && c.value.len; i++)
			c.value.p[(at + i) % c.value.len] ^= bytes.p[i];
		c.number ^= (sqlite3_int64)(bytes.len ? bytes.p[0] : 1);
		store(&c);
		break;
	}
	case 1: /* cut, or all of another length */
		c.value.len = c.value.len ? (size_t)fuzz_take(in, 2) % c.value.len : 0;
		c.number = (sqlite3_int64)fuzz_take(in, 8);
		store(&c);
		break;
	case 2:
		c.type = (int)(1 + fuzz_take(in, 1) % 5);
		store(&c);
		break;
	case 3:
		drop_row(&c);
		break;
	case 4: /* as in another row */
		other.table = c.table;
		if (find(&other, (unsigned)fuzz_take(in, 2), column)) {
			other.row = c.row;
			store(&other);
		}
		break;
	default: /* the input's own bytes */
		eg_buf_reset(&c.value);
		struct eg_bytes bytes = fuzz_take_bytes(in, (size_t)fuzz_take(in, 2));
		eg_buf_add(&c.value, bytes.p, bytes.len);
		store(&c);
	}
	eg_buf_free(&c.value);
	eg_buf_free(&other.value);
}

/* ---- changes of bytes ---- */

static void change_bytes(struct eg_bytes *in, unsigned what, size_t size)
{
	int fd = open(work_db, O_RDWR | O_CLOEXEC);
	MUST(fd >= 0);
	off_t at = (off_t)(fuzz_take(in, 3) % (size + 1));
	if (what == 1) {
		MUST(ftruncate(fd, at) == 0);
	} else {
		struct eg_bytes b = fuzz_take_bytes(in, (size_t)fuzz_take(in, 1));
		MUST(!b.len || pwrite(fd, b.p, b.len, at) == (ssize_t)b.len);
	}
	close(fd);
}

static void change(struct eg_bytes in, size_t size)
{
	sqlite3 *db = NULL;
	for (unsigned n = 0; in.len && n < CHANGES_MAX; n++) {
		unsigned what = (unsigned)fuzz_take(&in, 1) % 8;
		if (what < 2) {
			sqlite3_close(db);
			db = NULL;
			change_bytes(&in, what, size);
			continue;
		}
		if (!db && sqlite3_open_v2(work_db, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
			sqlite3_extended_result_codes(db, 1);
			run(db, "PRAGMA synchronous = OFF");
		}
		change_value(db, what - 2, &in);
	}
	sqlite3_close(db);
}

/* ---- the promise ---- */

static void same(const struct verify_result *is, const struct verify_result *was)
{
	if (is->erased_parts != was->erased_parts)
		return;
	MUST(is->entries == was->entries && memcmp(is->root, was->root, sizeof is->root) == 0);
	MUST(is->events == was->events && is->persons == was->persons && is->claims == was->claims);
	MUST(is->views == was->views && is->sources == was->sources && is->versions == was->versions);
	MUST(is->aliases == was->aliases && is->cases == was->cases && is->open_cases == was->open_cases);
	MUST(is->rejects == was->rejects && is->lags == was->lags);
	/* The log does not say how many links a decision made: the newest may be gone. */
	MUST(is->links <= was->links);
	MUST(is->lists == was->lists && is->tiles == was->tiles);
}

void fuzz_one(struct eg_bytes in)
{
	unsigned first = (unsigned)fuzz_take(&in, 1);
	const struct made *m = &made[first % ARCHIVES];
	bool auditor = first & 2;
	struct archive a;
	struct verify_result result = {0};
	struct eg_err err = {0};
	const struct verify_options o = {.kept = auditor ? &m->kept : NULL};
	char root_key[PATH_ROOM], beside[PATH_ROOM];
	fuzz_write(work_db, eg_buf_bytes(&m->db));
	snprintf(beside, sizeof beside, "%s-wal", work_db);
	unlink(beside);
	change(in, m->db.len);
	snprintf(root_key, sizeof root_key, "%s/root.key", m->dir);
	enum eg_rc rc = archive_open(&a, work, root_key, &err);
	fuzz_reason(rc, &err);
	if (rc)
		return;
	rc = verify_archive(&a, &o, &result, &err);
	fuzz_reason(rc, &err);
	uint8_t log[EG_HASH_SIZE];
	if (!rc)
		digest_log(&a, log);
	archive_close(&a);
	if (rc)
		return;
	/* An erased part is no fault: what stood in it is told by nobody any more. */
	if (result.erased_parts == m->result.erased_parts)
		MUST(memcmp(log, m->log, sizeof log) == 0);
	if (auditor)
		MUST(result.entries >= m->kept.size);
	/* Without a checkpoint of one's own, the newest entries may be missing together with all that tells
	 * of them. */
	same(&result, &m->result);
}

/* ---- seeds: one of each change, in each table ---- */

void fuzz_seeds(void)
{
	struct eg_buf b = {0};
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned what = 2; what < 8; what++)
			for (unsigned k = 0; k < 3; k++) {
				const uint8_t head[] = {(uint8_t)(t & 1 ? 2 : 0),
				                        (uint8_t)what,
				                        (uint8_t)t,
				                        0,
				                        (uint8_t)fuzz_random(),
				                        (uint8_t)(k + 1),
				                        0,
				                        (uint8_t)(5 * k),
				                        0,
				                        2,
				                        0x80,
				                        1};
				eg_buf_reset(&b);
				eg_buf_add(&b, head, sizeof head);
				fuzz_seed(eg_buf_bytes(&b));
			}
	for (unsigned k = 0; k < 40; k++) {
		uint64_t place = fuzz_random() % made[k & 1].db.len;
		const uint8_t bytes[] = {(uint8_t)(k & 3),
		                         k % 10 == 0,
		                         (uint8_t)(place >> 16),
		                         (uint8_t)(place >> 8),
		                         (uint8_t)place,
		                         3,
		                         1,
		                         2,
		                         3};
		fuzz_seed((struct eg_bytes){bytes, sizeof bytes});
	}
	fuzz_seed((struct eg_bytes){(const uint8_t *)"\0", 1});
	fuzz_seed((struct eg_bytes){(const uint8_t *)"\3", 1});
	eg_buf_free(&b);
}
