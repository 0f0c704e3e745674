/* store: the gateway's durable state behind one interface: rows in, rows out, one writer.
 *
 * Tables and bytes: gateway/FORMAT.md. The store knows no keys and opens no sealed body.
 * A struct eg_conn is one connection of one thread. The writer's is the only one that writes; readers are
 * read only, hold a transaction for at most EG_READ_MS, and wait at the gate while the write-ahead log begins
 * anew. Every function on a conn belongs to the thread that opened it. Rows read are copied into the arena
 * given. */
#ifndef EG_STORE_STORE_H
#define EG_STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "eldergate/err.h"

struct eg_store;
struct eg_conn;

#define EG_READ_MS 20 /* a read transaction is ended after this long */

/* Who copies the write-ahead log into the database: the writer itself, which waits for the disk meanwhile; a
 * thread of the store's; or whoever calls eg_store_copy (tests: a seed decides when). */
enum eg_copier_kind { EG_COPIER_NONE, EG_COPIER_THREAD, EG_COPIER_CALLED };

struct eg_store_options {
	const char *dir;   /* the data directory; must exist */
	int64_t wal_pages; /* checkpoint above this many WAL pages (4 KiB each); default 65536. With a copier
	                      it may grow to twice as many */
	int64_t cache_kib; /* page cache of the writer; default 65536 */
	int64_t reserve_bytes; /* preallocated for read entries on a full disk; default 16 MiB */
	const char *vfs;       /* SQLite VFS below ours; NULL: its default. Tests lose power there */
	enum eg_copier_kind copier;
	bool read_only; /* for `log verify`: changes no byte of the directory */
};

/* Opens or makes DIR/eldergate.db; takes the directory's lock (EG_BUSY when another daemon has it). */
enum eg_rc eg_store_open(struct eg_store **out, const struct eg_store_options *o, struct eg_err *err);
void eg_store_close(struct eg_store *s);             /* every conn must be closed */
struct eg_conn *eg_store_writer(struct eg_store *s); /* owned by the store; one thread only */
enum eg_rc eg_store_reader(struct eg_store *s, struct eg_conn **out, struct eg_err *err);
void eg_conn_close(struct eg_conn *c);          /* a reader's */
int64_t eg_store_wal_bytes(struct eg_store *s); /* size of the WAL file; any thread */
/* With EG_COPIER_CALLED: copies if the writer asked for it, and tells whether it did. Any thread but not
 * beside itself; a transaction of the writer may be open. */
bool eg_store_copy(struct eg_store *s);
/* The writer's, while it has nothing to commit: a failed sync of a copy, of which its next commit would tell,
 * is told at once. */
enum eg_rc eg_store_check(struct eg_store *s, struct eg_err *err);
/* After EG_NO_SPACE: gives a part of the reserve back to the disk, so that a read entry can still be
 * committed. False: it is spent. It fills up again by itself when the disk has room. Writer's thread. */
bool eg_store_spend_reserve(struct eg_store *s);
/* Is a part of the reserve given back, and the disk still without room to fill it up again? What is free then
 * is kept for read entries. Writer's thread. */
bool eg_store_on_reserve(struct eg_store *s);

/* ---- writing: a transaction that remembers its first error ---- */
struct eg_tx {
	struct eg_conn *conn;
	enum eg_rc rc;
	struct eg_err err;
};
struct eg_tx eg_tx_begin(struct eg_store *s); /* every step is a no-op once rc is set */
/* Commits (durable when it returns EG_OK), or rolls back if rc is set. EG_NO_SPACE leaves the store usable;
 * an fsync failure is fatal (err->fatal). Sees to the WAL afterwards when it is over its limit. */
enum eg_rc eg_tx_end(struct eg_tx *tx, struct eg_err *err);

struct eg_person_row {
	int64_t row; /* 0: new; set by put */
	uint8_t id[16];
	int64_t version;
	uint64_t last_seq;
	struct eg_bytes body; /* sealed */
};
void eg_tx_put_person(struct eg_tx *tx, struct eg_person_row *p);

struct eg_source_row {
	int64_t row; /* 0: new; set by put */
	uint8_t token[16];
	int64_t person; /* row of its person; 0: none (no effective claim yet) */
	struct eg_bytes body;
};
void eg_tx_put_source(struct eg_tx *tx, struct eg_source_row *s);

void eg_tx_put_alias(struct eg_tx *tx, const uint8_t key[24], int64_t source); /* once more is no error */
void eg_tx_drop_alias(struct eg_tx *tx, const uint8_t key[24], int64_t source);

