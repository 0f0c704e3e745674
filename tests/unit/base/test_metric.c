/* Metrics: counting by many threads, the bound on label values, and the Prometheus text. */
#include "base/metric.h"
#include "base/thread.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The whole text; the caller frees it. */
static char *render(void)
{
	struct eg_buf b = {0};
	eg_metric_render(&b);
	eg_buf_add_u8(&b, 0);
	assert_false(b.failed);
	char *text = strdup((const char *)b.p);
	eg_buf_free(&b);
	return text;
}

static void assert_shows(const char *lines)
{
	char *text = render();
	const char *at = strstr(text, lines);
	if (!at || (at != text && at[-1] != '\n'))
		fail_msg("these lines are not in the text:\n%s", lines);
	free(text);
}

static void plain_numbers(void **state)
{
	(void)state;
	assert_shows("# HELP eldergate_commits_total Store commits by the writer.\n"
	             "# TYPE eldergate_commits_total counter\n"
	             "eldergate_commits_total 0\n# HELP ");
	eg_metric_add(EG_M_COMMITS, NULL, 1);
	eg_metric_add(EG_M_COMMITS, NULL, 2);
	eg_metric_set(EG_M_WAL_BYTES, NULL, 123456789012.0);
	eg_metric_set(EG_M_UNPUBLISHED_AGE, NULL, 0.1);
	eg_metric_add(EG_M_SUBSCRIBERS, NULL, 3);
	eg_metric_add(EG_M_SUBSCRIBERS, NULL, -1);
	assert_true(eg_metric_get(EG_M_COMMITS, NULL) == 3);
	assert_true(eg_metric_get(EG_M_SUBSCRIBERS, NULL) == 2);
	assert_shows("eldergate_commits_total 3\n");
	assert_shows("# TYPE eldergate_wal_bytes gauge\neldergate_wal_bytes 123456789012\n");
	assert_shows("eldergate_oldest_unpublished_seconds 0.1\n");
	eg_metric_set(EG_M_UNPUBLISHED_AGE, NULL, (double)NAN);
	assert_shows("eldergate_oldest_unpublished_seconds NaN\n");
}

static void labels(void **state)
{
	(void)state;
	assert_shows("# TYPE eldergate_refusals_total counter\n# HELP "); /* no label value yet: no sample */
	eg_metric_add(EG_M_REFUSALS, "limit", 2);
	eg_metric_add(EG_M_REFUSALS, "denied", 1);
	eg_metric_add(EG_M_REFUSALS, "a\\b\"c\nd", 1);
	assert_true(eg_metric_get(EG_M_REFUSALS, "limit") == 2);
	assert_true(eg_metric_get(EG_M_REFUSALS, "never seen") == 0);
	assert_shows("# TYPE eldergate_refusals_total counter\n"
	             "eldergate_refusals_total{reason=\"a\\\\b\\\"c\\nd\"} 1\n"
	             "eldergate_refusals_total{reason=\"denied\"} 1\n"
	             "eldergate_refusals_total{reason=\"limit\"} 2\n# HELP ");
}

static void histogram(void **state)
{
	(void)state;
	static const double seen[] = {0, 0.0001, 0.00010001, 0.003, 0.003, 10, 10.5};
	for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
		eg_metric_observe(EG_M_COMMIT_TIME, NULL, seen[i]);
	assert_true(eg_metric_get(EG_M_COMMIT_TIME, NULL) == 7);
	assert_shows("# TYPE eldergate_commit_seconds histogram\n"
	             "eldergate_commit_seconds_bucket{le=\"0.0001\"} 2\n" /* a bound belongs to its bucket */
	             "eldergate_commit_seconds_bucket{le=\"0.00025\"} 3\n"
	             "eldergate_commit_seconds_bucket{le=\"0.0005\"} 3\n"
	             "eldergate_commit_seconds_bucket{le=\"0.001\"} 3\n"
	             "eldergate_commit_seconds_bucket{le=\"0.0025\"} 3\n"
	             "eldergate_commit_seconds_bucket{le=\"0.005\"} 5\n");
	assert_shows("eldergate_commit_seconds_bucket{le=\"5\"} 5\n"
	             "eldergate_commit_seconds_bucket{le=\"10\"} 6\n"
	             "eldergate_commit_seconds_bucket{le=\"+Inf\"} 7\n"
	             "eldergate_commit_seconds_sum 20.50620001\n"
	             "eldergate_commit_seconds_count 7\n");
}

