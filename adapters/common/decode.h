/* decode: bytes in a character set that partners write in, as UTF-8; the one user of iconv for reading.
 *
 * GB18030 stands for GBK and GB 2312 as well: it has them, and the rare characters that names need. A byte
 * 0x80 is the euro sign of GBK's Windows form. Thread: one at a time. */
#ifndef EG_ADAPTERS_DECODE_H
#define EG_ADAPTERS_DECODE_H

#include "base/buf.h"

#define EG_REPLACEMENT  "\xEF\xBF\xBD" /* U+FFFD */
#define EG_DECODED_WELL SIZE_MAX

struct eg_decoder;

/* By any name that the system's iconv has. NULL: unknown, or no memory. */
struct eg_decoder *eg_decoder_open(const char *charset);
void eg_decoder_close(struct eg_decoder *d); /* NULL is fine */
/* Adds a whole text to `into`, with U+FFFD for each byte that begins no character. Returns where the first of
 * those stands in `into`, or EG_DECODED_WELL; into->failed: no memory. */
size_t eg_decode(struct eg_decoder *d, struct eg_bytes text, struct eg_buf *into);

#endif
