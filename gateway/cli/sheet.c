/* sheet: see sheet.h. Fields are set by their descriptors, so a new field of the protocol is a new column
 * here. */
#include "cli/sheet.h"

#include "base/arena.h"
#include "cli/json.h"
#include "cli/show.h"
#include "eldergate/v1/elder.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 8 << 20, CLEARED_MAX = 64, TIME_TEXT = 64 };

enum frame {
	SOURCE_KEY,
	VERSION,
	MAPPING_REVISION,
	OPERATION,
	EVENT_TIME,
	VALID_FROM,
	VALID_TO,
	CLEARED_FIELDS,
	FRAMES
};
static const char *const frame_names[FRAMES] = {"source_key", "version",       "mapping_revision",
                                                "operation",  "event_time",    "valid_from",
                                                "valid_to",   "cleared_fields"};

struct column {
	char name[64];
	enum frame frame;                      /* if field is NULL */
	const ProtobufCFieldDescriptor *field; /* of the section's message */
};

struct sheet {
	struct csv *csv;
	bool list; /* records need no version */
	struct eg_arena *arena;
	const ProtobufCFieldDescriptor *section; /* of Record */
	unsigned n;
	struct column columns[CSV_CELLS_MAX];
};

static const ProtobufCMessageDescriptor *section_type(const struct sheet *s)
{
	return s->section->descriptor;
}

/* False: there is no such column. */
static bool is_column(const struct sheet *s, struct column *col)
{
	for (col->frame = 0; col->frame < FRAMES && strcmp(col->name, frame_names[col->frame]) != 0;
	     col->frame++)
		;
	if (col->frame == FRAMES)
		col->field = protobuf_c_message_descriptor_get_field_by_name(section_type(s), col->name);
	return col->frame < FRAMES || col->field;
}

/* What an error may repeat: where a file has no header, values stand where names should. */
static bool is_name(const char *text, unsigned columns)
{
	return columns && !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")];
}

static enum eg_rc read_header(struct sheet *s, struct eg_err *err)
{
	const struct csv_cell *cells;
	bool seen[FRAMES] = {false};
	unsigned columns = 0; /* that there are */
	enum eg_rc rc = csv_next(s->csv, &cells, &s->n, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_INVALID, "a file is empty: its first line must name the columns");
	for (unsigned i = 0; i < s->n && !rc; i++) {
		struct column *col = &s->columns[i];
		snprintf(col->name, sizeof col->name, "%.*s", (int)cells[i].text.len,
		         (const char *)cells[i].text.p);
		columns += is_column(s, col);
	}
	for (unsigned i = 0; i < s->n && !rc; i++) {
		struct column *col = &s->columns[i];
		if (col->frame < FRAMES)
			seen[col->frame] = true;
		else if (!col->field)
			rc = csv_fail(s->csv, &cells[i], err,
			              "there is no column '%s' here; `eldergate fields %s` lists them",
			              is_name(col->name, columns) ? col->name : "...", s->section->name);
		for (unsigned k = 0; k < i && !rc; k++)
			if (strcmp(s->columns[k].name, col->name) == 0)
				rc = csv_fail(s->csv, &cells[i], err, "the column '%s' stands here twice",
				              col->name);
	}
	if (!rc && (!seen[SOURCE_KEY] || !(seen[VERSION] || s->list)))
		rc = csv_fail(s->csv, &cells[0], err,
		              s->list ? "the column source_key is needed"
		                      : "the columns source_key and version are needed");
	return rc;
}

static enum eg_rc open_sheet(struct sheet **out, const char *name, eg_read *read, void *arg,
                             enum eg_section section, bool list, struct eg_err *err)
{
	struct sheet *s = calloc(1, sizeof *s);
	enum eg_rc rc = EG_OK;
	if (s) {
		s->list = list;
		s->csv = csv_new(name, read, arg);
		s->arena = eg_arena_new(ARENA_BYTES);
		s->section = protobuf_c_message_descriptor_get_field_by_name(
		        &eldergate__v1__record__descriptor, eg_section_name(section));
	}
	if (!s || !s->csv || !s->arena || !s->section)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory to read %s", name);
	else
		rc = read_header(s, err);
	if (rc)
		sheet_close(s);
	else
		*out = s;
	return rc;
}

