/* metric: one fixed table of label values per metric, every number an atomic.
 *
 * A cell is made at the first use of its label value, published by one compare-and-swap into an
 * open-addressed table and never moved or freed, so counting takes no lock. Thread: any. */
#include "base/metric.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 256
#define SLOTS      512 /* a power of two; half full at most, so probing ends */
#define OTHER      "other"

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const char *const kind_names[] = {"counter", "gauge", "histogram"};
static const struct {
	enum kind kind;
	const char *name, *label, *help;
} table[EG_METRIC_COUNT] = {
#define X(id, kind, name, label, help) [EG_M_##id] = {kind, name, label, help},
#include "base/metrics.def"
#undef X
};

static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
#define BOUNDS (sizeof bounds / sizeof bounds[0])

struct cell {
	const char *label;
	_Atomic double value; /* a histogram's sum */
	atomic_bool used;
	_Atomic uint64_t buckets[BOUNDS + 1]; /* not cumulated; the last one is above every bound */
};

static struct {
	_Atomic(struct cell *) slots[SLOTS];
	atomic_uint labels;
	struct cell plain; /* of a metric without label, or of the label values that found no room */
} metrics[EG_METRIC_COUNT];

static size_t hash(const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

static struct cell *cell_new(const char *label)
{
	size_t len = strlen(label) + 1;
	struct cell *c = calloc(1, sizeof *c + len);
	if (c)
		c->label = memcpy(c + 1, label, len);
	return c;
}

/* Finds the label's cell, or makes it. Never NULL: what finds no room is counted in the plain cell. */
static struct cell *cell_of(enum eg_metric m, const char *label)
{
	struct cell *fresh = NULL, *c = NULL;
	if (!table[m].label[0] || !label || strcmp(label, OTHER) == 0)
		return &metrics[m].plain;
	for (size_t at = hash(label);; at++) {
		_Atomic(struct cell *) *slot = &metrics[m].slots[at % SLOTS];
		c = atomic_load(slot);
		if (!c && !fresh) {
			if (atomic_fetch_add(&metrics[m].labels, 1) >= LABELS_MAX ||
			    !(fresh = cell_new(label))) {
				atomic_fetch_sub(&metrics[m].labels, 1);
				return &metrics[m].plain;
			}
		}
		if (!c && atomic_compare_exchange_strong(slot, &c, fresh))
			return fresh;
		if (strcmp(c->label, label) == 0)
			break;
	}
	if (fresh) { /* another thread was first with the same label */
		atomic_fetch_sub(&metrics[m].labels, 1);
		free(fresh);
	}
	return c;
}

/* The label's cell if there is one already. */
static struct cell *find(enum eg_metric m, const char *label)
{
	struct cell *c;
	if (!table[m].label[0] || !label || strcmp(label, OTHER) == 0)
		return &metrics[m].plain;
	for (size_t at = hash(label); (c = atomic_load(&metrics[m].slots[at % SLOTS])); at++)
		if (strcmp(c->label, label) == 0)
			return c;
	return NULL;
}

static void add(struct cell *c, double v)
{
	double before = atomic_load(&c->value);
	while (!atomic_compare_exchange_weak(&c->value, &before, before + v))
		;
	atomic_store(&c->used, true);
}

void eg_metric_add(enum eg_metric m, const char *label_value, double v)
{
	assert(table[m].kind != HISTOGRAM);
	assert(table[m].kind == GAUGE || v >= 0);
	add(cell_of(m, label_value), v);
}

void eg_metric_set(enum eg_metric m, const char *label_value, double v)
{
	assert(table[m].kind == GAUGE);
	struct cell *c = cell_of(m, label_value);
	atomic_store(&c->value, v);
	atomic_store(&c->used, true);
}

void eg_metric_observe(enum eg_metric m, const char *label_value, double seconds)
{
	assert(table[m].kind == HISTOGRAM);
	struct cell *c = cell_of(m, label_value);
	size_t i = 0;
	while (i < BOUNDS && seconds > bounds[i])
		i++;
	atomic_fetch_add(&c->buckets[i], 1);
	add(c, seconds);
}

double eg_metric_get(enum eg_metric m, const char *label_value)
{
	const struct cell *c = find(m, label_value);
	uint64_t count = 0;
	if (!c)
		return 0;
	if (table[m].kind != HISTOGRAM)
		return atomic_load(&c->value);
	for (size_t i = 0; i <= BOUNDS; i++)
		count += atomic_load(&c->buckets[i]);
	return (double)count;
}

/* Help escapes backslash and newline; a label value the double quote too. */
static void add_escaped(struct eg_buf *out, const char *text, bool quote)
{
	for (; *text; text++) {
		if (*text == '\\' || (quote && *text == '"'))
			eg_buf_add_u8(out, '\\');
		eg_buf_add(out, *text == '\n' ? "\\n" : text, *text == '\n' ? 2 : 1);
	}
}

/* "{label="x",le="y"}", with the parts that there are. */
static void add_labels(struct eg_buf *out, enum eg_metric m, const char *label, const char *le)
{
	const char *name = table[m].label;
	if (!*name && !le)
		return;
	eg_buf_add_u8(out, '{');
	if (*name) {
		eg_buf_printf(out, "%s=\"", name);
		add_escaped(out, label, true);
		eg_buf_printf(out, le ? "\"," : "\"");
	}
	if (le)
		eg_buf_printf(out, "le=\"%s\"", le);
	eg_buf_add_u8(out, '}');
}

static void add_sample(struct eg_buf *out, enum eg_metric m, const char *suffix, const char *label,
                       const char *le, double v)
{
	eg_buf_printf(out, "%s%s", table[m].name, suffix);
	add_labels(out, m, label, le);
	eg_buf_add_u8(out, ' ');
	eg_buf_real(out, v);
	eg_buf_add_u8(out, '\n');
}

static void add_cell(struct eg_buf *out, enum eg_metric m, const struct cell *c)
{
	const char *label = c->label ? c->label : OTHER;
	uint64_t count = 0;
	if (table[m].kind != HISTOGRAM) {
		add_sample(out, m, "", label, NULL, atomic_load(&c->value));
		return;
	}
	double sum = atomic_load(&c->value);
	for (size_t i = 0; i <= BOUNDS; i++) {
		char le[32] = "+Inf";
		if (i < BOUNDS)
			snprintf(le, sizeof le, "%g", bounds[i]);
		count += atomic_load(&c->buckets[i]);
		add_sample(out, m, "_bucket", label, le, (double)count);
	}
	add_sample(out, m, "_sum", label, NULL, sum);
	add_sample(out, m, "_count", label, NULL, (double)count);
}

static int by_label(const void *a, const void *b)
{
	return strcmp((*(const struct cell *const *)a)->label, (*(const struct cell *const *)b)->label);
}

static void render_one(struct eg_buf *out, enum eg_metric m)
{
	const struct cell *cells[SLOTS];
	size_t n = 0;
	eg_buf_printf(out, "# HELP %s ", table[m].name);
	add_escaped(out, table[m].help, false);
	eg_buf_printf(out, "\n# TYPE %s %s\n", table[m].name, kind_names[table[m].kind]);
	for (size_t i = 0; i < SLOTS; i++) {
		const struct cell *c = atomic_load(&metrics[m].slots[i]);
		if (c)
			cells[n++] = c;
	}
	qsort(cells, n, sizeof cells[0], by_label);
	for (size_t i = 0; i < n; i++)
		add_cell(out, m, cells[i]);
	if (!table[m].label[0] || atomic_load(&metrics[m].plain.used))
		add_cell(out, m, &metrics[m].plain);
}

void eg_metric_render(struct eg_buf *out)
{
	for (int m = 0; m < EG_METRIC_COUNT; m++)
		render_one(out, (enum eg_metric)m);
}
