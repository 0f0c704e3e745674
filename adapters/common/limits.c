/* limits: see limits.h. */
#include "common/limits.h"

/* clang-format off */
const struct eg_setting_def eg_limits_defs[] = {
	{"batch_records", EG_SET_INT, false, "500", 1, 1000, NULL,
	 "Records that are sent together; the gateway takes 1,000 at most."},
	{"batch_bytes", EG_SET_SIZE, false, "1MiB", 32768, 1048576, NULL,
	 "Size of a batch, encoded; the gateway takes 1 MiB at most."},
	{"linger", EG_SET_TIME, false, "50ms", 0, 60000000, NULL,
	 "A batch that does not fill up is sent this long after its first row."},
	{"in_flight", EG_SET_INT, false, "8", 1, 256, NULL,
	 "Batches of one lane that may wait for their receipts; then no more rows are taken from the source."},
	{"receipt_timeout", EG_SET_TIME, false, "2m", 1000000, 3600000000, NULL,
	 "A stream on which no receipt comes for this long is begun anew."},
	{"list_timeout", EG_SET_TIME, false, "1h", 1000000, 604800000000, NULL,
	 "A full list of which the gateway says nothing for this long is sent again."},
	{"backoff_least", EG_SET_TIME, false, "500ms", 1000, 3600000000, NULL,
	 "First wait after a failure that may pass; it doubles each time."},
	{"backoff_most", EG_SET_TIME, false, "1m", 1000, 86400000000, NULL,
	 "Longest wait after a failure that may pass."},
	{"slow_retry", EG_SET_TIME, false, "5m", 1000, 86400000000, NULL,
	 "Wait after a failure that somebody must mend, such as a changed schema."},
	{"grace", EG_SET_TIME, false, "20s", 0, 3600000000, NULL,
	 "After SIGTERM: how long to wait for receipts of what was sent."},
	{"patience", EG_SET_TIME, false, "2m", 1000, 86400000000, NULL,
	 "With once: give up when nothing moves for this long."},
	{"deliver_events", EG_SET_INT, false, "100", 1, 1000, NULL,
	 "Events handed to the target in one call."},
	{"deliver_timeout", EG_SET_TIME, false, "5s", 10000, 300000000, NULL,
	 "How long one call of the target may take; over three heartbeats the link is lost meanwhile."},
	{"parked", EG_SET_INT, false, "1000", 0, 10000, NULL,
	 "Refused events, with those behind them, that are set aside; at the limit delivery stops."},
	{"refusals", EG_SET_INT, false, "3", 1, 100, NULL,
	 "How often the agency's system must refuse an event before it is parked; in between the backoff passes."},
	{"attempts", EG_SET_INT, false, "20", 1, 10000, NULL,
	 "How often an event may fail by itself with an error that may pass before it is parked; twice as often each time nothing was delivered since the last one."},
	{"status_interval", EG_SET_TIME, false, "2s", 10000, 3600000000, NULL,
	 "How often the status file is written and requests about parked events are looked for."},
	{0}};
/* clang-format on */

enum eg_rc eg_limits_of(const struct eg_settings *s, struct eg_limits *out, struct eg_err *err)
{
	*out = (struct eg_limits){
	        .batch_records = (unsigned)eg_settings_int(s, "batch_records"),
	        .batch_bytes = (size_t)eg_settings_int(s, "batch_bytes"),
	        .linger_us = eg_settings_int(s, "linger"),
	        .in_flight = (unsigned)eg_settings_int(s, "in_flight"),
	        .receipt_us = eg_settings_int(s, "receipt_timeout"),
	        .list_us = eg_settings_int(s, "list_timeout"),
	        .backoff_least_us = eg_settings_int(s, "backoff_least"),
	        .backoff_most_us = eg_settings_int(s, "backoff_most"),
	        .slow_us = eg_settings_int(s, "slow_retry"),
	        .grace_us = eg_settings_int(s, "grace"),
	        .patience_us = eg_settings_int(s, "patience"),
	        .deliver_events = (unsigned)eg_settings_int(s, "deliver_events"),
	        .deliver_us = eg_settings_int(s, "deliver_timeout"),
	        .parked = (unsigned)eg_settings_int(s, "parked"),
	        .refusals = (unsigned)eg_settings_int(s, "refusals"),
	        .attempts = (unsigned)eg_settings_int(s, "attempts"),
	        .status_us = eg_settings_int(s, "status_interval"),
	};
	if (out->backoff_least_us > out->backoff_most_us)
		return eg_settings_fail(s, "backoff_least", err, "backoff_least is longer than backoff_most");
	return EG_OK;
}
