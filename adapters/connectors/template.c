/* template: see template.h. One pass that knows whether it stands in a string, a tag or CDATA. */
#include "connectors/template.h"

#include <string.h>

void eg_xml_escape(struct eg_bytes text, struct eg_buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		const char *name = c == '&'    ? "&amp;"
		                   : c == '<'  ? "&lt;"
		                   : c == '>'  ? "&gt;"
		                   : c == '"'  ? "&quot;"
		                   : c == '\'' ? "&apos;"
		                               : NULL;
		if (name)
			eg_buf_add(out, name, strlen(name));
		else if (c >= 0x20 || c == '\t' || c == '\n')
			eg_buf_add_u8(out, c);
		else
			eg_buf_add_u8(out, ' '); /* what XML 1.0 cannot say at all */
	}
}

void eg_url_escape(struct eg_bytes text, struct eg_buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c && strchr("-._~", c)))
			eg_buf_add_u8(out, c);
		else
			eg_buf_printf(out, "%%%02X", c);
	}
}

/* Where in a JSON or XML text the writing stands. */
struct place {
	bool quoted, escaped; /* json */
	bool tag, cdata;      /* xml */
};

static void move(struct place *p, enum eg_template_context context, const char *at)
{
	if (context == EG_TEMPLATE_JSON) {
		if (p->escaped)
			p->escaped = false;
		else if (*at == '\\')
			p->escaped = p->quoted;
		else if (*at == '"')
			p->quoted = !p->quoted;
	} else if (context == EG_TEMPLATE_XML) {
		if (p->cdata)
			p->cdata = strncmp(at, "]]>", 3) != 0;
		else if (strncmp(at, "<![CDATA[", 9) == 0)
			p->cdata = true;
		else if (*at == '<' || *at == '>')
			p->tag = *at == '<';
	}
}

static void json_text(struct eg_bytes text, struct eg_buf *out)
{
	struct eg_buf quoted = {0};
	eg_buf_json(&quoted, text);
	if (quoted.failed || quoted.len < 2)
		out->failed = true;
	else
		eg_buf_add(out, quoted.p + 1, quoted.len - 2);
	eg_buf_free(&quoted);
}

static bool fits_header(struct eg_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return true;
}

static enum eg_rc put(const struct eg_template_value *v, enum eg_template_context context,
                      const struct place *p, struct eg_buf *out, struct eg_err *err)
{
	switch (context) {
	case EG_TEMPLATE_URL:
		eg_url_escape(v->text, out);
		return EG_OK;
	case EG_TEMPLATE_HEADER:
		if (!fits_header(v->text))
			return eg_fail(err, EG_INVALID, "the value of ${%s} cannot stand in a header",
			               v->name);
		break;
	case EG_TEMPLATE_JSON:
		if (v->kind == EG_TEMPLATE_TEXT ? !p->quoted : v->kind == EG_TEMPLATE_READY && p->quoted)
			return eg_fail(err, EG_CONFIG, "${%s} must stand %s double quotes", v->name,
			               p->quoted ? "outside of" : "within");
		if (v->kind == EG_TEMPLATE_TEXT) {
			json_text(v->text, out);
			return EG_OK;
		}
		break;
	case EG_TEMPLATE_XML:
		if (p->cdata || (p->tag && v->kind == EG_TEMPLATE_READY))
			return eg_fail(err, EG_CONFIG, "${%s} cannot stand in %s", v->name,
			               p->cdata ? "CDATA" : "a tag");
		if (v->kind == EG_TEMPLATE_TEXT) {
			eg_xml_escape(v->text, out);
			return EG_OK;
		}
		break;
	case EG_TEMPLATE_PLAIN:
		break;
	}
	if (v->kind == EG_TEMPLATE_READY && context != EG_TEMPLATE_JSON && context != EG_TEMPLATE_XML)
		return eg_fail(err, EG_CONFIG, "${%s} can stand in a JSON or XML body only", v->name);
	eg_buf_add(out, v->text.p, v->text.len);
	return EG_OK;
}

enum eg_rc eg_template_fill(const char *template, enum eg_template_context context,
                            const struct eg_template_value *values, unsigned n, struct eg_buf *out,
                            struct eg_err *err)
{
	struct place place = {0};
	for (const char *p = template; *p;) {
		if (strncmp(p, "$${", 3) == 0) {
			eg_buf_add(out, "${", 2);
			p += 3;
			continue;
		}
		if (strncmp(p, "${", 2) != 0) {
			move(&place, context, p);
			eg_buf_add_u8(out, (uint8_t)*p++);
			continue;
		}
		size_t len = strcspn(p + 2, "}");
		unsigned i = 0;
		while (i < n && (strlen(values[i].name) != len || memcmp(values[i].name, p + 2, len) != 0))
			i++;
		if (!p[2 + len] || i == n)
			return eg_fail(err, EG_CONFIG, "there is no ${%.*s}", (int)(len < 40 ? len : 40),
			               p + 2);
		enum eg_rc rc = put(&values[i], context, &place, out, err);
		if (rc)
			return rc;
		p += len + 3;
	}
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory to fill a template") : EG_OK;
}