struct eg_link_row {
	uint8_t a[16], b[16];
	int kind;
	uint64_t seq;
};
void eg_tx_put_link(struct eg_tx *tx, const struct eg_link_row *l);

struct eg_log_row {
	uint64_t seq;
	struct eg_bytes header, claim, effect; /* claim and effect: C ‖ sealed, or empty */
	uint8_t leaf[32];
};
void eg_tx_append(struct eg_tx *tx, const struct eg_log_row *e); /* seq must be head + 1 */
void eg_tx_put_tile(struct eg_tx *tx, int64_t id, const uint8_t hashes[8192]);
void eg_tx_put_checkpoint(struct eg_tx *tx, uint64_t size, int64_t time_us, struct eg_bytes note);

enum { EG_CASE_OPEN = 1, EG_CASE_CLOSED = 2 };
struct eg_case_row {
	int64_t row;
	uint8_t id[16];
	int kind, state;
	int64_t person;          /* row; 0: none */
	uint64_t opened, closed; /* seq */
	uint8_t subject[16];     /* digest of (kind, participants): the same question is one case */
	struct eg_bytes body;    /* sealed */
};
void eg_tx_put_case(struct eg_tx *tx, struct eg_case_row *c);

enum { EG_REJECT_OPEN = 1, EG_REJECT_CORRECTED = 2, EG_REJECT_DECIDED = 3 };
struct eg_reject_row {
	uint64_t seq; /* of its QUARANTINE entry */
	const char *agency, *dataset;
	int state;
	uint8_t source[16];
	int64_t version;
	uint32_t mapping_revision;
	uint8_t digest[16];
};
void eg_tx_put_reject(struct eg_tx *tx, const struct eg_reject_row *r);

struct eg_dataset_row {
	const char *name;   /* "agency/dataset" */
	int64_t event_time; /* newest seen, never later than now plus the named skew */
	int64_t heard;      /* time of the commit that last had a record of it */
	uint64_t seq;
	int64_t records, rejects;
};
void eg_tx_put_dataset(struct eg_tx *tx, const struct eg_dataset_row *d);

/* A full list of a dataset. Phases and body: gateway/FORMAT.md. */
struct eg_list_row {
	int64_t row; /* 0: new; set by put */
	const char *agency, *dataset, *list_id;
	uint8_t digest[32];
	int64_t as_of;
	int phase;
	uint64_t pinned, seq; /* 0: not yet */
	uint8_t spool[16];    /* names its folder */
	struct eg_bytes body; /* canon */
};
void eg_tx_put_list(struct eg_tx *tx, struct eg_list_row *l); /* a new one stands */
void eg_tx_drop_standing(struct eg_tx *tx, int64_t list);     /* its row stays */

/* Since when other evidence has a person dead whom the police have as alive; one row a person. */
void eg_tx_put_lag(struct eg_tx *tx, int64_t person, int64_t since_us);
void eg_tx_age_lag(struct eg_tx *tx, int64_t person, int64_t since_us); /* of one that is there: not later */
void eg_tx_drop_lag(struct eg_tx *tx, int64_t person);

void eg_tx_put_mark(struct eg_tx *tx, const char *name, uint64_t seq);
void eg_tx_put_meta(struct eg_tx *tx, const char *name, struct eg_bytes value);
void eg_tx_put_key(struct eg_tx *tx, const char *name, const uint8_t wrapped[60]);

/* ---- reading: on the writer's conn inside or outside its transaction, or on a reader's ----
 * Single rows: EG_OK, or EG_EMPTY when there is none. Lists: *n may be 0. */
enum eg_rc eg_read_begin(struct eg_conn *c,
                         struct eg_err *err); /* a snapshot; waits at the gate. Readers only */
void eg_read_end(struct eg_conn *c);
bool eg_read_expired(struct eg_conn *c); /* EG_READ_MS have passed: end it and begin anew */

enum eg_rc eg_get_person(struct eg_conn *c, int64_t row, struct eg_arena *a, struct eg_person_row *out,
                         struct eg_err *);
enum eg_rc eg_get_person_by_id(struct eg_conn *c, const uint8_t id[16], struct eg_arena *a,
                               struct eg_person_row *out, struct eg_err *);
/* Persons with row > after, ascending, at most max and at most max_bytes (at least one if there is one). */
enum eg_rc eg_list_persons(struct eg_conn *c, int64_t after, unsigned max, size_t max_bytes,
                           struct eg_arena *a, struct eg_person_row **out, unsigned *n, struct eg_err *);
