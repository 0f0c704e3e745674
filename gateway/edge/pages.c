/* pages: see pages.h. */
#include "edge/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIGITS_MAX = 19 };

enum eg_rc eg_page_read(uint32_t size, const char *token, unsigned *max, uint64_t *after, struct eg_fault *f)
{
	size_t len = strlen(token);
	if (size > EG_PAGE_MAX)
		return eg_refuse(f, EG_INVALID, EG_REASON_TOO_MANY_ITEMS, "page_size",
		                 "a page has at most %d items", EG_PAGE_MAX);
	if (len > DIGITS_MAX || strspn(token, "0123456789") != len)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "page_token",
		                 "page_token is not one of this method's");
	*max = size ? size : EG_PAGE_DEFAULT;
	*after = strtoull(token, NULL, 10);
	return EG_OK;
}

char *eg_make_token(struct eg_maker *k, uint64_t after)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIu64, after);
	return eg_make_text(k, eg_bytes_of(text));
}
