/* sqlite_write: the transaction that remembers its first error, step by step.
 *
 * Every step is a no-op once tx->rc is set; only eg_tx_end ends the transaction. All of it runs on the
 * writer's connection in the writer's thread. */
#include "base/fault.h"
#include "base/log.h"
#include "store/sqlite_conn.h"

#include <limits.h>
#include <string.h>

/* One statement of a transaction being bound. */
struct step {
	struct eg_tx *tx;
	sqlite3_stmt *st; /* NULL: a no-op */
	int at;           /* parameters bound */
	int code;         /* first result that was not SQLITE_OK */
	const char *what;
};

static struct step step(struct eg_tx *tx, enum eg_stmt id, const char *what)
{
	struct step p = {.tx = tx, .what = what};
	if (tx->rc != EG_OK)
		return p;
	if (eg_fault())
		tx->rc = eg_fail(&tx->err, EG_IO, "store %s: %s: a failure was injected",
		                 tx->conn->store->dir, what);
	else
		tx->rc = eg_conn_stmt(tx->conn, id, &p.st, &tx->err);
	if (tx->rc != EG_OK)
		p.st = NULL;
	return p;
}

static void bound(struct step *p, int code)
{
	if (p->code == SQLITE_OK)
		p->code = code;
}

static void bind_int(struct step *p, int64_t v)
{
	if (p->st)
		bound(p, sqlite3_bind_int64(p->st, ++p->at, v));
}

/* Sequence numbers and sizes; SQLite's integers are signed. */
static void bind_seq(struct step *p, uint64_t v)
{
	if (p->st)
		bound(p, v <= INT64_MAX ? sqlite3_bind_int64(p->st, ++p->at, (int64_t)v) : SQLITE_RANGE);
}

static void bind_fixed(struct step *p, const uint8_t *v, int len)
{
	if (p->st)
		bound(p, sqlite3_bind_blob(p->st, ++p->at, v, len, SQLITE_STATIC));
}

static void bind_bytes(struct step *p, struct eg_bytes v)
{
	if (p->st)
		bound(p, sqlite3_bind_blob64(p->st, ++p->at, v.len ? (const void *)v.p : "", v.len,
		                             SQLITE_STATIC));
}

static void bind_part(struct step *p, struct eg_bytes v)
{
	if (v.len)
		bind_bytes(p, v);
	else if (p->st)
		bound(p, sqlite3_bind_null(p->st, ++p->at));
}

static void bind_text(struct step *p, const char *v, size_t len)
{
	if (p->st)
		bound(p, sqlite3_bind_text64(p->st, ++p->at, len ? v : "", len, SQLITE_STATIC, SQLITE_UTF8));
}

static void bind_name(struct step *p, const char *v)
{
	bind_text(p, v, v ? strlen(v) : 0);
}

/* Runs it; how many rows it changed (0 after an error). */
static int run(struct step *p)
{
	if (!p->st)
		return 0;
	if (p->code == SQLITE_OK)
		p->code = sqlite3_step(p->st);
	if (p->code != SQLITE_DONE)
		p->tx->rc = eg_conn_fail(p->tx->conn, p->code, p->what, &p->tx->err);
	sqlite3_reset(p->st);
	return p->tx->rc == EG_OK ? sqlite3_changes(p->tx->conn->db) : 0;
}

/* Runs an insert (*row 0: sets it) or an update of that row, which must be there. */
static void run_row(struct step *p, int64_t *row)
{
	int changed = run(p);
	if (p->tx->rc != EG_OK)
		return;
	if (*row == 0)
		*row = sqlite3_last_insert_rowid(p->tx->conn->db);
	else if (changed != 1)
		p->tx->rc = eg_fail(&p->tx->err, EG_NOT_FOUND, "store %s: %s: there is no row %lld",
		                    p->tx->conn->store->dir, p->what, (long long)*row);
}

/* ---- begin and end ---- */

struct eg_tx eg_tx_begin(struct eg_store *s)
{
	struct eg_tx tx = {.conn = &s->writer};
	if (s->read_only)
		tx.rc = eg_fail(&tx.err, EG_PRECONDITION, "store %s was opened to be read only", s->dir);
	else if (s->broken) {
		tx.rc = eg_fail(&tx.err, EG_IO, "store %s failed before and must be opened anew", s->dir);
		tx.err.fatal = true;
	} else if (!sqlite3_get_autocommit(s->writer.db))
		tx.rc = eg_fail(&tx.err, EG_INTERNAL, "store %s: the last transaction was not ended", s->dir);
	else if (eg_fault())
		tx.rc = eg_fail(&tx.err, EG_IO, "store %s: begin: a failure was injected", s->dir);
	else
		tx.rc = eg_conn_run(&s->writer, EG_ST_BEGIN_WRITE, &tx.err);
	return tx;
}

