/* bus_frame: see bus_frame.h. Each kind has one list of fields, which writing and reading both walk. */
#include "base/bus_frame.h"

#include "base/buf.h"

#include <string.h>

enum { TRACEPARENT_MAX = 64, CODE_MAX = 16 };

static const uint8_t magic[] = {'E', 'G', 'B', 'U', 'S'};

/* One walk over a header, in either direction. */
struct walk {
	uint8_t *to;          /* writing; NULL: reading */
	struct eg_bytes from; /* reading: what is left */
	size_t len;           /* written */
	bool failed;
};

static void number(struct walk *w, uint64_t *v, unsigned bytes)
{
	if (w->to && w->len + bytes <= EG_BUS_HEADER_MAX) {
		for (unsigned i = 0; i < bytes; i++)
			w->to[w->len++] = (uint8_t)(*v >> 8 * (bytes - 1 - i));
	} else if (!w->to && w->from.len >= bytes) {
		*v = 0;
		for (unsigned i = 0; i < bytes; i++)
			*v = *v << 8 | *w->from.p++;
		w->from.len -= bytes;
	} else {
		w->failed = true;
	}
}

static void number32(struct walk *w, uint32_t *v, uint32_t low, uint32_t high)
{
	uint64_t wide = *v;
	number(w, &wide, 4);
	*v = (uint32_t)wide;
	w->failed |= *v < low || *v > high;
}

static void number16(struct walk *w, uint16_t *v)
{
	uint64_t wide = *v;
	number(w, &wide, 2);
	*v = (uint16_t)wide;
}

static void slice(struct walk *w, struct eg_bytes *v, size_t max)
{
	uint64_t len = v->len;
	number(w, &len, 2);
	if (w->failed || len > max || (w->to ? w->len + len > EG_BUS_HEADER_MAX : len > w->from.len)) {
		w->failed = true;
	} else if (w->to) {
		if (len)
			memcpy(w->to + w->len, v->p, len);
		w->len += len;
	} else {
		*v = (struct eg_bytes){w->from.p, len};
		w->from.p += len;
		w->from.len -= len;
	}
}

/* Printable ASCII, so that it may stand in a log. */
static bool is_method(struct eg_bytes m)
{
	for (size_t i = 0; i < m.len; i++)
		if (m.p[i] <= ' ' || m.p[i] > '~')
			return false;
	return m.len > 1 && m.p[0] == '/';
}

static void text(struct walk *w, struct eg_bytes *v)
{
	slice(w, v, EG_BUS_TEXT_MAX);
	w->failed |= !w->failed && !eg_utf8_valid(*v);
}

static void greeting(struct walk *w, struct eg_bus_frame *f)
{
	for (size_t i = 0; i < sizeof magic; i++) {
		uint64_t v = magic[i];
		number(w, &v, 1);
		w->failed |= v != magic[i];
	}
	number16(w, &f->first);
	if (f->kind == EG_BUS_HELLO)
		number16(w, &f->last);
	else
		f->last = f->first;
	number32(w, &f->heartbeat_ms, 1, UINT32_MAX);
	number32(w, &f->max_message, 1, UINT32_MAX);
	if (f->kind == EG_BUS_WELCOME)
		number32(w, &f->max_calls, 1, UINT32_MAX);
	w->failed |= !f->first || f->first > f->last;
}

static void of_call(struct walk *w, struct eg_bus_frame *f)
{
	number(w, &f->call, 8);
	w->failed |= !f->call;
	switch (f->kind) {
	case EG_BUS_OPEN:
		number32(w, &f->credit, 1, EG_BUS_CREDIT_MAX);
		slice(w, &f->method, EG_BUS_METHOD_MAX);
		w->failed |= !w->failed && !is_method(f->method);
		slice(w, &f->traceparent, TRACEPARENT_MAX);
		break;
	case EG_BUS_CREDIT:
		number32(w, &f->credit, 1, EG_BUS_CREDIT_MAX);
		break;
	case EG_BUS_STATUS:
		number32(w, &f->code, 0, CODE_MAX);
		text(w, &f->text);
		break;
	default:
		break;
	}
}

static void walk(struct walk *w, struct eg_bus_frame *f)
{
	uint64_t kind = f->kind;
	number(w, &kind, 1);
	f->kind = (enum eg_bus_kind)kind;
	switch (f->kind) {
	case EG_BUS_HELLO:
	case EG_BUS_WELCOME:
		greeting(w, f);
		break;
	case EG_BUS_OPEN:
	case EG_BUS_MESSAGE:
	case EG_BUS_HALF_CLOSE:
	case EG_BUS_CREDIT:
	case EG_BUS_STATUS:
	case EG_BUS_CANCEL:
		of_call(w, f);
		break;
	case EG_BUS_PING:
	case EG_BUS_PONG:
		number(w, &f->token, 8);
		break;
	case EG_BUS_GOODBYE:
		number32(w, &f->code, 0, CODE_MAX);
		text(w, &f->text);
		break;
	default:
		w->failed = true;
	}
}

/* Whole characters only. */
static struct eg_bytes cut(struct eg_bytes s)
{
	size_t len = s.len < EG_BUS_TEXT_MAX ? s.len : EG_BUS_TEXT_MAX;
	while (len < s.len && len && (s.p[len] & 0xC0) == 0x80)
		len--;
	return (struct eg_bytes){s.p, len};
}

size_t eg_bus_frame_write(const struct eg_bus_frame *f, uint8_t out[EG_BUS_HEADER_MAX])
{
	struct eg_bus_frame copy = *f;
	struct walk w = {.to = out};
	copy.text = cut(f->text);
	walk(&w, &copy);
	return w.failed ? 0 : w.len;
}

bool eg_bus_frame_read(struct eg_bytes header, struct eg_bus_frame *out)
{
	struct walk w = {.from = header};
	*out = (struct eg_bus_frame){0};
	walk(&w, out);
	return !w.failed && !w.from.len;
}

bool eg_bus_has_payload(enum eg_bus_kind kind)
{
	return kind == EG_BUS_MESSAGE || kind == EG_BUS_STATUS;
}
