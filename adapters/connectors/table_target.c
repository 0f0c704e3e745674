/* table_target: inserts, each only if its event is not there yet.
 *
 * All of a call in one transaction; if that fails, one by one, up to the first that does not go in. What the
 * database refuses for a row's own sake (a value that does not fit, a constraint) is refused; anything else
 * is to be tried again. An event found there by its id was delivered before: by an insert whose commit was
 * not heard of, or by one before a crash. */
#include "connectors/table_target.h"

#include "base/clock.h"
#include "connectors/table_batch.h"
#include "connectors/table_probe.h"

#include <stdlib.h>
#include <string.h>

const struct eg_setting_def eg_table_target_settings[] = {
        EG_TABLE_LINK_SETTINGS,
        {"table", EG_SET_TEXT, true, NULL, 1, 400, NULL,
         "the table that rows are added to, as the database spells it"},
        {"event_id", EG_SET_TEXT, true, NULL, 1, EG_TABLE_NAME_MAX, NULL,
         "column for the event's id, of 80 characters or more; best with a unique constraint"},
        {0}};

struct eg_table_target {
	const struct eg_settings *settings;
	const char *table, *event_id;
	struct eg_table_link *link;
	struct eg_table_shape shape;
	const struct eg_odbc_column *id;
	bool dry, stale; /* stale: the connection failed; the next call makes a new one */
};

static enum eg_rc look(struct eg_table_target *t, struct eg_err *err)
{
	enum eg_rc rc = eg_table_probe_do(t->link, t->table, "", &t->shape, err);
	if (rc == EG_OK && !(t->id = eg_table_shape_find(&t->shape, t->event_id)))
		rc = eg_settings_fail(t->settings, "event_id", err, "the table has no column %s",
		                      t->event_id);
	return rc;
}

enum eg_rc eg_table_target_check(const struct eg_settings *s, struct eg_err *err)
{
	if (!eg_sql_path_valid(eg_settings_text(s, "table")))
		return eg_settings_fail(s, "table", err, "this is no table's name");
	if (!eg_sql_name_valid(eg_settings_text(s, "event_id")))
		return eg_settings_fail(s, "event_id", err, "this is no column's name");
	return eg_table_link_check(s, err);
}

enum eg_rc eg_table_target_open(struct eg_table_target **out, const struct eg_connector_options *o,
                                struct eg_err *err)
{
	struct eg_table_target *t = calloc(1, sizeof *t);
	if (!t)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a table");
	t->settings = o->settings;
	t->table = eg_settings_text(o->settings, "table");
	t->event_id = eg_settings_text(o->settings, "event_id");
	t->dry = o->dry;
	enum eg_rc rc = eg_table_target_check(o->settings, err);
	if (rc == EG_OK)
		rc = eg_table_link_open(&t->link, o->settings, err);
	if (rc == EG_OK)
		rc = look(t, err);
	if (rc == EG_OK)
		*out = t;
	else
		eg_table_target_close(t);
	return rc;
}

void eg_table_target_close(struct eg_table_target *t)
{
	if (!t)
		return;
	eg_table_link_close(t->link);
	eg_table_shape_free(&t->shape);
	free(t);
}

/* The columns must be there: else the table was changed, and that is no event's fault. */
static enum eg_rc columns_there(const struct eg_table_target *t, const struct eg_delivery *d,
                                struct eg_err *err)
{
	if (d->n >= EG_ODBC_PARAMS)
		return eg_fail(err, EG_LIMIT, "an event has %u columns, more than %d", d->n,
		               EG_ODBC_PARAMS - 1);
	for (unsigned i = 0; i < d->n; i++)
		if (!eg_table_shape_find(&t->shape, d->names[i]))
			return eg_fail(err, EG_UNAVAILABLE, "the table has no column %s", d->names[i]);
	return EG_OK;
}

