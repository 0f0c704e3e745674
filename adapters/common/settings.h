/* settings: how include/eldergate/settings.h comes out of a YAML mapping. Thread: one while it is made. */
#ifndef EG_ADAPTERS_SETTINGS_H
#define EG_ADAPTERS_SETTINGS_H

#include "base/buf.h"
#include "common/complaints.h"
#include "eldergate/settings.h"

/* node: the section's mapping; NULL: it was not written, and at stands for it in complaints. section: its
 * name in them, such as "source". Secrets from files are read here; a relative path begins at the YAML file's
 * folder. defs must outlive the settings. Complains of every fault; *out is NULL after any. */
void eg_settings_make(struct eg_settings **out, const struct eg_yaml *y, const struct eg_yaml_node *node,
                      const struct eg_yaml_node *at, const char *section, const struct eg_setting_def *defs,
                      struct eg_complaints *c);
/* The same from a text of its own: for tests of what uses settings. */
enum eg_rc eg_settings_parse(const char *yaml_text, const char *name_for_errors,
                             const struct eg_setting_def *defs, struct eg_settings **out, struct eg_err *err);
void eg_settings_free(struct eg_settings *s); /* wipes; NULL is fine */

/* The table as rows of Markdown: name, what it takes, preset, meaning. */
void eg_settings_reference(struct eg_buf *out, const struct eg_setting_def *defs);

#endif
