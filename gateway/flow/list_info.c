/* list_info: the codec (gateway/FORMAT.md, "Body of a list"). */
#include "flow/list_info.h"

#include "model/canon.h"

#include <stdlib.h>
#include <string.h>

enum {
	B_RECEIVED = 1,
	B_ENDED,
	B_REGION,
	B_MAPPING_REVISION,
	B_VERSIONLESS,
	B_OPERATOR,
	B_WITHDRAWN_BEFORE,
	B_HELD,
	B_CASE,
	B_FAILURE,
	B_WHY,
	B_STARTED,
	B_TAKEN_AT,
	B_ROWS = 16,
	B_KEYLESS,
	B_UNCHANGED,
	B_CHANGED,
	B_ADDED,
	B_STALE,
	B_REJECTED,
	B_MISSING,
	B_COVERED,
	B_WITHDRAWN,
	B_SKIPPED,
	B_UNSAID
};

/* Items of a LIST entry's claim part that the body does not have. */
enum { P_AS_OF = 32, P_PINNED = 33, P_STARTED = 34 };

static enum eg_rc no_room(struct eg_err *err)
{
	return eg_fail(err, EG_LIMIT, "a list does not fit the memory given to it");
}

/* The counts stand in one order in both texts. */
static void put_counts(const struct eg_list_info *l, struct eg_buf *b)
{
	const struct eg_list_counts *c = &l->counts;
	const uint64_t v[] = {l->rows,     l->keyless, c->unchanged, c->changed,   c->added,   c->stale,
	                      c->rejected, c->missing, c->covered,   c->withdrawn, c->skipped, c->unsaid};
	for (unsigned i = 0; i < sizeof v / sizeof *v; i++)
		eg_canon_int(b, B_ROWS + i, (int64_t)v[i]);
}

static void put_common(const struct eg_list_info *l, struct eg_buf *b)
{
	for (unsigned i = 0; i < l->n_regions; i++)
		eg_canon_bytes(b, B_REGION, eg_bytes_of(l->regions[i]));
	eg_canon_int(b, B_MAPPING_REVISION, l->mapping_revision);
	eg_canon_int(b, B_VERSIONLESS, l->versionless);
}

void eg_list_info_part(const struct eg_list_info *l, struct eg_buf *b)
{
	put_common(l, b);
	eg_canon_int(b, B_WITHDRAWN_BEFORE, (int64_t)l->withdrawn_before);
	eg_canon_int(b, B_HELD, l->held);
	put_counts(l, b);
	eg_canon_int_always(b, P_AS_OF, l->as_of);
	eg_canon_int(b, P_PINNED, (int64_t)l->pinned);
	eg_canon_int(b, P_STARTED, (int64_t)l->started);
}

enum eg_rc eg_list_info_row(const struct eg_list_info *l, struct eg_arena *a, struct eg_list_row *out,
                            struct eg_err *err)
{
	struct eg_buf b = {0};
	enum eg_rc rc = EG_OK;
	*out = (struct eg_list_row){
	        .row = l->row,
	        .agency = l->agency,
	        .dataset = l->dataset,
	        .list_id = l->list_id,
	        .as_of = l->as_of,
	        .phase = (int)l->phase,
	        .pinned = l->pinned,
	        .seq = l->seq,
	};
	memcpy(out->digest, l->digest, sizeof out->digest);
	memcpy(out->spool, l->spool, sizeof out->spool);
	eg_canon_int(&b, B_RECEIVED, l->received_us);
	eg_canon_int(&b, B_ENDED, l->ended_us);
	put_common(l, &b);
	eg_canon_bytes(&b, B_OPERATOR, eg_bytes_of(l->operator_name));
	eg_canon_int(&b, B_WITHDRAWN_BEFORE, (int64_t)l->withdrawn_before);
	eg_canon_int(&b, B_HELD, l->held);
	if (l->held)
		eg_canon_bytes(&b, B_CASE, (struct eg_bytes){l->case_id, sizeof l->case_id});
	if (l->phase == EG_LIST_FAILED) {
		eg_canon_int(&b, B_FAILURE, l->failure);
		eg_canon_bytes(&b, B_WHY, eg_bytes_of(l->why));
	}
	eg_canon_int(&b, B_STARTED, (int64_t)l->started);
	eg_canon_int(&b, B_TAKEN_AT, l->taken_at);
	put_counts(l, &b);
	if (b.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "a list's row could not be written");
	if (rc == EG_OK) {
		out->body = (struct eg_bytes){eg_arena_copy(a, b.p, b.len), b.len};
		if (!out->body.p)
			rc = no_room(err);
	}
	eg_buf_free(&b);
	return rc;
}