static void add_event(const struct eg_table_target *t, struct eg_table_batch *b, const struct eg_delivery *d)
{
	struct eg_sql sql = {0};
	struct eg_bytes id = eg_bytes_of(d->event_id);
	eg_sql_begin(&sql, t->shape.quote);
	eg_sql_add(&sql, "SELECT 1 FROM ");
	eg_sql_path(&sql, t->table);
	eg_sql_add(&sql, " WHERE ");
	eg_sql_same(&sql, id, t->id);
	eg_sql_end(&sql);
	eg_table_batch_add(b, EG_BATCH_UNLESS, &sql);

	eg_sql_begin(&sql, t->shape.quote);
	eg_sql_add(&sql, "INSERT INTO ");
	eg_sql_path(&sql, t->table);
	eg_sql_add(&sql, " (");
	eg_sql_name(&sql, t->id->name);
	for (unsigned i = 0; i < d->n; i++) {
		eg_sql_add(&sql, ", ");
		eg_sql_name(&sql, eg_table_shape_find(&t->shape, d->names[i])->name);
	}
	eg_sql_add(&sql, ") VALUES (");
	eg_sql_value(&sql, id, t->id);
	for (unsigned i = 0; i < d->n; i++) {
		eg_sql_add(&sql, ", ");
		eg_sql_value(&sql, d->values[i], eg_table_shape_find(&t->shape, d->names[i]));
	}
	eg_sql_add(&sql, ")");
	eg_sql_end(&sql);
	eg_table_batch_add(b, EG_BATCH_RUN, &sql);
	eg_sql_free(&sql);
}

static enum eg_rc renew(struct eg_table_target *t, struct eg_err *err)
{
	if (!t->stale)
		return EG_OK;
	eg_table_link_close(t->link);
	t->link = NULL;
	enum eg_rc rc = eg_table_link_open(&t->link, t->settings, err);
	if (rc == EG_OK)
		rc = look(t, err);
	t->stale = rc != EG_OK;
	return rc;
}

static enum eg_rc insert(struct eg_table_target *t, const struct eg_delivery *d, unsigned n, int64_t deadline,
                         struct eg_err *err)
{
	struct eg_table_batch *b = eg_table_batch_new();
	for (unsigned i = 0; b && i < n; i++)
		add_event(t, b, &d[i]);
	if (!b || b->failed) {
		eg_table_batch_free(b);
		return eg_fail(err, EG_NO_MEMORY, "no memory for %u events", n);
	}
	enum eg_rc rc = eg_table_link_do(t->link, &b->w, deadline, err);
	if (rc == EG_OK)
		eg_table_batch_free(b);
	t->stale |= rc == EG_UNAVAILABLE;
	return rc;
}

/* A constraint's complaint may be about the id: another has put it in since we looked. */
static enum eg_rc insert_one(struct eg_table_target *t, const struct eg_delivery *d, int64_t deadline,
                             struct eg_err *err)
{
	enum eg_rc rc = insert(t, d, 1, deadline, err);
	if (rc == EG_EXISTS)
		rc = insert(t, d, 1, deadline, err);
	if (rc == EG_EXISTS)
		return eg_fail(err, EG_INVALID, "a constraint of the table forbids the row");
	return rc;
}

enum eg_rc eg_table_target_deliver(struct eg_table_target *t, const struct eg_delivery *deliveries,
                                   unsigned n, struct eg_delivery_result *results, int64_t mono_deadline_us,
                                   struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	struct eg_err own = {0};
	unsigned good = 0;
	if ((rc = renew(t, err)) != EG_OK)
		return rc;
	while (good < n && (rc = columns_there(t, &deliveries[good], &own)) == EG_OK)
		good++;
	if (rc == EG_UNAVAILABLE && eg_mono_us() < mono_deadline_us) { /* perhaps it was added since */
		if ((rc = look(t, err)) != EG_OK)
			return rc;
		for (good = 0; good < n && (rc = columns_there(t, &deliveries[good], &own)) == EG_OK;)
			good++;
	}
	for (unsigned i = 0; i < n; i++)
		results[i] = (struct eg_delivery_result){.rc = i < good ? EG_OK : EG_BUSY};
	if (good < n)
		results[good] = (struct eg_delivery_result){.rc = rc, .err = own};
	if (t->dry || good == 0 || insert(t, deliveries, good, mono_deadline_us, &own) == EG_OK)
		return EG_OK;
	for (unsigned i = 0; i < good; i++) {
		results[i].rc = insert_one(t, &deliveries[i], mono_deadline_us, &results[i].err);
		if (results[i].rc == EG_OK)
			continue;
		for (unsigned j = i + 1; j < n; j++)
			results[j] = (struct eg_delivery_result){.rc = EG_BUSY};
		break;
	}
	return EG_OK;
}
