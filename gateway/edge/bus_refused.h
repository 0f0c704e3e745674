/* bus_refused: what the metric and the log say of a peer or connection that the bus refused.
 *
 * The log names the address and the beginning of the CURVE key, by which the operator finds the identity
 * file. Peers cause these lines, so there are at most EG_BUS_LOGS_PER_SECOND a second for each reason,
 * counted apart for strangers, who could else hide a peer's; the metric counts all. Thread: any. */
#ifndef EG_EDGE_BUS_REFUSED_H
#define EG_EDGE_BUS_REFUSED_H

#include <stdint.h>

#define EG_BUS_LOGS_PER_SECOND 5
#define EG_BUS_KEY_SHOWN       12 /* characters of a key's 40 */
#define EG_BUS_ADDRESS_SIZE    64 /* of an address as text, with its NUL */

enum eg_bus_refusal { /* labels of the metric */
	              EG_BUS_UNKNOWN_KEY,
	              EG_BUS_MALFORMED,
	              EG_BUS_FULL_HOUSE,
	              EG_BUS_VERSION_UNKNOWN,
	              EG_BUS_SILENT,
	              EG_BUS_HANDSHAKE
};

/* address: "" where it is not known. key: NULL where none was proved yet. why: a text of ours, nothing that
 * the peer sent. */
void eg_bus_refused(enum eg_bus_refusal reason, const char *why, const char *address, const uint8_t *key);

#endif
