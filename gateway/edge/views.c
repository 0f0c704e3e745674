/* views: see views.h. The numbers of our enumerations are those of the protocol (a test of the descriptors
 * holds them together), so they are cast, not mapped. */
#include "edge/views.h"

#include "model/authority.h"

#include <stdlib.h>

/* ---- enumerations by name ---- */

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

static const struct {
	enum list list;
	int number;
	const char *name;
} names[] = {
#define X(list, number, name, doc) {LIST_##list, number, #name},
#include "model/codes.def"
};

static const struct {
	enum eg_section section;
	unsigned number;
	enum list list;
} uses[] = {
#define USES(section, name, list) {EG_##section, EG_FN_##section##_##name, LIST_##list},
#include "model/codes.def"
};

const char *eg_enum_name(unsigned view_field, int64_t number)
{
	enum list list = view_field == EG_VIEW_LIFE ? LIST_LIFE_STATUS : LIST_NONE;
	for (size_t i = 0; i < sizeof uses / sizeof *uses && !list; i++)
		if (EG_VIEW_FIELD(uses[i].section, uses[i].number) == view_field)
			list = uses[i].list;
	for (size_t i = 0; i < sizeof names / sizeof *names && list; i++)
		if (names[i].list == list && names[i].number == number)
			return names[i].name;
	return NULL;
}

/* ---- pieces ---- */

void *eg_make(struct eg_maker *k, size_t size)
{
	void *p = k->failed ? NULL : eg_arena_alloc(k->arena, size);
	k->failed |= !p;
	return p;
}

char *eg_make_text(struct eg_maker *k, struct eg_bytes text)
{
	char *p = eg_make(k, text.len + 1);
	if (p && text.len)
		memcpy(p, text.p, text.len);
	return p;
}

char *eg_make_id(struct eg_maker *k, const uint8_t id[16])
{
	char *p = eg_make(k, 33);
	if (p)
		eg_hex(id, 16, p);
	return p;
}

bool eg_read_id(const char *text, uint8_t id[16])
{
	return strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32 && eg_unhex(text, id, 16);
}

Google__Protobuf__Timestamp *eg_make_time(struct eg_maker *k, int64_t us)
{
	if (!us)
		return NULL;
	Google__Protobuf__Timestamp *t =
	        EG_MAKE(k, Google__Protobuf__Timestamp, google__protobuf__timestamp__init);
	if (t) {
		int64_t part = us % EG_SECOND;
		if (part < 0)
			part += EG_SECOND;
		t->seconds = (us - part) / EG_SECOND;
		t->nanos = (int32_t)(part * 1000);
	}
	return t;
}

Eldergate__V1__CivilDate *eg_make_date(struct eg_maker *k, int32_t packed)
{
	Eldergate__V1__CivilDate *m = EG_MAKE(k, Eldergate__V1__CivilDate, eldergate__v1__civil_date__init);
	struct eg_date d = eg_date_unpack(packed);
	if (m) {
		m->year = d.year;
		m->month = d.month;
		m->day = d.day;
	}
	return m;
}

Eldergate__V1__Source *eg_make_source(struct eg_maker *k, struct eg_bytes agency, struct eg_bytes dataset,
                                      int64_t event_time)
{
	if (!agency.len)
		return NULL;
	Eldergate__V1__Source *m = EG_MAKE(k, Eldergate__V1__Source, eldergate__v1__source__init);
	if (m) {
		m->agency = eg_make_text(k, agency);
		m->dataset = eg_make_text(k, dataset);
		m->event_time = eg_make_time(k, event_time);
	}
	return m;
}

#define IS(what) ELDERGATE__V1__FIELD_VALUE__KIND_##what

