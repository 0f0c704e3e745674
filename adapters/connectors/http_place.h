/* http_place: how far a source has come, and the pages whose rows wait for their verdicts.
 *
 * Pages are settled in any order and left in the order they were read: the place moves only past pages whose
 * every row has a verdict that lets it go. A place is kept as text in the checkpoint. Pure. */
#ifndef EG_ADAPTERS_HTTP_PLACE_H
#define EG_ADAPTERS_HTTP_PLACE_H

#include "eldergate/bytes.h"
#include "eldergate/connector.h"

enum { EG_HTTP_CURSOR_MAX = 512, EG_HTTP_PAGES_OPEN = 64 };

struct eg_http_place {
	int64_t high;     /* all up to this instant is done; 0: nothing yet */
	int64_t from, to; /* the window that is being read; 0: none */
	int64_t page;     /* the next one */
	int64_t seen;     /* rows of the window so far */
	int64_t total;    /* rows that the peer said it has; -1: not said */
	char cursor[EG_HTTP_CURSOR_MAX + 1];
};

#define EG_HTTP_PLACE_TEXT (EG_HTTP_CURSOR_MAX + 160)

void eg_http_place_text(const struct eg_http_place *p, char out[EG_HTTP_PLACE_TEXT]);
bool eg_http_place_read(struct eg_http_place *p, struct eg_bytes text); /* false: none, p is as it was */

struct eg_http_flight {
	unsigned first, n;
	struct eg_http_flying {
		uint64_t ref; /* of its first row */
		unsigned rows, open;
		uint8_t *settled; /* a bit for each row */
		bool again;       /* a row must come again: the place stays before this page */
		struct eg_http_place after;
	} pages[EG_HTTP_PAGES_OPEN];
};

bool eg_http_flight_full(const struct eg_http_flight *f);
/* A page of rows with refs from ref on; it must not be full. False: no memory. */
bool eg_http_flight_add(struct eg_http_flight *f, uint64_t ref, unsigned rows,
                        const struct eg_http_place *after);
/* Unknown refs, and verdicts that came before, change nothing. True: the row must come again. */
bool eg_http_flight_settle(struct eg_http_flight *f, uint64_t ref, enum eg_verdict_code code);
/* Leaves what can be left. True: *place is where that leads. */
bool eg_http_flight_move(struct eg_http_flight *f, struct eg_http_place *place);
/* The window is read anew: leaving an open page leads to this place now. */
void eg_http_flight_rewind(struct eg_http_flight *f, const struct eg_http_place *to);
void eg_http_flight_clear(struct eg_http_flight *f);

#endif
