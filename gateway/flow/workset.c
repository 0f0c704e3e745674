/* workset: loading and flushing. A reject or a link depends on no other row, so those two go into the
 * transaction at once. */
#include "flow/workset.h"

#include "base/fault.h"

#include <stdlib.h>
#include <string.h>

/* Rows made by a commit come behind all stored ones. */
#define ORDER_NEW (UINT64_C(1) << 62)

enum eg_rc eg_ws_no_memory(struct eg_err *err)
{
	return eg_fail(err, EG_LIMIT, "one commit's work does not fit its memory budget");
}

void eg_ws_begin(struct eg_workset *w, struct eg_vault *v, struct eg_conn *c, struct eg_tx *tx,
                 struct eg_arena *a, int64_t time_us)
{
	*w = (struct eg_workset){.vault = v, .conn = c, .tx = tx, .arena = a, .time = time_us};
	w->last_case = &w->all_cases;
	eg_random(w->ids, sizeof w->ids);
}

uint64_t eg_ws_step(struct eg_workset *w)
{
	return ++w->step;
}

/* ---- source keys ---- */

static enum eg_rc add_source(struct eg_workset *w, const struct eg_source_row *row, struct eg_ws_source **out,
                             struct eg_err *err)
{
	struct eg_ws_source *s = eg_arena_alloc(w->arena, sizeof *s);
	uint8_t key[16];
	if (!s)
		return eg_ws_no_memory(err);
	s->row = *row;
	s->order = row->row ? (uint64_t)row->row : ORDER_NEW + ++w->made;
	if (row->row) {
		enum eg_rc rc = eg_versions_read(row->body, w->arena, &s->versions, err);
		if (rc)
			return rc;
		eg_table_row_key(row->row, key);
		if (!eg_table_put(&w->source_rows, w->arena, key, s))
			return eg_ws_no_memory(err);
	}
	if (!eg_table_put(&w->sources, w->arena, s->row.token, s))
		return eg_ws_no_memory(err);
	s->next = w->all_sources;
	w->all_sources = s;
	*out = s;
	return EG_OK;
}

enum eg_rc eg_ws_source(struct eg_workset *w, const uint8_t token[16], struct eg_ws_source **out,
                        struct eg_err *err)
{
	struct eg_source_row row = {0};
	*out = eg_table_get(&w->sources, token);
	if (*out)
		return EG_OK;
	enum eg_rc rc = eg_get_source(w->conn, token, w->arena, &row, err);
	if (rc == EG_EMPTY) {
		row = (struct eg_source_row){0};
		memcpy(row.token, token, sizeof row.token);
	} else if (rc) {
		return rc;
	}
	return add_source(w, &row, out, err);
}

static enum eg_rc source_by_row(struct eg_workset *w, int64_t number, struct eg_ws_source **out,
                                struct eg_err *err)
{
	struct eg_source_row row = {0};
	uint8_t key[16];
	eg_table_row_key(number, key);
	*out = eg_table_get(&w->source_rows, key);
	if (*out)
		return EG_OK;
	enum eg_rc rc = eg_get_source_by_row(w->conn, number, w->arena, &row, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "an alias points to source key row %lld, which is not there",
		               (long long)number);
	return rc ? rc : add_source(w, &row, out, err);
}

/* ---- persons ---- */

static enum eg_rc add_person(struct eg_workset *w, struct eg_ws_person *p, struct eg_err *err)
{
	uint8_t key[16];
	p->order = p->row.row ? (uint64_t)p->row.row : ORDER_NEW + ++w->made;
	if (p->row.row) {
		eg_table_row_key(p->row.row, key);
		if (!eg_table_put(&w->person_rows, w->arena, key, p))
			return eg_ws_no_memory(err);
	}
	if (!eg_table_put(&w->persons, w->arena, p->row.id, p))
		return eg_ws_no_memory(err);
	p->next = w->all_persons;
	w->all_persons = p;
	return EG_OK;
}

static enum eg_rc open_person(struct eg_workset *w, const struct eg_person_row *row,
                              struct eg_ws_person **out, struct eg_err *err)
{
	struct eg_ws_person *p = eg_arena_alloc(w->arena, sizeof *p);
	if (!p)
		return eg_ws_no_memory(err);
	p->row = *row;
	enum eg_rc rc = eg_person_open(w->vault, row, w->arena, &p->now, err);
	if (rc == EG_OK)
		rc = add_person(w, p, err);
	if (rc == EG_OK)
		*out = p;
	return rc;
}

