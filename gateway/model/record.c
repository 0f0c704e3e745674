/* record: the table of fields as constants, with look-ups by number, by name.
 *
 * Everything here is read-only data of the program. Thread: any. */
#include "model/record.h"

#include <string.h>

/* Direct by number: row 0 of each section and the gaps have no name. A number given twice does not compile.
 */
static const struct eg_field_def fields[EG_SECTION_END][EG_FIELD_NUMBER_MAX + 1] = {
#define X(section, number, name, type, max, flags, doc)                                                      \
	[EG_##section][number] = {EG_##section, (number), #name, EG_TYPE_##type, (max), (flags)},
#include "model/fields.def"
#undef X
};

#define X(section, number, name, type, max, flags, doc)                                                      \
	_Static_assert((number) > 0 && (number) <= EG_FIELD_NUMBER_MAX, "field number of " #name);
#include "model/fields.def"
#undef X

/* Lengths of the names, so that a look-up by name compares text only where the length fits. */
static const uint8_t name_len[EG_SECTION_END][EG_FIELD_NUMBER_MAX + 1] = {
#define X(section, number, name, type, max, flags, doc) [EG_##section][number] = sizeof(#name) - 1,
#include "model/fields.def"
#undef X
};

static const char *const section_names[EG_SECTION_END] = {
        [EG_REGISTRATION] = "registration",
        [EG_ASSISTANCE] = "assistance",
        [EG_FUNERAL] = "funeral",
        [EG_CARE] = "care",
};

static bool section_known(enum eg_section s)
{
	return (int)s > 0 && (int)s < EG_SECTION_END;
}

const struct eg_field_def *eg_field_by_number(enum eg_section s, unsigned number)
{
	if (!section_known(s) || number > EG_FIELD_NUMBER_MAX || !fields[s][number].name)
		return NULL;
	return &fields[s][number];
}

const struct eg_field_def *eg_field_by_name(enum eg_section s, const char *name)
{
	if (!section_known(s) || !name || !*name)
		return NULL;
	size_t len = strlen(name);

	for (unsigned i = 1; i <= EG_FIELD_NUMBER_MAX; i++) {
		if (name_len[s][i] == len && memcmp(fields[s][i].name, name, len) == 0)
			return &fields[s][i];
	}
	return NULL;
}

const char *eg_section_name(enum eg_section s)
{
	return section_known(s) ? section_names[s] : "";
}

enum eg_section eg_section_by_name(const char *name)
{
	for (int s = 1; name && s < EG_SECTION_END; s++) {
		if (strcmp(section_names[s], name) == 0)
			return (enum eg_section)s;
	}
	return (enum eg_section)0;
}

const struct eg_value *eg_claim_value(const struct eg_claim *c, unsigned number)
{
	for (unsigned i = 0; i < c->n && c->values[i].number <= number; i++) {
		if (c->values[i].number == number)
			return c->values[i].cleared ? NULL : &c->values[i];
	}
	return NULL;
}

struct eg_bytes eg_claim_text(const struct eg_claim *c, unsigned number)
{
	const struct eg_value *v = eg_claim_value(c, number);

	return v ? v->text : (struct eg_bytes){0};
}

int64_t eg_claim_int(const struct eg_claim *c, unsigned number)
{
	const struct eg_value *v = eg_claim_value(c, number);

	return v ? v->i : 0;
}

bool eg_section_has_region(enum eg_section s)
{
	return s == EG_REGISTRATION || s == EG_CARE;
}
