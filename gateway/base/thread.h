/* thread: a named thread that is joined by whoever started it. */
#ifndef EG_BASE_THREAD_H
#define EG_BASE_THREAD_H

#include "eldergate/err.h"

struct eg_thread;

/* Starts run(arg) in a thread of this name (≤ 15 bytes; shown by top -H). Signals are blocked in it, but for
 * those that its own instructions raise (SIGSEGV and the like). */
enum eg_rc eg_thread_start(struct eg_thread **out, const char *name, void (*run)(void *arg), void *arg,
                           struct eg_err *err);
void eg_thread_join(struct eg_thread *t); /* waits and frees; NULL is fine */

#endif
