/* The store's rows, transactions and snapshots, through its public interface. */
#include "base/clock.h"
#include "fixture.h"

#define ROWS 40
#define BODY 3000

/* One of everything, as written; what is read must be the same. */
static struct {
	struct eg_person_row person[ROWS];
	struct eg_source_row source[ROWS];
	struct eg_link_row link[ROWS];
	struct eg_case_row cases[ROWS];
	struct eg_reject_row reject[ROWS];
	uint8_t token[ROWS][16], alias[ROWS][24], tile[ROWS][8192], key[ROWS][60];
	uint8_t body[ROWS][BODY];
} w;

static struct eg_bytes body(int i)
{
	return (struct eg_bytes){w.body[i], 1 + below(BODY - 1)};
}

static const char *name_of(int i)
{
	static char name[32];
	snprintf(name, sizeof name, "agency-%d/dataset", i);
	return name;
}

static void write_all(struct eg_store *s)
{
	struct eg_err err = {0};
	struct eg_tx tx = eg_tx_begin(s);
	random_fill(&w.body[0][0], sizeof w.body);
	random_fill(&w.token[0][0], sizeof w.token);
	random_fill(&w.alias[0][0], sizeof w.alias);
	random_fill(&w.tile[0][0], sizeof w.tile);
	random_fill(&w.key[0][0], sizeof w.key);
	for (int i = 0; i < ROWS; i++) {
		w.person[i] = (struct eg_person_row){
		        .version = i + 1, .last_seq = (uint64_t)(100 + i), .body = body(i)};
		random_fill(w.person[i].id, 16);
		eg_tx_put_person(&tx, &w.person[i]);
		w.source[i] = (struct eg_source_row){.person = i % 5 ? w.person[i].row : 0, .body = body(i)};
		memcpy(w.source[i].token, w.token[i], 16);
		eg_tx_put_source(&tx, &w.source[i]);
		/* Numbers 0 to 9 share the token of number 0; the name part 0xff… is the greatest there is.
		 */
		if (i && i < 10)
			memcpy(w.alias[i], w.alias[0], 16);
		if (i == 1)
			memset(w.alias[i] + 16, 0xff, 8);
		eg_tx_put_alias(&tx, w.alias[i], w.source[i].row);
		eg_tx_put_alias(&tx, w.alias[i], w.source[i].row); /* once more is no error */
		w.link[i] = (struct eg_link_row){.kind = 1 + i % 2, .seq = (uint64_t)i};
		memcpy(w.link[i].a, w.token[i], 16);
		memcpy(w.link[i].b, w.token[(i + 1) % ROWS], 16);
		eg_tx_put_link(&tx, &w.link[i]);
		uint8_t room[BODY];
		struct eg_log_row e = entry((uint64_t)i + 1, room, BODY);
		eg_tx_append(&tx, &e);
		eg_tx_put_tile(&tx, (int64_t)i << 48 | i, w.tile[i]);
		char note[64];
		snprintf(note, sizeof note, "note %d\n", i);
		eg_tx_put_checkpoint(&tx, (uint64_t)(i * 10), i * 1000, eg_bytes_of(note));
		w.cases[i] = (struct eg_case_row){.kind = 1 + i % 3,
		                                  .state = i % 4 ? EG_CASE_OPEN : EG_CASE_CLOSED,
		                                  .person = i % 2 ? w.person[i].row : 0,
		                                  .opened = (uint64_t)i + 1,
		                                  .closed = i % 4 ? 0 : (uint64_t)i + 2,
		                                  .body = body(i)};
		random_fill(w.cases[i].id, 16);
		random_fill(w.cases[i].subject, 16);
		eg_tx_put_case(&tx, &w.cases[i]);
		w.reject[i] = (struct eg_reject_row){.seq = (uint64_t)i + 1,
		                                     .agency = i % 2 ? "police" : "funeral",
		                                     .dataset = "registry",
		                                     .state = 1 + i % 3,
		                                     .version = INT64_MIN + i,
		                                     .mapping_revision = UINT32_MAX};
		random_fill(w.reject[i].source, 16);
		if (i % 4 == 0)
			memcpy(w.reject[i].source, w.reject[0].source, 16);
		random_fill(w.reject[i].digest, 16);
		eg_tx_put_reject(&tx, &w.reject[i]);
		struct eg_dataset_row d = {.name = name_of(i),
		                           .event_time = -i,
		                           .seq = (uint64_t)i,
		                           .records = i * 2,
		                           .rejects = i * 3};
		eg_tx_put_dataset(&tx, &d);
		eg_tx_put_mark(&tx, name_of(i), (uint64_t)i * 7);
		eg_tx_put_meta(&tx, name_of(i), body(i));
		eg_tx_put_key(&tx, name_of(i), w.key[i]);
	}
	assert_ok(eg_tx_end(&tx, &err), err);
}

