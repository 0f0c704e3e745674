/* utf16: UTF-16 as ODBC's wide drivers speak it, from and to UTF-8. Pure. Thread: any. */
#ifndef EG_ADAPTERS_UTF16_H
#define EG_ADAPTERS_UTF16_H

#include "base/buf.h"

/* Adds units to a buffer as UTF-8. False, with U+FFFD in its place, where a surrogate stands alone. *pending
 * carries a high surrogate from one piece of a text to the next: 0 at its start; not 0 at its end is a lone
 * one too. */
bool eg_utf16_add(struct eg_buf *into, const uint16_t *units, size_t n, uint16_t *pending);
/* Adds UTF-8 to a buffer as units (two bytes each, of this machine's order). False if it is not UTF-8. */
bool eg_utf16_of(struct eg_buf *into, struct eg_bytes text);

#endif
