/* entry: the codec of log entries (gateway/FORMAT.md, "Header of a log entry", "Effect"). Thread: any. */
#include "flow/entry.h"

#include <string.h>

enum header_tag {
	H_SEQ = 1,
	H_TIME,
	H_KIND,
	H_ENTRY_ID,
	H_AGENCY,
	H_OPERATOR,
	H_PURPOSE,
	H_OUTCOME,
	H_DATASET,
	H_SUBMISSION,
	H_TRACEPARENT,
	H_COUNT,
	H_DIGEST,
	H_CAUSE,
	H_REASON,
	H_LOG_ID,
	H_FORMAT,
	H_AUTHORITY,
	H_HEAD_BEFORE,
	H_ACT
};

enum effect_tag {
	E_PERSON = 1,
	E_VERSION,
	E_PREVIOUS,
	E_EVENT,
	E_LIFE_BEFORE,
	E_LIFE_AFTER,
	E_CORRECTS,
	E_OTHER,
	E_MERGED,
	E_FIELD,
	E_CASE,
	E_CASE_KIND,
	E_JOINED,
	E_LEFT,
	E_VIEW_DIGEST,
	E_REGION_BEFORE,
	E_REGION_AFTER
};

enum field_tag { F_FIELD = 1, F_BEFORE, F_AFTER, F_AGENCY, F_AS_OF, F_RULE };

const char *eg_entry_kind_name(enum eg_entry_kind k)
{
	static const char *const names[] = {
	        [EG_ENTRY_START] = "START",       [EG_ENTRY_CHANGE] = "CHANGE",
	        [EG_ENTRY_EFFECT] = "EFFECT",     [EG_ENTRY_UNCHANGED] = "UNCHANGED",
	        [EG_ENTRY_STALE] = "STALE",       [EG_ENTRY_QUARANTINE] = "QUARANTINE",
	        [EG_ENTRY_REFUSAL] = "REFUSAL",   [EG_ENTRY_QUERY] = "QUERY",
	        [EG_ENTRY_DELIVERY] = "DELIVERY", [EG_ENTRY_CASE] = "CASE",
	        [EG_ENTRY_DECISION] = "DECISION", [EG_ENTRY_ADMIN] = "ADMIN",
	        [EG_ENTRY_LIST] = "LIST",         [EG_ENTRY_TIMER] = "TIMER",
	};
	return (size_t)k < sizeof names / sizeof *names && names[k] ? names[k] : "?";
}

const char *eg_event_kind_name(enum eg_event_kind k)
{
	static const char *const names[] = {
	        [EG_EVENT_CREATED] = "CREATED",         [EG_EVENT_UPDATED] = "UPDATED",
	        [EG_EVENT_CORRECTED] = "CORRECTED",     [EG_EVENT_RETRACTED] = "RETRACTED",
	        [EG_EVENT_WITHDRAWN] = "WITHDRAWN",     [EG_EVENT_MERGED] = "MERGED",
	        [EG_EVENT_UNMERGED] = "UNMERGED",       [EG_EVENT_CASE_OPENED] = "CASE_OPENED",
	        [EG_EVENT_CASE_CLOSED] = "CASE_CLOSED",
	};
	return (size_t)k < sizeof names / sizeof *names && names[k] ? names[k] : "?";
}

static void put_id(struct eg_buf *b, unsigned tag, const uint8_t id[16])
{
	eg_canon_bytes(b, tag, (struct eg_bytes){id, 16});
}

/* Marks the reader bad unless the value has this size. */
static bool fixed(struct eg_canon_reader *r, void *out, size_t len)
{
	if (r->value.len != len) {
		r->bad = true;
		return false;
	}
	memcpy(out, r->value.p, len);
	return true;
}

/* An integer that must lie in 1..last. */
static int small(struct eg_canon_reader *r, int last)
{
	int64_t v = eg_canon_as_int(r);
	if (v < 1 || v > last) {
		r->bad = true;
		return 0;
	}
	return (int)v;
}

static uint64_t seq_of(struct eg_canon_reader *r)
{
	int64_t v = eg_canon_as_int(r);
	if (v < 0)
		r->bad = true;
	return (uint64_t)v;
}

