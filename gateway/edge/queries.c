/* queries: see queries.h. */
#include "edge/queries.h"

#include "model/id_number.h"
#include "model/text.h"

#include <string.h>

enum { HOPS_MAX = 32 /* merges one after the other */, NAME_TOKEN = EG_JOIN_KEY_SIZE - EG_TOKEN_SIZE };

#define ASKED(how) ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_##how

static enum eg_rc no_room(struct eg_err *err)
{
	return eg_fail(err, EG_LIMIT, "the answer does not fit the memory given to it");
}

static enum eg_rc row_by_id(const struct eg_finder *q, const uint8_t id[16], struct eg_person_row *row,
                            struct eg_err *err)
{
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_get_person_by_id(q->conn, id, q->arena, row, err);
	eg_read_end(q->conn);
	return rc;
}

enum eg_rc eg_find_by_id(const struct eg_finder *q, const uint8_t id[16], struct eg_person *out,
                         struct eg_err *err)
{
	struct eg_person_row row;
	uint8_t at[16];
	memcpy(at, id, sizeof at);
	for (int hop = 0; hop < HOPS_MAX; hop++) {
		enum eg_rc rc = row_by_id(q, at, &row, err);
		if (rc == EG_OK)
			rc = eg_person_open(q->vault, &row, q->arena, out, err);
		if (rc || !out->merged)
			return rc;
		memcpy(at, out->merged_into, sizeof at);
	}
	return eg_fail(err, EG_CORRUPT, "a person was merged more often than can be");
}

enum eg_rc eg_caller_ref(const struct eg_finder *q, const uint8_t id[16], uint8_t ref[16], struct eg_err *err)
{
	char audience[EG_NAME_MAX + 16];
	eg_audience_of(q->caller->who, audience);
	return eg_vault_ref(q->vault, audience, id, ref, err);
}

enum eg_rc eg_find_entry(const struct eg_finder *q, uint64_t seq, bool with_claim, struct eg_entry *out,
                         struct eg_err *err)
{
	struct eg_log_row *row = eg_arena_alloc(q->arena, sizeof *row);
	if (!row)
		return no_room(err);
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_get_entry(q->conn, seq, q->arena, row, err);
	eg_read_end(q->conn);
	return rc ? rc : eg_entry_open(q->vault, row, with_claim, false, q->arena, out, err);
}

/* ---- by person row ---- */

/* Distinct rows of persons that something points to. */
struct rows {
	unsigned n, cap;
	int64_t *v;
};

static void add_row(struct rows *r, int64_t row)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->v[i] == row)
			return;
	if (row && r->n < r->cap)
		r->v[r->n++] = row;
}

static enum eg_rc open_row(const struct eg_finder *q, int64_t number, struct eg_person *out,
                           struct eg_err *err)
{
	struct eg_person_row row;
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_get_person(q->conn, number, q->arena, &row, err);
	eg_read_end(q->conn);
	if (!rc)
		rc = eg_person_open(q->vault, &row, q->arena, out, err);
	return rc || !out->merged ? rc : eg_find_by_id(q, out->merged_into, out, err);
}

static enum eg_rc from_rows(const struct eg_finder *q, const struct rows *rows, struct eg_match *out,
                            struct eg_err *err)
{
	out->match = ELDERGATE__V1__MATCH__MATCH_NOT_FOUND;
	if (!rows->n)
		return EG_OK;
	out->several = eg_arena_alloc(q->arena, rows->n * sizeof *out->several);
	if (!out->several)
		return no_room(err);
	for (unsigned i = 0; i < rows->n; i++) {
		enum eg_rc rc = open_row(q, rows->v[i], &out->person, err);
		if (rc == EG_EMPTY)
			continue; /* gone between two reads */
		if (rc)
			return rc;
		unsigned known = 0; /* two rows may have been merged meanwhile */
		while (known < out->n_several && memcmp(out->several[known], out->person.id, 16) != 0)
			known++;
		if (known == out->n_several)
			memcpy(out->several[out->n_several++], out->person.id, 16);
	}
	if (out->n_several)
		out->match = out->n_several == 1 ? ELDERGATE__V1__MATCH__MATCH_FOUND
		                                 : ELDERGATE__V1__MATCH__MATCH_SEVERAL;
	return EG_OK;
}

/* ---- by identity ---- */

static enum eg_reason_code fault_of(unsigned flags)
{
	if (flags & EG_ID_EXCEL)
		return EG_REASON_EXCEL_DAMAGE;
	if (flags & EG_ID_BAD_CHARACTERS)
		return EG_REASON_ID_CHARACTERS;
	if (flags & EG_ID_BAD_LENGTH)
		return EG_REASON_ID_LENGTH;
	return flags & EG_ID_BAD_DATE ? EG_REASON_ID_DATE : EG_REASON_ID_CHECK_DIGIT;
}

