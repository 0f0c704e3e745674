/* decimal: whole numbers and amounts of money, read exactly: no binary fractions anywhere. Pure. */
#ifndef EG_ADAPTERS_DECIMAL_H
#define EG_ADAPTERS_DECIMAL_H

#include "base/buf.h"

/* text * 10^scale as a whole number: scale 2 makes fen of yuan, 0 reads whole numbers. Takes a sign, groups
 * of three digits with commas, decimals that are zeros beyond the scale. False: another form, an inexact or a
 * too large number. */
bool eg_decimal(struct eg_bytes text, unsigned scale, int64_t *out);
/* The same of money: ¥ before it and 元 behind it are passed over. */
bool eg_amount(struct eg_bytes text, unsigned scale, int64_t *out);

#endif
