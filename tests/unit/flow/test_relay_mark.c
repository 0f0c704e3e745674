/* The relay's mark: its bytes, and where the log is read on by what the partitions hold. */
#include "flow/relay_mark.h"

#include "flow/kafka.h"
#include "model/canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t log_id[16] = "the log's own id", other_id[16] = "another log's id";

static struct eg_relay_mark mark_of(unsigned n, uint64_t seq, uint64_t before)
{
	struct eg_relay_mark m = {0};
	for (unsigned t = 0; t < EG_RELAY_TOPICS; t++)
		assert_int_equal(eg_relay_mark_spread(&m, t, n, NULL), EG_OK);
	m.seq = seq;
	m.before = before;
	return m;
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	struct eg_relay_mark m = mark_of(3, 700, 650), back;
	struct eg_buf b = {0};
	m.topics[EG_RELAY_CHANGES].at[1] = (struct eg_relay_place){699, 12};
	m.topics[EG_RELAY_STATE].at[2] = (struct eg_relay_place){698, 0};
	m.has_leaf = true;
	memset(m.leaf, 0x5a, sizeof m.leaf);
	eg_relay_mark_write(&m, log_id, &b);
	assert_int_equal(eg_relay_mark_read(&back, log_id, eg_buf_bytes(&b), NULL), EG_OK);
	assert_int_equal(back.seq, 700);
	assert_int_equal(back.before, 650);
	assert_true(back.has_leaf);
	assert_memory_equal(back.leaf, m.leaf, sizeof m.leaf);
	for (unsigned t = 0; t < EG_RELAY_TOPICS; t++) {
		assert_int_equal(back.topics[t].n, 3);
		for (unsigned p = 0; p < 3; p++) {
			assert_int_equal(back.topics[t].at[p].seq, m.topics[t].at[p].seq);
			assert_int_equal(back.topics[t].at[p].offset, m.topics[t].at[p].offset);
		}
	}
	assert_int_equal(eg_relay_mark_newest(&back), 699);
	eg_relay_mark_free(&back);
	assert_int_equal(eg_relay_mark_read(&back, other_id, eg_buf_bytes(&b), NULL), EG_PRECONDITION);
	for (size_t cut = 1; cut < b.len; cut++) { /* no prefix is taken for more than it says */
		enum eg_rc rc = eg_relay_mark_read(&back, log_id, (struct eg_bytes){b.p, cut}, NULL);
		assert_true(rc == EG_PRECONDITION || !back.has_leaf);
		eg_relay_mark_free(&back);
	}
	eg_buf_free(&b);
	eg_relay_mark_free(&m);
}

static void a_mark_without_partitions_is_read(void **state)
{
	(void)state;
	struct eg_relay_mark m;
	struct eg_buf b = {0};
	eg_canon_bytes(&b, 1, (struct eg_bytes){log_id, 16});
	eg_canon_int(&b, 2, 41);
	assert_int_equal(eg_relay_mark_read(&m, log_id, eg_buf_bytes(&b), NULL), EG_OK);
	assert_int_equal(m.seq, 41);
	assert_int_equal(m.topics[EG_RELAY_CHANGES].n, 0);
	assert_false(m.has_leaf);
	eg_relay_mark_free(&m);
	eg_buf_free(&b);
}

static void a_leaf_has_its_length(void **state)
{
	(void)state;
	static const uint8_t leaf[33] = {1};
	for (size_t len = 31; len <= sizeof leaf; len++) {
		struct eg_relay_mark m;
		struct eg_buf b = {0};
		eg_canon_bytes(&b, 1, (struct eg_bytes){log_id, 16});
		eg_canon_int(&b, 2, 41);
		eg_canon_bytes(&b, 6, (struct eg_bytes){leaf, len});
		enum eg_rc rc = eg_relay_mark_read(&m, log_id, eg_buf_bytes(&b), NULL);
		assert_int_equal(rc, len == 32 ? EG_OK : EG_PRECONDITION);
		eg_relay_mark_free(&m);
		eg_buf_free(&b);
	}
}

static void partitions_out_of_order_are_refused(void **state)
{
	(void)state;
	struct eg_relay_mark m;
	struct eg_buf b = {0};
	eg_canon_bytes(&b, 1, (struct eg_bytes){log_id, 16});
	size_t item = eg_canon_open(&b, 3);
	eg_canon_int_always(&b, 1, 1);
	eg_canon_close(&b, item);
	assert_int_equal(eg_relay_mark_read(&m, log_id, eg_buf_bytes(&b), NULL), EG_PRECONDITION);
	eg_buf_free(&b);
}

struct judged {
	uint64_t said;               /* the mark's seq; before is 50 */
	struct eg_relay_place place; /* what the mark says of the partition */
	struct eg_relay_shown shown;
	uint64_t from, holds; /* where the log is read on, and up to where the partition holds all */
};

