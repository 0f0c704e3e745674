/* bus_lines: the connections of the bus by their descriptors, so that there are never too many and none
 * hoards memory.
 *
 * The sockets are libzmq's, which bounds neither their number nor the parts of one message. So a connection
 * too many costs the oldest one that has not said anything yet (a flood of handshakes pushes out itself, not
 * the peers), and one whose bytes do not become messages is cut. To cut is to shut the socket down; libzmq
 * then closes it. The descriptor may just have become another connection's, so only sockets of the listeners'
 * own addresses are ever touched. Thread: the bus's. */
#ifndef EG_EDGE_BUS_LINES_H
#define EG_EDGE_BUS_LINES_H

#include "eldergate/err.h"

#include <stddef.h>

struct eg_bus_lines;

/* max: connections at once; hoard: bytes that may come in without a whole message among them. */
struct eg_bus_lines *eg_bus_lines_new(unsigned max, size_t hoard);
/* A local address of the bus, as the listener tells it: "tcp://127.0.0.1:7444" or "ipc:///path". */
enum eg_rc eg_bus_lines_listens(struct eg_bus_lines *l, const char *endpoint, struct eg_err *err);
bool eg_bus_lines_accepted(struct eg_bus_lines *l, int fd); /* false: one had to go for it */
void eg_bus_lines_gone(struct eg_bus_lines *l, int fd);
void eg_bus_lines_spoke(struct eg_bus_lines *l, int fd); /* a whole message came from it */
unsigned eg_bus_lines_look(struct eg_bus_lines *l);      /* cuts those that hoard; how many */
void eg_bus_lines_free(struct eg_bus_lines *l);          /* NULL is fine */

#endif