static void label_values_are_bounded(void **state)
{
	(void)state;
	char label[32];
	eg_metric_add(EG_M_OPEN_CASES, "other", 5); /* the name belongs to what finds no room */
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 300; i++) {
			snprintf(label, sizeof label, "kind %d", i);
			eg_metric_add(EG_M_OPEN_CASES, label, 1);
		}
	for (int i = 0; i < 300; i++) {
		snprintf(label, sizeof label, "kind %d", i);
		assert_true(eg_metric_get(EG_M_OPEN_CASES, label) == (i < 256 ? 2 : 0));
	}
	assert_true(eg_metric_get(EG_M_OPEN_CASES, "other") == 5 + 2 * 44);
	assert_shows("eldergate_open_cases{kind=\"other\"} 93\n");
	char *text = render();
	size_t samples = 0;
	for (const char *at = text; (at = strstr(at, "\neldergate_open_cases{")); at++)
		samples++;
	assert_int_equal(samples, 257);
	free(text);
}

enum { THREADS = 4, EACH = 5000 };

static void count(void *arg)
{
	struct eg_buf b = {0};
	char label[32];
	(void)arg;
	for (int i = 0; i < EACH; i++) {
		snprintf(label, sizeof label, "agency-%d", i % 400);
		eg_metric_add(EG_M_BATCHES, label, 1);
		eg_metric_add(EG_M_COMMIT_ENTRIES, NULL, 1);
		eg_metric_observe(EG_M_COMMIT_TIME, NULL, 0.002);
		eg_metric_set(EG_M_LOG_SEQ, NULL, i);
		if (i % 500 == 0)
			eg_metric_render(&b);
	}
	eg_buf_free(&b);
}

static void nothing_is_lost_between_threads(void **state)
{
	(void)state;
	struct eg_thread *t[THREADS];
	double before = eg_metric_get(EG_M_COMMIT_TIME, NULL), sum = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(eg_thread_start(&t[i], "count", count, NULL, NULL), EG_OK);
	for (int i = 0; i < THREADS; i++)
		eg_thread_join(t[i]);
	assert_true(eg_metric_get(EG_M_COMMIT_ENTRIES, NULL) == THREADS * EACH);
	assert_true(eg_metric_get(EG_M_COMMIT_TIME, NULL) == before + THREADS * EACH);
	for (int i = 0; i < 400; i++) {
		char label[32];
		snprintf(label, sizeof label, "agency-%d", i);
		sum += eg_metric_get(EG_M_BATCHES, label);
	}
	assert_true(sum + eg_metric_get(EG_M_BATCHES, "other") == THREADS * EACH);
}

/* The table itself: names as Prometheus wants them, each once, and help and type once and before the samples.
 */
static void the_table_is_sound(void **state)
{
	(void)state;
	static const struct {
		const char *kind, *name, *label, *help;
	} rows[] = {
#define X(id, kind, name, label, help) {#kind, name, label, help},
#include "base/metrics.def"
#undef X
	};
	for (size_t i = 0; i < EG_METRIC_COUNT; i++) {
		const char *name = rows[i].name;
		size_t len = strlen(name);
		assert_int_equal(strncmp(name, "eldergate_", 10), 0);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), len);
		assert_int_equal(strspn(rows[i].label, "abcdefghijklmnopqrstuvwxyz_"), strlen(rows[i].label));
		bool total = len > 6 && strcmp(name + len - 6, "_total") == 0;
		assert_int_equal(total, strcmp(rows[i].kind, "COUNTER") == 0);
		assert_true(*rows[i].help);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name, rows[j].name);
	}
	char *text = render();
	assert_int_equal(strncmp(text, "# HELP ", 7), 0);
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(plain_numbers),
	        cmocka_unit_test(labels),
	        cmocka_unit_test(histogram),
	        cmocka_unit_test(label_values_are_bounded),
	        cmocka_unit_test(nothing_is_lost_between_threads),
	        cmocka_unit_test(the_table_is_sound),
	};
	return cmocka_run_group_tests_name("base/metric", tests, NULL, NULL);
}
