/* case_view: see case_view.h. */
#include "edge/case_view.h"

#include "flow/list_info.h"
#include "model/authority.h"
#include "model/canon.h"

bool eg_case_offers(int case_kind, enum eg_decision_kind decision)
{
	switch ((enum eg_case_kind)case_kind) {
	case EG_CASE_VERSION_CONFLICT:
		return decision == EG_DECIDE_UPHOLD;
	case EG_CASE_DOUBLE_REGISTRATION:
	case EG_CASE_NUMBER_SHARED:
	case EG_CASE_AMBIGUOUS_KEY:
	case EG_CASE_PROPOSED_MATCH:
	case EG_CASE_NO_IDENTITY:
		return decision == EG_DECIDE_LINK || decision == EG_DECIDE_APART;
	case EG_CASE_LIST_SHRINK:
		return decision == EG_DECIDE_APPROVE || decision == EG_DECIDE_REFUSE;
	case EG_CASE_LIFE_DISPUTED:
	case EG_CASE_POLICE_LAG:
		return false; /* these close when a source corrects its statement */
	}
	return false;
}

int64_t eg_case_entry_time(struct eg_case_reader *r, uint64_t seq)
{
	struct eg_entry e;
	return seq && !eg_find_entry(&r->find, seq, false, &e, NULL) ? e.header.time : 0;
}

static void note_person(struct eg_case_reader *r, const uint8_t id[16])
{
	for (unsigned i = 0; i < r->n_persons; i++)
		if (!memcmp(r->persons[i], id, 16))
			return;
	if (r->n_persons == r->cap_persons) {
		unsigned cap = r->cap_persons ? 2 * r->cap_persons : 64;
		uint8_t(*more)[16] = eg_make(r->maker, cap * sizeof *more);
		if (!more)
			return;
		if (r->n_persons)
			memcpy(more, r->persons, r->n_persons * sizeof *more);
		r->persons = more;
		r->cap_persons = cap;
	}
	memcpy(r->persons[r->n_persons++], id, 16);
}

/* The source key's list and the id of its person, in one short read. */
static enum eg_rc source_of(struct eg_case_reader *r, const uint8_t token[EG_TOKEN_SIZE],
                            struct eg_versions *versions, bool *has_person, uint8_t person[16],
                            struct eg_err *err)
{
	const struct eg_finder *q = &r->find;
	struct eg_source_row source;
	struct eg_person_row row;
	*versions = (struct eg_versions){0};
	*has_person = false;
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_get_source(q->conn, token, q->arena, &source, err);
	if (!rc && source.person && !(rc = eg_get_person(q->conn, source.person, q->arena, &row, err))) {
		*has_person = true;
		memcpy(person, row.id, 16);
	}
	eg_read_end(q->conn);
	if (!rc)
		rc = eg_versions_read(source.body, q->arena, versions, err);
	return rc == EG_EMPTY ? EG_OK : rc;
}

static enum eg_rc add_fields(struct eg_case_reader *r, const struct eg_claim *c, Eldergate__V1__CaseParty *m)
{
	m->fields = EG_MAKE_LIST(r->maker, c->n);
	for (unsigned i = 0; i < c->n && m->fields; i++) {
		unsigned field = eg_authority_field(c->section, c->values[i].number);
		if (field && eg_purpose_has(r->grant, field))
			m->fields[m->n_fields++] = eg_make_entry(r->maker, field, &c->values[i]);
	}
	return EG_OK;
}

/* What the claim in an entry says of itself, and, if granted, of the person. */
static enum eg_rc add_claim(struct eg_case_reader *r, uint64_t seq, Eldergate__V1__CaseParty *m,
                            struct eg_err *err)
{
	struct eg_entry e;
	struct eg_claim c;
	enum eg_rc rc = eg_find_entry(&r->find, seq, true, &e, err);
	if (rc == EG_EMPTY || (!rc && !e.claim_part.len))
		return EG_OK;
	if (rc || (rc = eg_canon_claim_read(e.claim_part, r->find.arena, &c, err)))
		return rc;
	m->source = eg_make_source(r->maker, c.agency, c.dataset, c.event_time);
	m->section = (Eldergate__V1__Section)c.section;
	m->version = c.version;
	m->mapping_revision = c.mapping_revision;
	return r->grant ? add_fields(r, &c, m) : EG_OK;
}

