/* table_conf: the one place that knows the names of a table source's settings. */
#include "connectors/table_conf.h"

#include "base/clock.h"
#include "connectors/table_link.h"
#include "connectors/table_sql.h"

#include <string.h>
#include <strings.h>

#define DAY_US (86400 * EG_SECOND)

const struct eg_setting_def eg_table_source_settings[] = {
        EG_TABLE_LINK_SETTINGS,
        {"table", EG_SET_TEXT, true, NULL, 1, 400, NULL,
         "the table that is read and marked, with its schema if need be (schema.table), spelled as the "
         "database stores "
         "it"},
        {"query", EG_SET_TEXT, false, NULL, 0, 20000, NULL,
         "a SELECT to read instead of the table itself; its columns must hold the key; marks still go to the "
         "table"},
        {"columns", EG_SET_LIST, false, NULL, 0, EG_TABLE_COLUMNS_MAX, NULL,
         "columns to hand out; none: all"},
        {"where", EG_SET_TEXT, false, NULL, 0, 4000, NULL,
         "a further condition in SQL on the rows that are read"},
        {"row_limit", EG_SET_CHOICE, false, "limit", 0, 0, "limit|fetch|top",
         "how the engine is asked for a page: LIMIT n (PostgreSQL, MySQL, MariaDB, SQLite, Dameng, Kingbase, "
         "openGauss), "
         "FETCH FIRST n ROWS ONLY (Oracle, DB2) or SELECT TOP n (SQL Server)"},
        {"claim", EG_SET_CHOICE, true, NULL, 0, 0, "flag|key|list",
         "flag: rows whose flag is new, marked by verdicts; key: rows behind a watermark with an overlap; "
         "list: the whole "
         "table as a full list"},
        {"key", EG_SET_LIST, true, NULL, 1, EG_TABLE_KEYS_MAX, NULL,
         "columns that tell a row from all others, never NULL"},
        {"order", EG_SET_LIST, false, NULL, 0, EG_TABLE_KEYS_MAX, NULL,
         "columns that rows are read by, before the key (claim flag and list)"},
        {"flag", EG_SET_TEXT, false, NULL, 0, EG_TABLE_NAME_MAX, NULL, "the flag's column (claim flag)"},
        {"flag_new", EG_SET_TEXT, false, "0", 0, 64, NULL, "its value for rows that wait"},
        {"flag_taken", EG_SET_TEXT, false, "1", 0, 64, NULL, "its value for rows that the gateway has"},
        {"flag_error", EG_SET_TEXT, false, "2", 0, 64, NULL, "its value for rows that were refused"},
        {"null_is_new", EG_SET_BOOL, false, "false", 0, 0, NULL, "does a NULL flag count as new?"},
        {"error_code", EG_SET_TEXT, false, NULL, 0, EG_TABLE_NAME_MAX, NULL,
         "column for the reasons of a refusal, cleared when the row is taken"},
        {"error_text", EG_SET_TEXT, false, NULL, 0, EG_TABLE_NAME_MAX, NULL,
         "column for what to do about it, cleared when the row is taken"},
        {"retry", EG_SET_TEXT, false, NULL, 0, EG_TABLE_NAME_MAX, NULL,
         "column that counts refusals of a row"},
        {"update_time", EG_SET_TEXT, false, NULL, 0, EG_TABLE_NAME_MAX, NULL,
         "column that changes with each change of a row: a time, or a growing number"},
        {"update_number", EG_SET_BOOL, false, "false", 0, 0, NULL,
         "is update_time a number even where it has 14 digits? Else those are a time, YYYYMMDDhhmmss (claim "
         "key)"},
        {"version", EG_SET_LIST, false, NULL, 0, EG_TABLE_KEYS_MAX - 1, NULL,
         "further columns that must still be as they were read when a row is marked"},
        {"insert_only", EG_SET_BOOL, false, "false", 0, 0, NULL,
         "does a row never change once it is new, because each change is a row of its own? Then it can be "
         "marked without update_time and version (claim flag)"},
        {"overlap", EG_SET_TIME, false, "10m", EG_SECOND, 7 * DAY_US, NULL,
         "how far behind its own update time a row may be committed: the longest transaction, with the "
         "differences of "
         "the writers' clocks (claim key by a time)"},
        {"overlap_keys", EG_SET_INT, false, "10000", 1, INT64_MAX / 4, NULL,
         "the same in steps of the key: how far behind the highest a row may be committed (claim key by a "
         "number)"},
        {"utc_offset", EG_SET_INT, false, "480", -840, 840, NULL,
         "minutes that the source's clock is ahead of UTC where its times have no zone"},
        {"remember", EG_SET_INT, false, "200000", 1000, 2000000, NULL,
         "rows of the overlap that are remembered as settled (64 bytes each); what is beyond comes again, "
         "which only "
         "costs time"},
        {"batch", EG_SET_INT, false, "1000", 1, 10000, NULL, "rows that are read at once"},
        {"in_flight", EG_SET_INT, false, "10000", 1, 100000, NULL, "rows that may wait for their verdict"},
        {"poll", EG_SET_TIME, false, "2s", 10000, DAY_US, NULL,
         "how long to wait between two looks at the table"},
        {"max_value", EG_SET_SIZE, false, "64KiB", 64, 4 << 20, NULL,
         "a longer value makes its row unreadable: it is refused"},
        {"list_every", EG_SET_TIME, false, "1d", EG_SECOND, 400 * DAY_US, NULL,
         "time between the beginnings of two full lists (claim list)"},
        {"list_retry", EG_SET_TIME, false, "1m", 1000, DAY_US, NULL,
         "pause before a list is read anew that was not taken, or whose rows came or went while it was read"},
        {"list_tries", EG_SET_INT, false, "3", 1, 1000, NULL,
         "how often in a row that may happen before it is told as trouble"},
        {"list_as_of", EG_SET_CHOICE, false, "mapping", 0, 0, "mapping|begin",
         "a list's position: the mapping's, or the instant it was begun by the database's clock "
         "(microseconds since 1970)"},
        {"clock", EG_SET_TEXT, false, "CURRENT_TIMESTAMP", 1, 400, NULL,
         "an expression in SQL that tells the clock that rows get their times from (claim list)"},
        {0}};