Eldergate__V1__FieldValue *eg_make_value(struct eg_maker *k, unsigned view_field, const struct eg_value *v)
{
	Eldergate__V1__FieldValue *m =
	        EG_MAKE(k, Eldergate__V1__FieldValue, eldergate__v1__field_value__init);
	const char *name;
	if (!m)
		return NULL;
	if (v->cleared) {
		m->kind_case = IS(EMPTY);
		m->empty = true;
		return m;
	}
	switch (eg_view_field_type(view_field)) {
	case EG_TYPE_TEXT:
		m->kind_case = IS(TEXT);
		m->text = eg_make_text(k, v->text);
		break;
	case EG_TYPE_CODE:
		m->kind_case = IS(CODE);
		m->code = eg_make_text(k, v->text);
		break;
	case EG_TYPE_ENUM:
		name = eg_enum_name(view_field, v->i);
		m->kind_case = IS(CODE);
		m->code = eg_make_text(k, eg_bytes_of(name ? name : "UNSPECIFIED"));
		break;
	case EG_TYPE_INT:
		m->kind_case = IS(NUMBER);
		m->number = v->i;
		break;
	case EG_TYPE_DATE:
		m->kind_case = IS(DATE);
		m->date = eg_make_date(k, (int32_t)v->i);
		break;
	case EG_TYPE_INSTANT:
		m->kind_case = IS(INSTANT);
		m->instant = eg_make_time(k, v->i);
		if (!m->instant) /* 1970-01-01 is an instant like any other */
			m->instant =
			        EG_MAKE(k, Google__Protobuf__Timestamp, google__protobuf__timestamp__init);
		break;
	}
	return m;
}

static char *field_name(struct eg_maker *k, unsigned view_field)
{
	char name[80];
	return eg_make_text(k, eg_bytes_of(eg_view_field_name(view_field, name)));
}

Eldergate__V1__FieldEntry *eg_make_entry(struct eg_maker *k, unsigned view_field, const struct eg_value *v)
{
	Eldergate__V1__FieldEntry *m =
	        EG_MAKE(k, Eldergate__V1__FieldEntry, eldergate__v1__field_entry__init);
	if (m) {
		m->field = field_name(k, view_field);
		m->value = v ? eg_make_value(k, view_field, v) : NULL;
	}
	return m;
}

Eldergate__V1__Reason *eg_make_reason(struct eg_maker *k, enum eg_reason_code code, const char *field)
{
	Eldergate__V1__Reason *m = EG_MAKE(k, Eldergate__V1__Reason, eldergate__v1__reason__init);
	Eldergate__V1__LocalizedText *t =
	        EG_MAKE(k, Eldergate__V1__LocalizedText, eldergate__v1__localized_text__init);
	if (!m || !t)
		return NULL;
	t->zh_cn = (char *)(uintptr_t)eg_reason_text(code, true);
	t->en = (char *)(uintptr_t)eg_reason_text(code, false);
	m->code = (Eldergate__V1__ReasonCode)code;
	m->field = eg_make_text(k, eg_bytes_of(field));
	m->severity = (Eldergate__V1__Severity)eg_reason_severity(code);
	m->message = t;
	return m;
}

/* ---- events ---- */