enum eg_rc eg_ws_person_by_row(struct eg_workset *w, int64_t row, struct eg_ws_person **out,
                               struct eg_err *err)
{
	struct eg_person_row found = {0};
	uint8_t key[16];
	eg_table_row_key(row, key);
	*out = eg_table_get(&w->person_rows, key);
	if (*out)
		return EG_OK;
	enum eg_rc rc = eg_get_person(w->conn, row, w->arena, &found, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "person row %lld is named, but not there", (long long)row);
	return rc ? rc : open_person(w, &found, out, err);
}

enum eg_rc eg_ws_person_of(struct eg_workset *w, struct eg_ws_source *s, struct eg_ws_person **out,
                           struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	if (!s->person && s->row.person)
		rc = eg_ws_person_by_row(w, s->row.person, &s->person, err);
	*out = s->person;
	return rc;
}

enum eg_rc eg_ws_person_by_id(struct eg_workset *w, const uint8_t id[16], struct eg_ws_person **out,
                              struct eg_err *err)
{
	struct eg_person_row row = {0};
	*out = eg_table_get(&w->persons, id);
	if (*out)
		return EG_OK;
	enum eg_rc rc = eg_get_person_by_id(w->conn, id, w->arena, &row, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "a case names a person that is not there");
	return rc ? rc : open_person(w, &row, out, err);
}

enum eg_rc eg_ws_person_new(struct eg_workset *w, struct eg_ws_person **out, struct eg_err *err)
{
	struct eg_ws_person *p = eg_arena_alloc(w->arena, sizeof *p);
	if (!p)
		return eg_ws_no_memory(err);
	eg_random(p->row.id, sizeof p->row.id);
	memcpy(p->row.id, w->ids, sizeof w->ids);
	memcpy(p->now.id, p->row.id, sizeof p->now.id);
	*out = p;
	return add_person(w, p, err);
}

/* ---- aliases ---- */

enum eg_rc eg_ws_aliases(struct eg_workset *w, const uint8_t id18[16], struct eg_ws_prefix **out,
                         struct eg_err *err)
{
	struct eg_alias *rows = NULL;
	unsigned n = 0;
	*out = eg_table_get(&w->aliases, id18);
	if (*out)
		return EG_OK;
	enum eg_rc rc = eg_list_aliases(w->conn, id18, w->arena, &rows, &n, err);
	if (rc)
		return rc;
	struct eg_ws_prefix *p = eg_arena_alloc(w->arena, sizeof *p);
	struct eg_ws_alias *a = eg_arena_alloc(w->arena, n * sizeof *a);
	if (!p || !a || !eg_table_put(&w->aliases, w->arena, id18, p))
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < n; i++) {
		memcpy(a[i].key, rows[i].key, sizeof a[i].key);
		a[i].row = rows[i].source;
		a[i].stored = a[i].present = true;
		a[i].next = p->first;
		p->first = &a[i];
	}
	*out = p;
	return EG_OK;
}

enum eg_rc eg_ws_alias_source(struct eg_workset *w, struct eg_ws_alias *a, struct eg_ws_source **out,
                              struct eg_err *err)
{
	enum eg_rc rc = a->source ? EG_OK : source_by_row(w, a->row, &a->source, err);
	*out = a->source;
	return rc;
}

enum eg_rc eg_ws_alias_set(struct eg_workset *w, const uint8_t key[EG_JOIN_KEY_SIZE], struct eg_ws_source *s,
                           bool present, struct eg_err *err)
{
	struct eg_ws_prefix *p = NULL;
	struct eg_ws_alias *a;
	enum eg_rc rc = eg_ws_aliases(w, key, &p, err);
	if (rc)
		return rc;
	for (a = p->first; a; a = a->next)
		if (memcmp(a->key, key, sizeof a->key) == 0 &&
		    (a->source == s || (!a->source && a->row == s->row.row)))
			break;
	if (!a && present) {
		a = eg_arena_alloc(w->arena, sizeof *a);
		if (!a)
			return eg_ws_no_memory(err);
		memcpy(a->key, key, sizeof a->key);
		a->next = p->first;
		p->first = a;
	}
	if (a) {
		a->source = s;
		a->present = present;
	}
	return EG_OK;
}

