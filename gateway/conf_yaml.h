/* conf_yaml: a YAML file as nodes with marks, so that every complaint names file, line and column.
 *
 * Thread: the caller's. Slices live as long as the file is open. */
#ifndef EG_CONF_YAML_H
#define EG_CONF_YAML_H

#include "eldergate/err.h"

#include <stdint.h>
#include <yaml.h>

struct eg_yaml {
	char path[512];
	yaml_document_t doc;
};

enum eg_rc eg_yaml_open(struct eg_yaml *y, const char *path,
                        struct eg_err *err); /* EG_CONFIG with the place */
void eg_yaml_close(struct eg_yaml *y);

yaml_node_t *eg_yaml_node(struct eg_yaml *y, int id);
/* EG_CONFIG: "FILE:LINE:COLUMN: text". node may be NULL (the file as a whole). */
enum eg_rc eg_yaml_fail(const struct eg_yaml *y, const yaml_node_t *node, struct eg_err *err, const char *fmt,
                        ...) __attribute__((format(printf, 4, 5)));
/* A scalar's text; NULL and *err set when the node is no scalar. what names it in the complaint. */
const char *eg_yaml_text(const struct eg_yaml *y, const yaml_node_t *node, const char *what,
                         struct eg_err *err);

/* Plain values; false when the text has another form. */
bool eg_parse_int(const char *text, int64_t *out);
bool eg_parse_size(const char *text, int64_t *out); /* 64KiB, 2MiB, 1GiB or bytes */
bool eg_parse_time(const char *text, int64_t *out); /* 250ms, 5s, 30d; microseconds */
bool eg_parse_bool(const char *text, int64_t *out); /* true, false, yes, no, on, off */

#endif
