/* kafka_core: what the producer and the reader of kafka.h have in common: settings, errors, waits.
 *
 * No wait is one long call: a stop must not have to wait for a broker that does not answer. Thread: the
 * relay's. */
#ifndef EG_FLOW_KAFKA_CORE_H
#define EG_FLOW_KAFKA_CORE_H

#include "flow/kafka.h"

#include <librdkafka/rdkafka.h>

enum {
	EG_KAFKA_POLL_MS = 100,
	/* A call of the transaction that is taken up again forgets, if librdkafka's own thread does not
	 * answer it within its time, which call it was; a broker's answer that comes just then takes a commit
	 * for an abort, and an assertion ends the process (seen with 2.0). So these are long enough that an
	 * answer comes in the first one, and never so short that a busy machine cannot keep up. */
	EG_KAFKA_API_MS = 1000,
	/* A request that cannot be taken up again gets longer with each try, up to the second. */
	EG_KAFKA_ASK_MS = 1000,
	EG_KAFKA_ASK_MOST_MS = 4000
};

struct eg_kafka_waiting {
	int timeout_ms;
	int64_t (*give_up)(void *arg); /* kafka.h */
	void *arg;
};

struct eg_kafka_waiting eg_kafka_waiting(const struct eg_kafka_options *o);
bool eg_kafka_ended(const struct eg_kafka_waiting *w);
enum eg_rc eg_kafka_gave_up(struct eg_err *err);

/* The short calls that make up a longer wait. */
struct eg_kafka_slices {
	const struct eg_kafka_waiting *w;
	int64_t deadline;
};

struct eg_kafka_slices eg_kafka_slices(const struct eg_kafka_waiting *w);
/* The ms that the next call may take, of at most this many. */
int eg_kafka_slice_ms(const struct eg_kafka_slices *s, int most_ms);
bool eg_kafka_once_more(const struct eg_kafka_slices *s);

enum eg_rc eg_kafka_fail(struct eg_err *err, rd_kafka_resp_err_t e, const char *what);
enum eg_rc eg_kafka_fail_error(struct eg_err *err, rd_kafka_error_t *e, const char *what); /* and frees e */
bool eg_kafka_unanswered(rd_kafka_resp_err_t e);
void eg_kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);
/* name, value, ..., NULL; NULL is fine. */
enum eg_rc eg_kafka_configure(rd_kafka_conf_t *conf, const char *const *settings, struct eg_err *err);
enum eg_rc eg_kafka_partitions_of(rd_kafka_t *rk, const char *topic, const struct eg_kafka_waiting *w,
                                  unsigned *n, struct eg_err *err);

#endif
