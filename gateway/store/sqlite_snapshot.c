/* sqlite_snapshot: read transactions of a connection. Thread: the connection's. */
#include "base/clock.h"
#include "store/sqlite_query.h"

enum eg_rc eg_read_begin(struct eg_conn *c, struct eg_err *err)
{
	if (c->writer || c->read_since)
		return eg_fail(err, EG_INTERNAL,
		               "store %s: this connection cannot begin a read transaction now",
		               c->store->dir);
	enum eg_rc rc = eg_gate_enter(c, err);
	if (rc != EG_OK)
		return rc;
	if ((rc = eg_conn_run(c, EG_ST_BEGIN_READ, err))) {
		eg_gate_leave(c);
		return rc;
	}
	c->read_since = eg_mono_us();
	/* SQLite takes its snapshot at the first read, not at BEGIN. */
	uint64_t head;
	if ((rc = eg_get_head(c, &head, err)))
		eg_read_end(c);
	return rc;
}

void eg_read_end(struct eg_conn *c)
{
	if (!c->read_since)
		return;
	struct eg_err why = {0};
	if (eg_conn_run(c, EG_ST_COMMIT, &why) != EG_OK)
		eg_conn_run(c, EG_ST_ROLLBACK, NULL);
	c->read_since = 0;
	eg_gate_leave(c);
}

bool eg_read_expired(struct eg_conn *c)
{
	return c->read_since && !c->store->read_only && eg_mono_us() - c->read_since > EG_READ_MS * 1000;
}
