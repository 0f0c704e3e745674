/* show: see show.h. */
#include "cli/show.h"

#include "cli/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHINA_OFFSET_S 28800
enum { CHANGED_SHOWN = 5 };

int64_t us_of(const Google__Protobuf__Timestamp *t)
{
	return t ? t->seconds * EG_SECOND + t->nanos / 1000 : 0;
}

void timestamp_of(int64_t us, Google__Protobuf__Timestamp *out)
{
	int64_t part = us % EG_SECOND;
	google__protobuf__timestamp__init(out);
	if (part < 0)
		part += EG_SECOND;
	out->seconds = (us - part) / EG_SECOND;
	out->nanos = (int32_t)(part * 1000);
}

const char *show_us(const struct cli *c, int64_t us, char out[SHOW_TIME_SIZE])
{
	char text[32];
	if (!us) {
		snprintf(out, SHOW_TIME_SIZE, "-");
		return out;
	}
	eg_instant_format(c->utc ? us : us + CHINA_OFFSET_S * EG_SECOND, text);
	/* 2026-01-02T03:04:05.678901Z: to the millisecond, as people read it */
	text[10] = ' ';
	snprintf(out, SHOW_TIME_SIZE, "%.23s%s", text, c->utc ? "Z" : "+08:00");
	return out;
}

const char *show_time(const struct cli *c, const Google__Protobuf__Timestamp *t, char out[SHOW_TIME_SIZE])
{
	return show_us(c, us_of(t), out);
}

void show_date(struct eg_buf *out, const Eldergate__V1__CivilDate *d)
{
	char text[16];
	struct eg_date date = {(int16_t)d->year, (uint8_t)d->month, (uint8_t)d->day};
	eg_date_format(date, text);
	eg_buf_printf(out, "%s", text);
}

void show_value(const struct cli *c, struct eg_buf *out, const Eldergate__V1__FieldValue *v)
{
	char time[SHOW_TIME_SIZE];
	switch (v ? v->kind_case : ELDERGATE__V1__FIELD_VALUE__KIND__NOT_SET) {
	case ELDERGATE__V1__FIELD_VALUE__KIND_TEXT:
		eg_buf_printf(out, "%s", v->text);
		return;
	case ELDERGATE__V1__FIELD_VALUE__KIND_CODE:
		eg_buf_printf(out, "%s", v->code);
		return;
	case ELDERGATE__V1__FIELD_VALUE__KIND_NUMBER:
		eg_buf_printf(out, "%" PRId64, v->number);
		return;
	case ELDERGATE__V1__FIELD_VALUE__KIND_DATE:
		show_date(out, v->date);
		return;
	case ELDERGATE__V1__FIELD_VALUE__KIND_INSTANT:
		eg_buf_printf(out, "%s", show_time(c, v->instant, time));
		return;
	case ELDERGATE__V1__FIELD_VALUE__KIND_EMPTY:
		eg_buf_printf(out, "(empty)");
		return;
	default:
		eg_buf_printf(out, "-");
	}
}

const char *show_text(const struct cli *c, const Eldergate__V1__LocalizedText *t)
{
	if (!t)
		return "";
	return c->chinese && *t->zh_cn ? t->zh_cn : t->en;
}

void show_reason(const struct cli *c, struct eg_buf *out, const Eldergate__V1__Reason *r)
{
	char name[64];
	eg_buf_printf(out, "%s%s%s [%s]", r->field, *r->field ? ": " : "", show_text(c, r->message),
	              enum_short(&eldergate__v1__reason_code__descriptor, (int)r->code, name));
}

static void show_life(struct eg_buf *out, Eldergate__V1__LifeStatus life)
{
	char name[64];
	eg_buf_printf(out, "%s", enum_short(&eldergate__v1__life_status__descriptor, (int)life, name));
}

static void show_fields(const struct cli *c, struct eg_buf *out, size_t n, Eldergate__V1__FieldEntry **fields)
{
	for (size_t i = 0; i < n; i++) {
		eg_buf_printf(out, "%s%s=", i ? ", " : "  ", fields[i]->field);
		show_value(c, out, fields[i]->value);
	}
}

/* A new person's line would be all names; of others the first few are enough to see what it is about. */
static void show_changed(struct eg_buf *out, const Eldergate__V1__ChangeEvent *e)
{
	for (size_t i = 0; i < e->n_changed_fields && i < CHANGED_SHOWN; i++)
		eg_buf_printf(out, "%s%s", i ? "," : "  changed ", e->changed_fields[i]);
	if (e->n_changed_fields > CHANGED_SHOWN)
		eg_buf_printf(out, " and %zu more", e->n_changed_fields - CHANGED_SHOWN);
}