static Eldergate__V1__FieldEntry **entries(struct eg_maker *k, const struct eg_event *e, size_t *n)
{
	Eldergate__V1__FieldEntry **list = EG_MAKE_LIST(k, e->n_fields);
	for (unsigned i = 0; i < e->n_fields && list; i++) {
		const struct eg_event_field *f = &e->fields[i];
		list[i] = eg_make_entry(k, f->field, f->present ? &f->value : NULL);
	}
	*n = k->failed ? 0 : e->n_fields;
	return list;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

Eldergate__V1__ChangeEvent *eg_make_event(struct eg_maker *k, const struct eg_event *e, bool left_scope)
{
	Eldergate__V1__ChangeEvent *m =
	        EG_MAKE(k, Eldergate__V1__ChangeEvent, eldergate__v1__change_event__init);
	if (!m)
		return NULL;
	m->log_id = eg_make_id(k, e->log_id);
	m->seq = e->seq;
	m->time = eg_make_time(k, e->time);
	m->kind = left_scope ? ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_LEFT_SCOPE
	                     : (Eldergate__V1__ChangeKind)e->kind;
	m->person_ref = eg_make_id(k, e->person_ref);
	m->person_version = e->person_version;
	if (left_scope)
		return m; /* who may not see the person any more learns nothing of what they are now */
	m->changed_fields = EG_MAKE_LIST(k, e->n_changed);
	for (unsigned i = 0; i < e->n_changed && m->changed_fields; i++)
		m->changed_fields[i] = field_name(k, e->changed[i]);
	m->n_changed_fields = k->failed ? 0 : e->n_changed;
	if (m->n_changed_fields)
		qsort(m->changed_fields, m->n_changed_fields, sizeof *m->changed_fields, by_text);
	m->life_status_before = (Eldergate__V1__LifeStatus)e->life_before;
	m->life_status_after = (Eldergate__V1__LifeStatus)e->life_after;
	m->source = eg_make_source(k, e->agency, e->dataset, e->source_event_time);
	m->corrects_seq = e->corrects;
	if (e->has_merged_into)
		m->merged_into = eg_make_id(k, e->merged_into);
	if (e->has_other)
		m->other_person_ref = eg_make_id(k, e->other);
	if (e->has_case)
		m->case_id = eg_make_id(k, e->case_id);
	m->case_kind = (Eldergate__V1__CaseKind)e->case_kind;
	m->fields = entries(k, e, &m->n_fields);
	return m;
}

Eldergate__V1__PersonState *eg_make_state(struct eg_maker *k, const struct eg_event *e)
{
	Eldergate__V1__PersonState *m =
	        EG_MAKE(k, Eldergate__V1__PersonState, eldergate__v1__person_state__init);
	if (!m)
		return NULL;
	m->person_ref = eg_make_id(k, e->person_ref);
	m->person_version = e->person_version;
	if (e->has_merged_into) {
		m->merged_into = eg_make_id(k, e->merged_into);
	} else {
		m->life_status = (Eldergate__V1__LifeStatus)e->life_after;
		m->fields = entries(k, e, &m->n_fields);
	}
	if (e->seq) {
		m->log_id = eg_make_id(k, e->log_id);
		m->seq = e->seq;
		m->time = eg_make_time(k, e->time);
	}
	return m;
}

/* ---- the view ---- */

static bool wanted(unsigned field, const unsigned *fields, unsigned n)
{
	for (unsigned i = 0; i < n && fields[i] <= field; i++)
		if (fields[i] == field)
			return true;
	return false;
}

static Eldergate__V1__ViewField *view_field(struct eg_maker *k, const struct eg_person *p,
                                            const struct eg_view_value *v)
{
	Eldergate__V1__ViewField *m = EG_MAKE(k, Eldergate__V1__ViewField, eldergate__v1__view_field__init);
	if (!m)
		return NULL;
	m->field = field_name(k, v->field);
	m->value = eg_make_value(k, v->field, &v->value);
	m->rule = (Eldergate__V1__ViewRule)v->rule;
	if (v->held < p->n_held) {
		const struct eg_claim *c = &p->held[v->held].claim;
		m->source = eg_make_source(k, c->agency, c->dataset, v->as_of);
	}
	return m;
}

Eldergate__V1__ElderView *eg_make_view(struct eg_maker *k, const struct eg_person *p, const struct eg_view *v,
                                       const uint8_t ref[16], const unsigned *fields, unsigned n)
{
	Eldergate__V1__ElderView *m = EG_MAKE(k, Eldergate__V1__ElderView, eldergate__v1__elder_view__init);
	if (!m)
		return NULL;
	m->person_ref = eg_make_id(k, ref);
	m->person_version = p->version;
	m->life_status = (Eldergate__V1__LifeStatus)v->life;
	m->authority_version = eg_authority_version(NULL);
	m->fields = EG_MAKE_LIST(k, v->n);
	for (unsigned i = 0; i < v->n && m->fields; i++)
		if (wanted(v->v[i].field, fields, n))
			m->fields[m->n_fields++] = view_field(k, p, &v->v[i]);
	m->open_case_ids = EG_MAKE_LIST(k, p->n_cases);
	for (unsigned i = 0; i < p->n_cases && m->open_case_ids; i++)
		m->open_case_ids[m->n_open_case_ids++] = eg_make_id(k, p->cases[i]);
	return m;
}
