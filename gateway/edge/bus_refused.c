/* bus_refused: see bus_refused.h. Locks: lock, for the lines of the running second. */
#include "edge/bus_refused.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "trust/curve.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct said {
	int64_t second;
	unsigned lines;
} said[2][EG_BUS_HANDSHAKE + 1];

static bool may_log(enum eg_bus_refusal reason, bool proved)
{
	struct said *s = &said[proved][reason];
	int64_t second = eg_mono_us() / EG_SECOND;
	pthread_mutex_lock(&lock);
	if (second != s->second)
		s->lines = 0;
	s->second = second;
	bool may = s->lines < EG_BUS_LOGS_PER_SECOND;
	s->lines += may;
	pthread_mutex_unlock(&lock);
	return may;
}

void eg_bus_refused(enum eg_bus_refusal reason, const char *why, const char *address, const uint8_t *key)
{
	static const char *const names[] = {
	        [EG_BUS_UNKNOWN_KEY] = "unknown_key", [EG_BUS_MALFORMED] = "malformed",
	        [EG_BUS_FULL_HOUSE] = "too_many",     [EG_BUS_VERSION_UNKNOWN] = "version",
	        [EG_BUS_SILENT] = "silent",           [EG_BUS_HANDSHAKE] = "handshake"};
	char text[EG_CURVE_TEXT + 1] = "";
	eg_metric_add(EG_M_BUS_REFUSED, names[reason], 1);
	if (!may_log(reason, key != NULL))
		return;
	if (key) {
		eg_curve_text(key, text);
		strcpy(text + EG_BUS_KEY_SHOWN, "...");
	}
	eg_log(EG_LOG_WARN, "bus.peer_refused", EG_T("reason", names[reason]), EG_T("why", why),
	       EG_T("address", *address ? address : "unknown"), EG_T("key", key ? text : "none yet"));
}
