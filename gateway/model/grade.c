/* grade: the judgement of one record; see grade.h.
 *
 * Only the record itself is looked at. What depends on other records (version conflicts, joins) is judged by
 * the writer; what depends on the sender's permissions, by intake. Thread: any. */
#include "model/grade.h"

#include "model/id_number.h"
#include "model/text.h"

#include <stdio.h>
#include <string.h>

/* Clocks of senders may run ahead of ours by this much before anything is called the future. */
#define FUTURE_SKEW (24 * 3600 * EG_SECOND)
#define CHINA_ZONE  28800
/* Instants outside these years are damage, not history: 1850-01-01 to 9999-12-31 UTC. */
#define INSTANT_MIN (-3786825600LL * EG_SECOND)
#define INSTANT_MAX (253402300799LL * EG_SECOND)
/* No elder of today was born before. */
#define DATE_YEAR_MIN 1850
/* Characters of a source key. */
#define SOURCE_KEY_MAX 200

/* --- code lists --- */

/* A list that codes.def names and this does not does not compile. */
enum list {
	LIST_NONE,
	LIST_ID_TYPE,
	LIST_REGISTRATION_STATUS,
	LIST_ASSISTANCE_CATEGORY,
	LIST_CARE_LEVEL,
	LIST_ASSISTANCE_STATUS,
	LIST_ASSISTANCE_REASON,
	LIST_CERTIFICATE_STATUS,
	LIST_DISPOSAL,
	LIST_LIFE_STATUS,
	LIST_SEX,
	LIST_ETHNIC_GROUP,
	LIST_MARITAL_STATUS
};

enum {
#define X(list, number, name, doc) list##_##name = (number),
#include "model/codes.def"
};

static enum list list_of(enum eg_section s, unsigned number)
{
	switch ((unsigned)s << 8 | number) {
#define USES(section, name, list)                                                                            \
	case (unsigned)EG_##section << 8 | (unsigned)EG_FN_##section##_##name:                               \
		return LIST_##list;
#include "model/codes.def"
	default:
		return LIST_NONE;
	}
}

static bool enum_known(enum list l, int64_t value)
{
	if (value < 0 || value > 255)
		return false;
	switch ((unsigned)l << 8 | (unsigned)value) {
#define X(list, number, name, doc) case (unsigned)LIST_##list << 8 | (number):
#include "model/codes.def"
		return true;
	default:
		return false;
	}
}

static bool code_known(enum list l, struct eg_bytes code)
{
	static const struct {
		enum list list;
		size_t len;
		const char *first, *last;
	} ranges[] = {
#define CODES(list, first, last, doc) {LIST_##list, sizeof(first) - 1, first, last},
#include "model/codes.def"
	};

	if (l == LIST_NONE)
		return true;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		if (ranges[i].list == l && code.len == ranges[i].len &&
		    memcmp(code.p, ranges[i].first, code.len) >= 0 &&
		    memcmp(code.p, ranges[i].last, code.len) <= 0) {
			bool digits = true;

			for (size_t k = 0; k < code.len; k++)
				digits &= code.p[k] >= '0' && code.p[k] <= '9';
			return digits;
		}
	}
	return false;
}

/* --- dates --- */

static bool date_of(const struct eg_claim *c, unsigned number, struct eg_date *out)
{
	const struct eg_value *v = eg_claim_value(c, number);

	if (!v || v->i <= 0 || v->i > INT32_MAX)
		return false;
	*out = eg_date_unpack((int32_t)v->i);
	return eg_date_pack(*out) == v->i && eg_date_valid(*out);
}

/* Is a after b for certain? Where one of them lacks the month or the day, only what both know counts:
 * unknown is 0, so it is after nothing, and nothing is after it. */
static bool surely_after(struct eg_date a, struct eg_date b)
{
	if (a.year != b.year)
		return a.year > b.year;
	if (a.month != b.month)
		return a.month > b.month && b.month != 0;
	return a.day > b.day && b.day != 0;
}

static bool agree(struct eg_date a, struct eg_date b)
{
	return !surely_after(a, b) && !surely_after(b, a);
}

/* --- the judge --- */

struct judge {
	const struct eg_claim *c;
	struct eg_reasons *out;
	struct eg_date latest; /* a civil date past this lies in the future */
	int64_t latest_us;
};

