/* bench_store: the rows of changed records written into the store alone, by the store's own interface: no
 * transport, no judging, no merging, no sealing.
 *
 * Rows have the sizes given (a driver measures them in a gateway's database) and random contents, as sealed
 * bodies have. First every person is new, then --changes of them are changed (all, if it is not said) in
 * another order, in each of --runs; batches are sorted by token and look up what they change, as the writer's
 * are. Every commit is durable. */
#include "bench.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ARENA_BYTES = 64 << 20, BODY_MAX = 1 << 16, TILE = 256, RUNS_MAX = 100 };

static struct sizes {
	size_t person, source, header, claim, effect;
	unsigned log_rows;
} sizes;

static struct eg_store *store;
static uint64_t state, seq;
static uint8_t (*tokens)[16];
static int64_t new_us, changed_us[RUNS_MAX];

static struct eg_bytes body(uint8_t *room, size_t len)
{
	bench_fill(&state, room, len);
	return (struct eg_bytes){room, len};
}

static int by_token(const void *a, const void *b)
{
	return memcmp(tokens[*(const uint32_t *)a], tokens[*(const uint32_t *)b], sizeof *tokens);
}

static void append(struct eg_tx *tx)
{
	static uint8_t header[BODY_MAX], claim[BODY_MAX], effect[BODY_MAX], tile[TILE * 32];
	struct eg_log_row e = {.seq = ++seq,
	                       .header = body(header, sizes.header),
	                       .claim = body(claim, sizes.claim),
	                       .effect = body(effect, sizes.effect)};
	bench_fill(&state, e.leaf, sizeof e.leaf);
	eg_tx_append(tx, &e);
	if (seq % TILE == 0) {
		bench_fill(&state, tile, sizeof tile);
		eg_tx_put_tile(tx, (int64_t)(seq / TILE - 1), tile);
	}
}

/* One record: its person, its source row, its log rows. */
static void put(struct eg_tx *tx, uint32_t n, bool known, struct eg_arena *arena)
{
	static uint8_t person_body[BODY_MAX], source_body[BODY_MAX];
	struct eg_person_row person = {.version = 1};
	struct eg_source_row source = {0};
	uint8_t alias[24];
	if (known) {
		if (eg_get_source(tx->conn, tokens[n], arena, &source, &tx->err) ||
		    eg_get_person(tx->conn, source.person, arena, &person, &tx->err))
			bench_die("person %u is lost: %s", n, tx->err.text);
		person.version++;
	} else {
		memcpy(source.token, tokens[n], sizeof source.token);
		bench_fill(&state, person.id, sizeof person.id);
	}
	for (unsigned i = 0; i < sizes.log_rows; i++)
		append(tx);
	person.last_seq = seq;
	person.body = body(person_body, sizes.person);
	eg_tx_put_person(tx, &person);
	source.person = person.row;
	source.body = body(source_body, sizes.source);
	eg_tx_put_source(tx, &source);
	if (!known) {
		bench_fill(&state, alias, sizeof alias);
		eg_tx_put_alias(tx, alias, source.row);
	}
}

static int64_t run(uint32_t *order, uint32_t n, uint32_t batch, bool known)
{
	struct eg_arena *arena = eg_arena_new(ARENA_BYTES);
	int64_t begun = eg_mono_us();
	for (uint32_t at = 0; at < n; at += batch) {
		uint32_t count = n - at < batch ? n - at : batch;
		struct eg_err err = {0};
		struct eg_tx tx = eg_tx_begin(store);
		qsort(order + at, count, sizeof *order, by_token);
		for (uint32_t i = 0; i < count; i++)
			put(&tx, order[at + i], known, arena);
		if (eg_tx_end(&tx, &err))
			bench_die("the store failed: %s", err.text);
		eg_arena_reset(arena);
	}
	eg_arena_free(arena);
	return eg_mono_us() - begun;
}

static size_t size_of(const char *name, long otherwise)
{
	long v = bench_number(name, otherwise);
	if (v < 0 || v > BODY_MAX)
		bench_die("%s: 0 to %d", name, BODY_MAX);
	return (size_t)v;
}

int main(int argc, char **argv)
{
	struct eg_err err = {0};
	bench_args(argc, argv);
	struct eg_store_options o = {.dir = bench_text("--dir", NULL), .copier = EG_COPIER_THREAD};
	uint32_t n = (uint32_t)bench_number("--persons", 100000),
	         batch = (uint32_t)bench_number("--batch", 1024);
	uint32_t changes = (uint32_t)bench_number("--changes", n);
	long runs = bench_number("--runs", 1);
	uint64_t seed = (uint64_t)bench_number("--seed", 1);
	sizes.person = size_of("--person-bytes", 400);
	sizes.source = size_of("--source-bytes", 120);
	sizes.header = size_of("--header-bytes", 200);
	sizes.claim = size_of("--claim-bytes", 400);
	sizes.effect = size_of("--effect-bytes", 400);
	sizes.log_rows = (unsigned)bench_number("--log-rows", 2);
	bench_args_end();
	if (n < 1 || batch < 1 || changes < 1 || changes > n || runs < 1 || runs > RUNS_MAX)
		bench_die("persons, batch, changes and runs must be 1 or more, changes at most the persons, "
		          "runs %d",
		          RUNS_MAX);
	if (mkdir(o.dir, 0700) != 0)
		bench_die("%s: cannot be made", o.dir);
	if (eg_store_open(&store, &o, &err))
		bench_die("%s", err.text);
	state = seed;
	tokens = bench_alloc(n, sizeof *tokens);
	bench_fill(&state, tokens, n * sizeof *tokens);

	uint32_t *order = bench_order(n, seed);
	new_us = run(order, n, batch, false);
	free(order);
	uint32_t *orders[RUNS_MAX]; /* shuffled before the clock of CPU starts */
	for (long i = 0; i < runs; i++)
		orders[i] = bench_order(n, seed + 1 + (uint64_t)i);
	long long disk = bench_disk_bytes(o.dir), files = bench_file_bytes();
	double cpu = bench_cpu_seconds();
	for (long i = 0; i < runs; i++)
		changed_us[i] = run(orders[i], changes, batch, true);
	cpu = bench_cpu_seconds() - cpu;
	files = bench_file_bytes() - files;
	disk = bench_disk_bytes(o.dir) - disk;
	printf("{\"bench\":\"store\",\"records\":%ld,\"log_rows\":%u,\"new_rate\":%.1f,\"cpu_s\":%.3f,"
	       "\"file_bytes\":%lld,\"disk_bytes\":%lld,\"rates\":[",
	       runs * changes, sizes.log_rows, n * 1e6 / (double)new_us, cpu, files, disk);
	for (long i = 0; i < runs; i++)
		printf("%s%.1f", i ? "," : "", changes * 1e6 / (double)changed_us[i]);
	puts("]}");
	for (long i = 0; i < runs; i++)
		free(orders[i]);
	free(tokens);
	eg_store_close(store);
	return 0;
}
