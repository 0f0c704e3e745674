/* code_list: see code_list.h. */
#include "common/code_list.h"

#include <stdlib.h>

static int by_from(const void *a, const void *b)
{
	return eg_bytes_cmp(((const struct eg_code *)a)->from, ((const struct eg_code *)b)->from);
}

void eg_code_list_sort(struct eg_code_list *l)
{
	if (l->n)
		qsort(l->codes, l->n, sizeof *l->codes, by_from);
}

const struct eg_code *eg_code_find(const struct eg_code_list *l, struct eg_bytes from)
{
	struct eg_code key = {.from = from};
	return l->n ? bsearch(&key, l->codes, l->n, sizeof *l->codes, by_from) : NULL;
}
