/* test_powerloss: the store under losses of power: what eg_tx_end acknowledged is there, whole, and nothing
 * is half.
 *
 * A chain of lives: each begins with an empty directory, or with an image that a loss of power left of the
 * life before, so that recovery is interrupted too. Each image is opened and compared, row by row, with a
 * model that replays the commits. Everything is drawn from one seed, and there is one thread, so a seed
 * repeats a run. */
#include "crash.h"
#include "powervfs.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	PERSONS = 48,
	TILES = 12,
	CHAIN_MAX = 256,
	LIFE_COMMITS = 50,
	READERS = 2,
	ROOM = 1 << 16,
	ARENA = 16 << 20,
};

/* What the store should hold. */
struct model {
	uint64_t head, mark;
	unsigned n; /* persons; person i has row i + 1, and so has its source key */
	struct {
		int64_t version;
		uint64_t last_seq;
	} person[PERSONS];
	uint64_t tile[TILES]; /* seed of its hashes; 0: none */
};

struct chain {
	uint64_t random, salt; /* salt: of all contents */
	uint64_t seeds[CHAIN_MAX], heads[CHAIN_MAX + 1];
	unsigned n; /* commits; seeds[i] made commit i + 1, heads[i] is the head after commit i */
	struct model now;
	char dir[160];
};

static struct eg_arena *arena;

/* ---- contents ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t s = a * UINT64_C(0xd6e8feb86659fd93) + b;
	return power_random(&s);
}

/* Bytes that only this (what, a, b) of this chain has. */
static struct eg_bytes content(const struct chain *c, unsigned what, uint64_t a, uint64_t b, uint8_t *room)
{
	uint64_t s = mix(mix(mix(c->salt, what), a), b);
	uint64_t kind = power_random(&s) % 32;
	size_t len = 20 + power_random(&s) % (kind == 0 ? 20000 : kind < 8 ? 3000 : 300);
	for (size_t i = 0; i < len; i += 8) {
		uint64_t x = power_random(&s);
		memcpy(room + i, &x, len - i < 8 ? len - i : 8);
	}
	return (struct eg_bytes){room, len};
}

enum { HEADER = 1, CLAIM, EFFECT, LEAF, PERSON, SOURCE, PERSON_ID, TOKEN, ALIAS, TILE };

static void fixed(const struct chain *c, unsigned what, uint64_t a, uint64_t b, uint8_t *out, size_t len)
{
	uint64_t s = mix(mix(mix(c->salt, what), a), b);
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)power_random(&s);
}

static struct eg_bytes maybe(const struct chain *c, unsigned what, uint64_t seq, uint8_t *room)
{
	return mix(seq, what) % 3 ? content(c, what, seq, 0, room) : (struct eg_bytes){0};
}

static void put_person(const struct chain *c, struct model *m, unsigned i, struct eg_tx *tx)
{
	static uint8_t room[2][ROOM];
	bool fresh = i == m->n;
	m->n += fresh;
	m->person[i].version++;
	m->person[i].last_seq = m->head;
	if (!tx)
		return;
	struct eg_person_row p = {.row = fresh ? 0 : i + 1,
	                          .version = m->person[i].version,
	                          .last_seq = m->head,
	                          .body = content(c, PERSON, i, (uint64_t)m->person[i].version, room[0])};
	struct eg_source_row s = {.row = p.row,
	                          .person = i + 1,
	                          .body = content(c, SOURCE, i, (uint64_t)m->person[i].version, room[1])};
	uint8_t key[24];
	fixed(c, PERSON_ID, i, 0, p.id, sizeof p.id);
	fixed(c, TOKEN, i, 0, s.token, sizeof s.token);
	eg_tx_put_person(tx, &p);
	eg_tx_put_source(tx, &s);
	fixed(c, ALIAS, i, 0, key, 16);
	fixed(c, ALIAS, i, (uint64_t)m->person[i].version, key + 16, 8);
	eg_tx_put_alias(tx, key, i + 1);
}

