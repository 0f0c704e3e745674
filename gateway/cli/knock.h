/* knock: can an address be reached at all, and if not, why not and what to do: looked at before gRPC or the
 * bus, which only say that they have no connection. Thread: the caller's, which waits. */
#ifndef EG_CLI_KNOCK_H
#define EG_CLI_KNOCK_H

#include "eldergate/err.h"

#include <stdint.h>

enum { KNOCK_TEXT = 256 };

/* What to do about a daemon that is there and does not answer. */
#define KNOCK_STUCK "look at `systemctl status eldergated`, and for loop.stuck in its log"

/* HOST:PORT, [HOST]:PORT, unix:PATH or ipc://PATH; at: what was reached, for people. EG_UNAVAILABLE with why
 * and what to do. */
enum eg_rc knock(const char *address, int64_t timeout_us, char at[KNOCK_TEXT], struct eg_err *err);

#endif
