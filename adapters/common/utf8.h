/* utf8: a code point as UTF-8. Pure. */
#ifndef EG_ADAPTERS_UTF8_H
#define EG_ADAPTERS_UTF8_H

#include "base/buf.h"

/* cp: at most U+10FFFF. Returns how many bytes it wrote. */
size_t eg_utf8_put(uint32_t cp, uint8_t out[4]);
void eg_utf8_add(struct eg_buf *b, uint32_t cp);

#endif
