/* canon: writing canonical items, reading them strictly. Thread: any; nothing is shared. */
#include "model/canon.h"

#include <string.h>

enum { HEAD = 6, INT_SIZE = 8, TAG_MAX = 0xffff };

/* Items of a claim (gateway/FORMAT.md). */
enum {
	T_AGENCY = 1,
	T_DATASET = 2,
	T_SOURCE_KEY = 3,
	T_SECTION = 4,
	T_VERSION = 5,
	T_MAPPING_REVISION = 6,
	T_OP = 7,
	T_EVENT_TIME = 8,
	T_VALID_FROM = 9,
	T_VALID_TO = 10,
	T_CLEARED = 11,
	T_FIELD = 0x1000
};

/* Big-endian, in one step each: compilers make one instruction of these, and not of a loop. */

static inline void put16(uint8_t *to, unsigned v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static inline void put32(uint8_t *to, uint32_t v)
{
	to[0] = (uint8_t)(v >> 24);
	to[1] = (uint8_t)(v >> 16);
	to[2] = (uint8_t)(v >> 8);
	to[3] = (uint8_t)v;
}

static inline void put64(uint8_t *to, uint64_t v)
{
	put32(to, (uint32_t)(v >> 32));
	put32(to + 4, (uint32_t)v);
}

static inline unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

/* The head of an item and room for its value; NULL if failed. One reservation: nothing in the gateway is
 * written more often. */
static uint8_t *put_head(struct eg_buf *b, unsigned tag, size_t len)
{
	uint8_t *p = NULL;
	if (tag == 0 || tag > TAG_MAX || len > UINT32_MAX) {
		b->failed = true;
	} else if (!b->failed && HEAD + len <= b->cap - b->len) { /* as nearly always */
		p = b->p + b->len;
		b->len += HEAD + len;
	} else {
		p = eg_buf_grow(b, HEAD + len);
	}
	if (!p)
		return NULL;
	put16(p, tag);
	put32(p + 2, (uint32_t)len);
	return p + HEAD;
}

void eg_canon_bytes(struct eg_buf *b, unsigned tag, struct eg_bytes v)
{
	uint8_t *to = v.len ? put_head(b, tag, v.len) : NULL;
	if (to)
		memcpy(to, v.p, v.len);
}

void eg_canon_int_always(struct eg_buf *b, unsigned tag, int64_t v)
{
	uint8_t *to = put_head(b, tag, INT_SIZE);
	if (to)
		put64(to, (uint64_t)v);
}

void eg_canon_int(struct eg_buf *b, unsigned tag, int64_t v)
{
	if (v != 0)
		eg_canon_int_always(b, tag, v);
}

size_t eg_canon_open(struct eg_buf *b, unsigned tag)
{
	put_head(b, tag, 0);
	return b->len;
}

void eg_canon_close(struct eg_buf *b, size_t opened)
{
	if (b->failed)
		return;
	size_t len = b->len - opened;
	if (len == 0) { /* an empty value is left out, nested or not */
		b->len = opened - HEAD;
		return;
	}
	put32(b->p + opened - 4, (uint32_t)len);
}

struct eg_canon_reader eg_canon_read(struct eg_bytes text)
{
	return (struct eg_canon_reader){.rest = text};
}

bool eg_canon_next(struct eg_canon_reader *r)
{
	if (r->bad || r->rest.len == 0)
		return false;
	if (r->rest.len < HEAD)
		goto bad;
	unsigned tag = get16(r->rest.p);
	size_t len = get32(r->rest.p + 2);
	if (tag == 0 || tag < r->tag || len == 0 || len > r->rest.len - HEAD)
		goto bad;
	r->tag = tag;
	r->value = (struct eg_bytes){r->rest.p + HEAD, len};
	r->rest = (struct eg_bytes){r->value.p + len, r->rest.len - HEAD - len};
	return true;
bad:
	r->bad = true;
	return false;
}

int64_t eg_canon_as_int(struct eg_canon_reader *r)
{
	if (r->value.len != INT_SIZE) {
		r->bad = true;
		return 0;
	}
	return (int64_t)get64(r->value.p);
}

static bool is_text(const struct eg_field_def *f)
{
	return f->type == EG_TYPE_TEXT || f->type == EG_TYPE_CODE;
}

static void put_date(struct eg_buf *b, unsigned tag, struct eg_date d)
{
	if (d.year > 0)
		eg_canon_int(b, tag, eg_date_pack(d));
}

/* Items 8 and up: what both the claim's and the assertion's text end with. */
static void put_content(struct eg_buf *b, const struct eg_claim *c)
{
	eg_canon_int(b, T_EVENT_TIME, c->event_time);
	put_date(b, T_VALID_FROM, c->valid_from);
	put_date(b, T_VALID_TO, c->valid_to);
	for (unsigned i = 0; i < c->n; i++) {
		if (c->values[i].cleared)
			eg_canon_int(b, T_CLEARED, c->values[i].number);
	}
	for (unsigned i = 0; i < c->n; i++) {
		const struct eg_value *v = &c->values[i];
		const struct eg_field_def *f = eg_field_by_number(c->section, v->number);
		if (!f)
			b->failed = true; /* no reader could tell its type */
		else if (v->cleared)
			continue;
		else if (is_text(f))
			eg_canon_bytes(b, T_FIELD + v->number, v->text);
		else
			eg_canon_int_always(b, T_FIELD + v->number, v->i);
	}
}

static struct eg_canon_piece piece(const struct eg_buf *b, size_t at)
{
	return (struct eg_canon_piece){at, b->len - at};
}

void eg_canon_claim_pieces(struct eg_buf *b, const struct eg_claim *c,
                           struct eg_canon_piece assertion[EG_CANON_PIECES])
{
	size_t at = b->len;
	eg_canon_bytes(b, T_AGENCY, c->agency);
	eg_canon_bytes(b, T_DATASET, c->dataset);
	assertion[0] = piece(b, at);
	eg_canon_bytes(b, T_SOURCE_KEY, c->source_key);
	at = b->len;
	eg_canon_int(b, T_SECTION, c->section);
	assertion[1] = piece(b, at);
	eg_canon_int_always(b, T_VERSION, c->version);
	eg_canon_int(b, T_MAPPING_REVISION, c->mapping_revision);
	eg_canon_int(b, T_OP, c->op);
	at = b->len;
	put_content(b, c);
	assertion[2] = piece(b, at);
}

void eg_canon_assertion_pieces(struct eg_bytes canon, struct eg_bytes assertion[EG_CANON_PIECES])
{
	struct eg_canon_reader r = eg_canon_read(canon);
	memset(assertion, 0, EG_CANON_PIECES * sizeof *assertion);
	while (eg_canon_next(&r)) {
		const uint8_t *end = r.value.p + r.value.len;
		if (r.tag == T_AGENCY || r.tag == T_DATASET) {
			assertion[0] = (struct eg_bytes){canon.p, (size_t)(end - canon.p)};
		} else if (r.tag == T_SECTION) {
			assertion[1] = (struct eg_bytes){r.value.p - HEAD, HEAD + r.value.len};
		} else if (r.tag >= T_EVENT_TIME) {
			const uint8_t *at = r.value.p - HEAD;
			assertion[2] = (struct eg_bytes){at, canon.len - (size_t)(at - canon.p)};
			break;
		}
	}
}

void eg_canon_claim(struct eg_buf *b, const struct eg_claim *c)
{
	struct eg_canon_piece ignored[EG_CANON_PIECES];
	eg_canon_claim_pieces(b, c, ignored);
}

void eg_canon_assertion(struct eg_buf *b, const struct eg_claim *c)
{
	eg_canon_bytes(b, T_AGENCY, c->agency);
	eg_canon_bytes(b, T_DATASET, c->dataset);
	eg_canon_int(b, T_SECTION, c->section);
	put_content(b, c);
}

/* The reading side below marks the reader bad at the first thing that the writer above does not do. */

static int64_t int_in(struct eg_canon_reader *r, int64_t low, int64_t high)
{
	int64_t v = eg_canon_as_int(r);
	if (v < low || v > high)
		r->bad = true;
	return r->bad ? 0 : v;
}

static struct eg_date date_of(struct eg_canon_reader *r)
{
	/* Not eg_date_valid: a record that was set aside for its dates must be readable too. */
	return eg_date_unpack((int32_t)int_in(r, 1 << 9, INT16_MAX * (1 << 9) + 511));
}

struct seen {
	uint64_t fields; /* bit per field number that came, cleared or set */
	unsigned n;
	struct eg_value by_number[EG_FIELD_NUMBER_MAX + 1];
};

static struct eg_value *see(struct eg_canon_reader *r, struct seen *s, const struct eg_claim *c,
                            unsigned number)
{
	const struct eg_field_def *f = eg_field_by_number(c->section, number);
	if (!f || s->fields >> number & 1) {
		r->bad = true;
		return NULL;
	}
	s->fields |= UINT64_C(1) << number;
	s->n++;
	s->by_number[number] = (struct eg_value){.number = (uint8_t)number};
	return &s->by_number[number];
}

static void read_field(struct eg_canon_reader *r, struct seen *s, const struct eg_claim *c)
{
	struct eg_value *v = r->tag > T_FIELD ? see(r, s, c, r->tag - T_FIELD) : NULL;
	if (!v)
		r->bad = true;
	else if (is_text(eg_field_by_number(c->section, v->number)))
		v->text = r->value;
	else
		v->i = eg_canon_as_int(r);
}

static void read_cleared(struct eg_canon_reader *r, struct seen *s, const struct eg_claim *c, unsigned last)
{
	unsigned number = (unsigned)int_in(r, (int64_t)last + 1, EG_FIELD_NUMBER_MAX);
	struct eg_value *v = r->bad ? NULL : see(r, s, c, number);
	if (v)
		v->cleared = true;
}

enum eg_rc eg_canon_claim_read(struct eg_bytes text, struct eg_arena *a, struct eg_claim *out,
                               struct eg_err *err)
{
	struct eg_canon_reader r = eg_canon_read(text);
	struct seen seen;
	unsigned before = 0, cleared = 0;
	bool has_version = false;

	*out = (struct eg_claim){0};
	seen.fields = 0;
	seen.n = 0;
	while (eg_canon_next(&r)) {
		if (r.tag == before && r.tag != T_CLEARED)
			r.bad = true;
		before = r.tag;
		switch (r.tag) {
		case T_AGENCY:
			out->agency = r.value;
			break;
		case T_DATASET:
			out->dataset = r.value;
			break;
		case T_SOURCE_KEY:
			out->source_key = r.value;
			break;
		case T_SECTION:
			out->section = (enum eg_section)int_in(&r, 1, EG_SECTION_END - 1);
			break;
		case T_VERSION:
			out->version = eg_canon_as_int(&r);
			has_version = true;
			break;
		case T_MAPPING_REVISION:
			out->mapping_revision = (uint32_t)int_in(&r, 1, UINT32_MAX);
			break;
		case T_OP:
			out->op = (enum eg_op)int_in(&r, EG_ASSERT, EG_WITHDRAW);
			break;
		case T_EVENT_TIME:
			out->event_time = eg_canon_as_int(&r);
			r.bad = r.bad || out->event_time == 0;
			break;
		case T_VALID_FROM:
			out->valid_from = date_of(&r);
			break;
		case T_VALID_TO:
			out->valid_to = date_of(&r);
			break;
		case T_CLEARED:
			read_cleared(&r, &seen, out, cleared);
			cleared = r.bad ? 0 : (unsigned)eg_canon_as_int(&r);
			break;
		default:
			read_field(&r, &seen, out);
		}
	}
	if (r.bad || !has_version || !out->section || !out->op)
		return eg_fail(err, EG_CORRUPT, "a stored claim is not in canonical form");

	if (seen.n > 0) {
		out->values = eg_arena_alloc(a, seen.n * sizeof *out->values);
		if (!out->values)
			return eg_fail(err, EG_LIMIT,
			               "a claim does not fit into the memory set aside for it");
	}
	for (unsigned i = 1; i <= EG_FIELD_NUMBER_MAX; i++) {
		if (seen.fields >> i & 1)
			out->values[out->n++] = seen.by_number[i];
	}
	return EG_OK;
}