/* Whose number it is by their effective records; if it is nobody's now, whose it was. */
static enum eg_rc holders(const struct eg_finder *q, const uint8_t token[EG_TOKEN_SIZE], const uint8_t *name,
                          struct rows *now, struct rows *once, struct eg_err *err)
{
	static const uint8_t only_proposed[NAME_TOKEN];
	struct eg_alias *a;
	unsigned n;
	enum eg_rc rc = eg_list_aliases(q->conn, token, q->arena, &a, &n, err);
	if (rc)
		return rc;
	*now = (struct rows){.cap = n, .v = eg_arena_alloc(q->arena, (n + 1) * sizeof *now->v)};
	*once = (struct rows){.cap = n, .v = eg_arena_alloc(q->arena, (n + 1) * sizeof *once->v)};
	if (!now->v || !once->v)
		return no_room(err);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *key = a[i].key + EG_TOKEN_SIZE;
		struct eg_source_row source;
		struct eg_versions versions;
		if (!memcmp(key, only_proposed, NAME_TOKEN) || (name && memcmp(key, name, NAME_TOKEN) != 0))
			continue;
		if ((rc = eg_get_source_by_row(q->conn, a[i].source, q->arena, &source, err)) ||
		    (rc = eg_versions_read(source.body, q->arena, &versions, err)))
			return rc;
		const struct eg_version *v = eg_versions_effective(&versions);
		bool holds = v && v->has_key && !memcmp(v->key, a[i].key, EG_JOIN_KEY_SIZE);
		add_row(holds ? now : once, source.person);
	}
	return EG_OK;
}

static enum eg_rc by_identity(const struct eg_finder *q, const Eldergate__V1__IdentitySelector *s,
                              struct eg_match *out, struct eg_err *err)
{
	char normal[128];
	uint8_t name[NAME_TOKEN];
	struct rows now, once;
	struct eg_id id;
	out->match = ELDERGATE__V1__MATCH__MATCH_NOT_FOUND;
	if (!*s->id_number)
		return eg_fail_field(err, EG_INVALID, "identity.id_number", "an ID number is needed");
	eg_id_parse(eg_bytes_of(s->id_number), &id);
	out->bad = id.id18[0] ? 0 : fault_of(id.flags);
	out->has_token = id.id18[0];
	if (out->has_token)
		eg_id18_token(q->vault, id.id18, out->token);
	bool asks = out->has_token && !id.derived; /* a derived number only proposes */
	explicit_bzero(&id, sizeof id);
	if (!asks)
		return EG_OK;
	size_t len = eg_name_normalise(eg_bytes_of(s->name), normal, sizeof normal);
	struct eg_bytes value = {(uint8_t *)normal, len};
	if (len)
		eg_vault_token(q->vault, "name", &value, 1, name, sizeof name);
	explicit_bzero(normal, sizeof normal);
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = holders(q, out->token, len ? name : NULL, &now, &once, err);
	eg_read_end(q->conn);
	return rc ? rc : from_rows(q, now.n ? &now : &once, out, err);
}

/* ---- by reference, by record ---- */

static enum eg_rc by_ref(const struct eg_finder *q, const char *text, struct eg_match *out,
                         struct eg_err *err)
{
	char audience[EG_NAME_MAX + 16];
	uint8_t ref[16], id[16];
	if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32 || !eg_unhex(text, ref, sizeof ref))
		return eg_fail_field(err, EG_INVALID, "person_ref",
		                     "a reference has 32 lower-case hexadecimal digits");
	eg_audience_of(q->caller->who, audience);
	enum eg_rc rc = eg_vault_unref(q->vault, audience, ref, id, err);
	if (!rc)
		rc = eg_find_by_id(q, id, &out->person, err);
	out->match = rc ? ELDERGATE__V1__MATCH__MATCH_NOT_FOUND : ELDERGATE__V1__MATCH__MATCH_FOUND;
	return rc == EG_EMPTY || rc == EG_NOT_FOUND ? EG_OK : rc;
}

static enum eg_rc by_record(const struct eg_finder *q, const Eldergate__V1__SourceRecordSelector *s,
                            struct eg_match *out, struct eg_err *err)
{
	struct eg_source_row source = {0};
	int64_t row;
	struct rows rows = {.cap = 1, .v = &row};
	if (!*s->dataset || !*s->source_key)
		return eg_fail_field(err, EG_INVALID, "source_record",
		                     "a dataset and a source key are needed");
	eg_source_token(q->vault, eg_bytes_of(q->caller->who->name), eg_bytes_of(s->dataset),
	                eg_bytes_of(s->source_key), out->token);
	out->has_token = true;
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_get_source(q->conn, out->token, q->arena, &source, err);
	eg_read_end(q->conn);
	if (rc && rc != EG_EMPTY)
		return rc;
	if (!rc)
		add_row(&rows, source.person);
	return from_rows(q, &rows, out, err);
}

enum eg_rc eg_find_person(const struct eg_finder *q, const Eldergate__V1__PersonSelector *s,
                          struct eg_match *out, struct eg_err *err)
{
	*out = (struct eg_match){0};
	switch (s->selector_case) {
	case ASKED(PERSON_REF):
		return by_ref(q, s->person_ref, out, err);
	case ASKED(IDENTITY):
		return by_identity(q, s->identity, out, err);
	case ASKED(SOURCE_RECORD):
		return by_record(q, s->source_record, out, err);
	default:
		return eg_fail_field(err, EG_INVALID, "selector", "the selector names nobody");
	}
}