/* ---- links ---- */

/* Keeps the newest link of each pair. */
static void add_link(struct eg_ws_source *s, const struct eg_link_row *l)
{
	for (unsigned i = 0; i < s->n_links; i++) {
		struct eg_link_row *have = &s->links[i];
		if (memcmp(have->a, l->a, 16) != 0 || memcmp(have->b, l->b, 16) != 0)
			continue;
		if (l->seq >= have->seq)
			*have = *l;
		return;
	}
	s->links[s->n_links++] = *l;
}

enum eg_rc eg_ws_links(struct eg_workset *w, struct eg_ws_source *s, struct eg_err *err)
{
	struct eg_link_row *rows = NULL;
	unsigned n = 0;
	if (s->links_loaded)
		return EG_OK;
	enum eg_rc rc = eg_list_links(w->conn, s->row.token, w->arena, &rows, &n, err);
	if (rc)
		return rc;
	s->links = rows;
	s->n_links = 0;
	for (unsigned i = 0; i < n; i++) /* in place: never ahead of what is read */
		add_link(s, &rows[i]);
	s->links_loaded = true;
	return EG_OK;
}

static enum eg_rc grow_links(struct eg_workset *w, struct eg_ws_source *s, struct eg_err *err)
{
	struct eg_link_row *more = eg_arena_alloc(w->arena, (s->n_links + 1) * sizeof *more);
	if (!more)
		return eg_ws_no_memory(err);
	if (s->n_links)
		memcpy(more, s->links, s->n_links * sizeof *more);
	s->links = more;
	return EG_OK;
}

enum eg_rc eg_ws_link_put(struct eg_workset *w, struct eg_ws_source *a, struct eg_ws_source *b,
                          enum eg_link_kind kind, uint64_t seq, struct eg_err *err)
{
	struct eg_link_row l = {.kind = (int)kind, .seq = seq};
	struct eg_ws_source *ends[2] = {a, b};
	bool swap = memcmp(a->row.token, b->row.token, 16) > 0;
	memcpy(l.a, ends[swap]->row.token, 16);
	memcpy(l.b, ends[!swap]->row.token, 16);
	for (unsigned i = 0; i < (a == b ? 1 : 2); i++) {
		enum eg_rc rc = eg_ws_links(w, ends[i], err);
		if (rc == EG_OK)
			rc = grow_links(w, ends[i], err);
		if (rc)
			return rc;
		add_link(ends[i], &l);
	}
	eg_tx_put_link(w->tx, &l);
	return EG_OK;
}

/* ---- rejects ---- */

static enum eg_rc add_reject(struct eg_workset *w, struct eg_ws_source *s, const struct eg_reject_row *r,
                             struct eg_err *err)
{
	struct eg_ws_reject *x = eg_arena_alloc(w->arena, sizeof *x);
	if (!x)
		return eg_ws_no_memory(err);
	x->row = *r;
	x->next = s->rejects;
	s->rejects = x;
	return EG_OK;
}

enum eg_rc eg_ws_rejects(struct eg_workset *w, struct eg_ws_source *s, struct eg_err *err)
{
	struct eg_reject_row *rows = NULL;
	unsigned n = 0;
	if (s->rejects_loaded)
		return EG_OK;
	enum eg_rc rc = eg_list_rejects_of(w->conn, s->row.token, w->arena, &rows, &n, err);
	for (unsigned i = 0; i < n && rc == EG_OK; i++)
		rc = add_reject(w, s, &rows[i], err);
	s->rejects_loaded = rc == EG_OK;
	return rc;
}

enum eg_rc eg_ws_reject_put(struct eg_workset *w, struct eg_ws_source *s, const struct eg_reject_row *r,
                            struct eg_err *err)
{
	enum eg_rc rc = eg_ws_rejects(w, s, err);
	struct eg_ws_reject *x = s->rejects;
	while (x && x->row.seq != r->seq)
		x = x->next;
	if (rc == EG_OK && x)
		x->row = *r;
	else if (rc == EG_OK)
		rc = add_reject(w, s, r, err);
	if (rc == EG_OK)
		eg_tx_put_reject(w->tx, r);
	return rc;
}

/* ---- cases ---- */

