/* bus_lines: the connections of the bus by their descriptors, so that there are never too many and none
 * hoards memory.
 *
 *   accepted (a stranger) --greeted--> a peer's --gone, or cut-->
 *
 * The sockets are libzmq's, which bounds neither their number nor the parts of one message, and keeps what a
 * handshake claims to be as long as a message may be. So a connection too many costs the oldest stranger (a
 * flood of handshakes pushes out itself, not the peers), a stranger that sends more than a greeting needs is
 * cut, and so is a peer whose bytes do not become messages. To cut is to shut the socket down; libzmq then
 * closes it. The descriptor may just have become another connection's, so only sockets of the listeners' own
 * addresses are ever touched. Local sockets are not counted: the kernel does not tell their bytes, and who
 * may connect is the file's mode.
 *
 * A connection that ends without a handshake is told as refused. libzmq tells the end of each with its
 * descriptor, but without it whose handshake was brought to an end, so these are only summed up: as many of
 * the connections that end without a word are none of those. The sum of what is told is right; an address may
 * be that of another connection of the same moment. Thread: the bus's. */
#ifndef EG_EDGE_BUS_LINES_H
#define EG_EDGE_BUS_LINES_H

#include "eldergate/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes that a connection may send until its greeting was accepted: handshake and HELLO take a thousand. */
#define EG_BUS_STRANGER_BYTES ((size_t)64 << 10)

struct eg_bus_lines;

/* max: connections at once; hoard: bytes that may come from a peer without a whole message among them. */
struct eg_bus_lines *eg_bus_lines_new(unsigned max, size_t hoard);
/* A local address of the bus, as the listener tells it: "tcp://127.0.0.1:7444" or "ipc:///path". */
enum eg_rc eg_bus_lines_listens(struct eg_bus_lines *l, const char *endpoint, struct eg_err *err);
bool eg_bus_lines_accepted(struct eg_bus_lines *l, int fd); /* false: one had to go for it */
/* Somebody's handshake was brought to an end: its messages may come, or the refusal of its key was told. */
void eg_bus_lines_shook(struct eg_bus_lines *l);
/* why: its handshake came to nothing, if it was none. */
void eg_bus_lines_gone(struct eg_bus_lines *l, int fd, const char *why);
/* A whole message came from it. greeted: it has a session, so it is no stranger any more. */
void eg_bus_lines_spoke(struct eg_bus_lines *l, int fd, bool greeted);
unsigned eg_bus_lines_look(struct eg_bus_lines *l); /* cuts those that sent too much; how many */
void eg_bus_lines_free(struct eg_bus_lines *l);     /* NULL is fine */

#endif