void eg_header_write(struct eg_buf *b, const struct eg_header *h)
{
	eg_canon_int(b, H_SEQ, (int64_t)h->seq);
	eg_canon_int(b, H_TIME, h->time);
	eg_canon_int(b, H_KIND, (int64_t)h->kind);
	put_id(b, H_ENTRY_ID, h->entry_id);
	eg_canon_bytes(b, H_AGENCY, h->agency);
	eg_canon_bytes(b, H_OPERATOR, h->operator_name);
	eg_canon_bytes(b, H_PURPOSE, h->purpose);
	eg_canon_int(b, H_OUTCOME, h->outcome);
	eg_canon_bytes(b, H_DATASET, h->dataset);
	eg_canon_bytes(b, H_SUBMISSION, h->submission);
	eg_canon_bytes(b, H_TRACEPARENT, h->traceparent);
	eg_canon_int(b, H_COUNT, h->count);
	eg_canon_bytes(b, H_DIGEST, h->digest);
	eg_canon_int(b, H_CAUSE, (int64_t)h->cause);
	for (unsigned i = 0; i < h->n_reasons; i++)
		eg_canon_int(b, H_REASON, h->reasons[i]);
	eg_canon_bytes(b, H_LOG_ID, h->log_id);
	eg_canon_int(b, H_FORMAT, h->format);
	eg_canon_int(b, H_AUTHORITY, h->authority_version);
	eg_canon_bytes(b, H_ACT, h->act);
}

enum eg_rc eg_header_read(struct eg_bytes text, struct eg_header *out, struct eg_err *err)
{
	*out = (struct eg_header){0};
	struct eg_canon_reader r = eg_canon_read(text);
	unsigned last = 0;
	bool has_id = false;
	while (eg_canon_next(&r)) {
		if (r.tag == last && r.tag != H_REASON)
			r.bad = true;
		last = r.tag;
		switch (r.tag) {
		case H_SEQ:
			out->seq = seq_of(&r);
			break;
		case H_TIME:
			out->time = eg_canon_as_int(&r);
			break;
		case H_KIND:
			out->kind = (enum eg_entry_kind)small(&r, EG_ENTRY_TIMER);
			break;
		case H_ENTRY_ID:
			has_id = fixed(&r, out->entry_id, sizeof out->entry_id);
			break;
		case H_AGENCY:
			out->agency = r.value;
			break;
		case H_OPERATOR:
			out->operator_name = r.value;
			break;
		case H_PURPOSE:
			out->purpose = r.value;
			break;
		case H_OUTCOME:
			out->outcome = small(&r, EG_DECIDED);
			break;
		case H_DATASET:
			out->dataset = r.value;
			break;
		case H_SUBMISSION:
			out->submission = r.value;
			break;
		case H_TRACEPARENT:
			out->traceparent = r.value;
			break;
		case H_COUNT:
			out->count = eg_canon_as_int(&r);
			break;
		case H_DIGEST:
			out->digest = r.value;
			r.bad |= r.value.len != EG_HASH_SIZE;
			break;
		case H_CAUSE:
			out->cause = seq_of(&r);
			break;
		case H_REASON:
			if (out->n_reasons == EG_REASONS_MAX) {
				r.bad = true;
				break;
			}
			out->reasons[out->n_reasons++] = (uint16_t)small(&r, UINT16_MAX);
			break;
		case H_LOG_ID:
			out->log_id = r.value;
			r.bad |= r.value.len != 16;
			break;
		case H_FORMAT:
			out->format = eg_canon_as_int(&r);
			break;
		case H_AUTHORITY:
			out->authority_version = eg_canon_as_int(&r);
			break;
		case H_ACT:
			out->act = r.value;
			break;
		default: /* H_HEAD_BEFORE, and whatever a later format adds */
			break;
		}
		if (r.bad)
			break;
	}
	if (r.bad || !out->seq || !out->kind || !has_id)
		return eg_fail(err, EG_CORRUPT, "a log entry's header is not canonical");
	return EG_OK;
}

static bool is_text(unsigned field)
{
	enum eg_field_type t = eg_view_field_type(field);
	return t == EG_TYPE_TEXT || t == EG_TYPE_CODE;
}

