/* mapping_reference: see mapping_reference.h. */
#include "common/mapping_reference.h"

#include "common/limits.h"
#include "common/settings.h"
#include "common/transform.h"

#include <string.h>
#include <strings.h>

const char *const eg_mapping_reference_blocks[] = {"file",  "gateway", "agent", "rows",     "operation",
                                                   "value", "apply",   "list",  "outbound", "column",
                                                   "event", "faults",  NULL};

static const struct {
	const char *section, *key, *kind, *need, *doc;
} keys[] = {
#define X(section, key, kind, need, doc) {#section, #key, #kind, #need, doc},
#include "common/mapping_keys.def"
};

static const struct {
	const char *name, *doc;
} attributes[] = {
#define X(name, doc) {#name, doc},
#include "common/attributes.def"
};

static const char *takes(const char *kind)
{
	return strcmp(kind, "ONE") == 0    ? "one value"
	       : strcmp(kind, "LIST") == 0 ? "a list"
	       : strcmp(kind, "MAP") == 0  ? "a mapping"
	                                   : "any of these";
}

static bool section(const char *name, struct eg_buf *out)
{
	bool any = false;
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strcasecmp(keys[i].section, name) != 0)
			continue;
		if (!any)
			eg_buf_printf(out, "| Key | Takes | Meaning |\n|---|---|---|\n");
		any = true;
		eg_buf_printf(out, "| `%s`%s | %s | %s |\n", keys[i].key,
		              strcmp(keys[i].need, "NEEDED") == 0 ? " (needed)" : "", takes(keys[i].kind),
		              keys[i].doc);
	}
	return any;
}

bool eg_mapping_reference(const char *block, struct eg_buf *out)
{
	if (strcmp(block, "apply") == 0) {
		eg_buf_printf(out, "| Transform | What it does |\n|---|---|\n");
		for (int i = 0; i < EG_STEP_END; i++)
			eg_buf_printf(out, "| `%s` | %s |\n", eg_step_name((enum eg_step_kind)i),
			              eg_step_doc((enum eg_step_kind)i));
		return true;
	}
	if (strcmp(block, "agent") == 0) {
		eg_buf_printf(out, "| Setting | Takes | Preset | Meaning |\n|---|---|---|---|\n");
		eg_settings_reference(out, eg_limits_defs);
		return true;
	}
	if (strcmp(block, "event") == 0) {
		eg_buf_printf(out, "| Name | Meaning |\n|---|---|\n");
		for (unsigned i = 0; i < sizeof attributes / sizeof *attributes; i++)
			eg_buf_printf(out, "| `%s` | %s |\n", attributes[i].name, attributes[i].doc);
		return true;
	}
	if (strcmp(block, "faults") == 0) {
		eg_buf_printf(out, "| Code | Meaning | 说明 |\n|---|---|---|\n");
		for (int i = 1; i < EG_FAULT_END; i++)
			eg_buf_printf(out, "| `%s` | %s | %s |\n", eg_fault_name((enum eg_fault)i),
			              eg_fault_text((enum eg_fault)i, false),
			              eg_fault_text((enum eg_fault)i, true));
		return true;
	}
	return section(block, out);
}