static void assert_person(const struct eg_person_row *got, const struct eg_person_row *want)
{
	assert_int_equal(got->row, want->row);
	assert_memory_equal(got->id, want->id, 16);
	assert_int_equal(got->version, want->version);
	assert_int_equal(got->last_seq, want->last_seq);
	assert_true(eg_bytes_equal(got->body, want->body));
}

static void assert_case(const struct eg_case_row *got, const struct eg_case_row *want)
{
	assert_int_equal(got->row, want->row);
	assert_memory_equal(got->id, want->id, 16);
	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->state, want->state);
	assert_int_equal(got->person, want->person);
	assert_int_equal(got->opened, want->opened);
	assert_int_equal(got->closed, want->closed);
	assert_memory_equal(got->subject, want->subject, 16);
	assert_true(eg_bytes_equal(got->body, want->body));
}

static void assert_reject(const struct eg_reject_row *got, const struct eg_reject_row *want)
{
	assert_int_equal(got->seq, want->seq);
	assert_string_equal(got->agency, want->agency);
	assert_string_equal(got->dataset, want->dataset);
	assert_int_equal(got->state, want->state);
	assert_memory_equal(got->source, want->source, 16);
	assert_int_equal(got->version, want->version);
	assert_int_equal(got->mapping_revision, want->mapping_revision);
	assert_memory_equal(got->digest, want->digest, 16);
}

static void read_people(struct eg_conn *c, struct eg_arena *a)
{
	struct eg_err err = {0};
	struct eg_person_row p, *list;
	struct eg_source_row s;
	unsigned n;
	for (int i = 0; i < ROWS; i++) {
		assert_ok(eg_get_person(c, w.person[i].row, a, &p, &err), err);
		assert_person(&p, &w.person[i]);
		assert_ok(eg_get_person_by_id(c, w.person[i].id, a, &p, &err), err);
		assert_person(&p, &w.person[i]);
		for (int by_row = 0; by_row < 2; by_row++) {
			assert_ok(by_row ? eg_get_source_by_row(c, w.source[i].row, a, &s, &err)
			                 : eg_get_source(c, w.source[i].token, a, &s, &err),
			          err);
			assert_int_equal(s.row, w.source[i].row);
			assert_memory_equal(s.token, w.source[i].token, 16);
			assert_int_equal(s.person, w.source[i].person);
			assert_true(eg_bytes_equal(s.body, w.source[i].body));
		}
	}
	unsigned seen = 0;
	for (int64_t after = 0;; after = list[n - 1].row) {
		assert_ok(eg_list_persons(c, after, 7, SIZE_MAX, a, &list, &n, &err), err);
		assert_true(n <= 7);
		if (n == 0)
			break;
		for (unsigned i = 0; i < n; i++)
			assert_person(&list[i], &w.person[seen++]);
	}
	assert_int_equal(seen, ROWS);
	const uint8_t none[16] = {0};
	assert_rc(eg_get_person(c, ROWS + 1, a, &p, &err), EG_EMPTY);
	assert_int_equal(err.rc, EG_EMPTY);
	assert_rc(eg_get_person_by_id(c, none, a, &p, NULL), EG_EMPTY);
	assert_rc(eg_get_source(c, none, a, &s, &err), EG_EMPTY);
	assert_rc(eg_get_source_by_row(c, ROWS + 1, a, &s, &err), EG_EMPTY);
}

