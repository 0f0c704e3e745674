/* quota: how many calls an agency's interface allows: a rate, a number each day, urgent ones before bulk.
 *
 * The day is Asia/Shanghai's. Bulk leaves the day's last `reserve` calls to urgent ones, and waits while an
 * urgent call waits. What was taken today is told as text, to be kept before the call is made, so a restart
 * does not get the day's calls again. The days met last are each
 * remembered with their calls: a clock that is set back and forth gives none again.
 * Pure: the caller brings both clocks. Thread: one. */
#ifndef EG_ADAPTERS_QUOTA_H
#define EG_ADAPTERS_QUOTA_H

#include "eldergate/bytes.h"

#include <stdbool.h>

enum eg_call_priority { EG_CALL_URGENT, EG_CALL_BULK };

enum { EG_CALL_DAYS = 4 };

struct eg_call_limits {
	int64_t per_second; /* 0: any */
	int64_t burst;      /* calls that may be made at once after a pause; at least 1 */
	int64_t per_day;    /* 0: any */
	int64_t reserve;    /* of per_day */
};

struct eg_call_quota {
	struct eg_call_limits limits;
	struct eg_call_day {
		int64_t day; /* since 1970-01-01, in Asia/Shanghai */
		int64_t used;
	} days[EG_CALL_DAYS]; /* the present one first, then those the clock showed before it */
	unsigned n_days;
	int64_t free_at;       /* monotonic: when all calls so far are within the rate */
	int64_t urgent_before; /* monotonic: until then an urgent call may be waiting for its turn */
};

#define EG_CALL_QUOTA_TEXT (48 * (EG_CALL_DAYS + 1))

struct eg_call_quota eg_call_quota_new(const struct eg_call_limits *limits);
/* Takes up what eg_call_quota_text told, also of another with limits of its own; else false. */
bool eg_call_quota_restore(struct eg_call_quota *q, struct eg_bytes text);
void eg_call_quota_text(const struct eg_call_quota *q, char out[EG_CALL_QUOTA_TEXT]);

/* 0: the call is taken and may be made. Else how many microseconds to wait before asking again. *spent: it is
 * the day that has no more, and the wait reaches to midnight. */
int64_t eg_call_quota_take(struct eg_call_quota *q, enum eg_call_priority p, int64_t wall_us, int64_t mono_us,
                           bool *spent);
/* The peer says that the day's calls are used up. */
void eg_call_quota_spend(struct eg_call_quota *q, int64_t wall_us);

#endif
