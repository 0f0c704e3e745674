/* clock: instants are microseconds UTC; civil dates have no zone and carry their precision. Thread: any. */
#ifndef EG_BASE_CLOCK_H
#define EG_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define EG_SECOND 1000000LL

int64_t eg_now_us(void);                           /* wall clock since 1970-01-01 UTC; may jump */
int64_t eg_mono_us(void);                          /* monotonic; for durations and deadlines only */
struct timespec eg_mono_deadline(int64_t mono_us); /* for pthread_cond_timedwait on such a condition: */
void eg_mono_cond(pthread_cond_t *c);              /* initializes it; with glibc nothing can fail */

/* A proleptic Gregorian date. month 0: only the year is known; day 0: only year and month. year 0: no date at
 * all. */
struct eg_date {
	int16_t year;
	uint8_t month, day;
};

bool eg_date_valid(struct eg_date d);                      /* with 1 ≤ year ≤ 9999 */
bool eg_date_parse(const char *text, struct eg_date *out); /* "1949", "1949-10", "1949-10-01" */
void eg_date_format(struct eg_date d, char out[16]);       /* the same forms; "" for no date */
int32_t eg_date_pack(struct eg_date d); /* year << 9 | month << 5 | day: sorts as dates do */
struct eg_date eg_date_unpack(int32_t packed);
int eg_date_cmp(struct eg_date a, struct eg_date b); /* an unknown part sorts first */
int32_t eg_date_days(struct eg_date d);              /* days since 1970-01-01; unknown parts count as 1 */
struct eg_date eg_date_of_instant(int64_t us, int32_t zone_offset_s); /* Asia/Shanghai is 28800 */
void eg_instant_format(int64_t us,
                       char out[32]); /* RFC 3339 UTC, microseconds: 2026-01-02T03:04:05.678901Z */
bool eg_instant_parse(const char *text, int64_t *us); /* RFC 3339 with any offset */

#endif