static void read_ties(struct eg_conn *c, struct eg_arena *a)
{
	struct eg_err err = {0};
	struct eg_alias *alias;
	struct eg_link_row *link;
	unsigned n;
	assert_ok(eg_list_aliases(c, w.alias[0], a, &alias, &n, &err), err);
	assert_int_equal(n, 10);
	bool greatest = false;
	for (unsigned i = 0; i < n; i++) {
		assert_memory_equal(alias[i].key, w.alias[0], 16);
		greatest |= alias[i].source == w.source[1].row;
	}
	assert_true(greatest);
	assert_ok(eg_list_aliases(c, w.alias[20], a, &alias, &n, &err), err);
	assert_int_equal(n, 1);
	assert_memory_equal(alias->key, w.alias[20], 24);
	assert_int_equal(alias->source, w.source[20].row);
	for (int i = 1; i < ROWS - 1; i++) {
		assert_ok(eg_list_links(c, w.source[i].token, a, &link, &n, &err), err);
		assert_int_equal(n, 2);
		for (int k = 0; k < 2; k++) {
			assert_memory_equal(link[k].a, w.link[i - 1 + k].a, 16);
			assert_memory_equal(link[k].b, w.link[i - 1 + k].b, 16);
			assert_int_equal(link[k].kind, w.link[i - 1 + k].kind);
			assert_int_equal(link[k].seq, w.link[i - 1 + k].seq);
		}
	}
}

static void read_log(struct eg_conn *c, struct eg_arena *a)
{
	struct eg_err err = {0};
	struct eg_log_row e, *list;
	unsigned n;
	assert_int_equal(head_of(c), ROWS);
	uint8_t leaves[ROWS * 32], tile[8192];
	assert_ok(eg_get_leaves(c, 1, ROWS, leaves, &err), err);
	for (int i = 0; i < ROWS; i++) {
		assert_ok(eg_get_entry(c, (uint64_t)i + 1, a, &e, &err), err);
		assert_entry(&e, (uint64_t)i + 1, BODY);
		assert_memory_equal(leaves + 32 * i, e.leaf, 32);
		assert_ok(eg_get_tile(c, (int64_t)i << 48 | i, tile, &err), err);
		assert_memory_equal(tile, w.tile[i], sizeof tile);
	}
	assert_rc(eg_get_entry(c, ROWS + 1, a, &e, &err), EG_EMPTY);
	assert_rc(eg_get_entry(c, UINT64_MAX, a, &e, &err), EG_EMPTY);
	assert_rc(eg_get_tile(c, -1, tile, &err), EG_EMPTY);
	assert_ok(eg_get_leaves(c, 5, 3, leaves, &err), err);
	assert_ok(eg_get_leaves(c, 5, 0, leaves, &err), err);
	assert_rc(eg_get_leaves(c, 5, ROWS, leaves, &err), EG_OUT_OF_RANGE);

	assert_ok(eg_list_entries(c, 3, 10, SIZE_MAX, a, &list, &n, &err), err);
	assert_int_equal(n, 10);
	for (unsigned i = 0; i < n; i++)
		assert_entry(&list[i], 4 + i, BODY);
	assert_ok(eg_list_entries(c, 3, 10, 0, a, &list, &n, &err), err);
	assert_int_equal(n, 1);
	/* Entry 5 has all three parts, entry 6 its header alone. */
	assert_ok(eg_list_entries(c, 4, 10, BODY + 32 + BODY / 3 + 32, a, &list, &n, &err), err);
	assert_int_equal(n, 2);
	assert_ok(eg_list_entries(c, 4, 10, BODY + 32 + BODY / 3 + 31, a, &list, &n, &err), err);
	assert_int_equal(n, 1);
	assert_ok(eg_list_entries(c, ROWS, 10, SIZE_MAX, a, &list, &n, &err), err);
	assert_int_equal(n, 0);
	assert_ok(eg_list_entries(c, UINT64_MAX, 10, SIZE_MAX, a, &list, &n, &err), err);
	assert_int_equal(n, 0);

	uint64_t size;
	int64_t time_us;
	struct eg_bytes note;
	assert_ok(eg_get_checkpoint(c, 0, a, &size, &time_us, &note, &err), err);
	assert_int_equal(size, (ROWS - 1) * 10);
	assert_int_equal(time_us, (ROWS - 1) * 1000);
	assert_true(eg_bytes_equal(note, eg_bytes_of("note 39\n")));
	assert_ok(eg_get_checkpoint(c, (ROWS - 1) * 10, a, &size, &time_us, &note, &err), err);
	assert_rc(eg_get_checkpoint(c, ROWS * 10, a, &size, &time_us, &note, &err), EG_EMPTY);
}