static void what_a_partition_shows_is_the_truth(void **state)
{
	(void)state;
	static const struct judged cases[] = {
	        {100, {90, 20}, {{90, 20}, 0}, 100, 90},   /* as it should be */
	        {100, {90, 20}, {{60, 11}, 0}, 60, 60},    /* it lost its last transaction */
	        {100, {90, 20}, {{40, 11}, 0}, 50, 40},    /* so it did, and what came before stands */
	        {100, {90, 20}, {{120, 31}, 0}, 100, 120}, /* the mark was lost, this was not */
	        {100, {90, 20}, {{0, 0}, 0}, 50, 0},       /* it lost its first transaction */
	        {100, {90, 20}, {{0, 0}, 21}, 100, 90},    /* retention took all */
	        {100, {90, 20}, {{0, 0}, 15}, 50, 50},     /* retention took some, the rest was lost */
	        {100, {40, 20}, {{0, 0}, 15}, 100, 40},    /* before the last transaction all had settled */
	        {100, {0, 0}, {{0, 0}, 0}, 100, 0},        /* never used */
	        {100, {0, 0}, {{70, 3}, 0}, 100, 70},      /* a mark that does not say */
	};
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct judged *c = &cases[i];
		struct eg_relay_mark m = mark_of(2, c->said, 50);
		struct eg_relay_shown shown[2] = {{{0, 0}, 0}, c->shown};
		m.topics[EG_RELAY_STATE].at[1] = c->place;
		eg_relay_mark_compare(&m, EG_RELAY_STATE, shown);
		if (m.seq != c->from || m.topics[EG_RELAY_STATE].at[1].seq != c->holds)
			fail_msg("case %u: from %llu, holds %llu", i, (unsigned long long)m.seq,
			         (unsigned long long)m.topics[EG_RELAY_STATE].at[1].seq);
		assert_int_equal(eg_relay_mark_holds(&m, EG_RELAY_STATE, 1, c->holds + 1), false);
		if (c->holds)
			assert_int_equal(eg_relay_mark_holds(&m, EG_RELAY_STATE, 1, c->holds), true);
		eg_relay_mark_free(&m);
	}
}

static void the_first_loss_says_where_to_read(void **state)
{
	(void)state;
	struct eg_relay_mark m = mark_of(2, 100, 50);
	const struct eg_relay_shown changes[2] = {{{60, 1}, 0}, {{95, 9}, 0}};
	const struct eg_relay_shown states[2] = {{{55, 1}, 0}, {{58, 2}, 0}};
	for (unsigned t = 0; t < EG_RELAY_TOPICS; t++)
		for (unsigned p = 0; p < 2; p++)
			m.topics[t].at[p] = (struct eg_relay_place){90 + p, 9};
	eg_relay_mark_compare(&m, EG_RELAY_CHANGES, changes);
	eg_relay_mark_compare(&m, EG_RELAY_STATE, states);
	assert_int_equal(m.seq, 55);
	assert_int_equal(eg_relay_mark_newest(&m), 95);
	eg_relay_mark_free(&m);
}

static void new_partitions_hold_nothing(void **state)
{
	(void)state;
	struct eg_relay_mark m = mark_of(1, 100, 50);
	m.topics[EG_RELAY_CHANGES].at[0].seq = 80;
	assert_int_equal(eg_relay_mark_spread(&m, EG_RELAY_CHANGES, 3, NULL), EG_OK);
	assert_true(eg_relay_mark_holds(&m, EG_RELAY_CHANGES, 0, 80));
	assert_false(eg_relay_mark_holds(&m, EG_RELAY_CHANGES, 2, 1));
	eg_relay_mark_free(&m);
}

/* As Java's DefaultPartitioner has them: toPositive(murmur2(key)) % n. The hashes are those of Kafka's own
 * UtilsTest. */
static void keys_go_where_java_puts_them(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		int32_t hash;
	} known[] = {{"21", -973932308},
	             {"foobar", -790332482},
	             {"a-little-bit-long-string", -985981536},
	             {"a-little-bit-longer-string", -1486304829},
	             {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971}};
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
		for (unsigned n = 1; n < 40; n++)
			assert_int_equal(eg_kafka_partition_of(eg_bytes_of(known[i].key), n),
			                 ((uint32_t)known[i].hash & 0x7fffffffu) % n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_written_is_read),
	        cmocka_unit_test(a_mark_without_partitions_is_read),
	        cmocka_unit_test(a_leaf_has_its_length),
	        cmocka_unit_test(partitions_out_of_order_are_refused),
	        cmocka_unit_test(what_a_partition_shows_is_the_truth),
	        cmocka_unit_test(the_first_loss_says_where_to_read),
	        cmocka_unit_test(new_partitions_hold_nothing),
	        cmocka_unit_test(keys_go_where_java_puts_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
