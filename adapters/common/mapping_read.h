/* mapping_read: what the readers of a mapping file's parts share. Thread: the one that loads it. */
#ifndef EG_ADAPTERS_MAPPING_READ_H
#define EG_ADAPTERS_MAPPING_READ_H

#include "common/hint.h"
#include "common/mapping_parts.h"

#include <protobuf-c/protobuf-c.h>

enum eg_key_section {
	EG_KEYS_FILE,
	EG_KEYS_GATEWAY,
	EG_KEYS_ROWS,
	EG_KEYS_OPERATION,
	EG_KEYS_VALUE,
	EG_KEYS_LIST,
	EG_KEYS_OUTBOUND,
	EG_KEYS_COLUMN,
	EG_KEYS_END
};
enum eg_key {
#define X(section, key, kind, need, doc) EG_KEY_##section##_##key,
#include "common/mapping_keys.def"
	EG_KEY_END
};

/* Where each key of a section was written; NULL: it was not. */
struct eg_keys {
	const struct eg_yaml_node *node; /* the section itself */
	const struct eg_yaml_node *at[EG_KEY_END];
};

struct eg_reading {
	struct eg_mapping *m;
	const struct eg_yaml *y;
	struct eg_complaints *c;
	const struct eg_connector_type *const *connectors;
	const struct eg_yaml_node *code_lists; /* NULL: none */
};

#define EG_COMPLAIN(r, node, ...) eg_complain((r)->c, (r)->y, (node), __VA_ARGS__)

/* Complains of unknown keys, of wrong kinds (such a key is then left out of *out) and of needed ones that are
 * missing. what: the section's name in complaints. False: the node is no mapping, *out is empty. */
bool eg_keys_read(struct eg_reading *r, const struct eg_yaml_node *node, enum eg_key_section section,
                  const char *what, struct eg_keys *out);

/* Memory and texts of the mapping. When the arena is spent: a complaint, and something harmless. */
void *eg_read_alloc(struct eg_reading *r, const struct eg_yaml_node *at, size_t size);
const char *eg_read_copy(struct eg_reading *r, const struct eg_yaml_node *at, const char *text);
/* A single value; false and a complaint if it is none. */
bool eg_read_one(struct eg_reading *r, const struct eg_yaml_node *node, const char *what, const char **out);
/* A list of single values, at least one. */
bool eg_read_texts(struct eg_reading *r, const struct eg_yaml_node *list, const char *what, unsigned *n,
                   const struct eg_bytes **out);
/* The number of the column of this name, which by (such as "registration.name") uses. */
unsigned eg_read_column(struct eg_reading *r, const struct eg_yaml_node *node, const char *by);
/* A list of names of an enumeration. */
void eg_read_enums(struct eg_reading *r, const struct eg_yaml_node *list, const char *what,
                   const ProtobufCEnumDescriptor *d, unsigned *n, const int **out);

/* A list of prefixes of region codes; NULL: none. */
void eg_read_regions(struct eg_reading *r, const struct eg_yaml_node *list, const char *what, unsigned *n,
                     const char *const **out);

/* The parts of a value that columns of rows and of targets have in common. */
void eg_read_steps(struct eg_reading *r, const struct eg_yaml_node *list, const char *what, unsigned *n,
                   const struct eg_step **out);
/* names: what the codes must become (NULL: any text). */
const struct eg_code_list *eg_read_codes(struct eg_reading *r, const struct eg_yaml_node *node,
                                         const char *what, const ProtobufCEnumDescriptor *names);
void eg_read_stand_in(struct eg_reading *r, const struct eg_yaml_node *node, const char *what,
                      const char *choices, struct eg_stand_in *out);

/* A value of a row. types: 1 << EG_TYPE_* of those that it may be; *type: the one it is. With one type only
 * that; else INT unless `date` or `instant` is written. field (may be NULL) and name as in struct eg_pick. */
void eg_read_pick(struct eg_reading *r, const struct eg_yaml_node *node, const char *name,
                  const struct eg_field_def *field, unsigned types, struct eg_pick *out,
                  enum eg_field_type *type);

void eg_read_outbound(struct eg_reading *r, const struct eg_yaml_node *node);
/* The connector of this name, or NULL and a complaint. */
const struct eg_connector_type *eg_read_connector(struct eg_reading *r, const struct eg_yaml_node *node);

#endif
