/* conf_yaml: see conf_yaml.h. The one user of libyaml. */
#include "conf_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_FILE = 1 << 20, MAX_NODES = 20000 };

enum eg_rc eg_yaml_fail(const struct eg_yaml *y, const yaml_node_t *node, struct eg_err *err, const char *fmt,
                        ...)
{
	char text[220];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!node)
		return eg_fail(err, EG_CONFIG, "%s: %s", y->path, text);
	return eg_fail(err, EG_CONFIG, "%s:%zu:%zu: %s", y->path, node->start_mark.line + 1,
	               node->start_mark.column + 1, text);
}

enum eg_rc eg_yaml_open(struct eg_yaml *y, const char *path, struct eg_err *err)
{
	yaml_parser_t parser;
	enum eg_rc rc = EG_OK;
	snprintf(y->path, sizeof y->path, "%s", path);
	FILE *f = fopen(path, "re");
	if (!f)
		return eg_fail(err, EG_CONFIG, "%s: %s", path, strerror(errno));
	if (!yaml_parser_initialize(&parser)) {
		fclose(f);
		return eg_fail(err, EG_NO_MEMORY, "%s: no memory for the YAML parser", path);
	}
	if (fseek(f, 0, SEEK_END) == 0 && ftell(f) > MAX_FILE) {
		rc = eg_fail(err, EG_CONFIG, "%s: longer than %d bytes", path, MAX_FILE);
		goto out;
	}
	rewind(f);
	yaml_parser_set_input_file(&parser, f);
	if (!yaml_parser_load(&parser, &y->doc)) {
		rc = eg_fail(err, EG_CONFIG, "%s:%zu:%zu: %s", path, parser.problem_mark.line + 1,
		             parser.problem_mark.column + 1, parser.problem ? parser.problem : "not YAML");
		goto out;
	}
	if (y->doc.nodes.top - y->doc.nodes.start > MAX_NODES) {
		yaml_document_delete(&y->doc);
		rc = eg_fail(err, EG_CONFIG, "%s: more than %d values", path, MAX_NODES);
	}
out:
	yaml_parser_delete(&parser);
	fclose(f);
	return rc;
}

void eg_yaml_close(struct eg_yaml *y)
{
	yaml_document_delete(&y->doc);
}

yaml_node_t *eg_yaml_node(struct eg_yaml *y, int id)
{
	return yaml_document_get_node(&y->doc, id);
}

const char *eg_yaml_text(const struct eg_yaml *y, const yaml_node_t *node, const char *what,
                         struct eg_err *err)
{
	if (!node || node->type != YAML_SCALAR_NODE) {
		eg_yaml_fail(y, node, err, "%s must be a single value", what);
		return NULL;
	}
	if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length) {
		eg_yaml_fail(y, node, err, "%s has a NUL character in it", what);
		return NULL;
	}
	return (const char *)node->data.scalar.value;
}

bool eg_parse_int(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	*out = v;
	return true;
}

static bool with_unit(const char *text, const char *const *units, const int64_t *factors, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end == text || v < 0)
		return false;
	while (*end == ' ')
		end++;
	for (unsigned i = 0; units[i]; i++)
		if (strcmp(end, units[i]) == 0)
			return !__builtin_mul_overflow((int64_t)v, factors[i], out);
	return false;
}

bool eg_parse_size(const char *text, int64_t *out)
{
	static const char *const units[] = {"", "B", "KiB", "MiB", "GiB", NULL};
	static const int64_t factors[] = {1, 1, 1 << 10, 1 << 20, 1 << 30};
	return with_unit(text, units, factors, out);
}

bool eg_parse_time(const char *text, int64_t *out)
{
	static const char *const units[] = {"us", "ms", "s", "m", "h", "d", NULL};
	static const int64_t factors[] = {1, 1000, 1000000, 60000000, 3600000000, 86400000000};
	return with_unit(text, units, factors, out);
}

bool eg_parse_bool(const char *text, int64_t *out)
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
	for (unsigned i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*out = 1;
			return true;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*out = 0;
			return true;
		}
	}
	return false;
}