static enum eg_rc add_case(struct eg_workset *w, struct eg_ws_case *c, struct eg_err *err)
{
	if (!eg_table_put(&w->cases, w->arena, c->row.id, c) ||
	    !eg_table_put(&w->subjects, w->arena, c->row.subject, c))
		return eg_ws_no_memory(err);
	*w->last_case = c;
	w->last_case = &c->next;
	return EG_OK;
}

static enum eg_rc open_case(struct eg_workset *w, const struct eg_case_row *row, struct eg_ws_case **out,
                            struct eg_err *err)
{
	struct eg_ws_case *c = eg_arena_alloc(w->arena, sizeof *c);
	if (!c)
		return eg_ws_no_memory(err);
	c->row = *row;
	enum eg_rc rc = eg_case_open(w->vault, row, w->arena, &c->body, err);
	if (rc == EG_OK)
		rc = add_case(w, c, err);
	if (rc == EG_OK)
		*out = c;
	return rc;
}

enum eg_rc eg_ws_case(struct eg_workset *w, const uint8_t id[16], struct eg_ws_case **out, struct eg_err *err)
{
	struct eg_case_row row = {0};
	*out = eg_table_get(&w->cases, id);
	if (*out)
		return EG_OK;
	enum eg_rc rc = eg_get_case(w->conn, id, w->arena, &row, err);
	if (rc == EG_EMPTY)
		return EG_OK;
	return rc ? rc : open_case(w, &row, out, err);
}

enum eg_rc eg_ws_case_by_subject(struct eg_workset *w, const uint8_t subject[16], struct eg_ws_case **out,
                                 struct eg_err *err)
{
	struct eg_case_row row = {0};
	*out = eg_table_get(&w->subjects, subject);
	if (*out)
		return EG_OK;
	enum eg_rc rc = eg_get_case_by_subject(w->conn, subject, w->arena, &row, err);
	if (rc == EG_EMPTY)
		return EG_OK;
	return rc ? rc : open_case(w, &row, out, err);
}

enum eg_rc eg_ws_case_new(struct eg_workset *w, const uint8_t subject[16], struct eg_ws_case **out,
                          struct eg_err *err)
{
	struct eg_ws_case *c = eg_arena_alloc(w->arena, sizeof *c);
	if (!c)
		return eg_ws_no_memory(err);
	eg_random(c->row.id, sizeof c->row.id);
	memcpy(c->row.subject, subject, sizeof c->row.subject);
	*out = c;
	return add_case(w, c, err);
}

/* ---- flush ---- */

static int cmp_person(const void *a, const void *b)
{
	const struct eg_ws_person *x = *(struct eg_ws_person *const *)a,
	                          *y = *(struct eg_ws_person *const *)b;
	if (x->row.row != y->row.row && x->row.row && y->row.row)
		return x->row.row < y->row.row ? -1 : 1;
	if (!x->row.row != !y->row.row)
		return x->row.row ? -1 : 1;
	return memcmp(x->row.id, y->row.id, sizeof x->row.id);
}

static int cmp_source(const void *a, const void *b)
{
	const struct eg_ws_source *x = *(struct eg_ws_source *const *)a,
	                          *y = *(struct eg_ws_source *const *)b;
	return memcmp(x->row.token, y->row.token, sizeof x->row.token);
}

static int cmp_alias(const void *a, const void *b)
{
	const struct eg_ws_alias *x = *(struct eg_ws_alias *const *)a, *y = *(struct eg_ws_alias *const *)b;
	int c = memcmp(x->key, y->key, sizeof x->key);
	return c ? c : (x->source->row.row > y->source->row.row) - (x->source->row.row < y->source->row.row);
}

static enum eg_rc flush_persons(struct eg_workset *w, struct eg_buf *body, struct eg_err *err)
{
	size_t n = 0;
	for (struct eg_ws_person *p = w->all_persons; p; p = p->next)
		n += p->dirty;
	struct eg_ws_person **list = eg_arena_alloc(w->arena, n * sizeof(struct eg_ws_person *));
	if (!list)
		return eg_ws_no_memory(err);
	n = 0;
	for (struct eg_ws_person *p = w->all_persons; p; p = p->next)
		if (p->dirty)
			list[n++] = p;
	qsort(list, n, sizeof *list, cmp_person);
	for (size_t i = 0; i < n; i++) {
		struct eg_ws_person *p = list[i];
		eg_buf_reset(body);
		enum eg_rc rc = eg_person_seal(w->vault, &p->now, body, err);
		if (rc)
			return rc;
		p->row.version = p->now.version;
		p->row.body = eg_buf_bytes(body);
		if (eg_unsafe("stale_state") && p->row.row && i == 0)
			continue; /* its entry is there, its state is not */
		eg_tx_put_person(w->tx, &p->row);
		if (p->lag == EG_WS_LAG_BEGINS)
			eg_tx_put_lag(w->tx, p->row.row, p->lag_since ? p->lag_since : w->time);
		else if (p->lag == EG_WS_LAG_ENDS)
			eg_tx_drop_lag(w->tx, p->row.row);
		else if (p->lag_since)
			eg_tx_age_lag(w->tx, p->row.row, p->lag_since);
	}
	return EG_OK;
}

