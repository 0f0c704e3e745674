/* demo_sources: the three agencies' own systems, fed with rows in each one's own form. */
#include "cli/demo.h"

#include "cli/demo_shape.h"
#include "cli/file.h"
#include "trust/crypto.h"

#include <stdio.h>
#include <string.h>

enum { SECRET = 24, NAME_MAX_BYTES = 32 };

void demo_connection(const struct demo *d, char out[DEMO_PATH])
{
	snprintf(out, DEMO_PATH, "Driver=SQLite3;Database=%.*s/police.db;Timeout=20000", DEMO_PATH - 80,
	         d->dir);
}

enum eg_rc demo_open_sources(struct demo *d, struct eg_err *err)
{
	char connection[DEMO_PATH], path[DEMO_PATH], secret[2 * SECRET + 1];
	uint8_t random[SECRET];
	demo_connection(d, connection);
	demo_in_dir(d, "inbox", d->inbox);
	demo_in_dir(d, "outbox", d->outbox);
	eg_random(random, sizeof random);
	eg_hex(random, sizeof random, secret);
	enum eg_rc rc = demo_table_open(&d->table, connection, err);
	if (!rc)
		rc = file_mkdir(d->inbox, 0700, err);
	if (!rc)
		rc = file_mkdir(d->outbox, 0700, err);
	if (!rc)
		rc = file_make(demo_in_dir(d, "funeral.secret", path), eg_bytes_of(secret), 0600, err);
	return rc ? rc : demo_peer_start(&d->peer, secret, err);
}

/* "dead.name" stands in an object of its own; columns of one object follow each other. */
static void to_json(const struct made_row *r, struct eg_buf *out)
{
	char value[MADE_VALUE], within[NAME_MAX_BYTES] = "";
	const char *comma = "";
	unsigned n;
	const struct demo_column *columns = demo_columns(EG_FUNERAL, &n);
	eg_buf_printf(out, "{");
	for (unsigned i = 0; i < n; i++) {
		const char *name = columns[i].name, *dot = strchr(name, '.');
		char object[NAME_MAX_BYTES] = "";
		demo_value(EG_FUNERAL, &columns[i], r, value);
		if (!*value)
			continue;
		if (dot)
			snprintf(object, sizeof object, "%.*s", (int)(dot - name), name);
		if (strcmp(object, within) != 0) {
			eg_buf_printf(out, "%s", *within ? "}" : "");
			if (dot)
				eg_buf_printf(out, "%s\"%s\":{", *within ? "," : comma, object);
			comma = dot ? "" : ",";
			snprintf(within, sizeof within, "%s", object);
		}
		eg_buf_printf(out, "%s\"%s\":", comma, dot ? dot + 1 : name);
		eg_buf_json(out, eg_bytes_of(value));
		comma = ",";
	}
	eg_buf_printf(out, *within ? "}}" : "}");
}

enum eg_rc demo_put(struct demo *d, unsigned agency, const struct made_row *r, struct eg_err *err)
{
	struct eg_buf json = {0};
	if (agency == POLICE)
		return demo_table_add(d->table, r, err);
	if (agency == ASSISTANCE) {
		demo_csv_add(&d->csv, r);
		return EG_OK;
	}
	to_json(r, &json);
	enum eg_rc rc = json.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a record")
	                            : demo_peer_add(d->peer, eg_buf_bytes(&json), err);
	eg_buf_free(&json);
	return rc;
}

enum eg_rc demo_show(struct demo *d, unsigned agency, const char *file, unsigned cut, struct eg_err *err)
{
	if (agency == POLICE)
		return demo_table_commit(d->table, err);
	if (agency == ASSISTANCE)
		return demo_csv_send(&d->csv, d->inbox, file, cut, err);
	demo_peer_show(d->peer);
	return EG_OK;
}
