/* http_body: see http_body.h. */
#include "connectors/http_body.h"

#include <string.h>

void eg_http_body_free(struct eg_http_body *b)
{
	eg_buf_free(&b->names);
	eg_buf_free(&b->columns);
	eg_buf_free(&b->events);
}

static bool xml_name(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	if (!((uint8_t)*name >= 0x80 || (*name && strchr(first, *name))))
		return false;
	for (const char *p = name; *p; p++)
		if (!((uint8_t)*p >= 0x80 || strchr(first, *p) || (*p >= '0' && *p <= '9') || *p == '.' ||
		      *p == '-'))
			return false;
	return true;
}

static bool is_xml(const struct eg_http_body *b)
{
	return *eg_settings_text(b->s, "body_format") == 'x';
}

static enum eg_rc write_columns(struct eg_http_body *b, const struct eg_delivery *d, struct eg_err *err)
{
	struct eg_buf *out = &b->columns;
	bool xml = is_xml(b);
	eg_buf_reset(out);
	/* What is only asked for by name need be no name of an element. */
	if (!strstr(eg_settings_text(b->s, "body"), "${columns}") &&
	    !strstr(eg_settings_text(b->s, "item"), "${columns}"))
		return EG_OK;
	if (!xml)
		eg_buf_add_u8(out, '{');
	for (unsigned i = 0; i < d->n; i++) {
		const char *name = d->names[i];
		if (xml && !xml_name(name))
			return eg_fail(err, EG_CONFIG,
			               "the outbound column %u cannot be the name of an element", i + 1);
		if (xml && d->values[i].p) {
			eg_buf_printf(out, "<%s>", name);
			eg_xml_escape(d->values[i], out);
			eg_buf_printf(out, "</%s>", name);
		} else if (!xml) {
			if (i)
				eg_buf_add_u8(out, ',');
			eg_buf_json(out, eg_bytes_of(name));
			eg_buf_add_u8(out, ':');
			if (d->values[i].p)
				eg_buf_json(out, d->values[i]);
			else
				eg_buf_printf(out, "null");
		}
	}
	if (!xml)
		eg_buf_add_u8(out, '}');
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a change") : EG_OK;
}

static void value(struct eg_http_body *b, const char *name, enum eg_template_kind kind, struct eg_bytes text)
{
	b->values[b->n++] = (struct eg_template_value){name, kind, text};
}

enum eg_rc eg_http_body_one(struct eg_http_body *b, const struct eg_delivery *d, struct eg_err *err)
{
	b->n = 0;
	if (d->n > EG_HTTP_VALUES_MAX - 2)
		return eg_fail(err, EG_CONFIG, "more than %d outbound columns", EG_HTTP_VALUES_MAX - 2);
	enum eg_rc rc = write_columns(b, d, err);
	if (rc)
		return rc;
	eg_buf_reset(&b->names);
	for (unsigned i = 0; i < d->n; i++) {
		eg_buf_printf(&b->names, "column.%s", d->names[i]);
		eg_buf_add_u8(&b->names, 0);
	}
	if (b->names.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a change");
	value(b, "event_id", EG_TEMPLATE_TEXT, eg_bytes_of(d->event_id));
	if (*eg_settings_text(b->s, "body_format") != 'f')
		value(b, "columns", EG_TEMPLATE_READY, eg_buf_bytes(&b->columns));
	const char *name = (const char *)b->names.p;
	for (unsigned i = 0; i < d->n; i++, name += strlen(name) + 1)
		value(b, name, EG_TEMPLATE_TEXT,
		      d->values[i].p ? d->values[i] : (struct eg_bytes){(const uint8_t *)"", 0});
	return EG_OK;
}

enum eg_rc eg_http_body_batch(struct eg_http_body *b, const struct eg_delivery *d, unsigned n,
                              struct eg_err *err)
{
	const char *item = eg_settings_text(b->s, "item");
	struct eg_err why;
	bool xml = is_xml(b);
	eg_buf_reset(&b->events);
	for (unsigned i = 0; i < n; i++) {
		enum eg_rc rc = eg_http_body_one(b, &d[i], err);
		if (rc)
			return rc;
		if (i && !xml)
			eg_buf_add_u8(&b->events, ',');
		rc = eg_template_fill(item, xml ? EG_TEMPLATE_XML : EG_TEMPLATE_JSON, b->values, b->n,
		                      &b->events, &why);
		if (rc)
			return eg_settings_fail(b->s, "item", err, "%s", why.text);
	}
	if (b->events.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for changes");
	b->n = 0;
	value(b, "events", EG_TEMPLATE_READY, eg_buf_bytes(&b->events));
	return EG_OK;
}

void eg_http_body_id(struct eg_http_body *b, const char *id)
{
	value(b, "event_id", EG_TEMPLATE_TEXT, eg_bytes_of(id));
}

/* ---- samples ---- */

/* Adds the NAME of each ${column.NAME} to names. */
static void scan(const char *template, struct eg_buf *names, unsigned *n)
{
	static const char mark[] = "${column.";
	for (const char *p = template; (p = strstr(p, mark));) {
		p += sizeof mark - 1;
		size_t len = strcspn(p, "}");
		eg_buf_add(names, p, len);
		eg_buf_add_u8(names, 0);
		++*n;
	}
}

enum eg_rc eg_http_body_sample(struct eg_http_body *b, bool batch, struct eg_err *err)
{
	static const char *const texts[] = {"url", "body", "item"}, *const lists[] = {"query", "headers"};
	const char *names[EG_HTTP_VALUES_MAX];
	struct eg_bytes values[EG_HTTP_VALUES_MAX];
	struct eg_buf found = {0};
	unsigned n = 0;
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
		scan(eg_settings_text(b->s, texts[i]), &found, &n);
	for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++)
		for (unsigned k = 0; k < eg_settings_count(b->s, lists[i]); k++)
			scan(eg_settings_item(b->s, lists[i], k), &found, &n);
	if (found.failed || n > EG_HTTP_VALUES_MAX - 2) {
		eg_buf_free(&found);
		return eg_settings_fail(b->s, "body", err, "uses too many columns");
	}
	const char *at = (const char *)found.p;
	for (unsigned i = 0; i < n; i++, at += strlen(at) + 1) {
		names[i] = at;
		values[i] = eg_bytes_of("x");
	}
	struct eg_delivery d = {"sample:1", n, names, values};
	enum eg_rc rc = batch ? eg_http_body_batch(b, &d, 1, err) : eg_http_body_one(b, &d, err);
	if (!rc && batch)
		eg_http_body_id(b, "sample");
	eg_buf_free(&found);
	return rc;
}
