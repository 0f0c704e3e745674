/* conf: the daemon's configuration: scalar settings of one table, and the policy from identity files.
 *
 * YAML, read once at start and again on reload; an error names file, line and column and what would be right.
 * Values come from the built-in default, a file, or --set on the command line, and remember which.
 * Thread: main's. */
#ifndef EG_CONF_H
#define EG_CONF_H

#include "eldergate/err.h"
#include "trust/policy.h"

#include <stdint.h>
#include <stdio.h>

#define EG_CONF_C_TEXT const char *
#define EG_CONF_C_INT  int64_t
#define EG_CONF_C_SIZE int64_t
#define EG_CONF_C_TIME int64_t
#define EG_CONF_C_BOOL int64_t

struct eg_conf {
#define X(section, key, member, type, ...) EG_CONF_C_##type member;
#include "conf.def"
#undef X
	const char *const *kafka_settings; /* kafka.settings: name, value, ..., NULL */
	const struct eg_policy *policy;    /* one reference; owned */
	struct eg_conf_private *p;
};

/* Reads path (NULL: defaults alone) and then overrides ("section.key=value"). On failure *err has the place.
 */
enum eg_rc eg_conf_load(struct eg_conf **out, const char *path, const char *const *overrides,
                        unsigned n_overrides, struct eg_err *err);
/* Reads the identity files again. The caller owns the new policy. */
enum eg_rc eg_conf_reload_policy(const struct eg_conf *c, const struct eg_policy **out, struct eg_err *err);
void eg_conf_print(const struct eg_conf *c,
                   FILE *to); /* every setting, its value, where it came from, its doc */
void eg_conf_free(struct eg_conf *c);

#endif