enum eg_rc sheet_open(struct sheet **out, const char *name, eg_read *read, void *arg, enum eg_section section,
                      struct eg_err *err)
{
	return open_sheet(out, name, read, arg, section, false, err);
}

enum eg_rc sheet_open_list(struct sheet **out, const char *name, eg_read *read, void *arg,
                           enum eg_section section, struct eg_err *err)
{
	return open_sheet(out, name, read, arg, section, true, err);
}

void sheet_close(struct sheet *s)
{
	if (!s)
		return;
	csv_free(s->csv);
	eg_arena_free(s->arena);
	free(s);
}

/* ---- values ---- */

/* 2026-03-02[ 10:15[:30[.5]]] with a T or a blank between, in Asia/Shanghai. */
bool sheet_instant(const char *text, int64_t *us)
{
	char full[TIME_TEXT];
	size_t len = strlen(text);
	if (eg_instant_parse(text, us))
		return true;
	if (len < 10 || len > TIME_TEXT - 20 || (len > 10 && text[10] != ' ' && text[10] != 'T'))
		return false;
	snprintf(full, sizeof full, "%.10sT%s%s+08:00", text, len > 10 ? text + 11 : "00:00:00",
	         len == 16 ? ":00" : "");
	return eg_instant_parse(full, us);
}

static bool read_number(const char *text, int64_t *out)
{
	char *end = NULL;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return !errno && end != text && !*end;
}

static bool read_code(const ProtobufCEnumDescriptor *d, const char *text, int *out)
{
	int64_t number;
	struct eg_err ignored;
	if (read_number(text, &number) && number > 0 && number < INT32_MAX) {
		*out = (int)number; /* the gateway says if there is no such value */
		return true;
	}
	return read_enum(d, text, out, &ignored) == EG_OK;
}

static Eldergate__V1__CivilDate *read_date(struct sheet *s, const char *text)
{
	struct eg_date d;
	Eldergate__V1__CivilDate *out = eg_arena_alloc(s->arena, sizeof *out);
	if (!out || !eg_date_parse(text, &d))
		return NULL;
	eldergate__v1__civil_date__init(out);
	out->year = d.year;
	out->month = d.month;
	out->day = d.day;
	return out;
}

static Google__Protobuf__Timestamp *read_instant(struct sheet *s, const char *text)
{
	int64_t us;
	Google__Protobuf__Timestamp *out = eg_arena_alloc(s->arena, sizeof *out);
	if (!out || !sheet_instant(text, &us))
		return NULL;
	timestamp_of(us, out);
	return out;
}

/* Sets a field of the section; the text of what was expected if it can't. */
static const char *set_field(struct sheet *s, ProtobufCMessage *section, const ProtobufCFieldDescriptor *f,
                             char *text)
{
	uint8_t *at = (uint8_t *)section + f->offset;
	void *message;
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(char **)(void *)at = text;
		return NULL;
	case PROTOBUF_C_TYPE_ENUM:
		return read_code(f->descriptor, text, (int *)(void *)at)
		               ? NULL
		               : "a name of the enumeration, or its number";
	case PROTOBUF_C_TYPE_INT64:
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) /* zero is a number: its presence is told apart */
			*(uint32_t *)(void *)((uint8_t *)section + f->quantifier_offset) = f->id;
		return read_number(text, (int64_t *)(void *)at) ? NULL : "a whole number";
	case PROTOBUF_C_TYPE_MESSAGE:
		if (f->descriptor == &eldergate__v1__civil_date__descriptor)
			message = read_date(s, text);
		else
			message = read_instant(s, text);
		*(void **)(void *)at = message;
		if (message)
			return NULL;
		return f->descriptor == &eldergate__v1__civil_date__descriptor
		               ? "a date such as 1949-10-01, 1949-10 or 1949"
		               : "a time such as 2026-03-02 10:15:00";
	default:
		return "nothing: this column can't be read by this version";
	}
}

