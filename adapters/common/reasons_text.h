/* reasons_text: the gateway's reasons for a refused record, as the texts of a verdict. Pure. */
#ifndef EG_ADAPTERS_REASONS_TEXT_H
#define EG_ADAPTERS_REASONS_TEXT_H

#include "base/buf.h"
#include "eldergate/connector.h"
#include "eldergate/v1/reason.pb-c.h"

/* Appends reason, field and text, each ended by NUL; returns where they begin. Only what weighs enough to
 * refuse is told, if anything does: warnings would hide it. */
size_t eg_reasons_text(struct eg_buf *b, size_t n, Eldergate__V1__Reason *const *reasons);
/* Points v's texts there; b must not grow any more. */
void eg_reasons_point(struct eg_verdict *v, const struct eg_buf *b, size_t start);

#endif
