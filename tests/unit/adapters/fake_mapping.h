/* fake_mapping: the mapping's functions over rows of two columns, key and kind; the kind says what becomes of
 * it: ok, death, void, skip, bad, keyless, schema, huge. */
#ifndef EG_TESTS_FAKE_MAPPING_H
#define EG_TESTS_FAKE_MAPPING_H

#include "common/mapper.h"
#include "common/outbound.h"
#include "eldergate/v1/elder.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eg_mapping {
	struct eg_mapping_info info;
	struct eg_mapping_outbound outbound;
};
struct eg_mapper {
	struct eg_buf record;
};
struct eg_outbound {
	char id[64], kind[16];
	struct eg_bytes values[2];
};

const struct eg_mapping_info *eg_mapping_info(const struct eg_mapping *m)
{
	return &m->info;
}

const struct eg_mapping_outbound *eg_mapping_outbound(const struct eg_mapping *m)
{
	return &m->outbound;
}

enum eg_rc eg_mapper_new(struct eg_mapper **out, const struct eg_mapping *m, struct eg_err *err)
{
	(void)m;
	*out = calloc(1, sizeof **out);
	return *out ? EG_OK : eg_fail(err, EG_NO_MEMORY, "none");
}

void eg_mapper_free(struct eg_mapper *p)
{
	if (p)
		eg_buf_free(&p->record);
	free(p);
}

static bool kind_is(const struct eg_in *in, const char *kind)
{
	return eg_bytes_equal(in->values[1], eg_bytes_of(kind));
}

enum eg_rc eg_mapper_row(struct eg_mapper *p, const struct eg_in *in, struct eg_mapped *out,
                         struct eg_err *err)
{
	static char key[64];
	Eldergate__V1__Record r = ELDERGATE__V1__RECORD__INIT;
	Eldergate__V1__Registration section = ELDERGATE__V1__REGISTRATION__INIT;
	static char huge[20001];
	*out = (struct eg_mapped){.key = in->values[0]};
	snprintf(key, sizeof key, "%.*s", (int)in->values[0].len, (const char *)in->values[0].p);
	if (kind_is(in, "schema"))
		return eg_fail(err, EG_CONFIG, "the column SFZH is gone");
	if (kind_is(in, "bad") || kind_is(in, "keyless")) {
		out->n_faults = 1;
		out->faults[0] = (struct eg_row_fault){.code = "DATE_INVALID",
		                                       .field = "registration.birth_date",
		                                       .column = "CSRQ",
		                                       .text = "日期不存在。",
		                                       .en = "The date does not exist."};
		if (kind_is(in, "keyless"))
			out->key = (struct eg_bytes){0};
		return eg_fail(err, EG_INVALID, "faults");
	}
	out->skipped = kind_is(in, "skip");
	out->void_op = kind_is(in, "void");
	r.source_key = key;
	r.version = 1;
	r.operation = out->void_op ? ELDERGATE__V1__OPERATION__OPERATION_VOID
	                           : ELDERGATE__V1__OPERATION__OPERATION_ASSERT;
	r.section_case = ELDERGATE__V1__RECORD__SECTION_REGISTRATION;
	r.registration = &section;
	if (kind_is(in, "death"))
		section.registration_status =
		        ELDERGATE__V1__REGISTRATION_STATUS__REGISTRATION_STATUS_CANCELLED_DEATH;
	if (kind_is(in, "huge"))
		section.address_text = memset(huge, 'x', sizeof huge - 1);
	eg_buf_reset(&p->record);
	eldergate__v1__record__pack(&r, eg_buf_grow(&p->record, eldergate__v1__record__get_packed_size(&r)));
	out->record = eg_buf_bytes(&p->record);
	return EG_OK;
}

enum eg_rc eg_mapper_list(struct eg_mapper *p, const struct eg_in *in, struct eg_list_scope *out,
                          struct eg_err *err)
{
	(void)p;
	*out = (struct eg_list_scope){
	        .as_of = in->list.as_of, .n_regions = in->list.n_regions, .regions = in->list.regions};
	return in->list.as_of ? EG_OK : eg_fail(err, EG_CONFIG, "no as_of");
}

/* An event's columns are its id and, as kind, what the test put into case_id: skip, bad or anything. */
enum eg_rc eg_outbound_new(struct eg_outbound **out, const struct eg_mapping *m, struct eg_err *err)
{
	(void)m;
	*out = calloc(1, sizeof **out);
	return *out ? EG_OK : eg_fail(err, EG_NO_MEMORY, "none");
}

void eg_outbound_free(struct eg_outbound *o)
{
	free(o);
}

static enum eg_rc outbound_columns(struct eg_outbound *o, const char *log_id, uint64_t seq, const char *kind,
                                   struct eg_delivery *out, bool *skip, struct eg_err *err)
{
	static const char *const names[] = {"ID", "KIND"};
	if (strcmp(kind, "bad") == 0)
		return eg_fail(err, EG_INVALID, "no code for the column KIND");
	snprintf(o->id, sizeof o->id, "%s-%llu", log_id, (unsigned long long)seq);
	snprintf(o->kind, sizeof o->kind, "%s", kind);
	o->values[0] = eg_bytes_of(o->id);
	o->values[1] = eg_bytes_of(o->kind);
	*skip = strcmp(kind, "skip") == 0;
	*out = (struct eg_delivery){.event_id = o->id, .n = 2, .names = names, .values = o->values};
	return EG_OK;
}

enum eg_rc eg_outbound_event_view(struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e,
                                  const Eldergate__V1__ElderView *view, struct eg_delivery *out, bool *skip,
                                  struct eg_err *err)
{
	/* The view shows as the person's version behind the seq. */
	if (view)
		return outbound_columns(o, e->log_id, e->seq * 100 + (uint64_t)view->person_version,
		                        e->case_id, out, skip, err);
	return outbound_columns(o, e->log_id, e->seq, e->case_id, out, skip, err);
}

bool eg_outbound_needs_view(const struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e)
{
	(void)o;
	return strcmp(e->case_id, "view") == 0;
}

enum eg_rc eg_outbound_shown(struct eg_outbound *o, const char *log_id, uint64_t seq, const char *person_ref,
                             const Eldergate__V1__ElderView *view, struct eg_delivery *out, bool *skip,
                             struct eg_err *err)
{
	(void)person_ref;
	return outbound_columns(o, log_id, seq * 100 + (uint64_t)view->person_version, "state", out, skip,
	                        err);
}

enum eg_rc eg_outbound_state(struct eg_outbound *o, const Eldergate__V1__PersonState *s,
                             struct eg_delivery *out, bool *skip, struct eg_err *err)
{
	return outbound_columns(o, s->log_id, s->seq, "state", out, skip, err);
}

#endif
