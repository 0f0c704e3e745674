/* xml: reads XML into a doc; the only user of libxml2.
 *
 * No network, no DTD, no entities but the five of XML itself: a DOCTYPE ends the reading. Elements are
 * counted before libxml2 makes any. */
#include "connectors/doc.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

static const char nil_space[] = "http://www.w3.org/2001/XMLSchema-instance";

static enum eg_rc measure(struct eg_bytes text, struct eg_err *err)
{
	size_t marks = 0;
	for (size_t i = 0; i < text.len; i++)
		marks += text.p[i] == '<' || text.p[i] == '=';
	if (marks > EG_DOC_VALUES_MAX)
		return eg_fail(err, EG_LIMIT,
		               "the XML has more than %d elements and attributes; ask for smaller pages",
		               EG_DOC_VALUES_MAX);
	return EG_OK;
}

/* libxml2 calls this at "<!DOCTYPE", before it reads what is inside. */
static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	(void)name;
	(void)external;
	(void)system;
	xmlParserCtxtPtr c = ctx;
	*(bool *)c->_private = true;
	xmlStopParser(c);
}

static bool is_nil(const xmlNode *e)
{
	for (const xmlAttr *a = e->properties; a; a = a->next)
		if (a->ns && strcmp((const char *)a->ns->href, nil_space) == 0 &&
		    strcmp((const char *)a->name, "nil") == 0 && a->children && a->children->content)
			return strcmp((const char *)a->children->content, "true") == 0 ||
			       strcmp((const char *)a->children->content, "1") == 0;
	return false;
}

static bool has_children(const xmlNode *e)
{
	if (e->properties)
		return true;
	for (const xmlNode *c = e->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE)
			return true;
	return false;
}

/* The text straight in an element, CDATA included. */
static void own_text(const xmlNode *e, struct eg_buf *out)
{
	for (const xmlNode *c = e->children; c; c = c->next)
		if ((c->type == XML_TEXT_NODE || c->type == XML_CDATA_SECTION_NODE) && c->content)
			eg_buf_add(out, c->content, strlen((const char *)c->content));
}

static bool blank(struct eg_bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!strchr(" \t\r\n", s.p[i]))
			return false;
	return true;
}

struct reading {
	struct eg_arena *arena;
	struct eg_buf scratch;
	bool deep;
};

static bool attributes(struct reading *r, const xmlNode *e, struct eg_doc_node *n, struct eg_doc_node **last)
{
	for (const xmlAttr *a = e->properties; a; a = a->next) {
		eg_buf_reset(&r->scratch);
		eg_buf_printf(&r->scratch, "@%s", (const char *)a->name);
		size_t name = r->scratch.len;
		own_text((const xmlNode *)a, &r->scratch);
		struct eg_bytes all = eg_buf_bytes(&r->scratch);
		if (!all.len || !eg_doc_add(r->arena, n, last, EG_DOC_VALUE, (struct eg_bytes){all.p, name},
		                            (struct eg_bytes){all.p + name, all.len - name}))
			return false;
	}
	return true;
}

static bool convert(struct reading *r, const xmlNode *e, struct eg_doc_node *parent,
                    struct eg_doc_node **last, unsigned depth)
{
	bool object = has_children(e);
	if (depth > EG_DOC_DEPTH_MAX) {
		r->deep = true;
		return false;
	}
	eg_buf_reset(&r->scratch);
	own_text(e, &r->scratch);
	if (r->scratch.failed)
		return false;
	struct eg_bytes text = eg_buf_bytes(&r->scratch);
	enum eg_doc_kind kind = is_nil(e) ? EG_DOC_NULL : object ? EG_DOC_OBJECT : EG_DOC_VALUE;
	struct eg_doc_node *n =
	        eg_doc_add(r->arena, parent, last, kind, eg_bytes_of((const char *)e->name), text);
	if (!n)
		return false;
	if (kind != EG_DOC_OBJECT)
		return true;
	if (!blank(text)) {
		n->text.len = text.len;
		if (!(n->text.p = eg_arena_copy(r->arena, text.p, text.len)))
			return false;
	}
	struct eg_doc_node *child = NULL;
	if (!attributes(r, e, n, &child))
		return false;
	for (const xmlNode *c = e->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && !convert(r, c, n, &child, depth + 1))
			return false;
	return true;
}

static enum eg_rc read_tree(struct reading *r, xmlParserCtxtPtr c, struct eg_bytes text,
                            struct eg_doc_node **out, struct eg_err *err)
{
	bool doctype = false;
	struct eg_doc_node *last = NULL;
	c->_private = &doctype;
	c->sax->internalSubset = on_doctype;
	xmlDocPtr tree = xmlCtxtReadMemory(c, (const char *)text.p, (int)text.len, NULL, "UTF-8",
	                                   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	const xmlNode *root = tree ? xmlDocGetRootElement(tree) : NULL;
	enum eg_rc rc = EG_OK;
	if (doctype)
		rc = eg_fail(err, EG_INVALID, "the XML has a DOCTYPE, which is never accepted");
	else if (!root)
		rc = eg_fail(err, EG_INVALID, "the XML cannot be read: it is not well-formed, line %d",
		             c->lastError.line);
	else if (!(*out = eg_doc_add(r->arena, NULL, NULL, EG_DOC_OBJECT, (struct eg_bytes){NULL, 0},
	                             (struct eg_bytes){NULL, 0})) ||
	         !convert(r, root, *out, &last, 1))
		rc = r->deep ? eg_fail(err, EG_LIMIT, "the XML is nested deeper than %d", EG_DOC_DEPTH_MAX)
		             : eg_fail(err, EG_LIMIT, "the XML needs more memory than a page may");
	xmlFreeDoc(tree);
	return rc;
}

enum eg_rc eg_xml_read(struct eg_bytes text, struct eg_arena *a, struct eg_doc_node **out, struct eg_err *err)
{
	struct reading r = {.arena = a};
	enum eg_rc rc = measure(text, err);
	if (rc)
		return rc;
	xmlParserCtxtPtr c = text.len < 1u << 30 ? xmlNewParserCtxt() : NULL;
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read XML");
	rc = read_tree(&r, c, text, out, err);
	xmlFreeParserCtxt(c);
	eg_buf_free(&r.scratch);
	return rc;
}
