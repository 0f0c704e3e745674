/* http_round: which page of which window a source asks for next, from its place and what the last page said.
 *
 *   window   from high - overlap to now - delay, at most max_window at once; high moves when all is settled
 *   cursor   from the cursor on; it is kept for ever
 *   list     everything; begun every `every`
 *
 * A round whose total changes while it is read, or whose rows are not as many as its total, is not trusted:
 * rows have moved between pages. Pure: the caller brings the clock. */
#ifndef EG_ADAPTERS_HTTP_ROUND_H
#define EG_ADAPTERS_HTTP_ROUND_H

#include "connectors/doc.h"
#include "connectors/http_place.h"
#include "connectors/template.h"

enum eg_http_mode { EG_HTTP_WINDOW, EG_HTTP_CURSOR, EG_HTTP_LIST };
enum eg_http_paging { EG_HTTP_ONE_PAGE, EG_HTTP_PAGES, EG_HTTP_BY_CURSOR };

enum { EG_HTTP_ROUND_VALUES = 6 };

struct eg_http_round {
	const struct eg_settings *s;
	enum eg_http_mode mode;
	enum eg_http_paging paging;
	struct eg_http_place at; /* what is asked next */
	bool last_window;        /* nothing but the future is left behind it */
	unsigned pages, restarts;
	struct eg_template_value values[EG_HTTP_ROUND_VALUES];
	char texts[EG_HTTP_ROUND_VALUES][64];
};

/* EG_CONFIG: settings that contradict each other, such as a list whose number of rows nobody tells. */
enum eg_rc eg_http_round_open(struct eg_http_round *r, const struct eg_settings *s, struct eg_err *err);
/* Begins at a place, or goes on in its window. False: there is nothing to ask yet. */
bool eg_http_round_begin(struct eg_http_round *r, const struct eg_http_place *from, int64_t now_us);
/* Fills values: ${page}, ${page_size}, ${offset}, ${cursor}, ${from}, ${to}. */
void eg_http_round_values(struct eg_http_round *r);

enum eg_http_turn { EG_HTTP_MORE, EG_HTTP_OVER, EG_HTTP_ANEW };
/* The page asked for has come, with so many rows, at now_us by the peer's clock, which high never passes:
 * moves `at` to what comes after it; *total: the rows that the peer says it has, -1: it does not say. ANEW:
 * the window must be read from its first page. EG_UNAVAILABLE, EG_CONFLICT, EG_LIMIT: the peer's pages don't
 * fit together. */
enum eg_rc eg_http_round_page(struct eg_http_round *r, const struct eg_doc_node *answer, unsigned rows,
                              int64_t now_us, enum eg_http_turn *turn, int64_t *total, struct eg_err *err);

#endif