static void add(struct judge *j, enum eg_reason_code code, unsigned number)
{
	const struct eg_field_def *f = eg_field_by_number(j->c->section, number);
	char path[64];

	snprintf(path, sizeof path, "%s.%s", eg_section_name(j->c->section), f ? f->name : "");
	eg_reasons_add(j->out, code, path);
}

/* Fields that tell what has happened. Others may be planned: an end of assistance, a return from leave. */
static bool past_only(enum eg_section s, unsigned number)
{
#define FIELD(section, name) ((unsigned)EG_##section << 8 | (unsigned)EG_FN_##section##_##name)
	switch ((unsigned)s << 8 | number) {
	case FIELD(REGISTRATION, birth_date):
	case FIELD(REGISTRATION, death_date):
	case FIELD(REGISTRATION, death_cancellation_date):
	case FIELD(ASSISTANCE, birth_date):
	case FIELD(FUNERAL, birth_date):
	case FIELD(FUNERAL, death_date):
	case FIELD(FUNERAL, received_time):
	case FIELD(FUNERAL, cremation_time):
	case FIELD(CARE, birth_date):
	case FIELD(CARE, ability_assessed_date):
		return true;
	default:
		return false;
	}
#undef FIELD
}

/* What holds for any piece of text; true if it may be looked into. */
static bool judge_text(struct eg_reasons *out, const char *path, struct eg_text_facts f, size_t max)
{
	if (f.bad_utf8)
		eg_reasons_add(out, EG_REASON_TEXT_NOT_UTF8, path);
	if (f.nul)
		eg_reasons_add(out, EG_REASON_TEXT_NUL, path);
	if (f.control)
		eg_reasons_add(out, EG_REASON_TEXT_CONTROL, path);
	if (f.chars > max)
		eg_reasons_add(out, EG_REASON_TEXT_TOO_LONG, path);
	return !f.bad_utf8 && !f.nul && !f.control && f.chars <= max;
}

static void judge_text_value(struct judge *j, const struct eg_field_def *def, const struct eg_value *v)
{
	struct eg_text_facts f = eg_text_facts(v->text);
	char path[64];

	/* Nearly every text is like this, and nothing of a record is looked at more often. */
	if (!f.suspect && !f.bad_utf8 && !f.nul && !f.control && f.chars <= def->max_chars &&
	    (def->type != EG_TYPE_CODE || code_known(list_of(def->section, def->number), v->text)))
		return;
	snprintf(path, sizeof path, "%s.%s", eg_section_name(def->section), def->name);
	if (f.suspect)
		eg_reasons_add(j->out, EG_REASON_MOJIBAKE, path);
	if (!judge_text(j->out, path, f, def->max_chars))
		return;
	if (def->type == EG_TYPE_CODE && !code_known(list_of(def->section, def->number), v->text))
		eg_reasons_add(j->out, EG_REASON_CODE_UNKNOWN, path);
}

static void judge_int(struct judge *j, const struct eg_field_def *def, int64_t v)
{
	int64_t limit = 1;

	if (v < 0) {
		add(j, EG_REASON_NUMBER_NEGATIVE, def->number);
		return;
	}
	for (unsigned i = 0; i < def->max_chars && limit <= INT64_MAX / 10; i++)
		limit *= 10;
	if (v >= limit)
		add(j, EG_REASON_NUMBER_TOO_LARGE, def->number);
}

static void judge_date(struct judge *j, const struct eg_field_def *def)
{
	struct eg_date d;

	if (!date_of(j->c, def->number, &d)) {
		add(j, EG_REASON_DATE_INVALID, def->number);
		return;
	}
	if (past_only(def->section, def->number) && surely_after(d, j->latest))
		add(j, EG_REASON_DATE_FUTURE, def->number);
	/* Day 0 and day 1 of the two spreadsheets' calendars, which stand for an empty cell. */
	if (d.year < DATE_YEAR_MIN || (d.year == 1900 && d.month == 1 && d.day == 1) ||
	    (d.year == 1899 && d.month == 12 && d.day >= 30))
		add(j, EG_REASON_DATE_IMPLAUSIBLE, def->number);
}

