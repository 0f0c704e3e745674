/* link_poll: the one descriptor by which an owner waits for a link among other things: readable while the
 * link has something to do.
 *
 * It gathers the descriptors of the link's sockets, a timer, and a flag for what those cannot tell. Thread:
 * the link's owner. */
#ifndef EG_ADAPTERS_LINK_POLL_H
#define EG_ADAPTERS_LINK_POLL_H

#include "eldergate/err.h"

#include <stdint.h>

struct eg_link_poll {
	int fd; /* holds all the others */
	int timer, flag;
	int64_t armed; /* what the timer is set to */
	bool raised;
};

enum eg_rc eg_link_poll_open(struct eg_link_poll *p, struct eg_err *err); /* closed also if it fails */
void eg_link_poll_close(struct eg_link_poll *p);
void eg_link_poll_add(struct eg_link_poll *p, int fd);
void eg_link_poll_drop(struct eg_link_poll *p, int fd);
/* more: there is something to do at once; due: on CLOCK_MONOTONIC, in any case. */
void eg_link_poll_arm(struct eg_link_poll *p, bool more, int64_t due_us);

#endif
