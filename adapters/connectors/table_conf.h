/* table_conf: the settings of a table source as its code uses them. Read only; lives as long as they do. */
#ifndef EG_ADAPTERS_TABLE_CONF_H
#define EG_ADAPTERS_TABLE_CONF_H

#include "eldergate/settings.h"

#define EG_TABLE_KEYS_MAX 8 /* key columns; version columns; order columns */

enum eg_table_claim { EG_CLAIM_FLAG, EG_CLAIM_KEY, EG_CLAIM_LIST };

struct eg_table_names {
	unsigned n;
	const char *names[EG_TABLE_KEYS_MAX];
};

struct eg_table_conf {
	const struct eg_settings *settings;
	const char *table, *query, *where, *row_limit;
	unsigned n_columns; /* 0: all */
	enum eg_table_claim claim;
	struct eg_table_names key, version, order; /* version holds update_time too */
	const char *flag, *flag_new, *flag_taken, *flag_error;
	bool null_is_new;
	bool dense_time; /* 14 digits of the position are a time */
	const char *error_code, *error_text, *retry, *update_time;
	int64_t overlap_us, overlap_keys, utc_offset_us, poll_us, list_every_us, list_retry_us;
	unsigned batch, in_flight, remember, list_tries;
	bool list_as_of_begin;
	const char *clock;
	size_t max_value;
};

extern const struct eg_setting_def eg_table_source_settings[];

/* EG_CONFIG: settings that contradict each other, with their place. */
enum eg_rc eg_table_conf_read(struct eg_table_conf *out, const struct eg_settings *s, struct eg_err *err);
/* Is it a column of the exchange itself, not of the record? */
bool eg_table_conf_technical(const struct eg_table_conf *c, const char *name);

#endif