static void judge_instant(struct judge *j, const struct eg_field_def *def, int64_t us)
{
	if (us < INSTANT_MIN || us > INSTANT_MAX)
		add(j, EG_REASON_TIME_RANGE, def->number);
	else if (past_only(def->section, def->number) && us > j->latest_us)
		add(j, EG_REASON_TIME_FUTURE, def->number);
}

static void judge_values(struct judge *j)
{
	const struct eg_claim *c = j->c;

	for (unsigned i = 0; i < c->n; i++) {
		const struct eg_value *v = &c->values[i];
		const struct eg_field_def *def = eg_field_by_number(c->section, v->number);
		bool set = v->text.len > 0 || v->i != 0;

		if (!def) {
			eg_reasons_add(j->out,
			               v->cleared ? EG_REASON_CLEARED_UNKNOWN : EG_REASON_UNKNOWN_FIELD,
			               v->cleared ? "cleared_fields" : eg_section_name(c->section));
			continue;
		}
		if (i > 0 && c->values[i - 1].number >= v->number) {
			bool both = c->values[i - 1].number == v->number &&
			            c->values[i - 1].cleared != v->cleared;

			add(j, both ? EG_REASON_CLEARED_AND_SET : EG_REASON_MALFORMED_RECORD, v->number);
			continue;
		}
		if (v->cleared) {
			if (set)
				add(j, EG_REASON_CLEARED_AND_SET, v->number);
			continue;
		}
		switch (def->type) {
		case EG_TYPE_TEXT:
		case EG_TYPE_CODE:
			judge_text_value(j, def, v);
			break;
		case EG_TYPE_ENUM:
			if (!enum_known(list_of(def->section, def->number), v->i))
				add(j, EG_REASON_ENUM_UNKNOWN, v->number);
			break;
		case EG_TYPE_INT:
			judge_int(j, def, v->i);
			break;
		case EG_TYPE_DATE:
			judge_date(j, def);
			break;
		case EG_TYPE_INSTANT:
			judge_instant(j, def, v->i);
			break;
		}
	}
}

/* --- identity --- */