static void read_cases(struct eg_conn *c, struct eg_arena *a)
{
	struct eg_err err = {0};
	struct eg_case_row one, *list;
	unsigned n;
	for (int i = 0; i < ROWS; i++) {
		assert_ok(eg_get_case(c, w.cases[i].id, a, &one, &err), err);
		assert_case(&one, &w.cases[i]);
		assert_ok(eg_get_case_by_subject(c, w.cases[i].subject, a, &one, &err), err);
		assert_case(&one, &w.cases[i]);
	}
	assert_rc(eg_get_case(c, w.person[0].id, a, &one, &err), EG_EMPTY);
	assert_rc(eg_get_case_by_subject(c, w.person[0].id, a, &one, &err), EG_EMPTY);
	for (int kind = 0; kind <= 3; kind++)
		for (int state = 0; state <= 2; state++)
			for (unsigned max = 1; max <= ROWS + 1; max += 8) {
				int64_t after = w.cases[4].row;
				assert_ok(eg_list_cases(c, after, kind, state, max, a, &list, &n, &err), err);
				unsigned at = 0;
				for (int i = 5; i < ROWS && at < max; i++)
					if ((!kind || w.cases[i].kind == kind) &&
					    (!state || w.cases[i].state == state)) {
						assert_true(at < n);
						assert_case(&list[at++], &w.cases[i]);
					}
				assert_int_equal(at, n);
			}

	struct eg_reject_row *reject;
	assert_ok(eg_list_rejects_of(c, w.reject[0].source, a, &reject, &n, &err), err);
	assert_int_equal(n, ROWS / 4); /* in every state */
	for (unsigned i = 0; i < n; i++)
		assert_reject(&reject[i], &w.reject[4 * i]);
	assert_ok(eg_list_rejects_of(c, w.person[0].id, a, &reject, &n, &err), err);
	assert_int_equal(n, 0);
	assert_ok(eg_list_rejects(c, "police", 5, 0, 4, a, &reject, &n, &err), err);
	assert_int_equal(n, 4);
	for (unsigned i = 0; i < n; i++)
		assert_reject(&reject[i], &w.reject[5 + 2 * i]);
	assert_ok(eg_list_rejects(c, "police", 5, EG_REJECT_DECIDED, 1, a, &reject, &n, &err), err);
	assert_int_equal(n, 1);
	assert_reject(reject, &w.reject[5]);
	assert_ok(eg_list_rejects(c, "nobody", 0, 0, 4, a, &reject, &n, &err), err);
	assert_int_equal(n, 0);
}

static void count_name(void *arg, const char *name)
{
	assert_memory_equal(name, "agency-1", 8);
	++*(int *)arg;
}

