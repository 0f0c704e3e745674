/* yaml: a YAML text as a tree of nodes with marks, so that every complaint names file, line and column.
 *
 * Keys are single values, each once in its mapping; anchors, aliases, tags and a second document are refused,
 * so a tree is as large as its text and as deep as EG_YAML_DEPTH_MAX. The one user of libyaml. Nodes live as
 * long as their eg_yaml and are read only. Thread: any, one at a time. */
#ifndef EG_BASE_YAML_H
#define EG_BASE_YAML_H

#include "eldergate/bytes.h"
#include "eldergate/err.h"

enum { EG_YAML_BYTES_MAX = 1 << 20, EG_YAML_NODES_MAX = 20000, EG_YAML_DEPTH_MAX = 16 };

enum eg_yaml_kind { EG_YAML_VALUE = 1, EG_YAML_LIST = 2, EG_YAML_MAP = 3 };

struct eg_yaml_node {
	enum eg_yaml_kind kind;
	unsigned line, column; /* from 1 */
	const char *text;      /* VALUE: without NUL characters */
	bool quoted;           /* VALUE: so "" is a text, and nothing at all is not */
	unsigned n;            /* items of a LIST, keys of a MAP */
	const struct eg_yaml_node *const *keys;
	const struct eg_yaml_node *const *values; /* a list's items, a map's values */
};

struct eg_yaml;

/* EG_CONFIG with the place; of a file that cannot be read, as eg_yaml_unreadable. */
enum eg_rc eg_yaml_open(struct eg_yaml **out, const char *path, struct eg_err *err);
/* name stands for the path in complaints. */
enum eg_rc eg_yaml_parse(struct eg_yaml **out, const char *name, struct eg_bytes text, struct eg_err *err);
void eg_yaml_close(struct eg_yaml *y); /* NULL is fine */

const struct eg_yaml_node *eg_yaml_root(const struct eg_yaml *y); /* NULL: the text is empty */
const char *eg_yaml_path(const struct eg_yaml *y);
/* A map's value of this key, or NULL. */
const struct eg_yaml_node *eg_yaml_get(const struct eg_yaml_node *map, const char *key);

/* EG_CONFIG: "PATH:LINE:COLUMN: text". node may be NULL (the file as a whole). */
enum eg_rc eg_yaml_fail(const struct eg_yaml *y, const struct eg_yaml_node *node, struct eg_err *err,
                        const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A file, or a folder of them, could not be opened or read: EG_CONFIG with errno's text, and where the want
 * is the system's, which passes, or the disk's, errno's own code. */
enum eg_rc eg_yaml_unreadable(const char *path, struct eg_err *err);
/* A value's text; NULL and *err set when the node is none. what names it in the complaint. */
const char *eg_yaml_text(const struct eg_yaml *y, const struct eg_yaml_node *node, const char *what,
                         struct eg_err *err);

#endif