/* Fields 1 to 5 are the same in every section (fields.def). */
enum {
	ID_NUMBER = EG_FN_REGISTRATION_id_number,
	ID_KIND = EG_FN_REGISTRATION_id_type,
	NAME = EG_FN_REGISTRATION_name,
	SEX = EG_FN_REGISTRATION_sex,
	BIRTH_DATE = EG_FN_REGISTRATION_birth_date
};
#define SAME(section)                                                                                        \
	_Static_assert((int)ID_NUMBER == (int)EG_FN_##section##_id_number &&                                 \
	                       (int)ID_KIND == (int)EG_FN_##section##_id_type &&                             \
	                       (int)NAME == (int)EG_FN_##section##_name &&                                   \
	                       (int)SEX == (int)EG_FN_##section##_sex &&                                     \
	                       (int)BIRTH_DATE == (int)EG_FN_##section##_birth_date,                         \
	               #section)
SAME(ASSISTANCE);
SAME(FUNERAL);
SAME(CARE);
#undef SAME

/* Is the number to be read by the rules of ID numbers? Passports and the like have rules of their own. */
static bool ruled(int64_t id_type)
{
	return id_type == 0 || id_type == ID_TYPE_RESIDENT || id_type == ID_TYPE_RESIDENCE_PERMIT ||
	       id_type == ID_TYPE_FOREIGN_PERMANENT;
}

static bool form_fits(enum eg_id_form form, int64_t id_type)
{
	switch (form) {
	case EG_ID_ABSENT:
	case EG_ID_UNREADABLE:
		return true; /* said by other reasons */
	case EG_ID_RESIDENT_18:
	case EG_ID_RESIDENT_15:
		return id_type == 0 || id_type == ID_TYPE_RESIDENT;
	case EG_ID_PERMIT_18:
		return id_type == 0 || id_type == ID_TYPE_RESIDENCE_PERMIT;
	case EG_ID_FOREIGN_18:
	case EG_ID_FOREIGN_15:
		return id_type == 0 || id_type == ID_TYPE_FOREIGN_PERMANENT;
	}
	return true;
}

static void judge_number(struct judge *j, const struct eg_id *id)
{
	static const struct {
		unsigned flag;
		enum eg_reason_code code;
	} rows[] = {
	        {EG_ID_BAD_LENGTH, EG_REASON_ID_LENGTH},
	        {EG_ID_BAD_CHARACTERS, EG_REASON_ID_CHARACTERS},
	        {EG_ID_BAD_CHECK_DIGIT, EG_REASON_ID_CHECK_DIGIT},
	        {EG_ID_BAD_DATE, EG_REASON_ID_DATE},
	        {EG_ID_EXCEL, EG_REASON_EXCEL_DAMAGE},
	        {EG_ID_UNKNOWN_REGION, EG_REASON_ID_REGION_UNKNOWN},
	        {EG_ID_CENTENARIAN_15, EG_REASON_ID_BORN_1800S},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (id->flags & rows[i].flag)
			add(j, rows[i].code, ID_NUMBER);
	}
	if (id->derived)
		add(j, EG_REASON_ID_DERIVED_15, ID_NUMBER);
	if (id->birth.year && surely_after(id->birth, j->latest))
		add(j, EG_REASON_ID_DATE, ID_NUMBER);
}

static void judge_identity(struct judge *j)
{
	const struct eg_claim *c = j->c;
	int64_t id_type = eg_claim_int(c, ID_KIND);
	struct eg_bytes sex = eg_claim_text(c, SEX), name = eg_claim_text(c, NAME);
	struct eg_text_facts facts = eg_text_facts(name);
	struct eg_date birth;
	struct eg_id id;

	if (eg_text_says_none(name))
		add(j, EG_REASON_NAME_MISSING, NAME);
	else if (!facts.bad_utf8 && facts.odd_name)
		add(j, EG_REASON_NAME_CHARACTERS, NAME);

	eg_id_parse(eg_claim_text(c, ID_NUMBER), &id);
	if (id.form == EG_ID_ABSENT) {
		add(j, EG_REASON_ID_MISSING, ID_NUMBER);
		return;
	}
	if (!ruled(id_type)) {
		/* Only a whole, right number is told from a passport's; and there is none where there is no
		 * document. */
		if (id_type == ID_TYPE_NONE || (id.id18[0] && !id.derived))
			add(j, EG_REASON_ID_TYPE_CONFLICT, ID_KIND);
		return;
	}
	judge_number(j, &id);
	if (!form_fits(id.form, id_type))
		add(j, EG_REASON_ID_TYPE_CONFLICT, ID_KIND);
	/* A number with a fault proves nothing about the other fields. */
	if (id.flags & EG_ID_FAULTS)
		return;
	if (id.birth.year && date_of(c, BIRTH_DATE, &birth) && !agree(birth, id.birth))
		add(j, EG_REASON_ID_BIRTH_CONFLICT, BIRTH_DATE);
	if (id.sex && sex.len == 1 && (sex.p[0] == '1' || sex.p[0] == '2') && sex.p[0] != '0' + id.sex)
		add(j, EG_REASON_ID_SEX_CONFLICT, SEX);
}

static void judge_order(struct judge *j)
{
	static const struct {
		enum eg_section section;
		uint8_t first, second;
	} pairs[] = {
#define PAIR(section, first, second) {EG_##section, EG_FN_##section##_##first, EG_FN_##section##_##second}
	        PAIR(REGISTRATION, birth_date, death_date),
	        PAIR(REGISTRATION, death_date, death_cancellation_date),
	        PAIR(ASSISTANCE, assistance_begin_month, assistance_end_month),
	        PAIR(FUNERAL, birth_date, death_date),
	        PAIR(CARE, occupancy_begin_date, occupancy_end_date),
	        PAIR(CARE, leave_begin_date, leave_end_date),
#undef PAIR
	};
	const struct eg_claim *c = j->c;
	struct eg_date first, second;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		if (pairs[i].section == c->section && date_of(c, pairs[i].first, &first) &&
		    date_of(c, pairs[i].second, &second) && surely_after(first, second))
			add(j, EG_REASON_DATE_ORDER, pairs[i].second);
	}
	if (c->section != EG_FUNERAL)
		return;
	int64_t received = eg_claim_int(c, EG_FN_FUNERAL_received_time);
	int64_t cremated = eg_claim_int(c, EG_FN_FUNERAL_cremation_time);

	if (received && cremated && received > cremated)
		add(j, EG_REASON_DATE_ORDER, EG_FN_FUNERAL_cremation_time);
	if (cremated >= INSTANT_MIN && cremated <= INSTANT_MAX && cremated &&
	    date_of(c, EG_FN_FUNERAL_death_date, &first) &&
	    surely_after(first, eg_date_of_instant(cremated, CHINA_ZONE)))
		add(j, EG_REASON_DATE_ORDER, EG_FN_FUNERAL_cremation_time);
}

