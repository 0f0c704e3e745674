/* limits: the agent's settings, from the `agent` section of the mapping file. */
#ifndef EG_ADAPTERS_LIMITS_H
#define EG_ADAPTERS_LIMITS_H

#include "eldergate/settings.h"

struct eg_limits {
	unsigned batch_records, in_flight, deliver_events, parked, refusals, attempts;
	size_t batch_bytes;
	int64_t linger_us, receipt_us, list_us;
	int64_t backoff_least_us, backoff_most_us, slow_us;
	int64_t grace_us, patience_us, deliver_us, status_us;
};

extern const struct eg_setting_def eg_limits_defs[];

/* s: made with eg_limits_defs. EG_CONFIG: two of them contradict each other. */
enum eg_rc eg_limits_of(const struct eg_settings *s, struct eg_limits *out, struct eg_err *err);

#endif
