/* table_position: a row's place in its table's order, from the text of a number or of a time. Pure.
 *
 * A time keeps the layout it came in ("2026-03-01 10:00:00.25", "2026-03-01T10:00:00", "20260301100000",
 * "2026-03-01"), so that a place computed from it can be compared by the database with the column. Thread:
 * any. */
#ifndef EG_ADAPTERS_TABLE_POSITION_H
#define EG_ADAPTERS_TABLE_POSITION_H

#include "eldergate/bytes.h"

#include <stdbool.h>

#define EG_POSITION_TEXT 64

struct eg_position {
	int64_t at;    /* the number; or microseconds since 1970 on the source's own clock, without a zone */
	int64_t grain; /* microseconds that the layout can tell apart, never below a second; 0: a number */
};

/* dense: are 14 digits that could be one a time? A number has at most 64 bits. */
bool eg_position_parse(struct eg_bytes text, bool dense, struct eg_position *out);
/* `at` in the layout of text, rounded down to what it can say, without fractions of a second; false where the
 * layout cannot say it (a year before 1 or after 9999). */
bool eg_position_print(struct eg_bytes text, bool dense, int64_t at, char out[EG_POSITION_TEXT]);

#endif
