/* table_batch: see table_batch.h. A statement with the text of the one before shares it, so that drivers
 * prepare it once. */
#include "connectors/table_batch.h"

#include "base/fault.h"

#include <stdlib.h>
#include <string.h>

static void free_batch(struct eg_aside_job *job)
{
	eg_table_batch_free((struct eg_table_batch *)job);
}

void eg_table_batch_free(struct eg_table_batch *b)
{
	if (!b)
		return;
	eg_buf_free(&b->texts);
	eg_buf_free(&b->bytes);
	free(b->values);
	free(b->steps);
	free(b);
}

static bool room(struct eg_table_batch *b, unsigned n_values)
{
	if (b->n == b->cap) {
		unsigned cap = b->cap ? b->cap * 2 : 64;
		struct eg_batch_step *steps = realloc(b->steps, cap * sizeof *steps);
		if (!steps)
			return false;
		b->steps = steps;
		b->cap = cap;
	}
	if (b->n_values + n_values > b->cap_values) {
		size_t cap = (b->n_values + n_values) * 2;
		struct eg_sql_value *values = realloc(b->values, cap * sizeof *values);
		if (!values)
			return false;
		b->values = values;
		b->cap_values = cap;
	}
	return true;
}

void eg_table_batch_add(struct eg_table_batch *b, enum eg_batch_kind kind, const struct eg_sql *sql)
{
	const char *text = (const char *)sql->text.p;
	if (b->failed || sql->failed || !room(b, sql->n)) {
		b->failed = true;
		return;
	}
	struct eg_batch_step *step = &b->steps[b->n];
	*step = (struct eg_batch_step){
	        .kind = kind, .text = b->texts.len, .first = b->n_values, .n = sql->n, .rows = -1};
	/* The one before, or the one before a pair. */
	for (unsigned back = 1; back <= 2 && back <= b->n; back++)
		if (strcmp((char *)b->texts.p + b->steps[b->n - back].text, text) == 0)
			step->text = b->steps[b->n - back].text;
	if (step->text == b->texts.len)
		eg_buf_add(&b->texts, text, sql->text.len);
	for (unsigned i = 0; i < sql->n; i++) {
		struct eg_sql_value *v = &b->values[b->n_values++];
		*v = sql->values[i];
		v->start += b->bytes.len;
	}
	eg_buf_add(&b->bytes, sql->bytes.p, sql->bytes.len);
	b->failed |= b->texts.failed || b->bytes.failed;
	b->n++;
}

static enum eg_rc run_step(struct eg_table_batch *b, struct eg_batch_step *step, struct eg_odbc *o,
                           bool *found, struct eg_err *err)
{
	struct eg_odbc_param params[EG_ODBC_PARAMS];
	for (unsigned i = 0; i < step->n; i++) {
		const struct eg_sql_value *v = &b->values[step->first + i];
		const uint8_t *p = b->bytes.p ? b->bytes.p + v->start : (const uint8_t *)"";
		params[i] = (struct eg_odbc_param){.value = {v->null ? NULL : p, v->len},
		                                   .type = v->type,
		                                   .size = v->size,
		                                   .decimals = v->decimals};
	}
	enum eg_rc rc = eg_odbc_prepare(o, (const char *)b->texts.p + step->text, err);
	if (rc == EG_OK)
		rc = eg_odbc_run(o, params, step->n, step->kind == EG_BATCH_RUN ? &step->rows : NULL, err);
	*found = false;
	if (rc == EG_OK && step->kind == EG_BATCH_UNLESS) {
		rc = eg_odbc_fetch(o, err);
		*found = rc == EG_OK;
		eg_odbc_done(o);
	}
	return rc == EG_EMPTY ? EG_OK : rc;
}

static enum eg_rc run_batch(struct eg_table_work *w, struct eg_odbc *o, struct eg_aside *a,
                            struct eg_err *err)
{
	struct eg_table_batch *b = (struct eg_table_batch *)w;
	bool found = false;
	enum eg_rc rc = eg_odbc_begin(o, err);
	if (rc != EG_OK)
		return rc;
	b->reached = true;
	while (rc == EG_OK && b->at < b->n) {
		struct eg_batch_step *step = &b->steps[b->at];
		if (!eg_aside_alive(a))
			rc = EG_CLOSED;
		else if (found)
			found = false;
		else
			rc = run_step(b, step, o, &found, err);
		if (rc == EG_OK)
			b->at++;
	}
	eg_kill_point("table.before_commit");
	/* Nobody waits for what was given up: then it must not be done later. */
	if (rc == EG_OK && !eg_aside_alive(a))
		rc = EG_CLOSED;
	if (rc == EG_OK)
		rc = eg_odbc_commit(o, err);
	if (rc != EG_OK)
		eg_odbc_rollback(o);
	eg_kill_point("table.after_commit");
	return rc;
}

struct eg_table_batch *eg_table_batch_new(void)
{
	struct eg_table_batch *b = calloc(1, sizeof *b);
	if (!b)
		return NULL;
	b->w.work = run_batch;
	b->w.job.free = free_batch;
	return b;
}
