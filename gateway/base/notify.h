/* notify: tells the service manager how the process stands, as sd_notify(3) describes it: one datagram to the
 * socket that NOTIFY_SOCKET names, by path or, behind an @, in the abstract namespace.
 *
 * Without NOTIFY_SOCKET nothing is told. A manager that does not take it is waited for a second, and the log
 * hears of it. Thread: any. */
#ifndef EG_BASE_NOTIFY_H
#define EG_BASE_NOTIFY_H

#include <stdint.h>

/* Lines NAME=value, with newlines between them, such as "READY=1\nSTATUS=serving". */
void eg_notify(const char *state);
void eg_notify_ready(const char *status);     /* READY=1: it serves */
void eg_notify_reloading(const char *status); /* RELOADING=1, until the next READY=1 */
void eg_notify_status(const char *status);    /* what people read in systemctl status */

/* How often the manager wants to hear WATCHDOG=1, in microseconds; 0: it does not. */
int64_t eg_notify_watchdog_us(void);

#endif