static const char *set_frame(struct sheet *s, Eldergate__V1__Record *r, enum frame frame, char *text)
{
	int64_t number;
	int code;
	switch (frame) {
	case SOURCE_KEY:
		r->source_key = text;
		return NULL;
	case VERSION:
		return read_number(text, &r->version) ? NULL : "a whole number";
	case MAPPING_REVISION:
		if (!read_number(text, &number) || number < 0 || number > UINT32_MAX)
			return "a whole number from 0 to 4294967295";
		r->mapping_revision = (uint32_t)number;
		return NULL;
	case OPERATION:
		if (!read_code(&eldergate__v1__operation__descriptor, text, &code))
			return "ASSERT or VOID";
		r->operation = (Eldergate__V1__Operation)code;
		return NULL;
	case EVENT_TIME:
		return (r->event_time = read_instant(s, text)) ? NULL : "a time such as 2026-03-02 10:15:00";
	case VALID_FROM:
		return (r->valid_from = read_date(s, text)) ? NULL : "a date such as 1949-10-01";
	case VALID_TO:
		return (r->valid_to = read_date(s, text)) ? NULL : "a date such as 1949-10-01";
	case CLEARED_FIELDS:
		for (char *save = NULL, *word = strtok_r(text, " ;", &save); word;
		     word = strtok_r(NULL, " ;", &save)) {
			if (r->n_cleared_fields == CLEARED_MAX)
				return "fewer names";
			r->cleared_fields[r->n_cleared_fields++] = word;
		}
		return NULL;
	case FRAMES:
		break;
	}
	return "nothing";
}

enum eg_rc sheet_next(struct sheet *s, struct eg_buf *out, unsigned *line, struct eg_err *err)
{
	Eldergate__V1__Record r = ELDERGATE__V1__RECORD__INIT;
	char *cleared[CLEARED_MAX];
	const struct csv_cell *cells;
	unsigned n;
	enum eg_rc rc = csv_next(s->csv, &cells, &n, err);
	if (rc)
		return rc;
	*line = cells[0].line;
	if (n != s->n)
		return csv_fail(s->csv, &cells[0], err, "%u cells, but the header names %u columns", n, s->n);
	eg_arena_reset(s->arena);
	ProtobufCMessage *section = eg_arena_alloc(s->arena, section_type(s)->sizeof_message);
	if (!section)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a record");
	protobuf_c_message_init(section_type(s), section);
	r.operation = ELDERGATE__V1__OPERATION__OPERATION_ASSERT;
	r.cleared_fields = cleared;
	r.section_case = (Eldergate__V1__Record__SectionCase)s->section->id;
	*(ProtobufCMessage **)(void *)((uint8_t *)&r + s->section->offset) = section;
	for (unsigned i = 0; i < n; i++) {
		const struct column *col = &s->columns[i];
		if (!cells[i].text.len)
			continue; /* not asserted */
		char *text = eg_arena_text(s->arena, (const char *)cells[i].text.p, cells[i].text.len);
		if (!text)
			return eg_fail(err, EG_NO_MEMORY, "no memory for a record");
		const char *wanted = col->field ? set_field(s, section, col->field, text)
		                                : set_frame(s, &r, col->frame, text);
		if (wanted)
			return csv_fail(s->csv, &cells[i], err, "column %s: this is not %s", col->name,
			                wanted);
	}
	if (!*r.source_key)
		return csv_fail(s->csv, &cells[0], err, "the row has no source_key");
	size_t len = eldergate__v1__record__get_packed_size(&r);
	uint8_t *p = eg_buf_grow(out, len);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a record");
	eldergate__v1__record__pack(&r, p);
	return EG_OK;
}
