/* urgent: does a record carry a death, or take something back? Such records travel on a stream of their own,
 * so that they wait behind nothing; the gateway judges again by its own rule. Pure. */
#ifndef EG_ADAPTERS_URGENT_H
#define EG_ADAPTERS_URGENT_H

#include "common/mapper.h"

bool eg_urgent(enum eg_section section, const struct eg_mapped *row);

#endif
