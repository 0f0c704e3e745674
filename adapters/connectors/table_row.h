/* table_row: what a row of a page is: its tokens, its place, and whether it can be handed out at all. Pure.
 */
#ifndef EG_ADAPTERS_TABLE_ROW_H
#define EG_ADAPTERS_TABLE_ROW_H

#include "connectors/table_seen.h"
#include "connectors/table_select.h"

/* All of it the source's. */
struct eg_table_row {
	const struct eg_table_conf *conf;
	const struct eg_table_select *select;
	const struct eg_table_page *page;
	unsigned row;
};

/* Key and state as tokens of the checkpoint; at: its position, INT64_MAX if it has none. frame: work space.
 */
void eg_table_row_seen(const struct eg_table_row *r, const struct eg_checkpoint *checkpoint,
                       struct eg_buf *frame, struct eg_seen_row *out);
/* Key, then version, into out, which has room for both; returns how many. They live as long as the page. */
unsigned eg_table_row_kept(const struct eg_table_row *r, struct eg_bytes out[2 * EG_TABLE_KEYS_MAX]);

#define EG_TABLE_REASON (EG_TABLE_NAME_MAX * 2 + 80)
/* True: it cannot be read, or not be named again; *raw is what is at fault, cut. */
bool eg_table_row_bad(const struct eg_table_row *r, char reason[EG_TABLE_REASON], struct eg_bytes *raw);

#endif
