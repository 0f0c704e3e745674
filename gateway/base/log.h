/* log: what happened, one line per event, as JSON on standard error or as journald fields.
 *
 * An event has a stable dotted name and typed fields: ids, counts, codes, paths. Never a record's values: no
 * name, no ID number, no source key. Thread: any; a line is written by one call and never torn. */
#ifndef EG_BASE_LOG_H
#define EG_BASE_LOG_H

#include "eldergate/err.h"

#include <stdint.h>

enum eg_log_level { EG_LOG_DEBUG, EG_LOG_INFO, EG_LOG_WARN, EG_LOG_ERROR };

struct eg_kv {
	const char *key; /* NULL ends the list */
	enum { EG_KV_TEXT, EG_KV_INT, EG_KV_REAL, EG_KV_BOOL } type;
	const char *text;
	int64_t i;
	double real;
};

#define EG_T(k, v) ((struct eg_kv){.key = (k), .type = EG_KV_TEXT, .text = (v)})
#define EG_I(k, v) ((struct eg_kv){.key = (k), .type = EG_KV_INT, .i = (int64_t)(v)})
#define EG_R(k, v) ((struct eg_kv){.key = (k), .type = EG_KV_REAL, .real = (v)})
#define EG_B(k, v) ((struct eg_kv){.key = (k), .type = EG_KV_BOOL, .i = (v)})

/* eg_log(EG_LOG_INFO, "writer.commit", EG_I("records", n), EG_T("agency", a)); */
#define eg_log(level, event, ...)                                                                            \
	eg_log_write((level), (event), (const struct eg_kv[]){__VA_ARGS__ __VA_OPT__(, ){0}})
void eg_log_write(enum eg_log_level level, const char *event, const struct eg_kv *kv);
/* An error as fields error, field, reason. */
void eg_log_err(enum eg_log_level level, const char *event, const struct eg_err *err);

void eg_log_open(const char *program, enum eg_log_level lowest,
                 bool journald);             /* once, before threads start */
void eg_log_level(enum eg_log_level lowest); /* from now on; any thread */

#endif