enum eg_rc eg_get_source(struct eg_conn *c, const uint8_t token[16], struct eg_arena *a,
                         struct eg_source_row *out, struct eg_err *);
enum eg_rc eg_get_source_by_row(struct eg_conn *c, int64_t row, struct eg_arena *a, struct eg_source_row *out,
                                struct eg_err *);
/* Source keys with token > after in the order of their tokens; after NULL: from the first. Stops early, with
 * at least one, when the read transaction expires. */
enum eg_rc eg_list_sources(struct eg_conn *c, const uint8_t *after, unsigned max, struct eg_arena *a,
                           struct eg_source_row *out, unsigned *n, struct eg_err *err);
/* Source keys with row > after, ascending, at most max and at most max_bytes (at least one if there is one).
 */
enum eg_rc eg_list_source_rows(struct eg_conn *c, int64_t after, unsigned max, size_t max_bytes,
                               struct eg_arena *a, struct eg_source_row **out, unsigned *n,
                               struct eg_err *err);
/* Source rows that have an alias whose first 16 bytes (the 18-digit token) are these. */
struct eg_alias {
	uint8_t key[24];
	int64_t source;
};
enum eg_rc eg_list_aliases(struct eg_conn *c, const uint8_t id18[16], struct eg_arena *a,
                           struct eg_alias **out, unsigned *n, struct eg_err *);
enum eg_rc eg_count_aliases(struct eg_conn *c, int64_t *n, struct eg_err *err);
/* Every alias there is, in whatever order. */
enum eg_rc eg_each_alias(struct eg_conn *c, void (*each)(void *arg, const struct eg_alias *x), void *arg,
                         struct eg_err *err);
/* Links with this token at either end. */
enum eg_rc eg_list_links(struct eg_conn *c, const uint8_t token[16], struct eg_arena *a,
                         struct eg_link_row **out, unsigned *n, struct eg_err *);
enum eg_rc eg_get_link(struct eg_conn *c, int64_t row, struct eg_link_row *out, struct eg_err *err);
enum eg_rc eg_count_links(struct eg_conn *c, int64_t *n, struct eg_err *err);
enum eg_rc eg_get_entry(struct eg_conn *c, uint64_t seq, struct eg_arena *a, struct eg_log_row *out,
                        struct eg_err *);
/* Entries with seq > after, ascending, at most max and at most max_bytes (at least one if there is one). */
enum eg_rc eg_list_entries(struct eg_conn *c, uint64_t after, unsigned max, size_t max_bytes,
                           struct eg_arena *a, struct eg_log_row **out, unsigned *n, struct eg_err *);
/* The next ones of a walk through the whole log, which begins anew when first: as they lie in the file, so
 * that none can hide between two calls. About max_bytes. None: the walk is over. Of a store opened read_only:
 * between the calls the walk stays open. */
enum eg_rc eg_next_entries(struct eg_conn *c, bool first, unsigned max, size_t max_bytes, struct eg_arena *a,
                           struct eg_log_row **out, unsigned *n, struct eg_err *);
/* The headers alone, likewise. */
struct eg_log_head {
	uint64_t seq;
	struct eg_bytes header;
};
enum eg_rc eg_list_heads(struct eg_conn *c, uint64_t after, unsigned max, struct eg_arena *a,
                         struct eg_log_head **out, unsigned *n, struct eg_err *);
enum eg_rc eg_get_leaves(struct eg_conn *c, uint64_t first_seq, unsigned n, uint8_t *leaf_data,
                         struct eg_err *);
enum eg_rc eg_get_head(struct eg_conn *c, uint64_t *seq, struct eg_err *); /* 0: an empty log */
enum eg_rc eg_get_tile(struct eg_conn *c, int64_t id, uint8_t hashes[8192], struct eg_err *);
/* The newest checkpoint with size >= at_least, or the newest of all when at_least is 0. */
enum eg_rc eg_get_checkpoint(struct eg_conn *c, uint64_t at_least, struct eg_arena *a, uint64_t *size,
                             int64_t *time_us, struct eg_bytes *note, struct eg_err *);
/* The one with the smallest size above this; EG_EMPTY when there is none. */
enum eg_rc eg_next_checkpoint(struct eg_conn *c, uint64_t after_size, struct eg_arena *a, uint64_t *size,
                              int64_t *time_us, struct eg_bytes *note, struct eg_err *err);
