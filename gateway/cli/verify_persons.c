/* verify_persons: every stored person against the log, and the view computed anew from the claims.
 *
 * The log's facts (verify_facts.c) say whether a person is as it should be; of one that they do not fit, the
 * entries are read again, to say what is wrong, or that nothing is. */
#include "cli/verify.h"
#include "cli/verify_pages.h"

#include "flow/intake.h"
#include "flow/sealed.h"
#include "model/authority.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 256, PAGE_BYTES = 8 << 20 };

struct seen {
	struct verify *v;
	int64_t row;       /* of the last that was read */
	uint64_t read;     /* so many */
	uint64_t versions; /* of all persons together: as many as there are entries with an event */
	int64_t persons;   /* by the store's count */
	struct eg_buf
	        text[VERIFY_THREADS + 1]; /* of the view at hand, of each that looks and of who judges */
};

static enum eg_rc wrong(struct verify *v, const struct eg_person_row *row, const char *what,
                        struct eg_err *err)
{
	return verify_fail(v, row->last_seq, err,
	                   "the person that it is the last entry of (row %" PRId64 ") %s", row->row, what);
}

/* Is the claim what its entry holds, and its source key's token the one that follows? */
static enum eg_rc check_held(struct verify *v, const struct eg_person_row *row, const struct eg_held *h,
                             struct eg_err *err)
{
	struct eg_entry e;
	uint8_t token[EG_TOKEN_SIZE];
	enum eg_rc rc = verify_entry(v, h->seq, true, false, &e, err);
	if (rc)
		return verify_blame(v, h->seq, rc, err);
	v->result->claims++;
	if (!verify_erased(e.row->claim) && !eg_bytes_equal(e.claim_part, h->canon))
		return verify_fail(v, h->seq, err,
		                   "the person of row %" PRId64 " holds another claim than it", row->row);
	eg_source_token(v->a->vault, h->claim.agency, h->claim.dataset, h->claim.source_key, token);
	if (memcmp(token, h->token, sizeof token) != 0)
		return verify_fail(v, h->seq, err,
		                   "the person of row %" PRId64 " holds its claim for another source record",
		                   row->row);
	return EG_OK;
}

