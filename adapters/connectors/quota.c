/* quota: see quota.h. */
#include "connectors/quota.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY   (86400 * EG_SECOND)
#define ZONE  (8 * 3600 * EG_SECOND) /* Asia/Shanghai; it has had no summer time since 1991 */
#define SPENT 1000000000000LL        /* more calls than any day has: the peer said that it is over */

static int64_t day_of(int64_t wall_us)
{
	int64_t local = wall_us + ZONE;
	return local / DAY - (local % DAY < 0);
}

struct eg_call_quota eg_call_quota_new(const struct eg_call_limits *limits)
{
	struct eg_call_quota q = {.limits = *limits};
	if (q.limits.burst < 1)
		q.limits.burst = 1;
	return q;
}

bool eg_call_quota_restore(struct eg_call_quota *q, struct eg_bytes text)
{
	char copy[EG_CALL_QUOTA_TEXT], rest;
	int64_t day, used;
	if (!text.len || text.len >= sizeof copy)
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = 0;
	/* NOLINTNEXTLINE(cert-err34-c): out of range is caught by the bounds */
	if (sscanf(copy, "%" SCNd64 " %" SCNd64 "%c", &day, &used, &rest) != 2 || used < 0 || used > SPENT)
		return false;
	q->day = day;
	q->used = used;
	return true;
}

void eg_call_quota_text(const struct eg_call_quota *q, char out[EG_CALL_QUOTA_TEXT])
{
	snprintf(out, EG_CALL_QUOTA_TEXT, "%" PRId64 " %" PRId64, q->day, q->used);
}

/* A day that lies behind the counted one is a clock that was set back: the count goes on, and is renewed at
 * the next midnight of the clock as it is now. */
static void turn_day(struct eg_call_quota *q, int64_t wall_us)
{
	int64_t today = day_of(wall_us);
	if (today > q->day)
		q->used = 0;
	q->day = today;
}

static int64_t to_midnight(int64_t wall_us)
{
	return (day_of(wall_us) + 1) * DAY - ZONE - wall_us;
}

int64_t eg_call_quota_take(struct eg_call_quota *q, enum eg_call_priority p, int64_t wall_us, int64_t mono_us,
                           bool *spent)
{
	const struct eg_call_limits *l = &q->limits;
	turn_day(q, wall_us);
	*spent = q->used >= SPENT ||
	         (l->per_day && q->used >= l->per_day - (p == EG_CALL_BULK ? l->reserve : 0));
	if (*spent)
		return to_midnight(wall_us);
	if (l->per_second) {
		int64_t gap = EG_SECOND / l->per_second + (EG_SECOND % l->per_second != 0);
		int64_t slack = (l->burst - 1) * gap;
		if (q->free_at < mono_us - slack)
			q->free_at = mono_us - slack;
		/* Bulk lets an urgent call that asked, and was told to wait, go first. */
		int64_t turn = q->free_at;
		if (p == EG_CALL_BULK && q->urgent_before > turn)
			turn = q->urgent_before;
		if (turn > mono_us) {
			if (p == EG_CALL_URGENT)
				q->urgent_before = q->free_at + gap;
			return turn - mono_us;
		}
		q->free_at += gap;
		if (p == EG_CALL_URGENT)
			q->urgent_before = 0;
	}
	q->used++;
	return 0;
}

void eg_call_quota_spend(struct eg_call_quota *q, int64_t wall_us)
{
	turn_day(q, wall_us);
	q->used = SPENT;
}
