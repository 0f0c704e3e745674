/* rehearse: see rehearse.h. */
#include "flow/rehearse.h"

static enum eg_rc versions_of(struct eg_conn *c, const struct eg_item *item, struct eg_arena *a,
                              struct eg_versions *out, struct eg_err *err)
{
	struct eg_source_row row;
	*out = (struct eg_versions){0};
	enum eg_rc rc = eg_get_source(c, item->token, a, &row, err);
	if (rc == EG_EMPTY)
		return EG_OK;
	return rc ? rc : eg_versions_read(row.body, a, out, err);
}

/* The entry that said it already. */
static uint64_t entry_of(const struct eg_versions *l, const struct eg_item *item)
{
	const struct eg_version *slot =
	        eg_versions_find(l, item->version.version, item->version.mapping_revision);
	if (!slot)
		return 0;
	return item->claim.op == EG_VOID ? slot->void_seq : slot->seq;
}

static enum eg_rc rehearse_item(struct eg_conn *c, struct eg_item *item, struct eg_arena *a, uint64_t head,
                                struct eg_err *err)
{
	struct eg_versions list;
	struct eg_version v = item->version;
	enum eg_rc rc;
	if (eg_reasons_quarantine(&item->reasons)) {
		item->outcome = EG_QUARANTINED;
		return EG_OK;
	}
	if ((rc = versions_of(c, item, a, &list, err)))
		return rc;
	v.seq = v.void_seq = head + 1;
	switch (eg_versions_put(&list, item->claim.op, &v, a)) {
	case EG_PUT_EFFECTIVE:
		item->outcome = EG_APPLIED;
		return EG_OK;
	case EG_PUT_STALE:
		item->outcome = EG_STALE;
		return EG_OK;
	case EG_PUT_UNCHANGED:
	case EG_PUT_CONFIRMED:
		item->outcome = EG_UNCHANGED;
		item->seq = entry_of(&list, item);
		return EG_OK;
	case EG_PUT_CONFLICT:
		eg_reasons_add(&item->reasons, EG_REASON_VERSION_CONFLICT, "version");
		item->outcome = EG_QUARANTINED;
		return EG_OK;
	case EG_PUT_FULL:
		eg_reasons_add(&item->reasons, EG_REASON_VERSIONS_EXHAUSTED, "version");
		item->outcome = EG_QUARANTINED;
		return EG_OK;
	case EG_PUT_FAILED:
		break;
	}
	return eg_fail(err, EG_LIMIT, "the batch does not fit the memory given to it");
}

enum eg_rc eg_rehearse(struct eg_intake *in, struct eg_conn *c, struct eg_ticket *t, uint64_t *head,
                       struct eg_err *err)
{
	struct eg_submission *s = &t->submission;
	enum { MEMORY = 64 << 20 }; /* the lists of versions of a batch's keys, one at a time */
	struct eg_arena *lists = eg_arena_new(MEMORY);
	enum eg_rc rc = lists ? eg_intake_judge(in, t, err)
	                      : eg_fail(err, EG_NO_MEMORY, "no memory to rehearse a batch");
	if (!rc)
		rc = eg_read_begin(c, err);
	if (rc) {
		eg_arena_free(lists);
		return rc;
	}
	rc = eg_get_head(c, head, err);
	for (unsigned i = 0; i < s->n && !rc; i++) {
		if (eg_read_expired(c)) {
			eg_read_end(c);
			if ((rc = eg_read_begin(c, err)))
				break;
		}
		rc = eg_arena_why(lists, rehearse_item(c, &s->items[i], lists, *head, err), err);
		eg_arena_reset(lists);
	}
	eg_read_end(c);
	eg_arena_free(lists);
	return rc;
}