static enum eg_rc flush_sources(struct eg_workset *w, struct eg_buf *body, struct eg_err *err)
{
	size_t n = 0;
	for (struct eg_ws_source *s = w->all_sources; s; s = s->next)
		n += s->dirty;
	struct eg_ws_source **list = eg_arena_alloc(w->arena, n * sizeof(struct eg_ws_source *));
	if (!list)
		return eg_ws_no_memory(err);
	n = 0;
	for (struct eg_ws_source *s = w->all_sources; s; s = s->next)
		if (s->dirty)
			list[n++] = s;
	qsort(list, n, sizeof *list, cmp_source);
	for (size_t i = 0; i < n; i++) {
		struct eg_ws_source *s = list[i];
		eg_buf_reset(body);
		eg_versions_write(body, &s->versions);
		if (body->failed)
			return eg_fail(err, EG_NO_MEMORY, "a source key's body could not be written");
		if (eg_unsafe("lose_slot") && s->row.row)
			continue; /* a further version of a source key is not written down */
		if (s->person)
			s->row.person = s->person->row.row;
		s->row.body = eg_buf_bytes(body);
		eg_tx_put_source(w->tx, &s->row);
	}
	return EG_OK;
}

static enum eg_rc flush_aliases(struct eg_workset *w, struct eg_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < w->aliases.cap; i++) {
		const struct eg_ws_prefix *p = w->aliases.slots[i].value;
		for (const struct eg_ws_alias *a = p ? p->first : NULL; a; a = a->next)
			n += a->present != a->stored;
	}
	struct eg_ws_alias **list = eg_arena_alloc(w->arena, n * sizeof(struct eg_ws_alias *));
	if (!list)
		return eg_ws_no_memory(err);
	n = 0;
	for (size_t i = 0; i < w->aliases.cap; i++) {
		struct eg_ws_prefix *p = w->aliases.slots[i].value;
		for (struct eg_ws_alias *a = p ? p->first : NULL; a; a = a->next)
			if (a->present != a->stored)
				list[n++] = a;
	}
	qsort(list, n, sizeof *list, cmp_alias);
	for (size_t i = 0; i < n; i++) {
		if (list[i]->present)
			eg_tx_put_alias(w->tx, list[i]->key, list[i]->source->row.row);
		else
			eg_tx_drop_alias(w->tx, list[i]->key, list[i]->source->row.row);
	}
	return EG_OK;
}

static enum eg_rc flush_cases(struct eg_workset *w, struct eg_buf *body, struct eg_err *err)
{
	for (struct eg_ws_case *c = w->all_cases; c; c = c->next) {
		if (!c->dirty)
			continue;
		eg_buf_reset(body);
		enum eg_rc rc = eg_case_seal(w->vault, c->row.id, &c->body, body, err);
		if (rc)
			return rc;
		c->row.kind = (int)c->body.kind;
		c->row.person = c->person ? c->person->row.row : c->row.person;
		c->row.body = eg_buf_bytes(body);
		eg_tx_put_case(w->tx, &c->row);
	}
	return EG_OK;
}

enum eg_rc eg_ws_flush(struct eg_workset *w, struct eg_err *err)
{
	struct eg_buf body = {0};
	enum eg_rc rc = flush_persons(w, &body, err); /* first: the others name their rows */
	if (rc == EG_OK)
		rc = flush_sources(w, &body, err);
	if (rc == EG_OK)
		rc = flush_aliases(w, err);
	if (rc == EG_OK)
		rc = flush_cases(w, &body, err);
	eg_buf_free(&body);
	return rc;
}
