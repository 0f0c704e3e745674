/* private_use: characters that the GB18030 of 2000 kept in the private use area, as what they are today.
 *
 * Old systems still hand out names with them: in UTF-8 and UTF-16 as those code points, in GB18030 as the
 * four bytes of them. Code points of the area that were never given to a character stay. Pure. */
#ifndef EG_ADAPTERS_PRIVATE_USE_H
#define EG_ADAPTERS_PRIVATE_USE_H

#include "eldergate/bytes.h"

#include <stdbool.h>

bool eg_private_use_any(struct eg_bytes text); /* is there one of them? Text: UTF-8 */
/* Writes the text with each of them replaced; returns its length, which is at most 4/3 of text's. */
size_t eg_private_use_write(struct eg_bytes text, uint8_t *to);

#endif