static enum eg_rc commit(struct eg_tx *tx)
{
	if (tx->rc != EG_OK)
		return tx->rc;
	if (eg_fault())
		return tx->rc = eg_conn_fail(tx->conn, SQLITE_FULL, "commit (a failure was injected)",
		                             &tx->err);
	eg_kill_point("store.before_commit");
	tx->rc = eg_conn_run(tx->conn, EG_ST_COMMIT, &tx->err);
	if (tx->rc == EG_OK)
		eg_kill_point("store.after_commit");
	return tx->rc;
}

static void roll_back(struct eg_tx *tx)
{
	struct eg_conn *c = tx->conn;
	c->head_known = false;
	if (!c->db || sqlite3_get_autocommit(c->db)) /* SQLite rolls back by itself after some errors */
		return;
	struct eg_err why = {0};
	if (eg_conn_run(c, EG_ST_ROLLBACK, &why) == EG_OK || sqlite3_get_autocommit(c->db))
		return;
	eg_log_err(EG_LOG_ERROR, "store.rollback_failed", &why);
	c->store->broken = true;
}

enum eg_rc eg_tx_end(struct eg_tx *tx, struct eg_err *err)
{
	struct eg_store *s = tx->conn->store;
	enum eg_rc rc = commit(tx);
	if (rc != EG_OK && !s->read_only)
		roll_back(tx);
	struct eg_err why = tx->err;
	/* On a full disk a copied WAL is room for the next try. */
	struct eg_err stop = {0};
	if ((rc == EG_OK || rc == EG_NO_SPACE) && !s->broken &&
	    eg_wal_after_commit(s, rc == EG_NO_SPACE, &stop) != EG_OK) {
		rc = stop.rc;
		why = stop;
	}
	if (rc != EG_OK && err)
		*err = why;
	return rc;
}

/* ---- rows ---- */

void eg_tx_put_person(struct eg_tx *tx, struct eg_person_row *v)
{
	struct step p = step(tx, v->row ? EG_ST_SET_PERSON : EG_ST_ADD_PERSON, "put a person");
	bind_fixed(&p, v->id, sizeof v->id);
	bind_int(&p, v->version);
	bind_seq(&p, v->last_seq);
	bind_bytes(&p, v->body);
	if (v->row)
		bind_int(&p, v->row);
	run_row(&p, &v->row);
}

void eg_tx_put_source(struct eg_tx *tx, struct eg_source_row *v)
{
	struct step p = step(tx, v->row ? EG_ST_SET_SOURCE : EG_ST_ADD_SOURCE, "put a source key");
	bind_fixed(&p, v->token, sizeof v->token);
	bind_int(&p, v->person);
	bind_bytes(&p, v->body);
	if (v->row)
		bind_int(&p, v->row);
	run_row(&p, &v->row);
}

void eg_tx_put_alias(struct eg_tx *tx, const uint8_t key[24], int64_t source)
{
	struct step p = step(tx, EG_ST_PUT_ALIAS, "put an alias");
	bind_fixed(&p, key, 24);
	bind_int(&p, source);
	run(&p);
}

void eg_tx_drop_alias(struct eg_tx *tx, const uint8_t key[24], int64_t source)
{
	struct step p = step(tx, EG_ST_DROP_ALIAS, "drop an alias");
	bind_fixed(&p, key, 24);
	bind_int(&p, source);
	run(&p);
}

void eg_tx_put_link(struct eg_tx *tx, const struct eg_link_row *v)
{
	struct step p = step(tx, EG_ST_PUT_LINK, "put a link");
	bind_fixed(&p, v->a, sizeof v->a);
	bind_fixed(&p, v->b, sizeof v->b);
	bind_int(&p, v->kind);
	bind_seq(&p, v->seq);
	run(&p);
}

void eg_tx_append(struct eg_tx *tx, const struct eg_log_row *v)
{
	struct eg_conn *c = tx->conn;
	if (tx->rc == EG_OK && !c->head_known) {
		tx->rc = eg_get_head(c, &c->head, &tx->err);
		c->head_known = tx->rc == EG_OK;
	}
	if (tx->rc == EG_OK && v->seq != c->head + 1)
		tx->rc = eg_fail(&tx->err, EG_INTERNAL, "store %s: entry %llu cannot follow entry %llu",
		                 c->store->dir, (unsigned long long)v->seq, (unsigned long long)c->head);
	struct step p = step(tx, EG_ST_APPEND, "append to the log");
	bind_seq(&p, v->seq);
	bind_bytes(&p, v->header);
	bind_part(&p, v->claim);
	bind_part(&p, v->effect);
	bind_fixed(&p, v->leaf, sizeof v->leaf);
	run(&p);
	if (tx->rc == EG_OK)
		c->head = v->seq;
}

void eg_tx_put_tile(struct eg_tx *tx, int64_t id, const uint8_t hashes[8192])
{
	struct step p = step(tx, EG_ST_PUT_TILE, "put a tile");
	bind_int(&p, id);
	bind_fixed(&p, hashes, 8192);
	run(&p);
}

