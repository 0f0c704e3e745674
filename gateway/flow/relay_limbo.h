/* relay_limbo: sees to it that every transaction of the relay is settled in every partition.
 *
 * Kafka answers a commit when the decision is durable, then writes a marker into each partition. A broker
 * that is killed in between resends them at its next start, but where a partition has no leader at that
 * moment it logs "skip sending markers", takes the transaction for complete, and init_transactions succeeds
 * (seen with Kafka 4.3.1, one node). The partition is left in limbo: read_committed readers stop before the
 * records, and the producer's next marker, whichever it is, decides over the old records as well.
 *
 * Two rules follow. Before a session publishes, limbo that stays is ended by an abort. And no transaction is
 * committed before the last one is settled: what a partition can lose is then its newest transaction only.
 * Thread: the relay's. */
#ifndef EG_FLOW_RELAY_LIMBO_H
#define EG_FLOW_RELAY_LIMBO_H

#include "flow/kafka.h"

#include <stdint.h>

/* Both producers must be initialised: nobody else then has a transaction open in these partitions, so
 * whatever keeps the committed reader from an end is in limbo. offsets of places: scratch. EG_UNAVAILABLE: it
 * stays. */
enum eg_rc eg_relay_settle(struct eg_kafka *const producers[2], struct eg_kafka_reader *committed,
                           struct eg_kafka_reader *all, struct eg_kafka_place *places, unsigned n,
                           struct eg_err *err);

/* Waits until the committed reader can see past each place's offset; those below 0 are left out.
 * EG_UNAVAILABLE: it took too long. scratch: n more. */
enum eg_rc eg_relay_await_settled(struct eg_kafka_reader *committed, const struct eg_kafka_place *places,
                                  struct eg_kafka_place *scratch, unsigned n, struct eg_err *err);

#endif
