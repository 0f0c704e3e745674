/* quota: see quota.h. */
#include "connectors/quota.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY     (86400 * EG_SECOND)
#define ZONE    (8 * 3600 * EG_SECOND) /* Asia/Shanghai; it has had no summer time since 1991 */
#define SPENT   1000000000000LL        /* more calls than any day has: the peer said that it is over */
#define GAP_MAX EG_SECOND              /* between two calls at the lowest rate */

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

/* "FREE_AT URGENT_BEFORE DAY USED [DAY USED ...]" */
bool eg_call_quota_restore(struct eg_call_quota *q, struct eg_bytes text)
{
	char copy[EG_CALL_QUOTA_TEXT], *at = copy;
	int64_t numbers[2 + 2 * EG_CALL_DAYS];
	unsigned n = 0;
	if (!text.len || text.len >= sizeof copy)
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = 0;
	while (*at && n < 2 + 2 * EG_CALL_DAYS) {
		char *end;
		numbers[n++] = strtoll(at, &end, 10);
		if (end == at || (*end && *end != ' '))
			return false;
		at = *end ? end + 1 : end;
	}
	if (*at || n < 4 || n % 2)
		return false;
	for (unsigned i = 3; i < n; i += 2)
		if (numbers[i] < 0 || numbers[i] > SPENT)
			return false;
	q->free_at = numbers[0];
	q->urgent_before = numbers[1];
	q->n_days = (n - 2) / 2;
	for (unsigned i = 0; i < q->n_days; i++)
		q->days[i] = (struct eg_call_day){numbers[2 + 2 * i], numbers[3 + 2 * i]};
	return true;
}

void eg_call_quota_text(const struct eg_call_quota *q, char out[EG_CALL_QUOTA_TEXT])
{
	int n = snprintf(out, EG_CALL_QUOTA_TEXT, "%" PRId64 " %" PRId64, q->free_at, q->urgent_before);
	for (unsigned i = 0; i < q->n_days; i++)
		n += snprintf(out + n, EG_CALL_QUOTA_TEXT - (size_t)n, " %" PRId64 " %" PRId64,
		              q->days[i].day, q->days[i].used);
}

/* A day that was met before, or that lies behind one that was, has at least the calls that were counted last:
 * which of the two times is the true one is not known. Only a day that is later than the present one, and was
 * not met yet, begins with none. */
static void turn_day(struct eg_call_quota *q, int64_t wall_us)
{
	struct eg_call_day today = {.day = day_of(wall_us)}, last = q->days[0];
	unsigned at = 0;
	if (q->n_days && last.day == today.day)
		return;
	while (at < q->n_days && q->days[at].day != today.day)
		at++;
	bool met = at < q->n_days;
	if (met)
		today.used = q->days[at].used;
	if (q->n_days && (met || today.day < last.day) && today.used < last.used)
		today.used = last.used;
	if (!met && q->n_days < EG_CALL_DAYS)
		q->n_days++;
	if (at == EG_CALL_DAYS) /* the one met longest ago goes */
		at--;
	memmove(q->days + 1, q->days, at * sizeof *q->days);
	q->days[0] = today;
}

/* Another start of the machine: its clock began anew. */
static void mind_reboot(struct eg_call_quota *q, int64_t mono_us)
{
	if (q->free_at > mono_us + GAP_MAX)
		q->free_at = mono_us;
	if (q->urgent_before > mono_us + 2 * GAP_MAX)
		q->urgent_before = 0;
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
	mind_reboot(q, mono_us);
	int64_t used = q->days[0].used;
	*spent = used >= SPENT || (l->per_day && used >= l->per_day - (p == EG_CALL_BULK ? l->reserve : 0));
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
	q->days[0].used++;
	return 0;
}

void eg_call_quota_spend(struct eg_call_quota *q, int64_t wall_us)
{
	turn_day(q, wall_us);
	q->days[0].used = SPENT;
}