static uint64_t *count_of(struct eg_list_info *l, unsigned tag)
{
	struct eg_list_counts *c = &l->counts;
	uint64_t *const all[] = {&l->rows,    &l->keyless,   &c->unchanged, &c->changed,
	                         &c->added,   &c->stale,     &c->rejected,  &c->missing,
	                         &c->covered, &c->withdrawn, &c->skipped,   &c->unsaid};
	return all[tag - B_ROWS];
}

static bool read_item(struct eg_canon_reader *r, struct eg_arena *a, struct eg_list_info *l)
{
	if (r->tag >= B_ROWS && r->tag <= B_UNSAID) {
		*count_of(l, r->tag) = (uint64_t)eg_canon_as_int(r);
		return true;
	}
	switch (r->tag) {
	case B_RECEIVED:
		l->received_us = eg_canon_as_int(r);
		return true;
	case B_ENDED:
		l->ended_us = eg_canon_as_int(r);
		return true;
	case B_REGION:
		if (l->n_regions == EG_LIST_REGIONS_MAX)
			return false;
		l->regions[l->n_regions] = eg_arena_text(a, (const char *)r->value.p, r->value.len);
		return l->regions[l->n_regions++] != NULL;
	case B_MAPPING_REVISION:
		l->mapping_revision = (uint32_t)eg_canon_as_int(r);
		return true;
	case B_VERSIONLESS:
		l->versionless = eg_canon_as_int(r) == 1;
		return true;
	case B_OPERATOR:
		l->operator_name = eg_arena_text(a, (const char *)r->value.p, r->value.len);
		return l->operator_name != NULL;
	case B_WITHDRAWN_BEFORE:
		l->withdrawn_before = (uint64_t)eg_canon_as_int(r);
		return true;
	case B_HELD:
		l->held = eg_canon_as_int(r) == 1;
		return true;
	case B_CASE:
		if (r->value.len != sizeof l->case_id)
			return false;
		memcpy(l->case_id, r->value.p, sizeof l->case_id);
		return true;
	case B_FAILURE:
		l->failure = (enum eg_rc)eg_canon_as_int(r);
		return true;
	case B_WHY:
		l->why = eg_arena_text(a, (const char *)r->value.p, r->value.len);
		return l->why != NULL;
	case B_STARTED:
		l->started = (uint64_t)eg_canon_as_int(r);
		return true;
	case B_TAKEN_AT:
		l->taken_at = eg_canon_as_int(r);
		return true;
	}
	return true; /* a later format's */
}

enum eg_rc eg_list_info_read(const struct eg_list_row *row, struct eg_arena *a, struct eg_list_info *out,
                             struct eg_err *err)
{
	struct eg_canon_reader r = eg_canon_read(row->body);
	*out = (struct eg_list_info){
	        .row = row->row,
	        .agency = row->agency,
	        .dataset = row->dataset,
	        .list_id = row->list_id,
	        .operator_name = "",
	        .why = "",
	        .as_of = row->as_of,
	        .phase = (enum eg_list_phase)row->phase,
	        .pinned = row->pinned,
	        .seq = row->seq,
	        .regions = eg_arena_alloc(a, EG_LIST_REGIONS_MAX * sizeof(const char *)),
	};
	if (!out->regions)
		return no_room(err);
	memcpy(out->digest, row->digest, sizeof out->digest);
	memcpy(out->spool, row->spool, sizeof out->spool);
	while (eg_canon_next(&r))
		if (!read_item(&r, a, out))
			r.bad = true;
	if (!out->operator_name || !out->why || (out->n_regions && !out->regions[out->n_regions - 1]))
		return no_room(err);
	if (r.bad || row->phase < EG_LIST_RECEIVED || row->phase > EG_LIST_FAILED ||
	    row->phase == EG_LIST_RECEIVING)
		return eg_fail(err, EG_CORRUPT, "the row of list %lld is not canonical", (long long)row->row);
	return EG_OK;
}