/* What stands around the section. False: there is no section to look into. */
static bool judge_frame(struct judge *j)
{
	const struct eg_claim *c = j->c;
	struct eg_reasons *out = j->out;
	bool from_ok = c->valid_from.year == 0 || eg_date_valid(c->valid_from);
	bool to_ok = c->valid_to.year == 0 || eg_date_valid(c->valid_to);

	if (c->source_key.len == 0)
		eg_reasons_add(out, EG_REASON_REQUIRED_MISSING, "source_key");
	else
		judge_text(out, "source_key", eg_text_facts(c->source_key), SOURCE_KEY_MAX);
	if (c->dataset.len == 0)
		eg_reasons_add(out, EG_REASON_REQUIRED_MISSING, "dataset");
	if (c->op != EG_ASSERT && c->op != EG_VOID)
		eg_reasons_add(out, EG_REASON_OPERATION_UNKNOWN, "operation");
	if (c->event_time < INSTANT_MIN || c->event_time > INSTANT_MAX)
		eg_reasons_add(out, EG_REASON_TIME_RANGE, "event_time");
	else if (c->event_time > j->latest_us)
		eg_reasons_add(out, EG_REASON_EVENT_TIME_FUTURE, "event_time");
	if (!from_ok)
		eg_reasons_add(out, EG_REASON_VALID_RANGE, "valid_from");
	if (!to_ok ||
	    (from_ok && c->valid_from.year && c->valid_to.year && surely_after(c->valid_from, c->valid_to)))
		eg_reasons_add(out, EG_REASON_VALID_RANGE, "valid_to");
	if (!*eg_section_name(c->section)) {
		eg_reasons_add(out, c->section ? EG_REASON_ENUM_UNKNOWN : EG_REASON_REQUIRED_MISSING,
		               "section");
		return false;
	}
	return true;
}

void eg_grade(const struct eg_claim *c, int64_t now_us, struct eg_reasons *out)
{
	struct judge j = {.c = c, .out = out, .latest_us = now_us + FUTURE_SKEW};

	j.latest = eg_date_of_instant(j.latest_us, CHINA_ZONE);
	out->n = 0;
	if (!judge_frame(&j))
		return;
	if (c->op == EG_VOID) {
		if (c->n > 0)
			eg_reasons_add(out, EG_REASON_VOID_WITH_CONTENT, eg_section_name(c->section));
		return;
	}
	judge_values(&j);
	judge_identity(&j);
	judge_order(&j);
}

/* --- the identity that a claim offers --- */

void eg_identity_of(const struct eg_claim *c, struct eg_identity *out)
{
	const struct eg_value *stated = eg_claim_value(c, BIRTH_DATE);
	int64_t status =
	        c->section == EG_REGISTRATION ? eg_claim_int(c, EG_FN_REGISTRATION_registration_status) : 0;
	struct eg_date birth;
	struct eg_id id;

	*out = (struct eg_identity){0};
	out->current = c->section == EG_REGISTRATION && status != REGISTRATION_STATUS_MOVED_OUT &&
	               status != REGISTRATION_STATUS_CANCELLED_DEATH &&
	               status != REGISTRATION_STATUS_CANCELLED_OTHER;
	eg_name_normalise(eg_claim_text(c, NAME), out->name, sizeof out->name);
	if (!ruled(eg_claim_int(c, ID_KIND)))
		return;
	eg_id_parse(eg_claim_text(c, ID_NUMBER), &id);
	if (!id.id18[0])
		return;
	/* The number holds the date of birth: one that differs means that one of the two is wrong, so it
	 * joins nobody. */
	if (stated && (!date_of(c, BIRTH_DATE, &birth) || !agree(birth, id.birth)))
		return;
	out->derived = id.derived;
	out->has_id18 = !id.derived && out->name[0];
	if (out->derived || out->has_id18)
		memcpy(out->id18, id.id18, sizeof id.id18);
}
