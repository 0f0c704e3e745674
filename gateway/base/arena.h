/* arena: memory that is freed all at once, with a byte budget.
 *
 * One arena carries one submission, one query or one window. Memory is zeroed, aligned for any type and stays
 * valid until reset or free. A request past the budget returns NULL (the caller reports EG_LIMIT), never
 * aborts. Thread: one at a time; may be handed on with what it carries. */
#ifndef EG_BASE_ARENA_H
#define EG_BASE_ARENA_H

#include "eldergate/err.h"

#include <stddef.h>

struct eg_arena;

struct eg_arena *eg_arena_new(size_t budget_bytes); /* NULL when out of memory */
void *eg_arena_alloc(struct eg_arena *a, size_t size);
void *eg_arena_copy(struct eg_arena *a, const void *p, size_t size);
char *eg_arena_text(struct eg_arena *a, const char *p, size_t len); /* adds a NUL */
char *eg_arena_printf(struct eg_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t eg_arena_used(const struct eg_arena *a);
/* For what failed with EG_LIMIT because the arena gave nothing: EG_NO_MEMORY, with its error, when it was not
 * the budget but the system that had no more, which passes. Every other result is handed through. a: NULL is
 * fine. */
enum eg_rc eg_arena_why(const struct eg_arena *a, enum eg_rc rc, struct eg_err *err);
void eg_arena_reset(
        struct eg_arena *a); /* keeps the first block; wipes what was used (it held personal data) */
/* Lets a reset keep up to so many bytes, wiped, for what comes next: for an arena that is filled again and
 * again, so that its memory does not go back to the system and come anew each time. */
void eg_arena_keep(struct eg_arena *a, size_t bytes);
void eg_arena_free(struct eg_arena *a); /* wipes; NULL is fine */

#endif
