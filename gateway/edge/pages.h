/* pages: sizes and tokens of lists that come in pages. A token is the position after which the next page
 * begins. Pure. */
#ifndef EG_EDGE_PAGES_H
#define EG_EDGE_PAGES_H

#include "edge/status.h"
#include "edge/views.h"

#define EG_PAGE_DEFAULT 100
#define EG_PAGE_MAX     1000

enum eg_rc eg_page_read(uint32_t size, const char *token, unsigned *max, uint64_t *after, struct eg_fault *f);
char *eg_make_token(struct eg_maker *k, uint64_t after);

#endif