static void read_rest(struct eg_conn *c, struct eg_arena *a)
{
	struct eg_err err = {0};
	struct eg_dataset_row *d;
	unsigned n;
	assert_ok(eg_list_datasets(c, a, &d, &n, &err), err);
	assert_int_equal(n, ROWS);
	for (int i = 0; i < ROWS; i++) {
		unsigned at = 0;
		while (at < n && strcmp(d[at].name, name_of(i)) != 0)
			at++;
		assert_true(at < n);
		assert_int_equal(d[at].event_time, -i);
		assert_int_equal(d[at].seq, i);
		assert_int_equal(d[at].records, i * 2);
		assert_int_equal(d[at].rejects, i * 3);
		uint64_t mark;
		assert_ok(eg_get_mark(c, name_of(i), &mark, &err), err);
		assert_int_equal(mark, i * 7);
		struct eg_bytes meta;
		assert_ok(eg_get_meta(c, name_of(i), a, &meta, &err), err);
		assert_memory_equal(meta.p, w.body[i], meta.len);
		uint8_t key[60];
		assert_ok(eg_get_key(c, name_of(i), key, &err), err);
		assert_memory_equal(key, w.key[i], 60);
	}
	uint64_t mark;
	struct eg_bytes meta;
	uint8_t key[60];
	assert_rc(eg_get_mark(c, "", &mark, &err), EG_EMPTY);
	assert_rc(eg_get_meta(c, "", a, &meta, &err), EG_EMPTY);
	assert_rc(eg_get_key(c, "", key, &err), EG_EMPTY);
	int names = 0;
	assert_ok(eg_list_keys(c, "agency-1", count_name, &names, &err), err);
	assert_int_equal(names, 11); /* 1 and 10 to 19 */
	int64_t persons, open_cases;
	assert_ok(eg_count(c, &persons, &open_cases, &err), err);
	assert_int_equal(persons, ROWS);
	assert_int_equal(open_cases, ROWS - (ROWS + 3) / 4);
}

static void read_all(struct eg_conn *c)
{
	struct eg_arena *a = eg_arena_new((size_t)64 << 20);
	read_people(c, a);
	read_ties(c, a);
	read_log(c, a);
	read_cases(c, a);
	read_rest(c, a);
	eg_arena_free(a);
}

static void every_row_comes_back(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_store();
	write_all(s);
	read_all(eg_store_writer(s));
	struct eg_conn *c = open_reader(s);
	read_all(c); /* each read a snapshot of its own */
	assert_ok(eg_read_begin(c, &err), err);
	read_all(c);
	eg_read_end(c);
	eg_conn_close(c);
	eg_store_close(s);
	s = open_read_only();
	read_all(eg_store_writer(s));
	c = open_reader(s);
	assert_ok(eg_read_begin(c, &err), err);
	read_all(c);
	eg_read_end(c);
	eg_conn_close(c);
	eg_store_close(s);

	/* A second put with the row's number changes it; an alias can go. */
	s = open_store();
	struct eg_tx tx = eg_tx_begin(s);
	for (int i = 0; i < ROWS; i++) {
		w.person[i].version += 100;
		w.person[i].body = body(ROWS - 1 - i);
		eg_tx_put_person(&tx, &w.person[i]);
		w.source[i].person = 7;
		w.source[i].body = (struct eg_bytes){0};
		eg_tx_put_source(&tx, &w.source[i]);
		w.cases[i].state = EG_CASE_OPEN;
		w.cases[i].closed = 77;
		eg_tx_put_case(&tx, &w.cases[i]);
		w.reject[i].state = EG_REJECT_DECIDED;
		eg_tx_put_reject(&tx, &w.reject[i]);
		eg_tx_drop_alias(&tx, w.alias[i], w.source[i].row);
		eg_tx_put_mark(&tx, name_of(i), (uint64_t)i);
	}
	assert_ok(eg_tx_end(&tx, &err), err);
	struct eg_arena *a = eg_arena_new((size_t)64 << 20);
	struct eg_reject_row *reject;
	struct eg_alias *alias;
	struct eg_case_row one;
	int64_t persons, open_cases;
	uint64_t mark;
	unsigned n;
	read_people(eg_store_writer(s), a);
	assert_ok(eg_list_aliases(eg_store_writer(s), w.alias[0], a, &alias, &n, &err), err);
	assert_int_equal(n, 0);
	assert_ok(eg_list_rejects_of(eg_store_writer(s), w.reject[0].source, a, &reject, &n, &err), err);
	assert_int_equal(n, ROWS / 4);
	assert_reject(&reject[1], &w.reject[4]);
	assert_ok(eg_get_case(eg_store_writer(s), w.cases[4].id, a, &one, &err), err);
	assert_case(&one, &w.cases[4]);
	assert_ok(eg_count(eg_store_writer(s), &persons, &open_cases, &err), err);
	assert_int_equal(open_cases, ROWS);
	assert_ok(eg_get_mark(eg_store_writer(s), name_of(9), &mark, &err), err);
	assert_int_equal(mark, 9);
	eg_arena_free(a);
	eg_store_close(s);
}

