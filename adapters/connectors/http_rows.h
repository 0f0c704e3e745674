/* http_rows: the rows of one page as columns: the members of each, flattened with dots.
 *
 * The columns are all that the page's rows have, and those before it; they change only when a page brings new
 * ones. A row is bad, and told as such, when a value holds NUL or bytes of no character, when one column has
 * two values, and when there is an array that `lists` does not name (those are joined). Thread: one. */
#ifndef EG_ADAPTERS_HTTP_ROWS_H
#define EG_ADAPTERS_HTTP_ROWS_H

#include "connectors/http_answer.h"
#include "eldergate/connector.h"

enum { EG_HTTP_COLUMNS_MAX = 512, EG_HTTP_COLUMN_NAME_MAX = 256 };

struct eg_http_rows;

enum eg_rc eg_http_rows_open(struct eg_http_rows **out, const struct eg_settings *s, struct eg_err *err);
void eg_http_rows_close(struct eg_http_rows *r); /* wipes; NULL is fine */

/* Begins a page, whose document must live until the next. EG_UNAVAILABLE: no rows where they should be;
 * EG_LIMIT: too many columns. */
enum eg_rc eg_http_rows_page(struct eg_http_rows *r, const struct eg_http_answer *page, struct eg_err *err);
unsigned eg_http_rows_count(const struct eg_http_rows *r); /* of the page */
/* Sets kind, columns, values, raw and reason; false: the page has no more. They live until the next call. */
bool eg_http_rows_next(struct eg_http_rows *r, struct eg_in *out);

#endif