enum eg_rc eg_get_case(struct eg_conn *c, const uint8_t id[16], struct eg_arena *a, struct eg_case_row *out,
                       struct eg_err *);
enum eg_rc eg_get_case_by_subject(struct eg_conn *c, const uint8_t subject[16], struct eg_arena *a,
                                  struct eg_case_row *out, struct eg_err *);
/* Cases with row > after; kind and state 0: any. */
enum eg_rc eg_list_cases(struct eg_conn *c, int64_t after, int kind, int state, unsigned max,
                         struct eg_arena *a, struct eg_case_row **out, unsigned *n, struct eg_err *);
/* Rejects of one source key in every state: what was corrected or decided is found again when it is resent.
 */
enum eg_rc eg_list_rejects_of(struct eg_conn *c, const uint8_t source[16], struct eg_arena *a,
                              struct eg_reject_row **out, unsigned *n, struct eg_err *);
/* Rejects of all agencies with seq > after, whatever their state. */
enum eg_rc eg_list_all_rejects(struct eg_conn *c, uint64_t after, unsigned max, struct eg_arena *a,
                               struct eg_reject_row **out, unsigned *n, struct eg_err *);
/* Rejects of an agency with seq > after; state 0: any. */
enum eg_rc eg_list_rejects(struct eg_conn *c, const char *agency, uint64_t after, int state, unsigned max,
                           struct eg_arena *a, struct eg_reject_row **out, unsigned *n, struct eg_err *);
enum eg_rc eg_list_datasets(struct eg_conn *c, struct eg_arena *a, struct eg_dataset_row **out, unsigned *n,
                            struct eg_err *);
/* Lists with row > after, ascending. phase 0: any. */
enum eg_rc eg_list_lists(struct eg_conn *c, int64_t after, int phase, unsigned max, struct eg_arena *a,
                         struct eg_list_row **out, unsigned *n, struct eg_err *err);
/* Those of a dataset, likewise. */
enum eg_rc eg_list_lists_of(struct eg_conn *c, const char *agency, const char *dataset, int64_t after,
                            unsigned max, struct eg_arena *a, struct eg_list_row **out, unsigned *n,
                            struct eg_err *err);
/* Those that stand (gateway/FORMAT.md), likewise. */
enum eg_rc eg_list_standing(struct eg_conn *c, int64_t after, unsigned max, struct eg_arena *a,
                            struct eg_list_row **out, unsigned *n, struct eg_err *err);
enum eg_rc eg_get_list_by_seq(struct eg_conn *c, uint64_t seq, struct eg_arena *a, struct eg_list_row *out,
                              struct eg_err *err);
/* The newest with this name and content, of the rows before this one (0: of all). */
enum eg_rc eg_get_list_by_digest(struct eg_conn *c, const char *agency, const char *dataset,
                                 const char *list_id, const uint8_t digest[32], int64_t before,
                                 struct eg_arena *a, struct eg_list_row *out, struct eg_err *err);
struct eg_lag_row {
	int64_t person, since_us;
};
/* Lags since then or longer, the longest first. */
enum eg_rc eg_list_lags(struct eg_conn *c, int64_t until_us, unsigned max, struct eg_arena *a,
                        struct eg_lag_row **out, unsigned *n, struct eg_err *err);
/* Lags of persons in rows > after, ascending by them. */
enum eg_rc eg_list_lags_of(struct eg_conn *c, int64_t after, unsigned max, struct eg_arena *a,
                           struct eg_lag_row **out, unsigned *n, struct eg_err *err);
enum eg_rc eg_get_lag(struct eg_conn *c, int64_t person, int64_t *since_us, struct eg_err *err); /* 0: none */
enum eg_rc eg_count_lags(struct eg_conn *c, int64_t *n, struct eg_err *err);
enum eg_rc eg_get_mark(struct eg_conn *c, const char *name, uint64_t *seq, struct eg_err *);
enum eg_rc eg_get_meta(struct eg_conn *c, const char *name, struct eg_arena *a, struct eg_bytes *out,
                       struct eg_err *);
enum eg_rc eg_get_key(struct eg_conn *c, const char *name, uint8_t wrapped[60], struct eg_err *);
enum eg_rc eg_list_keys(struct eg_conn *c, const char *prefix, void (*each)(void *arg, const char *name),
                        void *arg, struct eg_err *);
enum eg_rc eg_count(struct eg_conn *c, int64_t *persons, int64_t *open_cases, struct eg_err *);

#endif
