/* selector: see selector.h. */
#include "cli/selector.h"

#include <string.h>

enum { REF_DIGITS = 32 };

static enum eg_rc no_memory(struct eg_err *err)
{
	return eg_fail(err, EG_LIMIT, "too many persons to ask about at once");
}

enum eg_rc selector_of_ref(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                           struct eg_err *err)
{
	uint8_t ref[REF_DIGITS / 2];
	if (strlen(text) != REF_DIGITS || !eg_unhex(text, ref, sizeof ref))
		return eg_fail(err, EG_USAGE, "a person's reference has %d hexadecimal digits", REF_DIGITS);
	eldergate__v1__person_selector__init(out);
	out->selector_case = ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_PERSON_REF;
	out->person_ref = eg_arena_text(a, text, REF_DIGITS);
	return out->person_ref ? EG_OK : no_memory(err);
}

enum eg_rc selector_of_source(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                              struct eg_err *err)
{
	const char *slash = strchr(text, '/');
	if (!slash || slash == text || !slash[1])
		return eg_fail(err, EG_USAGE, "a record of your own is named DATASET/KEY");
	Eldergate__V1__SourceRecordSelector *s = eg_arena_alloc(a, sizeof *s);
	if (!s)
		return no_memory(err);
	eldergate__v1__source_record_selector__init(s);
	s->dataset = eg_arena_text(a, text, (size_t)(slash - text));
	s->source_key = eg_arena_text(a, slash + 1, strlen(slash + 1));
	eldergate__v1__person_selector__init(out);
	out->selector_case = ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_SOURCE_RECORD;
	out->source_record = s;
	return s->dataset && s->source_key ? EG_OK : no_memory(err);
}

enum eg_rc selector_of_identity(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                                struct eg_err *err)
{
	const char *comma = strchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : strlen(text);
	if (!len)
		return eg_fail(err, EG_USAGE,
		               "an ID number was expected, and a name behind a comma where need be");
	Eldergate__V1__IdentitySelector *s = eg_arena_alloc(a, sizeof *s);
	if (!s)
		return no_memory(err);
	eldergate__v1__identity_selector__init(s);
	s->id_number = eg_arena_text(a, text, len);
	if (comma)
		s->name = eg_arena_text(a, comma + 1, strlen(comma + 1));
	eldergate__v1__person_selector__init(out);
	out->selector_case = ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_IDENTITY;
	out->identity = s;
	return s->id_number && s->name ? EG_OK : no_memory(err);
}

enum eg_rc selector_of_line(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                            struct eg_err *err)
{
	return strchr(text, '/') ? selector_of_source(text, a, out, err) : selector_of_ref(text, a, out, err);
}
