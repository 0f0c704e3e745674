/* hint: which known name a mistyped one was probably meant to be. Pure. */
#ifndef EG_ADAPTERS_HINT_H
#define EG_ADAPTERS_HINT_H

#include <stddef.h>

struct eg_hint {
	const char *got, *best;
	unsigned distance;
	char text[96]; /* of eg_hint_text */
};

struct eg_hint eg_hint_for(const char *got);
void eg_hint_try(struct eg_hint *h, const char *known); /* known must outlive h; NULL is passed over */
/* "; did you mean 'x'?", or "" if nothing is near. Lives as long as h. */
const char *eg_hint_text(struct eg_hint *h);

#endif
