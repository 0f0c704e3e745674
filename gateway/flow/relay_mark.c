/* relay_mark: see relay_mark.h. */
#include "flow/relay_mark.h"

#include "model/canon.h"

#include <stdlib.h>
#include <string.h>

/* gateway/FORMAT.md, Kafka. */
enum { T_LOG_ID = 1, T_SEQ = 2, T_CHANGES = 3, T_STATE = 4, T_BEFORE = 5, T_LEAF = 6 };
enum { P_PARTITION = 1, P_SEQ = 2, P_OFFSET = 3 };

void eg_relay_mark_free(struct eg_relay_mark *m)
{
	for (unsigned t = 0; t < EG_RELAY_TOPICS; t++)
		free(m->topics[t].at);
	*m = (struct eg_relay_mark){0};
}

void eg_relay_mark_write(const struct eg_relay_mark *m, const uint8_t log_id[16], struct eg_buf *out)
{
	eg_canon_bytes(out, T_LOG_ID, (struct eg_bytes){log_id, 16});
	eg_canon_int(out, T_SEQ, (int64_t)m->seq);
	for (unsigned t = 0; t < EG_RELAY_TOPICS; t++)
		for (unsigned p = 0; p < m->topics[t].n; p++) {
			size_t item = eg_canon_open(out, T_CHANGES + t);
			eg_canon_int_always(out, P_PARTITION, p);
			eg_canon_int(out, P_SEQ, (int64_t)m->topics[t].at[p].seq);
			eg_canon_int(out, P_OFFSET, m->topics[t].at[p].offset);
			eg_canon_close(out, item);
		}
	eg_canon_int(out, T_BEFORE, (int64_t)m->before);
	if (m->has_leaf)
		eg_canon_bytes(out, T_LEAF, (struct eg_bytes){m->leaf, sizeof m->leaf});
}

enum eg_rc eg_relay_mark_spread(struct eg_relay_mark *m, unsigned topic, unsigned n, struct eg_err *err)
{
	struct eg_relay_partitions *p = &m->topics[topic];
	if (n <= p->n)
		return EG_OK;
	struct eg_relay_place *at = realloc(p->at, n * sizeof *at);
	if (!at)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a topic's partitions");
	memset(at + p->n, 0, (n - p->n) * sizeof *at);
	p->at = at;
	p->n = n;
	return EG_OK;
}

/* One partition's item; they stand in order, each once. */
static enum eg_rc read_place(struct eg_relay_mark *m, unsigned topic, struct eg_bytes text, bool *bad,
                             struct eg_err *err)
{
	struct eg_relay_place place = {0};
	struct eg_relay_partitions *t = &m->topics[topic];
	struct eg_canon_reader c = eg_canon_read(text);
	int64_t partition = -1;
	while (eg_canon_next(&c)) {
		if (c.tag == P_PARTITION)
			partition = eg_canon_as_int(&c);
		else if (c.tag == P_SEQ)
			place.seq = (uint64_t)eg_canon_as_int(&c);
		else if (c.tag == P_OFFSET)
			place.offset = eg_canon_as_int(&c);
	}
	if (c.bad || partition != (int64_t)t->n) {
		*bad = true;
		return EG_OK;
	}
	enum eg_rc rc = eg_relay_mark_spread(m, topic, t->n + 1, err);
	if (!rc)
		t->at[t->n - 1] = place;
	return rc;
}

static bool read_leaf(struct eg_relay_mark *m, struct eg_bytes value)
{
	if (value.len != sizeof m->leaf)
		return false;
	memcpy(m->leaf, value.p, sizeof m->leaf);
	return m->has_leaf = true;
}

enum eg_rc eg_relay_mark_read(struct eg_relay_mark *m, const uint8_t log_id[16], struct eg_bytes text,
                              struct eg_err *err)
{
	struct eg_canon_reader c = eg_canon_read(text);
	bool ours = false, bad = false;
	enum eg_rc rc = EG_OK;
	*m = (struct eg_relay_mark){0};
	while (!rc && !bad && eg_canon_next(&c)) {
		if (c.tag == T_LOG_ID)
			ours = c.value.len == 16 && memcmp(c.value.p, log_id, 16) == 0;
		else if (c.tag == T_SEQ)
			m->seq = (uint64_t)eg_canon_as_int(&c);
		else if (c.tag == T_CHANGES || c.tag == T_STATE)
			rc = read_place(m, c.tag - T_CHANGES, c.value, &bad, err);
		else if (c.tag == T_BEFORE)
			m->before = (uint64_t)eg_canon_as_int(&c);
		else if (c.tag == T_LEAF)
			bad = !read_leaf(m, c.value);
	}
	if (!rc && (c.bad || bad || !ours))
		rc = eg_fail(err, EG_PRECONDITION,
		             "the relay's topic holds the mark of another log" EG_RELAY_WAY_OUT);
	if (rc)
		eg_relay_mark_free(m);
	return rc;
}

/* The newest message that there really is, given what there should be. */
static struct eg_relay_place kept(const struct eg_relay_mark *m, const struct eg_relay_place *said,
                                  const struct eg_relay_shown *shown)
{
	if (shown->newest.seq || !said->seq || shown->low == 0)
		return shown->newest;
	if (shown->low > said->offset)
		return *said; /* retention has removed it, as it may */
	/* What came before has expired, and the newest message was lost: of the last transaction, since the
	 * one before had settled everywhere before this one was committed. */
	return (struct eg_relay_place){said->seq < m->before ? said->seq : m->before, shown->low - 1};
}

void eg_relay_mark_compare(struct eg_relay_mark *m, unsigned topic, const struct eg_relay_shown *shown)
{
	struct eg_relay_partitions *t = &m->topics[topic];
	for (unsigned p = 0; p < t->n; p++) {
		struct eg_relay_place place = kept(m, &t->at[p], &shown[p]);
		uint64_t from = place.seq > m->before ? place.seq : m->before;
		if (place.seq < t->at[p].seq && from < m->seq)
			m->seq = from;
		t->at[p] = place;
	}
}

bool eg_relay_mark_holds(const struct eg_relay_mark *m, unsigned topic, unsigned partition, uint64_t seq)
{
	return seq <= m->topics[topic].at[partition].seq;
}

uint64_t eg_relay_mark_newest(const struct eg_relay_mark *m)
{
	uint64_t newest = 0;
	for (unsigned t = 0; t < EG_RELAY_TOPICS; t++)
		for (unsigned p = 0; p < m->topics[t].n; p++)
			if (m->topics[t].at[p].seq > newest)
				newest = m->topics[t].at[p].seq;
	return newest;
}