/* One commit: into the model, and, if tx is given, into the store. */
static void fill(const struct chain *c, struct model *m, uint64_t seed, struct eg_tx *tx)
{
	static uint8_t room[3][ROOM];
	unsigned rows = 1 + (unsigned)(power_random(&seed) % (power_random(&seed) % 8 ? 8 : 80));
	for (unsigned r = 0; r < rows; r++) {
		m->head++;
		if (tx) {
			struct eg_log_row e = {.seq = m->head,
			                       .header = content(c, HEADER, m->head, 0, room[0]),
			                       .claim = maybe(c, CLAIM, m->head, room[1]),
			                       .effect = maybe(c, EFFECT, m->head, room[2])};
			fixed(c, LEAF, m->head, 0, e.leaf, sizeof e.leaf);
			eg_tx_append(tx, &e);
		}
		uint64_t i = power_random(&seed) % PERSONS;
		put_person(c, m, i < m->n ? (unsigned)i : m->n, tx);
	}
	if (power_random(&seed) % 3 == 0) {
		uint8_t hashes[8192];
		unsigned t = (unsigned)(power_random(&seed) % TILES);
		m->tile[t] = power_random(&seed) | 1;
		fixed(c, TILE, t, m->tile[t], hashes, sizeof hashes);
		if (tx)
			eg_tx_put_tile(tx, t, hashes);
	}
	m->mark = power_random(&seed) >> 1;
	if (tx)
		eg_tx_put_mark(tx, "reader", m->mark);
}

/* ---- judging what is left ---- */

static void same(const struct crash *at, bool equal, const char *what, uint64_t which)
{
	if (!equal)
		crash_broke(at, "%s %llu is not what was committed", what, (unsigned long long)which);
}

static void ok(const struct crash *at, enum eg_rc rc, const struct eg_err *err, const char *what)
{
	if (rc != EG_OK)
		crash_broke(at, "%s: %s: %s", what, eg_rc_name(rc), err->text);
}

static void compare_log(const struct crash *at, const struct chain *c, const struct model *m,
                        struct eg_conn *conn)
{
	static uint8_t room[ROOM];
	struct eg_err err = {0};
	struct eg_log_row *list;
	unsigned n;
	uint64_t seq = 0;
	do {
		eg_arena_reset(arena);
		ok(at, eg_list_entries(conn, seq, 100, ARENA / 4, arena, &list, &n, &err), &err, "the log");
		for (unsigned i = 0; i < n; i++) {
			uint8_t leaf[32];
			seq++;
			fixed(c, LEAF, seq, 0, leaf, sizeof leaf);
			same(at, list[i].seq == seq, "the entry after", seq - 1);
			same(at, memcmp(leaf, list[i].leaf, sizeof leaf) == 0, "the leaf of entry", seq);
			same(at, eg_bytes_equal(list[i].header, content(c, HEADER, seq, 0, room)),
			     "the header of entry", seq);
			same(at, eg_bytes_equal(list[i].claim, maybe(c, CLAIM, seq, room)),
			     "the claim of entry", seq);
			same(at, eg_bytes_equal(list[i].effect, maybe(c, EFFECT, seq, room)),
			     "the effect of entry", seq);
		}
	} while (n);
	same(at, seq == m->head, "the log's end", seq);
}

static void compare_persons(const struct crash *at, const struct chain *c, const struct model *m,
                            struct eg_conn *conn)
{
	static uint8_t room[ROOM];
	struct eg_err err = {0};
	struct eg_person_row *list;
	unsigned n;
	eg_arena_reset(arena);
	ok(at, eg_list_persons(conn, 0, PERSONS + 1, SIZE_MAX, arena, &list, &n, &err), &err, "the persons");
	same(at, n == m->n, "the number of persons,", n);
	for (unsigned i = 0; i < n; i++) {
		struct eg_source_row s;
		struct eg_alias *aliases;
		uint8_t id[16], token[16], key[24];
		unsigned n_aliases;
		uint64_t version = (uint64_t)m->person[i].version;
		fixed(c, PERSON_ID, i, 0, id, sizeof id);
		same(at,
		     list[i].row == i + 1 && list[i].version == m->person[i].version &&
		             list[i].last_seq == m->person[i].last_seq && memcmp(list[i].id, id, 16) == 0 &&
		             eg_bytes_equal(list[i].body, content(c, PERSON, i, version, room)),
		     "person", i + 1);
		fixed(c, TOKEN, i, 0, token, sizeof token);
		ok(at, eg_get_source(conn, token, arena, &s, &err), &err, "a source key");
		same(at,
		     s.row == i + 1 && s.person == i + 1 &&
		             eg_bytes_equal(s.body, content(c, SOURCE, i, version, room)),
		     "source key", i + 1);
		fixed(c, ALIAS, i, 0, key, 16);
		ok(at, eg_list_aliases(conn, key, arena, &aliases, &n_aliases, &err), &err, "aliases");
		same(at, n_aliases == version, "the number of aliases of person", i + 1);
	}
}