void show_change(const struct cli *c, struct eg_buf *out, const Eldergate__V1__ChangeEvent *e)
{
	char time[SHOW_TIME_SIZE], kind[64];
	eg_buf_printf(out, "%s  #%" PRIu64 "  %-11s  %s v%" PRId64 "  ", show_time(c, e->time, time), e->seq,
	              enum_short(&eldergate__v1__change_kind__descriptor, (int)e->kind, kind), e->person_ref,
	              e->person_version);
	if (e->life_status_before && e->life_status_before != e->life_status_after) {
		show_life(out, e->life_status_before);
		eg_buf_printf(out, " -> ");
	}
	if (e->life_status_after)
		show_life(out, e->life_status_after);
	if (e->source)
		eg_buf_printf(out, "  by %s/%s", e->source->agency, e->source->dataset);
	if (e->corrects_seq)
		eg_buf_printf(out, "  corrects #%" PRIu64, e->corrects_seq);
	if (*e->merged_into)
		eg_buf_printf(out, "  merged into %s", e->merged_into);
	else if (*e->other_person_ref)
		eg_buf_printf(out, "  other person %s", e->other_person_ref);
	if (*e->case_id)
		eg_buf_printf(out, "  case %s %s", e->case_id,
		              enum_short(&eldergate__v1__case_kind__descriptor, (int)e->case_kind, kind));
	if (e->kind != ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_CREATED)
		show_changed(out, e);
	show_fields(c, out, e->n_fields, e->fields);
}

void show_state(const struct cli *c, struct eg_buf *out, const Eldergate__V1__PersonState *p)
{
	char time[SHOW_TIME_SIZE];
	eg_buf_printf(out, "%s  #%" PRIu64 "  %-11s  %s v%" PRId64 "  ", show_time(c, p->time, time), p->seq,
	              "(snapshot)", p->person_ref, p->person_version);
	if (*p->merged_into)
		eg_buf_printf(out, "merged into %s", p->merged_into);
	else
		show_life(out, p->life_status);
	show_fields(c, out, p->n_fields, p->fields);
}

void show_header(const struct cli *c, struct eg_buf *out, const Eldergate__V1__EntryHeader *h)
{
	char time[SHOW_TIME_SIZE], kind[64], outcome[64], reason[64];
	eg_buf_printf(out, "#%-8" PRIu64 " %s  %-10s", h->seq, show_time(c, h->time, time),
	              enum_short(&eldergate__v1__entry_kind__descriptor, (int)h->kind, kind));
	if (h->outcome)
		eg_buf_printf(out, " %s",
		              enum_short(&eldergate__v1__outcome__descriptor, (int)h->outcome, outcome));
	if (*h->agency || *h->dataset)
		eg_buf_printf(out, "  %s%s%s", h->agency, *h->dataset ? "/" : "", h->dataset);
	if (*h->operator_ && strcmp(h->operator_, h->agency) != 0)
		eg_buf_printf(out, "  by %s", h->operator_);
	if (*h->purpose)
		eg_buf_printf(out, "  for %s", h->purpose);
	if (*h->batch_id)
		eg_buf_printf(out, "  batch %s", h->batch_id);
	if (h->count)
		eg_buf_printf(out, "  count %" PRId64, h->count);
	if (h->cause_seq)
		eg_buf_printf(out, "  from #%" PRIu64, h->cause_seq);
	if (*h->action)
		eg_buf_printf(out, "  %s", h->action);
	for (size_t i = 0; i < h->n_reasons; i++)
		eg_buf_printf(
		        out, "%s%s", i ? "," : "  ",
		        enum_short(&eldergate__v1__reason_code__descriptor, (int)h->reasons[i], reason));
}

void show_line(struct eg_buf *line)
{
	eg_buf_add_u8(line, '\n');
	fwrite(line->p, 1, line->failed ? 0 : line->len, stdout);
	eg_buf_reset(line);
}

/* ---- reading ---- */

static bool same_word(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a == '-' ? '_' : (char)toupper((unsigned char)*a);
		if (x != *b)
			return false;
	}
	return !*a && !*b;
}

enum eg_rc read_enum(const ProtobufCEnumDescriptor *d, const char *text, int *out, struct eg_err *err)
{
	struct eg_buf all = {0};
	char name[64];
	for (unsigned i = 0; i < d->n_values; i++) {
		int v = d->values[i].value;
		if (!v)
			continue; /* "not said" */
		enum_short(d, v, name);
		if (same_word(text, name) || same_word(text, d->values[i].name)) {
			*out = v;
			eg_buf_free(&all);
			return EG_OK;
		}
		if (all.len < 200)
			eg_buf_printf(&all, "%s%s", all.len ? ", " : "", name);
	}
	enum eg_rc rc = eg_fail(err, EG_USAGE, "there is no %s '%.60s'; there are %.*s", d->short_name, text,
	                        (int)all.len, all.p ? (const char *)all.p : "");
	eg_buf_free(&all);
	return rc;
}

enum eg_rc read_time(const char *text, Google__Protobuf__Timestamp *out, struct eg_err *err)
{
	int64_t us;
	if (!eg_instant_parse(text, &us))
		return eg_fail(err, EG_USAGE, "'%.60s' is no time such as 2026-03-02T08:00:00+08:00", text);
	timestamp_of(us, out);
	return EG_OK;
}

enum eg_rc read_hex(const char *text, const char *what, uint8_t *out, size_t len, struct eg_err *err)
{
	if (strlen(text) != 2 * len || !eg_unhex(text, out, len))
		return eg_fail(err, EG_USAGE, "%s must be %zu hexadecimal digits", what, 2 * len);
	return EG_OK;
}
