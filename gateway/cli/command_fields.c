/* command_fields: `eldergate fields`: the columns that a section's CSV files may have, from the one table of
 * fields. */
#include "cli/commands.h"

#include "model/record.h"

#include <stdio.h>

static const char *const types[] = {"text", "code", "name", "number", "date", "time"};

enum eg_rc fields(struct cli *c, struct eg_err *err)
{
	static const struct {
		const char *name, *doc;
		enum eg_section section;
		enum eg_field_type type;
	} rows[] = {
#define X(section, number, name, type, max_chars, flags, doc) {#name, doc, EG_##section, EG_TYPE_##type},
#include "model/fields.def"
#undef X
	};
	enum eg_section only = c->n_arguments ? eg_section_by_name(c->arguments[0]) : 0;
	if (c->n_arguments && !only)
		return eg_fail(err, EG_USAGE, "a section is registration, assistance, funeral or care");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!only || rows[i].section == only)
			printf("%s%s%-32s %-7s %s\n", only ? "" : eg_section_name(rows[i].section),
			       only ? "" : ".", rows[i].name, types[rows[i].type], rows[i].doc);
	return EG_OK;
}
