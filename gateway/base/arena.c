/* arena: blocks of zeroed memory, handed out from the front.
 *
 * Invariants: memory not handed out is zero, in spare blocks too; used never passes the budget; a request
 * larger than a quarter of the usual block gets a block of its own, so less than a third on top of the budget
 * is lost at the ends of blocks. Thread: one at a time. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN _Alignof(max_align_t)
#ifdef EG_FAULT /* each allocation is a block of its own, so that each can fail */
#define BLOCK_FIRST ((size_t)0)
#define BLOCK_MAX   ((size_t)1)
#else
#define BLOCK_FIRST ((size_t)4 << 10)
#define BLOCK_MAX   ((size_t)256 << 10)
#endif

struct block {
	struct block *next;
	size_t cap, used;
	_Alignas(max_align_t) unsigned char data[];
};

struct eg_arena {
	struct block *first;   /* lives as long as the arena; the last one of the list */
	struct block *head;    /* the block that is handed out from */
	struct block *spare;   /* wiped ones of BLOCK_MAX, for after a reset */
	size_t keep;           /* how many bytes of them there may be */
	size_t budget, used;   /* bytes handed out, rounded up to the alignment */
	size_t next_block_cap; /* doubles up to BLOCK_MAX */
	bool starved;          /* since the last reset the system had no memory for a block */
};

static struct block *block_new(size_t cap)
{
	if (cap > SIZE_MAX - sizeof(struct block))
		return NULL;
	struct block *b = calloc(1, sizeof *b + cap);
	if (b)
		b->cap = cap;
	return b;
}

static void block_free(struct block *b)
{
	explicit_bzero(b->data, b->used);
	free(b);
}

struct eg_arena *eg_arena_new(size_t budget_bytes)
{
	struct eg_arena *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->first = a->head = block_new(BLOCK_FIRST);
	if (!a->first) {
		free(a);
		return NULL;
	}
	a->budget = budget_bytes;
	a->next_block_cap = 2 * BLOCK_FIRST;
	return a;
}

static void *take(struct block *b, size_t size)
{
	void *p = b->data + b->used;
	b->used += size;
	return p;
}

void *eg_arena_alloc(struct eg_arena *a, size_t size)
{
	if (size > SIZE_MAX - ALIGN)
		return NULL;
	size = (size + (size == 0) + ALIGN - 1) & ~(ALIGN - 1); /* even nothing gets an address of its own */
	if (size > a->budget - a->used)
		return NULL;

	struct block *b = a->head;
	if (size > b->cap - b->used) {
		bool own = size > (a->spare ? BLOCK_MAX : a->next_block_cap) / 4;
		if (!own && a->spare) {
			b = a->spare;
			a->spare = b->next;
		} else {
			b = block_new(own ? size : a->next_block_cap);
		}
		if (!b) {
			a->starved = true;
			return NULL;
		}
		if (own) { /* behind the head, whose free end stays in use */
			b->next = a->head->next;
			a->head->next = b;
		} else {
			b->next = a->head;
			a->head = b;
			if (a->next_block_cap < BLOCK_MAX)
				a->next_block_cap *= 2;
		}
	}
	a->used += size;
	return take(b, size);
}

void *eg_arena_copy(struct eg_arena *a, const void *p, size_t size)
{
	void *copy = eg_arena_alloc(a, size);
	if (copy && size)
		memcpy(copy, p, size);
	return copy;
}

char *eg_arena_text(struct eg_arena *a, const char *p, size_t len)
{
	if (len == SIZE_MAX)
		return NULL;
	char *copy = eg_arena_alloc(a, len + 1);
	if (copy && len)
		memcpy(copy, p, len);
	return copy; /* the NUL is there already: arena memory is zero */
}

char *eg_arena_printf(struct eg_arena *a, const char *fmt, ...)
{
	char *out = NULL;
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	if (len >= 0)
		out = eg_arena_alloc(a, (size_t)len + 1);
	if (out)
		vsnprintf(out, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return out;
}

size_t eg_arena_used(const struct eg_arena *a)
{
	return a->used;
}

enum eg_rc eg_arena_why(const struct eg_arena *a, enum eg_rc rc, struct eg_err *err)
{
	if (rc != EG_LIMIT || !a || !a->starved)
		return rc;
	return eg_fail(err, EG_NO_MEMORY, "the system has no memory for this now");
}

void eg_arena_keep(struct eg_arena *a, size_t bytes)
{
	a->keep = bytes;
}

static void free_spare(struct eg_arena *a)
{
	struct block *next;
	for (struct block *b = a->spare; b; b = next) {
		next = b->next;
		free(b);
	}
	a->spare = NULL;
}

void eg_arena_reset(struct eg_arena *a)
{
	struct block *next;
	size_t kept = 0;
	for (struct block *b = a->spare; b; b = b->next)
		kept += b->cap;
	for (struct block *b = a->head; b; b = next) {
		next = b->next;
		if (b == a->first)
			continue;
		if (b->cap != BLOCK_MAX || kept + b->cap > a->keep) {
			block_free(b);
			continue;
		}
		explicit_bzero(b->data, b->used);
		b->used = 0;
		b->next = a->spare;
		a->spare = b;
		kept += b->cap;
	}
	explicit_bzero(a->first->data, a->first->used);
	a->first->used = 0;
	a->first->next = NULL;
	a->head = a->first;
	a->used = 0;
	a->next_block_cap = 2 * BLOCK_FIRST;
	a->starved = false;
}

void eg_arena_free(struct eg_arena *a)
{
	if (!a)
		return;
	a->keep = 0;
	eg_arena_reset(a);
	free_spare(a);
	block_free(a->first);
	free(a);
}