enum eg_rc eg_list_info_copy(const struct eg_list_info *l, struct eg_arena *a, struct eg_list_info *out,
                             struct eg_err *err)
{
	*out = *l;
	out->agency = eg_arena_text(a, l->agency, strlen(l->agency));
	out->dataset = eg_arena_text(a, l->dataset, strlen(l->dataset));
	out->list_id = eg_arena_text(a, l->list_id, strlen(l->list_id));
	out->operator_name = eg_arena_text(a, l->operator_name, strlen(l->operator_name));
	out->why = l->why ? eg_arena_text(a, l->why, strlen(l->why)) : "";
	out->regions = eg_arena_alloc(a, (l->n_regions + 1) * sizeof(const char *));
	if (!out->agency || !out->dataset || !out->list_id || !out->operator_name || !out->why ||
	    !out->regions)
		return no_room(err);
	for (unsigned i = 0; i < l->n_regions; i++)
		if (!(out->regions[i] = eg_arena_text(a, l->regions[i], strlen(l->regions[i]))))
			return no_room(err);
	return EG_OK;
}

static const char *put_text(char **at, const char *text)
{
	size_t len = strlen(text) + 1;
	char *to = *at;
	memcpy(to, text, len);
	*at += len;
	return to;
}

struct eg_list_info *eg_list_info_clone(const struct eg_list_info *l)
{
	size_t texts =
	        strlen(l->agency) + strlen(l->dataset) + strlen(l->list_id) + strlen(l->operator_name) + 4;
	for (unsigned i = 0; i < l->n_regions; i++)
		texts += strlen(l->regions[i]) + 1;
	struct eg_list_info *out = malloc(sizeof *out + l->n_regions * sizeof(const char *) + texts);
	if (!out)
		return NULL;
	*out = *l;
	out->regions = (const char **)(void *)(out + 1);
	char *at = (char *)(void *)(out->regions + l->n_regions);
	out->agency = put_text(&at, l->agency);
	out->dataset = put_text(&at, l->dataset);
	out->list_id = put_text(&at, l->list_id);
	out->operator_name = put_text(&at, l->operator_name);
	out->why = ""; /* that of a list that failed nobody asks here */
	for (unsigned i = 0; i < l->n_regions; i++)
		out->regions[i] = put_text(&at, l->regions[i]);
	return out;
}

uint64_t eg_list_since(const struct eg_list_info *l)
{
	return l->started && l->started < l->pinned ? l->started : l->pinned;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool eg_list_overlap(const struct eg_list_info *a, const struct eg_list_info *b)
{
	if (!a->n_regions || !b->n_regions)
		return true;
	for (unsigned i = 0; i < a->n_regions; i++)
		for (unsigned k = 0; k < b->n_regions; k++)
			if (begins(a->regions[i], b->regions[k]) || begins(b->regions[k], a->regions[i]))
				return true;
	return false;
}

static bool has_region(const struct eg_list_info *l, const char *region)
{
	for (unsigned i = 0; i < l->n_regions; i++)
		if (strcmp(l->regions[i], region) == 0)
			return true;
	return false;
}

/* In any order, a region twice as good as once. */
static bool same_regions(const struct eg_list_info *a, const struct eg_list_info *b)
{
	for (unsigned i = 0; i < a->n_regions; i++)
		if (!has_region(b, a->regions[i]))
			return false;
	for (unsigned i = 0; i < b->n_regions; i++)
		if (!has_region(a, b->regions[i]))
			return false;
	return true;
}

bool eg_list_same(const struct eg_list_info *a, const struct eg_list_info *b)
{
	return a->phase != EG_LIST_FAILED && b->phase != EG_LIST_FAILED && a->as_of == b->as_of &&
	       a->mapping_revision == b->mapping_revision && memcmp(a->digest, b->digest, 32) == 0 &&
	       strcmp(a->agency, b->agency) == 0 && strcmp(a->dataset, b->dataset) == 0 &&
	       strcmp(a->list_id, b->list_id) == 0 && same_regions(a, b);
}

bool eg_list_includes(const struct eg_list_info *a, const struct eg_list_info *b)
{
	if (!a->n_regions)
		return true;
	for (unsigned k = 0; k < b->n_regions; k++)
		if (!eg_list_covers_region(a, eg_bytes_of(b->regions[k])))
			return false;
	return b->n_regions > 0;
}

bool eg_list_covers_region(const struct eg_list_info *l, struct eg_bytes region)
{
	for (unsigned i = 0; i < l->n_regions; i++) {
		size_t len = strlen(l->regions[i]);
		if (region.len >= len && memcmp(region.p, l->regions[i], len) == 0)
			return true;
	}
	return !l->n_regions;
}
