/* list_flights: what a list writes, as tickets on their way to the writer.
 *
 * Tickets of at most EG_FLIGHT_ITEMS records, EG_FLIGHTS at once, in the order in which the records were
 * taken. Thread: the applier's; the writer's for a ticket that comes back. Locks: of what came back. */
#ifndef EG_FLOW_LIST_FLIGHTS_H
#define EG_FLOW_LIST_FLIGHTS_H

#include "flow/compare.h"
#include "flow/lists_core.h"

enum { EG_FLIGHTS = 4, EG_FLIGHT_ITEMS = 512 };
enum { EG_FLIGHT_NO_ROW = EG_ROW_REJECTED + 1 }; /* the class of what is no row of the list */

struct eg_flight;

struct eg_list_flights {
	struct eg_list *list;
	struct eg_flight *open; /* being filled */
	size_t open_bytes;
	unsigned flying;
	/* rows that the writer set aside after all, by what they were */
	struct eg_flights_set_aside {
		uint64_t changed, added, stale;
	} set_aside;
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct eg_flight *back;
};

void eg_flights_begin(struct eg_list_flights *f, struct eg_list *l);
/* Room for one more record, in the arena that it lives in; it is none before eg_flights_took. */
enum eg_rc eg_flights_item(struct eg_list_flights *f, struct eg_item **out, struct eg_arena **arena,
                           struct eg_err *err);
/* The item is filled. class: enum eg_row_class or EG_FLIGHT_NO_ROW. */
void eg_flights_took(struct eg_list_flights *f, const struct eg_item *item, uint64_t index, unsigned class);
/* Sends what is left, and waits until all of it was answered and counted. */
enum eg_rc eg_flights_finish(struct eg_list_flights *f, struct eg_err *err);
/* Whatever is still with the writer comes back before its memory goes. */
void eg_flights_end(struct eg_list_flights *f);

enum eg_rc eg_list_closed(struct eg_err *err); /* EG_CLOSED: the gateway stops */

#endif
