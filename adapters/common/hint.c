/* hint: see hint.h. The distance counts inserted, dropped, changed and swapped bytes (Damerau, restricted).
 */
#include "common/hint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LEN_MAX = 63, FAR = 1000 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][LEN_MAX + 1];
	size_t n = strlen(a), m = strlen(b);
	if (n > LEN_MAX || m > LEN_MAX)
		return FAR;
	for (unsigned j = 0; j <= m; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
		now[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			bool same = a[i - 1] == b[j - 1];
			now[j] = least(least(up[j], now[j - 1]) + 1, up[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], up2[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

struct eg_hint eg_hint_for(const char *got)
{
	return (struct eg_hint){.got = got, .distance = FAR};
}

void eg_hint_try(struct eg_hint *h, const char *known)
{
	unsigned d = known ? distance(h->got, known) : FAR;
	if (d >= h->distance)
		return;
	h->distance = d;
	h->best = known;
}

const char *eg_hint_text(struct eg_hint *h)
{
	size_t len = strlen(h->got);
	h->text[0] = 0;
	if (h->best && h->distance <= len / 3 + (len > 1))
		snprintf(h->text, sizeof h->text, "; did you mean '%s'?", h->best);
	return h->text;
}
