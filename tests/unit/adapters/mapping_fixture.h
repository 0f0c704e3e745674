/* A mapping file from pieces, a connector that is only a table of settings, and rows for it. */
#ifndef EG_TEST_MAPPING_FIXTURE_H
#define EG_TEST_MAPPING_FIXTURE_H

#include "common/mapper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct eg_setting_def paper_settings[] = {
        {"folder", EG_SET_TEXT, false, "inbox", 1, 100, NULL, "Where it is."},
        {"pause", EG_SET_TIME, false, "5s", 0, 0, NULL, "How long."},
        {0}};
static const struct eg_connector_type paper = {
        .name = "paper", .source_settings = paper_settings, .target_settings = paper_settings};
static const struct eg_connector_type deaf = {.name = "deaf", .source_settings = paper_settings};
static const struct eg_connector_type *const connectors[] = {&paper, &deaf, NULL};

#define HEAD                                                                                                 \
	"mapping: 1\n"                                                                                       \
	"dataset: people\n"                                                                                  \
	"section: registration\n"                                                                            \
	"gateway: {address: 'ipc:///run/bus', server_key: '0123456789012345678901234567890123456789', "      \
	"key_file: own.key}\n"                                                                               \
	"state: state\n"                                                                                     \
	"connector: paper\n"
#define ROWS   "rows: {key: K, version: V}\n"
#define FIELDS "fields:\n  id_number: ID\n  name: XM\n"
#define WHOLE  HEAD ROWS FIELDS

static inline struct eg_mapping *mapping_of(const char *text)
{
	struct eg_mapping *m;
	struct eg_err err = {0};
	if (eg_mapping_parse(&m, "/site/m.yaml", eg_bytes_of(text), connectors, NULL, &err))
		fail_msg("%s", err.text);
	return m;
}

/* Every complaint, one a line. */
static inline const char *complaints_of(const char *text)
{
	static char out[(EG_COMPLAINTS_MAX + 1) * EG_COMPLAINT_BYTES];
	static struct eg_complaints c;
	struct eg_mapping *m = NULL;
	struct eg_err err = {0};
	size_t len = 0;
	*out = 0;
	enum eg_rc rc = eg_mapping_parse(&m, "m.yaml", eg_bytes_of(text), connectors, &c, &err);
	if (!rc) {
		eg_mapping_free(m);
		return "none";
	}
	assert_int_equal(rc, EG_CONFIG);
	assert_int_equal(err.rc, EG_CONFIG);
	for (unsigned i = 0; i < c.n; i++)
		len += (size_t)snprintf(out + len, sizeof out - len, "%s%s", i ? "\n" : "", c.items[i].text);
	return out;
}

#endif
