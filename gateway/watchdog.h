/* watchdog: tells the service manager that the daemon turns, as long as every watched loop does.
 *
 * Watched (base/pulse.h): the writer begins a commit or finds none to make; the relay and the feed go round;
 * at the edge the pollers, the timers, the bus and the Unix socket's door go round, and the workers take a
 * job while one waits. The loops that are not watched hold up nothing but themselves, and say so in the log
 * or in the status: full lists, the probe of the TLS port, the bus's door, lines before a full intake (which
 * are the writer's then); the metrics' HTTP server, whose scraper misses it at once; main, which waits for a
 * signal without an end and whose reloads are announced to the manager, which has its own time for them.
 *
 * `stall` is 6 s at least: between two turns a healthy loop waits EG_PULSE_WAIT_US, and the relay may first
 * be in a call of EG_KAFKA_ASK_MOST_MS. A loop that has not turned for `stall` is told in the log
 * (loop.stuck), with or without a manager; as long as there is one, no WATCHDOG=1 leaves, and systemd ends
 * the daemon after WatchdogSec. An idle daemon turns too. Thread: its own; start, patience and stop are
 * main's. It outlives what it watches. */
#ifndef EG_WATCHDOG_H
#define EG_WATCHDOG_H

#include "eldergate/err.h"

#include <stdint.h>

struct eg_watchdog;

enum eg_rc eg_watchdog_start(struct eg_watchdog **out, int64_t stall_us, struct eg_err *err);
void eg_watchdog_patience(struct eg_watchdog *w, int64_t stall_us);
void eg_watchdog_stop(struct eg_watchdog *w); /* NULL is fine */

#endif
