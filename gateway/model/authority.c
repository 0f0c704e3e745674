/* authority: the built-in table, the names of view fields. Read-only data of the program. Thread: any. */
#include "model/authority.h"

#include <stdio.h>
#include <string.h>

#define FACT(owner, name) EG_VIEW_FIELD(EG_##owner, EG_FN_##owner##_##name)

enum { EG_VOICE_REGISTRATION = EG_REGISTRATION, EG_VOICE_FUNERAL = EG_FUNERAL };

static const struct eg_authority_row rows[] = {
#define X(owner, name, first, second, third, fourth)                                                         \
	{FACT(owner, name), 4, {EG_##first, EG_##second, EG_##third, EG_##fourth}},
#define DEATH_DATE(name, first, second, third)                                                               \
	{EG_VIEW_DEATH_DATE, 3, {EG_VOICE_##first, EG_VOICE_##second, EG_VOICE_##third}},
#include "model/authority.def"
};

/* Fields that speak of another one's fact; 0: of their own. */
static const uint16_t fact_of[EG_SECTION_END][EG_FIELD_NUMBER_MAX + 1] = {
#define X(owner, name, first, second, third, fourth)                                                         \
	[EG_##first][EG_FN_##first##_##name] = FACT(owner, name),                                            \
	[EG_##second][EG_FN_##second##_##name] = FACT(owner, name),                                          \
	[EG_##third][EG_FN_##third##_##name] = FACT(owner, name),                                            \
	[EG_##fourth][EG_FN_##fourth##_##name] = FACT(owner, name),
#define DEATH_DATE(name, first, second, third)                                                               \
	[EG_REGISTRATION][EG_FN_REGISTRATION_##name] = EG_VIEW_DEATH_DATE,                                   \
	[EG_FUNERAL][EG_FN_FUNERAL_##name] = EG_VIEW_DEATH_DATE,
#include "model/authority.def"
};

static const struct eg_authority builtin = {EG_AUTHORITY_VERSION, sizeof rows / sizeof rows[0], rows};

const struct eg_authority *eg_authority_builtin(void)
{
	return &builtin;
}

int64_t eg_authority_version(const struct eg_authority *t)
{
	return t ? t->version : builtin.version;
}

unsigned eg_authority_field(enum eg_section s, unsigned number)
{
	if (!eg_field_by_number(s, number))
		return 0;
	return fact_of[s][number] ? fact_of[s][number] : EG_VIEW_FIELD(s, number);
}

static const struct eg_authority_row *find_row(const struct eg_authority *t, unsigned field)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (t->rows[i].field == field)
			return &t->rows[i];
	}
	return NULL;
}

unsigned eg_authority_rank(const struct eg_authority *t, unsigned field, unsigned voice)
{
	const struct eg_authority_row *r = t ? find_row(t, field) : NULL;
	if (!r)
		r = find_row(&builtin, field);
	if (!r) /* one section's own */
		return field / EG_VIEW_FIELD(1, 0) == voice ? 0 : EG_AUTHORITY_SILENT;
	for (unsigned i = 0; i < r->n; i++) {
		if (r->voices[i] == voice)
			return i;
	}
	return EG_AUTHORITY_SILENT;
}

enum eg_rc eg_authority_check(const struct eg_authority *t, struct eg_err *err)
{
	char name[80];
	for (unsigned i = 0; i < t->n; i++) {
		const struct eg_authority_row *r = &t->rows[i], *b = find_row(&builtin, r->field);
		eg_view_field_name(r->field, name);
		if (!b)
			return eg_fail(err, EG_CONFIG,
			               "authority: field %u (%s) is not asserted by several sections",
			               r->field, name);
		if (find_row(t, r->field) != r)
			return eg_fail(err, EG_CONFIG, "authority: %s has two rows", name);
		if (r->n == 0 || r->n > EG_VOICES)
			return eg_fail(err, EG_CONFIG, "authority: %s needs one to four voices", name);
		for (unsigned j = 0; j < r->n; j++) {
			bool known = memchr(b->voices, r->voices[j], b->n) != NULL;
			if (!known || memchr(r->voices, r->voices[j], j))
				return eg_fail(err, EG_CONFIG,
				               "authority: voice %u of %s is unknown or comes twice", j + 1,
				               name);
		}
	}
	return EG_OK;
}

/* The definition behind a view field; NULL: derived, or none. */
static const struct eg_field_def *definition(unsigned field)
{
	enum eg_section s = (enum eg_section)(field / EG_VIEW_FIELD(1, 0));
	unsigned number = field % EG_VIEW_FIELD(1, 0);
	const struct eg_field_def *f = eg_field_by_number(s, number);
	return f && (!fact_of[s][number] || fact_of[s][number] == field) ? f : NULL;
}

const char *eg_view_field_name(unsigned field, char out[80])
{
	const struct eg_field_def *f = definition(field);
	out[0] = 0;
	if (f)
		stpcpy(stpcpy(stpcpy(out, eg_section_name(f->section)), "."), f->name);
	else if (field == EG_VIEW_LIFE || field == EG_VIEW_DEATH_DATE)
		stpcpy(out, field == EG_VIEW_LIFE ? "life_status" : "death_date");
	return out;
}

unsigned eg_view_field_by_name(const char *name)
{
	char section[32];
	const char *dot = name ? strchr(name, '.') : NULL;

	if (name && strcmp(name, "life_status") == 0)
		return EG_VIEW_LIFE;
	if (name && strcmp(name, "death_date") == 0)
		return EG_VIEW_DEATH_DATE;
	if (!dot || (size_t)(dot - name) >= sizeof section)
		return 0;
	memcpy(section, name, (size_t)(dot - name));
	section[dot - name] = 0;
	enum eg_section s = eg_section_by_name(section);
	const struct eg_field_def *f = s ? eg_field_by_name(s, dot + 1) : NULL;
	if (!f || !definition(EG_VIEW_FIELD(s, f->number)))
		return 0;
	return EG_VIEW_FIELD(s, f->number);
}

unsigned eg_view_field_flags(unsigned field)
{
	const struct eg_field_def *f = definition(field);
	if (field == EG_VIEW_DEATH_DATE)
		f = eg_field_by_number(EG_FUNERAL, EG_FN_FUNERAL_death_date);
	if (field == EG_VIEW_LIFE)
		return EG_F_PLAIN;
	return f ? f->flags : 0;
}

enum eg_field_type eg_view_field_type(unsigned field)
{
	const struct eg_field_def *f = definition(field);
	if (field == EG_VIEW_DEATH_DATE)
		return EG_TYPE_DATE;
	return f ? f->type : EG_TYPE_ENUM;
}