void eg_tx_put_checkpoint(struct eg_tx *tx, uint64_t size, int64_t time_us, struct eg_bytes note)
{
	struct step p = step(tx, EG_ST_PUT_CHECKPOINT, "put a checkpoint");
	bind_seq(&p, size);
	bind_int(&p, time_us);
	bind_text(&p, (const char *)note.p, note.len);
	run(&p);
}

void eg_tx_put_case(struct eg_tx *tx, struct eg_case_row *v)
{
	struct step p = step(tx, v->row ? EG_ST_SET_CASE : EG_ST_ADD_CASE, "put a case");
	bind_fixed(&p, v->id, sizeof v->id);
	bind_int(&p, v->kind);
	bind_int(&p, v->state);
	bind_int(&p, v->person);
	bind_seq(&p, v->opened);
	bind_seq(&p, v->closed);
	bind_fixed(&p, v->subject, sizeof v->subject);
	bind_bytes(&p, v->body);
	if (v->row)
		bind_int(&p, v->row);
	run_row(&p, &v->row);
}

void eg_tx_put_reject(struct eg_tx *tx, const struct eg_reject_row *v)
{
	struct step p = step(tx, EG_ST_PUT_REJECT, "put a reject");
	bind_seq(&p, v->seq);
	bind_name(&p, v->agency);
	bind_name(&p, v->dataset);
	bind_int(&p, v->state);
	bind_fixed(&p, v->source, sizeof v->source);
	bind_int(&p, v->version);
	bind_int(&p, v->mapping_revision);
	bind_fixed(&p, v->digest, sizeof v->digest);
	run(&p);
}

void eg_tx_put_dataset(struct eg_tx *tx, const struct eg_dataset_row *v)
{
	struct step p = step(tx, EG_ST_PUT_DATASET, "put a dataset");
	bind_name(&p, v->name);
	bind_int(&p, v->event_time);
	bind_int(&p, v->heard);
	bind_seq(&p, v->seq);
	bind_int(&p, v->records);
	bind_int(&p, v->rejects);
	run(&p);
}

void eg_tx_put_lag(struct eg_tx *tx, int64_t person, int64_t since_us)
{
	struct step p = step(tx, EG_ST_PUT_LAG, "put a lag");
	bind_int(&p, person);
	bind_int(&p, since_us);
	run(&p);
}

void eg_tx_age_lag(struct eg_tx *tx, int64_t person, int64_t since_us)
{
	struct step p = step(tx, EG_ST_AGE_LAG, "make a lag older");
	bind_int(&p, person);
	bind_int(&p, since_us);
	run(&p);
}

void eg_tx_drop_lag(struct eg_tx *tx, int64_t person)
{
	struct step p = step(tx, EG_ST_DROP_LAG, "drop a lag");
	bind_int(&p, person);
	run(&p);
}

void eg_tx_put_mark(struct eg_tx *tx, const char *name, uint64_t seq)
{
	struct step p = step(tx, EG_ST_PUT_MARK, "put a mark");
	bind_name(&p, name);
	bind_seq(&p, seq);
	run(&p);
}

void eg_tx_put_meta(struct eg_tx *tx, const char *name, struct eg_bytes value)
{
	struct step p = step(tx, EG_ST_PUT_META, "put a property");
	bind_name(&p, name);
	bind_bytes(&p, value);
	run(&p);
}

void eg_tx_put_key(struct eg_tx *tx, const char *name, const uint8_t wrapped[60])
{
	struct step p = step(tx, EG_ST_PUT_KEY, "put a key");
	bind_name(&p, name);
	bind_fixed(&p, wrapped, 60);
	run(&p);
}

void eg_tx_put_list(struct eg_tx *tx, struct eg_list_row *v)
{
	bool fresh = !v->row;
	struct step p = step(tx, v->row ? EG_ST_SET_LIST : EG_ST_ADD_LIST, "put a list");
	bind_name(&p, v->agency);
	bind_name(&p, v->dataset);
	bind_name(&p, v->list_id);
	bind_fixed(&p, v->digest, sizeof v->digest);
	bind_int(&p, v->as_of);
	bind_int(&p, v->phase);
	bind_seq(&p, v->pinned);
	bind_seq(&p, v->seq);
	bind_fixed(&p, v->spool, sizeof v->spool);
	bind_bytes(&p, v->body);
	if (v->row)
		bind_int(&p, v->row);
	run_row(&p, &v->row);
	if (!fresh)
		return;
	p = step(tx, EG_ST_ADD_STANDING, "let a list stand");
	bind_int(&p, v->row);
	run(&p);
}

void eg_tx_drop_standing(struct eg_tx *tx, int64_t list)
{
	struct step p = step(tx, EG_ST_DROP_STANDING, "let a list stand no more");
	bind_int(&p, list);
	run(&p);
}