static void an_empty_store_is_empty(void **state)
{
	(void)state;
	struct eg_store *s = open_store();
	struct eg_arena *a = eg_arena_new(1 << 20);
	struct eg_err err = {0};
	struct eg_bytes format, note;
	uint64_t size;
	int64_t time_us;
	assert_int_equal(head_of(eg_store_writer(s)), 0);
	assert_ok(eg_get_meta(eg_store_writer(s), "format", a, &format, &err), err);
	assert_int_equal(format.len, 8);
	assert_memory_equal(format.p, "\0\0\0\0\0\0\0\1", 8);
	assert_rc(eg_get_checkpoint(eg_store_writer(s), 0, a, &size, &time_us, &note, &err), EG_EMPTY);
	eg_arena_free(a);
	eg_store_close(s);
}

static void the_first_error_sticks(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_store();
	assert_ok(append(s, 2, 90, &err), err);
	uint8_t room[90];
	for (uint64_t wrong = 0; wrong <= 5; wrong++) {
		if (wrong == 3)
			continue; /* head + 1 */
		struct eg_tx tx = eg_tx_begin(s);
		struct eg_person_row p = {.version = 1, .body = eg_bytes_of("x")};
		eg_tx_put_person(&tx, &p);
		assert_int_equal(p.row, 1);
		struct eg_log_row e = entry(wrong, room, sizeof room);
		eg_tx_append(&tx, &e);
		assert_rc(tx.rc, EG_INTERNAL);
		struct eg_person_row later = {.id = {1}, .version = 1, .body = eg_bytes_of("x")};
		eg_tx_put_person(&tx, &later);
		assert_int_equal(later.row, 0); /* a no-op */
		e = entry(3, room, sizeof room);
		eg_tx_append(&tx, &e);
		eg_tx_put_mark(&tx, "m", 1);
		assert_rc(eg_tx_end(&tx, &err), EG_INTERNAL);
		assert_false(err.fatal);
		assert_non_null(strstr(err.text, "cannot follow entry 2"));
		assert_int_equal(head_of(eg_store_writer(s)), 2);
	}
	int64_t persons, cases;
	uint64_t mark;
	assert_ok(eg_count(eg_store_writer(s), &persons, &cases, &err), err);
	assert_int_equal(persons, 0);
	assert_rc(eg_get_mark(eg_store_writer(s), "m", &mark, &err), EG_EMPTY);

	/* Within one transaction the head moves, and goes back with it. */
	struct eg_tx tx = eg_tx_begin(s);
	for (uint64_t seq = 3; seq <= 4; seq++) {
		struct eg_log_row e = entry(seq, room, sizeof room);
		eg_tx_append(&tx, &e);
	}
	assert_rc(tx.rc, EG_OK);
	assert_int_equal(head_of(eg_store_writer(s)), 4); /* the writer sees its own */
	struct eg_log_row again = entry(4, room, sizeof room);
	eg_tx_append(&tx, &again);
	assert_rc(eg_tx_end(&tx, NULL), EG_INTERNAL);
	assert_ok(append(s, 1, 90, &err), err);
	assert_int_equal(head_of(eg_store_writer(s)), 3);

	/* Other first errors: a unique value twice, a row that is not there, a position out of range. */
	struct eg_person_row p = {.version = 1}, same = p, missing = {.row = 9, .id = {9}},
	                     huge = {.id = {8}, .last_seq = UINT64_MAX};
	tx = eg_tx_begin(s);
	eg_tx_put_person(&tx, &p);
	eg_tx_put_person(&tx, &same);
	assert_rc(eg_tx_end(&tx, NULL), EG_EXISTS);
	tx = eg_tx_begin(s);
	eg_tx_put_person(&tx, &missing);
	assert_rc(eg_tx_end(&tx, NULL), EG_NOT_FOUND);
	tx = eg_tx_begin(s);
	eg_tx_put_person(&tx, &huge);
	assert_int_not_equal(eg_tx_end(&tx, NULL), EG_OK);
	assert_ok(append(s, 1, 90, &err), err);
	eg_store_close(s);
}