static void compare_rest(const struct crash *at, const struct chain *c, const struct model *m,
                         struct eg_conn *conn)
{
	struct eg_err err = {0};
	uint64_t mark = 0;
	for (unsigned t = 0; t < TILES; t++) {
		uint8_t want[8192], got[8192];
		enum eg_rc rc = eg_get_tile(conn, t, got, &err);
		if (rc == EG_EMPTY) {
			same(at, !m->tile[t], "tile", t);
			continue;
		}
		ok(at, rc, &err, "a tile");
		fixed(c, TILE, t, m->tile[t], want, sizeof want);
		same(at, m->tile[t] && memcmp(want, got, sizeof got) == 0, "tile", t);
	}
	enum eg_rc rc = eg_get_mark(conn, "reader", &mark, &err);
	same(at, (rc == EG_EMPTY && !m->head) || (rc == EG_OK && mark == m->mark), "the mark,", mark);
}

static struct eg_store *open_store(const struct crash *at, const char *dir, const char *vfs, uint64_t *random)
{
	static const int64_t caches[] = {40, 400,
	                                 4000}; /* KiB: the first two overflow into the WAL before a commit */
	struct eg_err err = {0};
	struct eg_store *s;
	struct eg_store_options o = {
	        .dir = dir,
	        .vfs = vfs,
	        .wal_pages = 8 + (int64_t)(power_random(random) % 64),
	        .cache_kib = caches[power_random(random) % 3],
	        .reserve_bytes = power_random(random) % 8 ? -1 : 65536,
	        .copier = power_random(random) % 2 ? EG_COPIER_CALLED : EG_COPIER_NONE,
	};
	ok(at, eg_store_open(&s, &o, &err), &err, "the store does not open");
	return s;
}

/* Opens the image with SQLite's own files; how many commits it holds. The image is spent afterwards. */
static unsigned judge(const struct chain *c, const struct crash *at, uint64_t *random)
{
	struct eg_err err = {0};
	struct model m = {0};
	uint64_t head;
	unsigned i = 0;
	struct eg_store *s = open_store(at, at->dir, NULL, random);
	struct eg_conn *conn = eg_store_writer(s);
	ok(at, eg_get_head(conn, &head, &err), &err, "the head");
	if (head < c->heads[at->acknowledged])
		crash_broke(at, "entries up to %llu were acknowledged, and those after %llu are lost",
		            (unsigned long long)c->heads[at->acknowledged], (unsigned long long)head);
	while (i < at->begun && c->heads[i] != head)
		i++;
	if (c->heads[i] != head)
		crash_broke(at, "the log ends with entry %llu, and no commit did", (unsigned long long)head);
	for (unsigned k = 0; k < i; k++)
		fill(c, &m, c->seeds[k], NULL);
	compare_log(at, c, &m, conn);
	compare_persons(at, c, &m, conn);
	compare_rest(at, c, &m, conn);
	/* What was left can be gone on with. */
	struct eg_tx tx = eg_tx_begin(s);
	fill(c, &m, power_random(random), &tx);
	ok(at, eg_tx_end(&tx, &err), &err, "a commit afterwards");
	compare_log(at, c, &m, conn);
	compare_persons(at, c, &m, conn);
	eg_store_close(s);
	crash_integrity(at, at->dir);
	return i;
}

/* ---- living ---- */

/* Snapshots held over some commits: they keep checkpoints from finishing. */
struct reader {
	struct eg_conn *conn;
	uint64_t head;
};

static void read_some(struct eg_store *s, struct reader *r, uint64_t *random)
{
	struct eg_err err = {0};
	uint64_t head;
	unsigned what = (unsigned)(power_random(random) % 16);
	if (r->conn && r->head) {
		ok(NULL, eg_get_head(r->conn, &head, &err), &err, "a reader");
		if (head != r->head)
			crash_broke(NULL, "a reader's snapshot moved");
	}
	if (!r->conn && what == 0) {
		ok(NULL, eg_store_reader(s, &r->conn, &err), &err, "a reader");
	} else if (r->conn && !r->head && what < 4) {
		ok(NULL, eg_read_begin(r->conn, &err), &err, "a reader");
		ok(NULL, eg_get_head(r->conn, &r->head, &err), &err, "a reader");
	} else if (r->conn && what < 12) {
		eg_read_end(r->conn);
		r->head = 0;
	} else if (r->conn && what == 12) {
		eg_conn_close(r->conn);
		*r = (struct reader){0};
	}
}

/* A transaction that is given up must leave nothing. */
static void give_up(struct chain *c, struct eg_store *s)
{
	struct model m = c->now;
	struct eg_err err = {0};
	struct eg_tx tx = eg_tx_begin(s);
	fill(c, &m, power_random(&c->random), &tx);
	if (tx.rc == EG_OK)
		tx.rc = eg_fail(&tx.err, EG_INVALID, "given up");
	if (eg_tx_end(&tx, &err) != EG_INVALID)
		crash_cannot("a commit failed: %s", err.text);
}

