/* conf: the daemon's configuration: scalar settings of one table, and the policy from identity files.
 *
 * YAML, read at start and on every reload; an error names file, line and column and what would be right.
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
/* Reads everything again for a daemon that was started with `start`: the same file, overrides, identity
 * files. The policy keeps the topics' fields of the start, as the relay does. */
enum eg_rc eg_conf_again(const struct eg_conf *start, const char *path, const char *const *overrides,
                         unsigned n_overrides, struct eg_conf **out, struct eg_err *err);
/* Names of the settings that differ from those of the start and that only a restart takes over, with commas
 * between them; those that main applies to a running daemon are not among them. False: there are none. */
bool eg_conf_waits(const struct eg_conf *start, const struct eg_conf *now, char *names, size_t size);
void eg_conf_print(const struct eg_conf *c,
                   FILE *to); /* every setting, its value, where it came from, its doc */
void eg_conf_free(struct eg_conf *c);

#endif
