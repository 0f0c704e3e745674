/* streams: many server-streaming calls, each on a connection of its own, all received by one thread.
 *
 * A thread for each would spend most of its time on being woken, on the machine whose gateway is measured.
 * Whatever goes wrong ends the program. Thread: the one that opened them. */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include "base/buf.h"

#include <stdint.h>

struct streams;

/* n calls, a request each; server: unix:PATH. */
struct streams *streams_open(const char *server, const char *method, const struct eg_bytes *requests,
                             unsigned n);
/* The next message of any of them, into message; which one's it is. */
unsigned streams_next(struct streams *s, int64_t timeout_us, struct eg_buf *message);
void streams_end(struct streams *s, unsigned i); /* nothing more comes of this one */
void streams_close(struct streams *s);

#endif