static void a_transaction_in_a_transaction_is_refused(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_store();
	struct eg_tx tx = eg_tx_begin(s), second = eg_tx_begin(s);
	assert_rc(second.rc, EG_INTERNAL);
	eg_tx_put_mark(&tx, "m", 1);
	assert_ok(eg_tx_end(&tx, &err), err);
	eg_store_close(s);
}

static void an_arena_too_small_is_a_limit(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_store();
	assert_ok(append(s, 50, 3000, &err), err);
	struct eg_log_row *list, e;
	unsigned n = 1;
	struct eg_arena *a = eg_arena_new(20000);
	assert_rc(eg_list_entries(eg_store_writer(s), 0, 50, SIZE_MAX, a, &list, &n, &err), EG_LIMIT);
	assert_int_equal(n, 0);
	eg_arena_reset(a);
	assert_ok(eg_get_entry(eg_store_writer(s), 50, a, &e, &err), err);
	eg_arena_free(a);
	a = eg_arena_new(1000);
	assert_rc(eg_list_entries(eg_store_writer(s), 0, 50, SIZE_MAX, a, &list, &n, &err), EG_LIMIT);
	assert_rc(eg_get_entry(eg_store_writer(s), 5, a, &e, &err), EG_LIMIT);
	eg_arena_free(a);
	assert_ok(append(s, 1, 90, &err), err); /* no statement was left open */
	eg_store_close(s);
}

static void a_reader_keeps_its_snapshot(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_store();
	struct eg_conn *early = open_reader(s), *late = open_reader(s);
	assert_ok(append(s, 3, 90, &err), err);
	assert_ok(eg_read_begin(early, &err), err);
	assert_ok(append(s, 2, 90, &err), err); /* before early read anything */
	assert_int_equal(head_of(early), 3);
	assert_ok(eg_read_begin(late, &err), err);
	struct eg_tx tx = eg_tx_begin(s);
	uint8_t room[90];
	struct eg_log_row e = entry(6, room, sizeof room);
	eg_tx_append(&tx, &e);
	assert_int_equal(head_of(late), 5); /* nothing uncommitted */
	assert_ok(eg_tx_end(&tx, &err), err);
	assert_int_equal(head_of(early), 3);
	assert_int_equal(head_of(late), 5);
	assert_rc(eg_read_begin(late, &err), EG_INTERNAL); /* twice */
	eg_read_end(early);
	eg_read_end(early); /* no harm */
	assert_int_equal(head_of(early), 6);
	assert_false(eg_read_expired(early));
	while (!eg_read_expired(late)) /* ends: at most EG_READ_MS */
		assert_int_equal(head_of(late), 5);
	eg_read_end(late);
	assert_ok(eg_read_begin(late, &err), err);
	assert_int_equal(head_of(late), 6);
	assert_rc(eg_read_begin(eg_store_writer(s), &err), EG_INTERNAL);
	eg_conn_close(late); /* ends the transaction too */
	eg_conn_close(early);
	eg_conn_close(NULL);
	eg_store_close(s);
}

static void one_daemon_at_a_time(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_store(), *second;
	struct eg_store_options o = options();
	assert_rc(eg_store_open(&second, &o, &err), EG_BUSY);
	assert_null(second);
	assert_non_null(strstr(err.text, dir));
	o.read_only = true;
	assert_rc(eg_store_open(&second, &o, &err), EG_BUSY);
	assert_ok(append(s, 1, 90, &err), err); /* the first one is unharmed */
	eg_store_close(s);

	s = open_read_only();
	second = open_read_only(); /* two that only read */
	struct eg_tx tx = eg_tx_begin(s);
	assert_rc(eg_tx_end(&tx, &err), EG_PRECONDITION);
	eg_store_close(second);
	o.read_only = false;
	assert_rc(eg_store_open(&second, &o, &err), EG_BUSY);
	eg_store_close(s);
	eg_store_close(open_store());
	eg_store_close(NULL);
}

