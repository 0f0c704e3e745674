/* template: a text with ${names} in it, each put in as the text around it needs.
 *
 *   plain    as it is: the text that is signed
 *   url      percent-encoded but for letters, digits and -._~ (RFC 3986)
 *   header   as it is; EG_INVALID for what a header cannot hold, so no value ends a line
 *   json     within a string: escaped; a number outside one too; EG_CONFIG for a text outside of a string
 *   xml      & < > " ' escaped; EG_CONFIG within CDATA, where nothing can be
 *
 * "$${" is "${". Pure. */
#ifndef EG_ADAPTERS_TEMPLATE_H
#define EG_ADAPTERS_TEMPLATE_H

#include "base/buf.h"
#include "eldergate/err.h"

enum eg_template_context {
	EG_TEMPLATE_PLAIN,
	EG_TEMPLATE_URL,
	EG_TEMPLATE_HEADER,
	EG_TEMPLATE_JSON,
	EG_TEMPLATE_XML
};

enum eg_template_kind {
	EG_TEMPLATE_TEXT,
	EG_TEMPLATE_NUMBER, /* digits */
	EG_TEMPLATE_READY   /* a piece of JSON or XML itself: only in those, outside of strings and tags */
};

struct eg_template_value {
	const char *name;
	enum eg_template_kind kind;
	struct eg_bytes text;
};

/* Appends. EG_CONFIG: a name that no value has, or one in a place where its value could do harm; what of out
 * was written by then is no use. */
enum eg_rc eg_template_fill(const char *template, enum eg_template_context context,
                            const struct eg_template_value *values, unsigned n, struct eg_buf *out,
                            struct eg_err *err);

void eg_xml_escape(struct eg_bytes text, struct eg_buf *out);
void eg_url_escape(struct eg_bytes text, struct eg_buf *out);

#endif
