/* mapping_reference: the tables of adapters/MAPPING.md, from the tables that the reader itself goes by. */
#ifndef EG_ADAPTERS_MAPPING_REFERENCE_H
#define EG_ADAPTERS_MAPPING_REFERENCE_H

#include "base/buf.h"

/* Names of the blocks, in order; NULL ends them. */
extern const char *const eg_mapping_reference_blocks[];
/* Appends a block as a Markdown table. False: no such block. */
bool eg_mapping_reference(const char *block, struct eg_buf *out);

#endif