static void a_walk_stays_open(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_store();
	assert_ok(append(s, 90, 30, &err), err);
	eg_store_close(s);
	s = open_read_only();
	struct eg_conn *c = eg_store_writer(s);
	struct eg_arena *a = eg_arena_new(16 << 20);
	for (unsigned round = 0; round < 2; round++) {
		struct eg_log_row *list, one;
		uint64_t seq = 0;
		unsigned n = 1, max = 7 + round;
		while (n) {
			eg_arena_reset(a);
			assert_ok(eg_next_entries(c, !seq, max, SIZE_MAX, a, &list, &n, &err), err);
			assert_true(n == max || seq + n == 90);
			for (unsigned i = 0; i < n; i++)
				assert_int_equal(list[i].seq, ++seq);
			assert_ok(eg_get_entry(c, 1, a, &one, &err), err); /* does not disturb it */
		}
		assert_int_equal(seq, 90);
		assert_ok(eg_next_entries(c, false, max, SIZE_MAX, a, &list, &n, &err), err);
		assert_int_equal(n, 0); /* over is over */
		assert_ok(eg_next_entries(c, true, 50, 1, a, &list, &n, &err), err);
		assert_int_equal(n, 1); /* a byte, but one at least; and left open where it is */
	}
	eg_arena_free(a);
	eg_store_close(s);
}

/* Who walks through a store that nobody writes has its file mapped. What is not there, or cannot be read,
 * must still be an error, and not a signal. */
static void a_file_cut_short_is_an_error(void **state)
{
	(void)state;
	enum { ROWS_CUT = 400, BYTES = 8000, LEFT = 1 << 20 };
	struct eg_err err = {0};
	struct eg_store *s = open_store();
	assert_ok(append(s, ROWS_CUT, BYTES, &err), err);
	eg_store_close(s);
	s = open_read_only();
	struct eg_conn *c;
	struct eg_arena *a = eg_arena_new(16 << 20);
	struct eg_log_row *list;
	unsigned n, read = 0;
	char path[128];
	assert_ok(eg_store_reader(s, &c, &err), err);
	assert_ok(eg_read_begin(c, &err), err);
	assert_ok(eg_next_entries(c, true, 1, SIZE_MAX, a, &list, &n, &err), err);
	snprintf(path, sizeof path, "%s/eldergate.db", dir);
	assert_int_equal(truncate(path, LEFT), 0);
	enum eg_rc rc;
	do {
		eg_arena_reset(a);
		read += n;
		rc = eg_next_entries(c, false, 1, SIZE_MAX, a, &list, &n, &err);
	} while (!rc && n);
	assert_true(rc == EG_CORRUPT || rc == EG_IO);
	assert_in_range(read, LEFT / BYTES / 2, ROWS_CUT / 2); /* not all of them are as long */
	eg_conn_close(c);
	eg_arena_free(a);
	eg_store_close(s);
}

static void the_reserve_is_kept_spent_and_filled(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store_options o = options();
	char path[128];
	struct stat st;
	snprintf(path, sizeof path, "%s/reserve", dir);
	o.reserve_bytes = 3 << 20;
	o.wal_pages = 16;
	struct eg_store *s = open_with(o);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3 << 20);
	assert_true(st.st_blocks * 512 >= 3 << 20);
	assert_int_equal(st.st_mode & 0777, 0600);
	for (int part = 2; part >= 0; part--) {
		assert_true(eg_store_spend_reserve(s));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, part << 20);
	}
	assert_false(eg_store_spend_reserve(s));
	assert_ok(append(s, 100, 3000, &err), err); /* over the WAL's limit: a checkpoint */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3 << 20);
	eg_store_close(s);
	o.reserve_bytes = -1; /* none */
	s = open_with(o);
	assert_false(eg_store_spend_reserve(s));
	eg_store_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)
	const struct CMUnitTest tests[] = {
	        T(an_empty_store_is_empty),       T(every_row_comes_back),
	        T(the_first_error_sticks),        T(a_transaction_in_a_transaction_is_refused),
	        T(an_arena_too_small_is_a_limit), T(a_reader_keeps_its_snapshot),
	        T(one_daemon_at_a_time),          T(a_walk_stays_open),
	        T(a_file_cut_short_is_an_error),  T(the_reserve_is_kept_spent_and_filled),
	};
	return cmocka_run_group_tests_name("store", tests, read_seed, NULL);
}