static enum eg_rc names_of(struct eg_table_names *out, const struct eg_settings *s, const char *setting,
                           struct eg_err *err)
{
	for (unsigned i = 0; i < eg_settings_count(s, setting); i++) {
		const char *name = eg_settings_item(s, setting, i);
		if (!eg_sql_name_valid(name))
			return eg_settings_fail(s, setting, err, "item %u is no column's name", i + 1);
		out->names[out->n++] = name;
	}
	return EG_OK;
}

static enum eg_rc name_of(const char **out, const struct eg_settings *s, const char *setting,
                          struct eg_err *err)
{
	*out = eg_settings_text(s, setting);
	if (**out && !eg_sql_name_valid(*out))
		return eg_settings_fail(s, setting, err, "this is no column's name");
	return EG_OK;
}

static enum eg_rc agree(const struct eg_table_conf *c, struct eg_err *err)
{
	const struct eg_settings *s = c->settings;
	if (!eg_sql_path_valid(c->table))
		return eg_settings_fail(s, "table", err, "this is no table's name");
	for (unsigned i = 0; i < c->n_columns; i++)
		if (!eg_sql_name_valid(eg_settings_item(s, "columns", i)))
			return eg_settings_fail(s, "columns", err, "item %u is no column's name", i + 1);
	if (c->claim == EG_CLAIM_FLAG && !*c->flag)
		return eg_settings_fail(s, "claim", err, "claiming by flag needs `flag`, the flag's column");
	/* Its mark would hide a change that was made while the row was on its way. */
	if (c->claim == EG_CLAIM_FLAG && !c->version.n && !eg_settings_int(s, "insert_only"))
		return eg_settings_fail(
		        s, "claim", err,
		        "claiming by flag needs `update_time` or `version`, columns that change "
		        "with a row; or `insert_only: true`, if rows never change");
	if (c->claim == EG_CLAIM_FLAG &&
	    (strcmp(c->flag_new, c->flag_taken) == 0 || strcmp(c->flag_new, c->flag_error) == 0))
		return eg_settings_fail(s, "flag_new", err,
		                        "a row that is taken or refused must not look new");
	if (c->claim == EG_CLAIM_KEY && !*c->update_time && c->key.n != 1)
		return eg_settings_fail(s, "key", err,
		                        "claiming by key needs `update_time`, or one column that grows");
	if (c->claim == EG_CLAIM_KEY && c->order.n)
		return eg_settings_fail(s, "order", err, "claiming by key has an order of its own");
	return EG_OK;
}

