/* code_list: a site's code becomes another, looked up by its exact bytes. Read only once sorted. Thread: any.
 */
#ifndef EG_ADAPTERS_CODE_LIST_H
#define EG_ADAPTERS_CODE_LIST_H

#include "base/buf.h"

struct eg_code {
	struct eg_bytes from, to;
	int number; /* where `to` is a name of an enumeration */
};

struct eg_code_list {
	const char *name; /* "" if it stands where it is used */
	unsigned n;
	struct eg_code *codes; /* in order of from, each once */
};

void eg_code_list_sort(struct eg_code_list *l);
const struct eg_code *eg_code_find(const struct eg_code_list *l, struct eg_bytes from); /* NULL: none */

#endif