/* The view that follows from the claims, and its digest. text: where it is written down. */
static enum eg_rc make_view(const struct verify *v, const struct eg_person *p, struct eg_arena *a,
                            struct eg_buf *text, struct eg_view *view, uint8_t digest[16], struct eg_err *err)
{
	enum eg_rc rc = eg_view_build(p->held, p->n_held, NULL, a, view, err);
	if (rc)
		return rc;
	eg_buf_reset(text);
	eg_view_canon(text, view, p->held);
	if (text->failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a view");
	eg_vault_digest(v->a->vault, eg_buf_bytes(text), digest);
	return EG_OK;
}

static enum eg_rc check_view(struct seen *s, const struct eg_person_row *row, const struct eg_person *p,
                             const struct eg_effect *last, struct eg_err *err)
{
	struct verify *v = s->v;
	struct eg_view view;
	uint8_t digest[16];
	enum eg_rc rc = make_view(v, p, v->arena, &s->text[VERIFY_THREADS], &view, digest, err);
	if (rc)
		return verify_blame(v, row->last_seq, rc, err);
	v->result->views++;
	if (view.life != last->life_after)
		return wrong(v, row, "has claims from which another life status follows", err);
	if ((rc = verify_lag(v, row, p, eg_life_lags(view.evidence), err)))
		return rc;
	if (!last->has_view_digest || memcmp(digest, last->view_digest, sizeof digest) != 0)
		return wrong(v, row, "has claims from which another view follows", err);
	return EG_OK;
}

static enum eg_rc check_merged(struct verify *v, const struct eg_person_row *row, const struct eg_person *p,
                               const struct eg_effect *last, struct eg_err *err)
{
	struct eg_person_row other;
	if (!last->merged || p->n_held)
		return wrong(v, row, "was merged away, which its last entry does not say", err);
	if (!last->has_other || memcmp(last->other, p->merged_into, sizeof last->other) != 0)
		return wrong(v, row, "was merged into another than its last entry says", err);
	enum eg_rc rc = eg_get_person_by_id(v->a->conn, p->merged_into, v->side, &other, err);
	return rc == EG_EMPTY ? wrong(v, row, "was merged into one who is not there", err) : rc;
}

static enum eg_rc check_person(struct seen *s, const struct eg_person_row *row, struct eg_err *err)
{
	struct verify *v = s->v;
	struct eg_person p;
	struct eg_entry last;
	struct eg_effect effect;
	enum eg_rc rc = eg_person_open(v->a->vault, row, v->arena, &p, err);
	if (rc)
		return verify_blame(v, row->last_seq, rc, err);
	v->result->persons++;
	s->versions += (uint64_t)row->version;
	if (memcmp(p.id, row->id, sizeof p.id) != 0 || p.version != row->version)
		return wrong(v, row, "is stored with another id or version than its body has", err);
	rc = verify_entry(v, row->last_seq, false, true, &last, err);
	if (rc)
		return verify_blame(v, row->last_seq, rc, err);
	if (verify_erased(last.row->effect))
		return EG_OK;
	effect = last.effect; /* the side arena is used again below; what follows looks at plain members only
	                       */
	if (!last.has_effect || !effect.has_person || memcmp(effect.person, row->id, sizeof row->id) != 0)
		return wrong(v, row, "is not the one that the entry is about", err);
	if (effect.version != row->version)
		return wrong(v, row, "is stored with another version than the entry has", err);
	if (p.merged)
		return check_merged(v, row, &p, &effect, err);
	int64_t authority = last.header.authority_version;
	for (unsigned i = 0; i < p.n_held && !rc; i++)
		rc = check_held(v, row, &p.held[i], err);
	if (rc)
		return rc;
	if (authority != EG_AUTHORITY_VERSION) {
		v->result->other_authority++;
		return EG_OK;
	}
	return check_view(s, row, &p, &effect, err);
}

struct found {
	bool good, lags;
	struct eg_person p;
};

static bool holds(const struct verify *v, const struct eg_held *h)
{
	const struct verify_fact *f = verify_fact_of(v, h->seq);
	return f && f->claim == verify_claim_fact(v, h->token, h->canon);
}

/* Does everything fit the log's facts? */
static void look(void *arg, struct verify_page *page, unsigned thread, unsigned i)
{
	struct seen *s = arg;
	const struct verify *v = s->v;
	const struct eg_person_row *row = (const struct eg_person_row *)page->rows + i;
	struct found *f = (struct found *)page->seen + i;
	const struct verify_fact *last = verify_fact_of(v, row->last_seq);
	struct eg_person *p = &f->p;
	struct eg_view view;
	uint8_t digest[16];
	if (!last || !last->effect || eg_person_open(v->a->vault, row, page->work, p, NULL) || p->merged ||
	    memcmp(p->id, row->id, sizeof p->id) != 0 || p->version != row->version)
		return;
	for (unsigned k = 0; k < p->n_held; k++)
		if (!holds(v, &p->held[k]))
			return;
	if (make_view(v, p, page->work, &s->text[thread], &view, digest, NULL))
		return;
	f->lags = eg_life_lags(view.evidence);
	f->good = last->effect ==
	          verify_effect_fact(v, row->id, row->version, view.life, digest, EG_AUTHORITY_VERSION);
}

static enum eg_rc judge(void *arg, struct verify_page *page, unsigned i, struct eg_err *err)
{
	struct seen *s = arg;
	struct verify *v = s->v;
	const struct eg_person_row *row = (const struct eg_person_row *)page->rows + i;
	const struct found *f = (const struct found *)page->seen + i;
	eg_arena_reset(v->arena);
	if (!f->good)
		return check_person(s, row, err);
	v->result->persons++;
	s->versions += (uint64_t)row->version;
	v->result->claims += f->p.n_held;
	v->result->views++;
	for (unsigned k = 0; k < f->p.n_held; k++)
		verify_fact_of(v, f->p.held[k].seq)->holder = row->row;
	return verify_lag(v, row, &f->p, f->lags, err);
}

static enum eg_rc read_page(void *arg, struct verify_page *page, struct eg_err *err)
{
	struct seen *s = arg;
	struct eg_person_row *rows = NULL;
	enum eg_rc rc =
	        eg_list_persons(s->v->walk, s->row, PAGE, PAGE_BYTES, page->arena, &rows, &page->n, err);
	page->rows = rows;
	s->row = !rc && page->n ? rows[page->n - 1].row : s->row;
	s->read += rc ? 0 : page->n;
	verify_progress(s->v, "persons", s->read, (uint64_t)s->persons);
	return rc;
}

enum eg_rc verify_persons(struct verify *v, struct eg_err *err)
{
	static const struct verify_pass pass = {sizeof(struct found), read_page, look, judge, NULL};
	struct seen s = {.v = v};
	int64_t open_cases;
	enum eg_rc rc = eg_count(v->a->conn, &s.persons, &open_cases, err);
	if (!rc)
		rc = verify_pages(&pass, &s, err);
	for (unsigned i = 0; i <= VERIFY_THREADS; i++)
		eg_buf_free(&s.text[i]);
	/* Chains that end at a stored person hold every event just once, or some event belongs to no stored
	 * person. */
	if (!rc && !v->result->erased_parts && s.versions != v->result->events)
		rc = eg_fail(err, EG_CORRUPT,
		             "the log has %" PRIu64
		             " events, but the versions of the stored persons add up to %" PRIu64
		             ": a person is missing, or a chain forks",
		             v->result->events, s.versions);
	return rc;
}