static enum eg_rc make_party(struct eg_case_reader *r, const struct eg_case_body *b, unsigned i,
                             Eldergate__V1__CaseParty **out, struct eg_err *err)
{
	bool conflict = b->kind == EG_CASE_VERSION_CONFLICT, has_person;
	uint8_t person[16], ref[16], digest[EG_DIGEST_SIZE] = {0};
	struct eg_versions versions;
	Eldergate__V1__CaseParty *m =
	        EG_MAKE(r->maker, Eldergate__V1__CaseParty, eldergate__v1__case_party__init);
	*out = m;
	if (!m)
		return EG_OK;
	enum eg_rc rc = source_of(r, b->tokens[conflict ? 0 : i], &versions, &has_person, person, err);
	if (rc)
		return rc;
	m->number = i + 1;
	m->section = (Eldergate__V1__Section)versions.section;
	m->source = eg_make_source(r->maker, versions.agency, versions.dataset, 0);
	const struct eg_version *v = conflict ? NULL : eg_versions_effective(&versions);
	if (conflict) {
		m->seq = i < b->n_seqs ? b->seqs[i] : 0;
		memcpy(digest, b->digests[i], sizeof digest);
	} else if (v) {
		m->seq = v->seq;
		memcpy(digest, v->digest, sizeof digest);
	}
	if (m->seq) {
		m->digest = (ProtobufCBinaryData){
		        sizeof digest,
		        (uint8_t *)(void *)eg_make_text(r->maker, (struct eg_bytes){digest, sizeof digest})};
		if (!m->digest.data)
			m->digest.len = 0;
		rc = add_claim(r, m->seq, m, err);
	}
	if (rc || !has_person)
		return rc;
	note_person(r, person);
	rc = eg_caller_ref(&r->find, person, ref, err);
	m->person_ref = rc ? NULL : eg_make_id(r->maker, ref);
	return rc;
}

/* The list that a case is about, as its row has it. */
static enum eg_rc make_list(struct eg_case_reader *r, uint64_t seq, Eldergate__V1__ShrunkList **out,
                            struct eg_err *err)
{
	struct eg_list_row row;
	struct eg_list_info l;
	enum eg_rc rc = eg_read_begin(r->find.conn, err);
	if (rc)
		return rc;
	rc = eg_get_list_by_seq(r->find.conn, seq, r->find.arena, &row, err);
	eg_read_end(r->find.conn);
	if (rc == EG_OK)
		rc = eg_list_info_read(&row, r->find.arena, &l, err);
	if (rc)
		return rc == EG_EMPTY ? EG_OK : rc;
	Eldergate__V1__ShrunkList *m =
	        EG_MAKE(r->maker, Eldergate__V1__ShrunkList, eldergate__v1__shrunk_list__init);
	*out = m;
	if (!m)
		return EG_OK;
	m->source = eg_make_source(r->maker, eg_bytes_of(l.agency), eg_bytes_of(l.dataset), 0);
	m->list_id = eg_make_text(r->maker, eg_bytes_of(l.list_id));
	m->as_of = l.as_of;
	m->coverage_regions = EG_MAKE_LIST(r->maker, l.n_regions);
	for (unsigned i = 0; i < l.n_regions && m->coverage_regions; i++)
		m->coverage_regions[m->n_coverage_regions++] =
		        eg_make_text(r->maker, eg_bytes_of(l.regions[i]));
	m->seq = l.seq;
	m->received = l.rows;
	m->covered = l.counts.covered;
	m->missing = l.counts.missing;
	m->withdrawn_before = l.withdrawn_before;
	m->keyless = l.keyless;
	return EG_OK;
}

enum eg_rc eg_make_case(struct eg_case_reader *r, const struct eg_case_row *row, Eldergate__V1__Case **out,
                        struct eg_err *err)
{
	struct eg_case_body b;
	Eldergate__V1__Case *m = EG_MAKE(r->maker, Eldergate__V1__Case, eldergate__v1__case__init);
	*out = m;
	enum eg_rc rc = eg_case_open(r->find.vault, row, r->find.arena, &b, err);
	if (rc || !m)
		return rc;
	m->case_id = eg_make_id(r->maker, row->id);
	m->kind = (Eldergate__V1__CaseKind)row->kind;
	m->state = (Eldergate__V1__CaseState)row->state;
	m->opened_seq = row->opened;
	m->opened_time = eg_make_time(r->maker, eg_case_entry_time(r, row->opened));
	m->closed_seq = row->closed;
	m->closed_time = eg_make_time(r->maker, eg_case_entry_time(r, row->closed));
	m->decision = (Eldergate__V1__DecisionKind)b.decision;
	m->decided_by = eg_make_text(r->maker, b.decided_by);
	m->note = eg_make_text(r->maker, b.note);
	m->possible_decisions = eg_make(r->maker, 3 * sizeof *m->possible_decisions);
	for (int d = EG_DECIDE_LINK; d <= EG_DECIDE_REFUSE && m->possible_decisions; d++)
		if (row->state == EG_CASE_OPEN && eg_case_offers(row->kind, (enum eg_decision_kind)d))
			m->possible_decisions[m->n_possible_decisions++] = (Eldergate__V1__DecisionKind)d;
	if (b.kind == EG_CASE_LIST_SHRINK && b.n_seqs == 1)
		rc = make_list(r, b.seqs[0], &m->list, err);
	bool conflict = b.kind == EG_CASE_VERSION_CONFLICT;
	unsigned n = conflict ? (b.n_tokens ? b.n_digests : 0) : b.n_tokens;
	m->parties = EG_MAKE_LIST(r->maker, n);
	for (unsigned i = 0; i < n && !rc && !r->maker->failed; i++) {
		rc = make_party(r, &b, i, &m->parties[i], err);
		if (!rc && !r->maker->failed)
			m->n_parties++;
	}
	return rc;
}