static void put_value(struct eg_buf *b, unsigned tag, unsigned field, const struct eg_value *v)
{
	if (is_text(field))
		eg_canon_bytes(b, tag, v->text);
	else
		eg_canon_int_always(b, tag, v->i);
}

void eg_effect_write(struct eg_buf *b, const struct eg_effect *e)
{
	if (e->has_person)
		put_id(b, E_PERSON, e->person);
	eg_canon_int(b, E_VERSION, e->version);
	eg_canon_int(b, E_PREVIOUS, (int64_t)e->previous);
	eg_canon_int(b, E_EVENT, (int64_t)e->event);
	eg_canon_int(b, E_LIFE_BEFORE, (int64_t)e->life_before);
	eg_canon_int(b, E_LIFE_AFTER, (int64_t)e->life_after);
	eg_canon_int(b, E_CORRECTS, (int64_t)e->corrects);
	if (e->has_other)
		put_id(b, E_OTHER, e->other);
	eg_canon_int(b, E_MERGED, e->merged);
	for (unsigned i = 0; i < e->n_fields; i++) {
		const struct eg_effect_field *f = &e->fields[i];
		size_t open = eg_canon_open(b, E_FIELD);
		eg_canon_int(b, F_FIELD, f->field);
		if (f->has_before)
			put_value(b, F_BEFORE, f->field, &f->before);
		if (f->has_after)
			put_value(b, F_AFTER, f->field, &f->after);
		eg_canon_bytes(b, F_AGENCY, f->agency);
		eg_canon_int(b, F_AS_OF, f->as_of);
		eg_canon_int(b, F_RULE, f->rule);
		eg_canon_close(b, open);
	}
	if (e->has_case)
		put_id(b, E_CASE, e->case_id);
	eg_canon_int(b, E_CASE_KIND, e->case_kind);
	for (unsigned i = 0; i < e->n_joined; i++)
		put_id(b, E_JOINED, e->joined[i]);
	for (unsigned i = 0; i < e->n_left; i++)
		put_id(b, E_LEFT, e->left[i]);
	if (e->has_view_digest)
		put_id(b, E_VIEW_DIGEST, e->view_digest);
	eg_canon_bytes(b, E_REGION_BEFORE, e->region_before);
	eg_canon_bytes(b, E_REGION_AFTER, e->region_after);
}

/* How often each tag stands in the text, so that the arrays can be made at their size. */
static void count_tags(struct eg_bytes text, unsigned counts[E_REGION_AFTER + 1])
{
	struct eg_canon_reader r = eg_canon_read(text);
	while (eg_canon_next(&r))
		if (r.tag <= E_REGION_AFTER)
			counts[r.tag]++;
}

static void read_value(struct eg_canon_reader *r, unsigned field, struct eg_value *out)
{
	out->number = (uint8_t)(field % 64);
	if (is_text(field))
		out->text = r->value;
	else
		out->i = eg_canon_as_int(r);
}

static bool read_field(struct eg_bytes text, struct eg_effect_field *out)
{
	struct eg_canon_reader r = eg_canon_read(text);
	unsigned last = 0;
	while (eg_canon_next(&r) && !r.bad) {
		if (r.tag == last || (r.tag != F_FIELD && !out->field))
			return false;
		last = r.tag;
		switch (r.tag) {
		case F_FIELD:
			out->field = (unsigned)small(&r, UINT16_MAX);
			break;
		case F_BEFORE:
			out->has_before = true;
			read_value(&r, out->field, &out->before);
			break;
		case F_AFTER:
			out->has_after = true;
			read_value(&r, out->field, &out->after);
			break;
		case F_AGENCY:
			out->agency = r.value;
			break;
		case F_AS_OF:
			out->as_of = eg_canon_as_int(&r);
			break;
		case F_RULE:
			out->rule = small(&r, EG_RULE_DERIVED);
			break;
		default:
			break;
		}
	}
	return !r.bad && out->field;
}

