/* sqlite_conn: what the SQLite files of this folder share: a connection, its statements, the gate.
 *
 * Only files that include this header see sqlite3.h. All writes go through the one writer connection, and
 * beside it there are only the copier's checkpoints (sqlite_copier.c tells why SQLite before 3.51.3 bears
 * them). Readers pass the gate (eg_gate_enter, eg_gate_leave) around everything that reads. Thread: a
 * connection belongs to one thread at a time; the gate is any thread's. */
#ifndef EG_STORE_SQLITE_CONN_H
#define EG_STORE_SQLITE_CONN_H

#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum eg_stmt {
#define X(name, sql) EG_ST_##name,
#include "store/statements.def"
#undef X
	EG_STMT_COUNT
};

/* The gate: how many readers are inside, and whether the writer holds it shut. */
struct eg_gate {
	pthread_mutex_t lock;
	pthread_cond_t moved; /* opened, or a reader left; on the monotonic clock */
	bool shut;
	unsigned inside;
};

#define EG_BUSY_MS 5000 /* how long a statement waits for another program that holds the file */

struct eg_conn {
	struct eg_store *store;
	sqlite3 *db;
	bool writer;
	bool copies;        /* the copier's */
	unsigned passes;    /* nested passages through the gate; the outermost one counts */
	int64_t read_since; /* of the read transaction, monotonic; 0: none is open */
	uint64_t head;      /* writer: newest seq in the present transaction's sight */
	bool head_known;
	sqlite3_stmt *stmt[EG_STMT_COUNT]; /* NULL until first used */
};

struct eg_store {
	char *dir, *path; /* owned; path: of the database */
	char *vfs;        /* owned */
	bool read_only;
	int lock_fd;           /* holds the directory's lock; -1: none */
	int64_t wal_pages;     /* the limit */
	int64_t checkpoint_at; /* WAL pages at which the writer next tries; writer's thread */
	int64_t wal_now;       /* WAL pages after the last commit; writer's thread */
	int reserve_fd;        /* -1: none */
	int64_t reserve_bytes; /* as set */
	bool reserve_spent;    /* some of it; writer's thread */
	bool broken;           /* a promise can no longer be kept; writer's thread */
	struct eg_gate gate;
	struct eg_copier *copier; /* NULL: the writer copies itself */
	atomic_uint conns;        /* readers open */
	struct eg_conn writer;
};

/* ---- connections (sqlite.c) ---- */
/* As its flags say; shut is fine on one that did not open. */
enum eg_rc eg_conn_open(struct eg_conn *c, int64_t cache_kib, struct eg_err *err);
void eg_conn_shut(struct eg_conn *c);
/* The prepared statement, reset and ready to bind. */
enum eg_rc eg_conn_stmt(struct eg_conn *c, enum eg_stmt id, sqlite3_stmt **out, struct eg_err *err);
/* Runs a statement that has no parameters and no rows. */
enum eg_rc eg_conn_run(struct eg_conn *c, enum eg_stmt id, struct eg_err *err);
/* Turns SQLite's result code (extended) into ours; marks the store broken when it is fatal. */
enum eg_rc eg_conn_fail(struct eg_conn *c, int code, const char *doing, struct eg_err *err);

/* A checkpoint that waits for nobody: *blocked when a reader kept it from finishing, which is no error;
 * *done: the pages of the WAL that are in the database now. SQLite's code. */
int eg_conn_checkpoint(struct eg_conn *c, int mode, bool *blocked, int *done);

/* Fills the reserve up again when it was spent and the disk has ample room. Writer's thread. */
void eg_store_refill_reserve(struct eg_store *s);

/* ---- the gate (sqlite_gate.c) ---- */
void eg_gate_open(struct eg_gate *g);
void eg_gate_close(struct eg_gate *g);
enum eg_rc eg_gate_enter(struct eg_conn *c, struct eg_err *err); /* EG_BUSY after EG_GATE_WAIT_US */
void eg_gate_leave(struct eg_conn *c);
/* Copies the WAL into the database (most of it is there when copied), then, with the gate shut, lets the WAL
 * begin anew. Writer's thread, outside a transaction. An error is returned only when the process must stop.
 */
enum eg_rc eg_gate_checkpoint(struct eg_store *s, bool copied, struct eg_err *err);

/* ---- the copier (sqlite_copier.c) ---- */
/* The WAL may grow to this many pages while the copier is at work; then the writer waits for it. */
#define EG_WAL_HARD_LIMIT(s) (2 * (s)->wal_pages)
enum eg_rc eg_copier_new(struct eg_store *s, bool thread, struct eg_err *err); /* sets s->copier */
enum eg_rc eg_copier_start(struct eg_copier *k, struct eg_err *err);           /* once there are tables */
void eg_copier_free(struct eg_copier *k); /* stops it; before the writer's connection is shut */
/* After each commit (disk_full: after one that the disk had no room for): the WAL is copied and begun anew
 * when it is time. Writer's thread, outside a transaction. An error is returned only when the process must
 * stop. */
enum eg_rc eg_wal_after_commit(struct eg_store *s, bool disk_full, struct eg_err *err);

/* ---- a VFS that cannot write (sqlite_frozen.c) ---- */
/* Registers it once per process; its name, or NULL when SQLite has no VFS to build on. */
const char *eg_frozen_vfs(void);

#endif
