/* bench_pg: what a user would otherwise build: the same records in PostgreSQL, with an outbox and an audit
 * trail.
 *
 *   --mode record   one transaction per record: one statement that upserts the elder and adds the outbox and
 * audit rows
 *   --mode batch    the same statement over --batch records at once, by UNNEST
 *
 * --changes: how many of the persons, anywhere in the table (all, if it is not said); --seconds: a sample
 * that ends after so many, however far it is (0: it goes on to the end).
 *
 * Both are prepared statements in binary format. Each connection has a thread and its own share of the
 * persons, so no two wait for one row. A record that is not newer than what is stored changes nothing.
 * Nothing is sealed, hashed into a tree, graded or joined here: that is the rest of what the gateway does. */
#include "base/thread.h"
#include "bench.h"
#include "people.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNECTIONS_MAX = 64,
	BYTEA = 17,
	TEXT = 25,
	INT8 = 20,
	BYTEA_ARRAY = 1001,
	TEXT_ARRAY = 1009,
	INT8_ARRAY = 1016
};

/* Bodies are PLAIN and rows narrow, as one would tune them. Gaps in the outbox's order are not even counted
 * against it. */
static const char schema[] =
        "DROP TABLE IF EXISTS elder, outbox, audit;"
        "CREATE TABLE elder (source_key text PRIMARY KEY, version bigint NOT NULL, body bytea NOT NULL,"
        "  changed timestamptz NOT NULL) WITH (fillfactor = 70);"
        "CREATE TABLE outbox (id bigserial PRIMARY KEY, source_key text NOT NULL, version bigint NOT NULL,"
        "  payload bytea NOT NULL);"
        "CREATE TABLE audit (id bigserial PRIMARY KEY, at timestamptz NOT NULL, agency text NOT NULL, act "
        "text NOT NULL,"
        "  source_key text NOT NULL, version bigint NOT NULL, body bytea NOT NULL);"
        "ALTER TABLE elder ALTER body SET STORAGE PLAIN;"
        "ALTER TABLE outbox ALTER payload SET STORAGE PLAIN;"
        "ALTER TABLE audit ALTER body SET STORAGE PLAIN;";

#define CHANGE(rows)                                                                                         \
	"WITH sent (source_key, version, body) AS (" rows "), changed AS ("                                  \
	"  INSERT INTO elder SELECT source_key, version, body, now() FROM sent"                              \
	"  ON CONFLICT (source_key) DO UPDATE SET version = excluded.version, body = excluded.body,"         \
	"    changed = excluded.changed WHERE elder.version < excluded.version"                              \
	"  RETURNING source_key, version, body),"                                                            \
	" out AS (INSERT INTO outbox (source_key, version, payload) SELECT source_key, version, body FROM "  \
	"changed)"                                                                                           \
	" INSERT INTO audit (at, agency, act, source_key, version, body)"                                    \
	" SELECT now(), 'police', 'upsert', source_key, version, body FROM changed"

static const char record_sql[] = CHANGE("VALUES ($1::text, $2::bigint, $3::bytea)");
static const char batch_sql[] = CHANGE("SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])");

/* The parameters of one execution, encoded. */
struct parameters {
	size_t at[3];
	int len[3];
	uint32_t records;
};

struct connection {
	PGconn *pg;
	struct eg_thread *thread;
	struct eg_buf text;
	struct parameters *each;
	uint32_t n, n_done;
	uint64_t records, changed; /* of those that are done */
	int64_t *latencies;
};

static struct connection connection[CONNECTIONS_MAX];
static pthread_barrier_t ready;
static int64_t sample_us; /* 0: no sample */

static PGresult *good(PGconn *pg, PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		bench_die("PostgreSQL: %s", PQerrorMessage(pg));
	return r;
}

static void execute(PGconn *pg, const char *sql)
{
	PQclear(good(pg, PQexec(pg, sql)));
}

static void run(void *arg)
{
	struct connection *c = arg;
	static const int binary[3] = {1, 1, 1};
	pthread_barrier_wait(&ready);
	int64_t until = sample_us ? eg_mono_us() + sample_us : INT64_MAX;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct parameters *p = &c->each[i];
		const char *values[3] = {(const char *)c->text.p + p->at[0],
		                         (const char *)c->text.p + p->at[1],
		                         (const char *)c->text.p + p->at[2]};
		int64_t begun = eg_mono_us();
		if (begun >= until)
			break;
		PGresult *r = good(c->pg, PQexecPrepared(c->pg, "change", 3, values, p->len, binary, 1));
		c->latencies[i] = eg_mono_us() - begun;
		c->changed += strtoull(PQcmdTuples(r), NULL, 10);
		c->records += p->records;
		c->n_done = i + 1;
		PQclear(r);
	}
}

/* One value, or the head of a one-dimensional array without NULLs of `count`. */
static void array_head(struct eg_buf *b, uint32_t type, uint32_t count)
{
	const uint32_t head[] = {1, 0, type, count, 1};
	for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
		eg_buf_add_be(b, head[i], 4);
}

static void value(struct eg_buf *b, bool in_array, const void *p, size_t len)
{
	if (in_array)
		eg_buf_add_be(b, len, 4);
	eg_buf_add(b, p, len);
}