static void read_effect_item(struct eg_canon_reader *r, struct eg_effect *e)
{
	switch (r->tag) {
	case E_PERSON:
		e->has_person = fixed(r, e->person, sizeof e->person);
		break;
	case E_VERSION:
		e->version = eg_canon_as_int(r);
		r->bad |= e->version < 1;
		break;
	case E_PREVIOUS:
		e->previous = seq_of(r);
		break;
	case E_EVENT:
		e->event = (enum eg_event_kind)small(r, EG_EVENT_CASE_CLOSED);
		break;
	case E_LIFE_BEFORE:
		e->life_before = (enum eg_life)small(r, EG_LIFE_UNKNOWN);
		break;
	case E_LIFE_AFTER:
		e->life_after = (enum eg_life)small(r, EG_LIFE_UNKNOWN);
		break;
	case E_CORRECTS:
		e->corrects = seq_of(r);
		break;
	case E_OTHER:
		e->has_other = fixed(r, e->other, sizeof e->other);
		break;
	case E_MERGED:
		e->merged = small(r, 1) == 1;
		break;
	case E_FIELD:
		if (!read_field(r->value, &e->fields[e->n_fields++]))
			r->bad = true;
		break;
	case E_CASE:
		e->has_case = fixed(r, e->case_id, sizeof e->case_id);
		break;
	case E_CASE_KIND:
		e->case_kind = small(r, UINT16_MAX);
		break;
	case E_JOINED:
		fixed(r, e->joined[e->n_joined++], 16);
		break;
	case E_LEFT:
		fixed(r, e->left[e->n_left++], 16);
		break;
	case E_VIEW_DIGEST:
		e->has_view_digest = fixed(r, e->view_digest, sizeof e->view_digest);
		break;
	case E_REGION_BEFORE:
		e->region_before = r->value;
		break;
	case E_REGION_AFTER:
		e->region_after = r->value;
		break;
	default:
		break;
	}
}

enum eg_rc eg_effect_read(struct eg_bytes text, struct eg_arena *a, struct eg_effect *out, struct eg_err *err)
{
	unsigned counts[E_REGION_AFTER + 1] = {0};
	*out = (struct eg_effect){0};
	count_tags(text, counts);
	out->fields = eg_arena_alloc(a, counts[E_FIELD] * sizeof *out->fields);
	out->joined = eg_arena_alloc(a, counts[E_JOINED] * sizeof *out->joined);
	out->left = eg_arena_alloc(a, counts[E_LEFT] * sizeof *out->left);
	if (!out->fields || !out->joined || !out->left)
		return eg_fail(err, EG_LIMIT, "an effect does not fit the memory given to it");

	struct eg_canon_reader r = eg_canon_read(text);
	unsigned last = 0;
	while (eg_canon_next(&r) && !r.bad) {
		if (r.tag == last && r.tag != E_FIELD && r.tag != E_JOINED && r.tag != E_LEFT)
			r.bad = true;
		else
			read_effect_item(&r, out);
		last = r.tag;
	}
	if (r.bad)
		return eg_fail(err, EG_CORRUPT, "the effect part of a log entry is not canonical");
	return EG_OK;
}

enum eg_rc eg_entry_open(struct eg_vault *v, const struct eg_log_row *row, bool with_claim, bool with_effect,
                         struct eg_arena *a, struct eg_entry *out, struct eg_err *err)
{
	struct eg_bytes effect = {0};
	struct eg_header *h = &out->header;
	*out = (struct eg_entry){.row = row};
	enum eg_rc rc = eg_header_read(row->header, h, err);
	if (rc == EG_OK && h->seq != row->seq)
		rc = eg_fail(err, EG_CORRUPT, "log entry %llu says that it is %llu",
		             (unsigned long long)row->seq, (unsigned long long)h->seq);
	if (rc == EG_OK && with_claim && row->claim.len)
		rc = eg_vault_open_part(v, h->entry_id, (unsigned)h->kind, "claim", row->claim, a,
		                        &out->claim_part, err);
	if (rc == EG_OK && with_effect && row->effect.len)
		rc = eg_vault_open_part(v, h->entry_id, (unsigned)h->kind, "effect", row->effect, a, &effect,
		                        err);
	if (rc == EG_OK && effect.len) {
		out->has_effect = true;
		rc = eg_effect_read(effect, a, &out->effect, err);
	}
	return rc;
}
