/* doc: a JSON or XML document as one kind of tree, as far as rows, codes and cursors need it.
 *
 *   JSON   object, array, value, null as they are; numbers and booleans are values, as text
 *   XML    an element with child elements or attributes is an object (its own text stays beside them), one
 *          without is a value, xsi:nil is null; attributes are members "@name"; names without prefix; several
 *          elements of one name are several members of it
 *
 * A path is a JSON pointer (RFC 6901): "/data/rows", "" is the root; in XML "/Envelope/Body/...", where
 * numbers don't count elements. A step through members of one name takes the first. Nodes live in the arena
 * they were read into. Pure. */
#ifndef EG_ADAPTERS_DOC_H
#define EG_ADAPTERS_DOC_H

#include "base/arena.h"
#include "base/buf.h"
#include "eldergate/err.h"

enum eg_doc_kind { EG_DOC_NULL, EG_DOC_VALUE, EG_DOC_OBJECT, EG_DOC_ARRAY };

struct eg_doc_node {
	enum eg_doc_kind kind;
	struct eg_bytes name; /* of a member; empty in an array */
	struct eg_bytes text; /* of a value; may hold NUL */
	struct eg_doc_node *first, *next;
};

enum {
	EG_DOC_DEPTH_MAX = 32,       /* nested objects, arrays or elements */
	EG_DOC_VALUES_MAX = 1 << 18, /* values, members and elements of one document */
};

/* Reads UTF-8. EG_INVALID: not well-formed, or what is never accepted (a key twice in an object, a DOCTYPE);
 * EG_LIMIT: nested too deep, too many values, past the arena's budget. Errors name places, never content. */
typedef enum eg_rc eg_doc_reader(struct eg_bytes text, struct eg_arena *a, struct eg_doc_node **out,
                                 struct eg_err *err);
eg_doc_reader eg_json_read, eg_xml_read;

bool eg_doc_path_valid(const char *path);
/* NULL: no such node. */
const struct eg_doc_node *eg_doc_find(const struct eg_doc_node *root, const char *path);
/* The text of the value at a path; p NULL: no such node, null, or no value. */
struct eg_bytes eg_doc_text(const struct eg_doc_node *root, const char *path);

/* The rows at a path: the items of the array there, or (elements, for XML) the elements of that name; a JSON
 * null has none. EG_INVALID: no array, or not even the element around the rows. */
struct eg_doc_rows {
	const struct eg_doc_node *next; /* NULL: no more */
	bool items;                     /* of an array; else siblings of one name */
};
enum eg_rc eg_doc_rows_at(const struct eg_doc_node *root, const char *path, bool elements,
                          struct eg_doc_rows *out, struct eg_err *err);
const struct eg_doc_node *eg_doc_rows_next(struct eg_doc_rows *r); /* NULL: no more */

void eg_doc_json(const struct eg_doc_node *n, struct eg_buf *out); /* the node as JSON, for reports */

/* A node under its parent, behind its last child; for readers. NULL: past the budget. */
struct eg_doc_node *eg_doc_add(struct eg_arena *a, struct eg_doc_node *parent, struct eg_doc_node **last,
                               enum eg_doc_kind kind, struct eg_bytes name, struct eg_bytes text);

#endif