static void commit(struct chain *c, struct eg_store *s, struct crashes *crashes)
{
	struct eg_err err = {0};
	uint64_t seed = power_random(&c->random);
	c->seeds[c->n] = seed;
	unsigned copy = (unsigned)(power_random(&c->random) % 4); /* when, if it is time for a copy */
	if (copy == 0)
		eg_store_copy(s);
	struct eg_tx tx = eg_tx_begin(s);
	if (copy == 1)
		eg_store_copy(s);
	fill(c, &c->now, seed, &tx);
	if (copy == 2)
		eg_store_copy(s);
	c->heads[c->n + 1] = c->now.head;
	crashes->begun = c->n + 1;
	if (crash_settings.ack_early)
		crashes->acknowledged = c->n + 1;
	if (eg_tx_end(&tx, &err) != EG_OK)
		crash_cannot("a commit failed: %s", err.text);
	c->n++;
	crashes->acknowledged = c->n;
}

static void live(struct chain *c, struct crashes *crashes)
{
	struct reader readers[READERS] = {0};
	crashes->acknowledged = crashes->begun = c->n;
	crash_begin(crashes, c->dir, &c->random);
	struct eg_store *s = open_store(NULL, c->dir, power_vfs(), &c->random);
	for (unsigned i = 0; i < LIFE_COMMITS && c->n < CHAIN_MAX && !crash_over(crashes); i++) {
		for (unsigned r = 0; r < READERS; r++)
			read_some(s, &readers[r], &c->random);
		if (power_random(&c->random) % 8 == 0)
			give_up(c, s);
		commit(c, s, crashes);
	}
	for (unsigned r = 0; r < READERS; r++)
		eg_conn_close(readers[r].conn);
	eg_store_close(s);
	crash_end();
}

static void begin_chain(struct chain *c)
{
	uint64_t random = c->random;
	memset(c, 0, sizeof *c);
	c->random = random;
	c->salt = power_random(&c->random);
	crash_new_dir(c->dir, "life");
	if (mkdir(c->dir, 0700) != 0)
		crash_cannot("no directory %s", c->dir);
}

/* The chain goes on from a copy of this image. */
static void go_on(struct chain *c, const char *dir, unsigned commits)
{
	snprintf(c->dir, sizeof c->dir, "%s", dir);
	c->n = commits;
	c->now = (struct model){0};
	for (unsigned i = 0; i < commits; i++)
		fill(c, &c->now, c->seeds[i], NULL);
}

int main(void)
{
	static struct chain c;
	static struct crashes crashes;
	unsigned judged = 0, lives = 0, most = 0;
	crash_setup("powerloss", 300);
	arena = eg_arena_new(ARENA);
	c.random = crash_settings.seed;
	begin_chain(&c);
	while (judged < crash_settings.runs) {
		char next[160] = "";
		unsigned of_next = 0;
		live(&c, &crashes);
		lives++;
		most = c.n > most ? c.n : most;
		unsigned choice = (unsigned)(power_random(&c.random) % CRASHES_MAX);
		for (unsigned i = 0; i < crashes.n; i++) {
			const struct crash *at = &crashes.list[i];
			if (i == choice) {
				crash_new_dir(next, "life");
				crash_copy(at->dir, next);
			}
			unsigned commits = judge(&c, at, &c.random);
			if (i == choice)
				of_next = commits;
			crash_remove(at->dir);
			judged++;
		}
		/* Else the same directory, closed in peace, goes on. */
		if (*next) {
			crash_remove(c.dir);
			go_on(&c, next, of_next);
		}
		if (c.n > CHAIN_MAX - LIFE_COMMITS || power_random(&c.random) % 8 == 0) {
			crash_remove(c.dir);
			begin_chain(&c);
		}
	}
	crash_remove(c.dir);
	eg_arena_free(arena);
	const unsigned needed = 1u << POWER_WAL_WRITE | 1u << POWER_WAL_SYNC | 1u << POWER_WAL_CUT |
	                        1u << POWER_DATABASE_WRITE | 1u << POWER_DATABASE_SYNC |
	                        1u << POWER_DATABASE_CUT | 1u << POWER_JOURNAL_WRITE |
	                        1u << POWER_JOURNAL_SYNC | 1u << POWER_DELETE | 1u << POWER_DIRECTORY_SYNC;
	int rc = crash_finish(crash_settings.runs < 300 ? 0 : needed);
	printf("powerloss: %u images judged, of %u lives with up to %u commits\n", judged, lives, most);
	return rc;
}
