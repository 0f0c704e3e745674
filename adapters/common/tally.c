/* tally: see tally.h. */
#include "common/tally.h"

#include <string.h>

void eg_tally_fault(struct eg_tally *t, const struct eg_row_fault *f, const char *place, uint64_t line)
{
	unsigned i = 0;
	while (i < t->n &&
	       (strcmp(t->kinds[i].code, f->code) != 0 || strcmp(t->kinds[i].field, f->field) != 0 ||
	        strcmp(t->kinds[i].column, f->column) != 0))
		i++;
	if (i == EG_TALLY_KINDS) {
		t->others++;
		return;
	}
	if (i == t->n) {
		t->n++;
		snprintf(t->kinds[i].code, sizeof t->kinds[i].code, "%s", f->code);
		snprintf(t->kinds[i].field, sizeof t->kinds[i].field, "%s", f->field);
		snprintf(t->kinds[i].column, sizeof t->kinds[i].column, "%s", f->column);
		snprintf(t->kinds[i].text, sizeof t->kinds[i].text, "%s", f->en);
		snprintf(t->kinds[i].place, sizeof t->kinds[i].place, "%s", place);
		t->kinds[i].line = line;
	}
	t->kinds[i].count++;
}

void eg_tally_print(const struct eg_tally *t, FILE *to)
{
	for (unsigned i = 0; i < t->n; i++) {
		fprintf(to, "  %8llu  %s", (unsigned long long)t->kinds[i].count, t->kinds[i].code);
		if (*t->kinds[i].field)
			fprintf(to, " in %s", t->kinds[i].field);
		if (*t->kinds[i].column)
			fprintf(to, " from column %s", t->kinds[i].column);
		if (*t->kinds[i].place)
			fprintf(to, ", first at %s", t->kinds[i].place);
		if (t->kinds[i].line)
			fprintf(to, ":%llu", (unsigned long long)t->kinds[i].line);
		fprintf(to, "\n            %s\n", t->kinds[i].text);
	}
	if (t->others)
		fprintf(to, "  %8llu  of further kinds\n", (unsigned long long)t->others);
}
