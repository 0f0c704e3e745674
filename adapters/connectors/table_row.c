/* table_row: see table_row.h. */
#include "connectors/table_row.h"

#include "connectors/table_position.h"

#include <stdio.h>
#include <string.h>

#define RAW_MAX 4096 /* bytes of an unreadable value that are reported */

static struct eg_bytes value(const struct eg_table_row *r, unsigned column)
{
	return eg_table_page_value(r->page, r->row, column);
}

static void token(const struct eg_table_row *r, bool key, const struct eg_checkpoint *checkpoint,
                  struct eg_buf *frame, uint8_t out[16])
{
	eg_buf_reset(frame);
	for (unsigned i = 0; i < (key ? r->conf->key.n : r->select->out.n); i++) {
		struct eg_bytes v = value(r, key ? r->select->key[i] : i);
		if (!key && !r->select->payload[i])
			continue;
		eg_buf_add_be(frame, v.p ? v.len + 1 : 0, 8);
		eg_buf_add(frame, v.p, v.len);
	}
	eg_checkpoint_token(checkpoint, eg_buf_bytes(frame), out);
}

void eg_table_row_seen(const struct eg_table_row *r, const struct eg_checkpoint *checkpoint,
                       struct eg_buf *frame, struct eg_seen_row *out)
{
	uint8_t state[16];
	struct eg_position position;
	struct eg_bytes at = value(r, r->select->position);
	*out = (struct eg_seen_row){.at = INT64_MAX};
	token(r, true, checkpoint, frame, out->key);
	token(r, false, checkpoint, frame, state);
	memcpy(out->state, state, sizeof out->state);
	if (r->conf->claim == EG_CLAIM_KEY && at.p && eg_position_parse(at, r->conf->dense_time, &position))
		out->at = position.at;
}

unsigned eg_table_row_kept(const struct eg_table_row *r, struct eg_bytes out[2 * EG_TABLE_KEYS_MAX])
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->conf->key.n; i++)
		out[n++] = value(r, r->select->key[i]);
	for (unsigned i = 0; i < r->conf->version.n; i++)
		out[n++] = value(r, r->select->version[i]);
	return n;
}

bool eg_table_row_bad(const struct eg_table_row *r, char reason[EG_TABLE_REASON], struct eg_bytes *raw)
{
	*raw = (struct eg_bytes){0};
	if (r->page->bad[r->row]) {
		unsigned column = r->page->bad[r->row] - 1u;
		*raw = value(r, column);
		if (raw->len > RAW_MAX)
			raw->len = RAW_MAX;
		snprintf(reason, EG_TABLE_REASON, "column %.*s is no text or longer than %zu bytes",
		         EG_TABLE_NAME_MAX, r->select->columns[column]->name, r->conf->max_value);
		return true;
	}
	/* Of a list nothing is marked: whether its records have a key says the mapping. */
	for (unsigned i = 0; i < r->conf->key.n && r->conf->claim != EG_CLAIM_LIST; i++) {
		if (value(r, r->select->key[i]).p)
			continue;
		snprintf(reason, EG_TABLE_REASON,
		         "column %.*s of the key is NULL, so that no verdict can be kept", EG_TABLE_NAME_MAX,
		         r->select->columns[r->select->key[i]]->name);
		return true;
	}
	return false;
}
