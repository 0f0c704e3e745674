/* absent: the source keys that a full list covers and does not hold, as a file of sorted tokens in its
 * spool's folder.
 *
 * Written while the list is compared, durable before its LIST entry; read when they are withdrawn, and to
 * tell later whether the list held a key. A file that is not there or not whole is EG_CORRUPT: another try
 * does not help. Thread: a writer or reader object belongs to one; eg_absent_has is any's. */
#ifndef EG_FLOW_ABSENT_H
#define EG_FLOW_ABSENT_H

#include "eldergate/err.h"

#include <stdbool.h>
#include <stdint.h>

struct eg_absent;

/* Begins the file anew. */
enum eg_rc eg_absent_new(struct eg_absent **out, const char *dir, const uint8_t id[16], struct eg_err *err);
enum eg_rc eg_absent_add(struct eg_absent *a, const uint8_t token[16], struct eg_err *err); /* ascending */
enum eg_rc eg_absent_finish(struct eg_absent *a, struct eg_err *err); /* durable, name and all */
/* From the first one. n: how many there must be, or EG_CORRUPT. */
enum eg_rc eg_absent_open(struct eg_absent **out, const char *dir, const uint8_t id[16], uint64_t n,
                          struct eg_err *err);
enum eg_rc eg_absent_next(struct eg_absent *a, uint8_t token[16], struct eg_err *err); /* EG_EMPTY: no more */
void eg_absent_close(struct eg_absent *a);                                             /* NULL is fine */
/* Is the key among the n absent ones? */
enum eg_rc eg_absent_has(const char *dir, const uint8_t id[16], uint64_t n, const uint8_t token[16],
                         bool *has, struct eg_err *err);

#endif