enum eg_rc eg_table_conf_read(struct eg_table_conf *c, const struct eg_settings *s, struct eg_err *err)
{
	const char *claim = eg_settings_text(s, "claim");
	enum eg_rc rc;
	*c = (struct eg_table_conf){.settings = s,
	                            .table = eg_settings_text(s, "table"),
	                            .query = eg_settings_text(s, "query"),
	                            .where = eg_settings_text(s, "where"),
	                            .row_limit = eg_settings_text(s, "row_limit"),
	                            .n_columns = eg_settings_count(s, "columns"),
	                            .claim = *claim == 'f'   ? EG_CLAIM_FLAG
	                                     : *claim == 'k' ? EG_CLAIM_KEY
	                                                     : EG_CLAIM_LIST,
	                            .flag_new = eg_settings_text(s, "flag_new"),
	                            .flag_taken = eg_settings_text(s, "flag_taken"),
	                            .flag_error = eg_settings_text(s, "flag_error"),
	                            .null_is_new = eg_settings_int(s, "null_is_new"),
	                            .dense_time = !eg_settings_int(s, "update_number"),
	                            .overlap_us = eg_settings_int(s, "overlap"),
	                            .overlap_keys = eg_settings_int(s, "overlap_keys"),
	                            .utc_offset_us = eg_settings_int(s, "utc_offset") * 60 * EG_SECOND,
	                            .poll_us = eg_settings_int(s, "poll"),
	                            .list_every_us = eg_settings_int(s, "list_every"),
	                            .list_retry_us = eg_settings_int(s, "list_retry"),
	                            .list_tries = (unsigned)eg_settings_int(s, "list_tries"),
	                            .list_as_of_begin = *eg_settings_text(s, "list_as_of") == 'b',
	                            .clock = eg_settings_text(s, "clock"),
	                            .batch = (unsigned)eg_settings_int(s, "batch"),
	                            .in_flight = (unsigned)eg_settings_int(s, "in_flight"),
	                            .remember = (unsigned)eg_settings_int(s, "remember"),
	                            .max_value = (size_t)eg_settings_int(s, "max_value")};
	if ((rc = names_of(&c->key, s, "key", err)) || (rc = names_of(&c->version, s, "version", err)) ||
	    (rc = names_of(&c->order, s, "order", err)) || (rc = name_of(&c->flag, s, "flag", err)) ||
	    (rc = name_of(&c->error_code, s, "error_code", err)) ||
	    (rc = name_of(&c->error_text, s, "error_text", err)) ||
	    (rc = name_of(&c->retry, s, "retry", err)) ||
	    (rc = name_of(&c->update_time, s, "update_time", err)))
		return rc;
	c->dense_time &= *c->update_time != 0; /* a key of digits is a number */
	if (*c->update_time)
		c->version.names[c->version.n++] = c->update_time;
	return agree(c, err);
}

bool eg_table_conf_technical(const struct eg_table_conf *c, const char *name)
{
	const char *const own[] = {c->flag, c->error_code, c->error_text, c->retry, c->update_time};
	for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++)
		if (*own[i] && strcasecmp(own[i], name) == 0)
			return true;
	return false;
}
