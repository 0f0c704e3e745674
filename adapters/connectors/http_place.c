/* http_place: see http_place.h. */
#include "connectors/http_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void eg_http_place_text(const struct eg_http_place *p, char out[EG_HTTP_PLACE_TEXT])
{
	snprintf(out, EG_HTTP_PLACE_TEXT,
	         "1 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s", p->high,
	         p->from, p->to, p->page, p->seen, p->total, p->cursor);
}

bool eg_http_place_read(struct eg_http_place *p, struct eg_bytes text)
{
	char copy[EG_HTTP_PLACE_TEXT];
	struct eg_http_place q = {0};
	int64_t *const numbers[] = {&q.high, &q.from, &q.to, &q.page, &q.seen, &q.total};
	if (text.len < 2 || text.len >= sizeof copy || memcmp(text.p, "1 ", 2) != 0)
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = 0;
	char *at = copy + 2;
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char *end;
		*numbers[i] = strtoll(at, &end, 10);
		if (end == at || *end != ' ')
			return false;
		at = end + 1;
	}
	if (strlen(at) > EG_HTTP_CURSOR_MAX)
		return false;
	memcpy(q.cursor, at, strlen(at) + 1);
	*p = q;
	return true;
}

static struct eg_http_flying *page_at(struct eg_http_flight *f, unsigned i)
{
	return &f->pages[(f->first + i) % EG_HTTP_PAGES_OPEN];
}

bool eg_http_flight_full(const struct eg_http_flight *f)
{
	return f->n == EG_HTTP_PAGES_OPEN;
}

bool eg_http_flight_add(struct eg_http_flight *f, uint64_t ref, unsigned rows,
                        const struct eg_http_place *after)
{
	uint8_t *settled = calloc(rows / 8 + 1, 1);
	if (!settled)
		return false;
	*page_at(f, f->n++) = (struct eg_http_flying){ref, rows, rows, settled, false, *after};
	return true;
}

bool eg_http_flight_settle(struct eg_http_flight *f, uint64_t ref, enum eg_verdict_code code)
{
	for (unsigned i = 0; i < f->n; i++) {
		struct eg_http_flying *p = page_at(f, i);
		uint64_t row = ref - p->ref;
		if (ref < p->ref || row >= p->rows)
			continue;
		uint8_t bit = (uint8_t)(1u << row % 8);
		if (p->settled[row / 8] & bit)
			return false;
		p->settled[row / 8] |= bit;
		p->open--;
		p->again |= code == EG_VERDICT_AGAIN;
		return code == EG_VERDICT_AGAIN;
	}
	return false;
}

bool eg_http_flight_move(struct eg_http_flight *f, struct eg_http_place *place)
{
	bool moved = false;
	while (f->n && !page_at(f, 0)->open && !page_at(f, 0)->again) {
		struct eg_http_flying *p = page_at(f, 0);
		*place = p->after;
		free(p->settled);
		p->settled = NULL;
		f->first = (f->first + 1) % EG_HTTP_PAGES_OPEN;
		f->n--;
		moved = true;
	}
	return moved;
}

void eg_http_flight_rewind(struct eg_http_flight *f, const struct eg_http_place *to)
{
	for (unsigned i = 0; i < f->n; i++)
		page_at(f, i)->after = *to;
}

void eg_http_flight_clear(struct eg_http_flight *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free(page_at(f, i)->settled);
	f->n = 0;
}
