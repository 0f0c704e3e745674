/* table_flight: rows that were handed out and wait for their verdict.
 *
 * Bounded by its maker; ascending by ref. Thread: the agent's. */
#ifndef EG_ADAPTERS_TABLE_FLIGHT_H
#define EG_ADAPTERS_TABLE_FLIGHT_H

#include "connectors/table_seen.h"

#include <stddef.h>

struct eg_flight {
	uint64_t ref;
	struct eg_seen_row row; /* at INT64_MAX: it has no position */
	bool over;              /* it has its verdict */
	bool owed;              /* it must come again; sweep tells since when */
	uint64_t sweep;
	unsigned n;
	struct eg_bytes *values; /* owned, one block with what they point to: key, then version */
};

struct eg_flights;

struct eg_flights *eg_flights_new(void);               /* NULL: no memory */
void eg_flights_free(struct eg_flights *f);            /* wipes; NULL is fine */
unsigned eg_flights_count(const struct eg_flights *f); /* without verdict */
/* Copies the values; false: no memory. */
bool eg_flights_add(struct eg_flights *f, const struct eg_flight *flight);
struct eg_flight *eg_flights_find(struct eg_flights *f, uint64_t ref);          /* NULL: none, or over */
bool eg_flights_has(const struct eg_flights *f, const struct eg_seen_row *row); /* in this state */
void eg_flights_over(struct eg_flights *f, struct eg_flight *flight, bool owed, uint64_t sweep);
/* What was owed before this sweep has come again by its end, or is gone. */
void eg_flights_paid(struct eg_flights *f, uint64_t sweep);
int64_t eg_flights_lowest(const struct eg_flights *f); /* position without verdict or owed; INT64_MAX: none */
void eg_flights_tidy(struct eg_flights *f); /* drops those that are over; pointers to others change */

#endif