static void encode(struct connection *c, const uint32_t *persons, uint32_t n, int64_t version, bool array)
{
	static const uint32_t types[3] = {TEXT, INT8, BYTEA};
	struct parameters *p = &c->each[c->n++];
	p->records = n;
	struct eg_buf record = {0};
	uint64_t number = htobe64((uint64_t)version);
	char key[16];
	for (unsigned column = 0; column < 3; column++) {
		p->at[column] = c->text.len;
		if (array)
			array_head(&c->text, types[column], n);
		for (uint32_t i = 0; i < n; i++) {
			if (column == 0) {
				people_key(persons[i], key);
				value(&c->text, array, key, strlen(key));
			} else if (column == 1) {
				value(&c->text, array, &number, sizeof number);
			} else {
				eg_buf_reset(&record);
				people_record(persons[i], version, &record);
				value(&c->text, array, record.p, record.len);
			}
		}
		p->len[column] = (int)(c->text.len - p->at[column]);
	}
	eg_buf_free(&record);
	if (c->text.failed)
		bench_die("no memory for the records");
}

/* A person belongs to one connection alone, in every run. */
static void deal(unsigned n_connections, uint32_t persons, uint32_t changes, uint32_t batch, int64_t version,
                 uint64_t seed, bool array)
{
	uint32_t *order = bench_order(persons, seed), *mine = bench_alloc(changes, sizeof *mine);
	for (unsigned k = 0; k < n_connections; k++) {
		struct connection *c = &connection[k];
		uint32_t n = 0;
		for (uint32_t i = 0; i < changes; i++) {
			if (order[i] % n_connections == k)
				mine[n++] = order[i];
		}
		c->each = bench_alloc(n / batch + 1, sizeof *c->each);
		c->latencies = bench_alloc(n / batch + 1, sizeof *c->latencies);
		for (uint32_t at = 0; at < n; at += batch)
			encode(c, mine + at, n - at < batch ? n - at : batch, version, array);
	}
	free(order);
	free(mine);
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *where = bench_text("--connect", NULL), *mode = bench_text("--mode", "record");
	uint32_t persons = (uint32_t)bench_number("--persons", 100000),
	         batch = (uint32_t)bench_number("--batch", 1000);
	uint32_t changes = (uint32_t)bench_number("--changes", persons);
	unsigned n = (unsigned)bench_number("--connections", 8);
	sample_us = bench_number("--seconds", 0) * EG_SECOND;
	int64_t version = bench_number("--version", 1);
	uint64_t seed = (uint64_t)bench_number("--seed", 1), records = 0, changed = 0;
	bool fresh = bench_number("--fresh", 0), array = strcmp(mode, "batch") == 0;
	bench_args_end();
	if (n < 1 || n > CONNECTIONS_MAX || persons < 1 || batch < 1 || changes < 1 || changes > persons ||
	    sample_us < 0)
		bench_die("connections: 1 to %d; persons, batch and changes: 1 or more, changes at most the "
		          "persons",
		          CONNECTIONS_MAX);
	deal(n, persons, changes, array ? batch : 1, version, seed, array);
	for (unsigned k = 0; k < n; k++) {
		struct connection *c = &connection[k];
		c->pg = PQconnectdb(where);
		if (PQstatus(c->pg) != CONNECTION_OK)
			bench_die("PostgreSQL: %s", PQerrorMessage(c->pg));
		if (k == 0 && fresh)
			execute(c->pg, schema);
		PQclear(good(c->pg, PQprepare(c->pg, "change", array ? batch_sql : record_sql, 3, NULL)));
	}
	struct eg_err err = {0};
	pthread_barrier_init(&ready, NULL, n + 1);
	for (unsigned k = 0; k < n; k++) {
		if (eg_thread_start(&connection[k].thread, "pg", run, &connection[k], &err))
			bench_die("%s", err.text);
	}
	double cpu = bench_cpu_seconds();
	int64_t begun = eg_mono_us();
	pthread_barrier_wait(&ready);
	for (unsigned k = 0; k < n; k++)
		eg_thread_join(connection[k].thread);
	double seconds = (double)(eg_mono_us() - begun) / 1e6;
	cpu = bench_cpu_seconds() - cpu;

	/* What this run dirtied is written back now: on its account, not on that of whoever measures next. */
	execute(connection[0].pg, "CHECKPOINT");

	size_t n_all = 0;
	for (unsigned k = 0; k < n; k++)
		n_all += connection[k].n_done;
	int64_t *all = bench_alloc(n_all, sizeof *all), *at = all;
	for (unsigned k = 0; k < n; k++) {
		struct connection *c = &connection[k];
		memcpy(at, c->latencies, c->n_done * sizeof *at);
		at += c->n_done;
		records += c->records;
		changed += c->changed;
		PQfinish(c->pg);
		eg_buf_free(&c->text);
		free(c->latencies);
		free(c->each);
	}
	printf("{\"bench\":\"pg\",\"mode\":\"%s\",\"connections\":%u,\"records\":%llu,\"changed\":%llu,"
	       "\"seconds\":%.6f,"
	       "\"rate\":%.1f,\"cpu_s\":%.3f,",
	       mode, n, (unsigned long long)records, (unsigned long long)changed, seconds,
	       (double)records / seconds, cpu);
	bench_print_percentiles(all, n_all);
	puts("}");
	free(all);
	pthread_barrier_destroy(&ready);
	return 0;
}
