/* file_columns: see file_columns.h. */
#include "connectors/file_columns.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXTRA = 6, TEXT_CAP = 80, CHINA_OFFSET_S = 28800, DAY_S = 86400 };
static const char *const extra[EXTRA] = {"file.name",     "file.region", "file.as_of",
                                         "file.sequence", "file.kind",   "file.position"};
static const int64_t SEQUENCES = 1000000000; /* more than nine digits can say */

struct file_columns {
	struct eg_columns columns;
	char **names; /* header's own, then the shared ones of `extra` */
	unsigned n_header;
	struct eg_bytes *values;
	char texts[EXTRA][TEXT_CAP];
	bool has[EXTRA];
};

struct file_columns *file_columns_new(void)
{
	return calloc(1, sizeof(struct file_columns));
}

static void drop_names(struct file_columns *c)
{
	for (unsigned i = 0; i < c->n_header; i++)
		free(c->names[i]);
	free(c->names);
	free(c->values);
	c->names = NULL;
	c->values = NULL;
	c->n_header = 0;
	c->columns = (struct eg_columns){.generation = c->columns.generation};
}

static bool same(const struct file_columns *c, const struct eg_bytes *header, unsigned n)
{
	if (!c->names || c->n_header != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (strlen(c->names[i]) != header[i].len ||
		    memcmp(c->names[i], header[i].p, header[i].len) != 0)
			return false;
	return true;
}

static bool keep_names(struct file_columns *c, const struct eg_bytes *header, unsigned n)
{
	c->names = calloc(n + EXTRA, sizeof *c->names);
	c->values = calloc(n + EXTRA, sizeof *c->values);
	if (!c->names || !c->values)
		return false;
	for (; c->n_header < n; c->n_header++) {
		c->names[c->n_header] = strndup((const char *)header[c->n_header].p, header[c->n_header].len);
		if (!c->names[c->n_header])
			return false;
	}
	for (unsigned i = 0; i < EXTRA; i++)
		c->names[n + i] = (char *)(uintptr_t)extra[i];
	c->columns.generation++;
	c->columns.n = n + EXTRA;
	c->columns.names = (const char *const *)c->names;
	return true;
}

int64_t file_position_of(const struct file_name *file, enum file_position position)
{
	switch (position) {
	case POSITION_NONE:
		return 0;
	case POSITION_DATE:
		return file->as_of;
	case POSITION_DATE_SEQUENCE:
		return file->as_of * SEQUENCES + file->sequence;
	}
	return 0;
}

int64_t file_taken_at(const struct file_name *file)
{
	const struct eg_date day = {.year = (int16_t)(file->as_of / 10000),
	                            .month = (uint8_t)(file->as_of / 100 % 100),
	                            .day = (uint8_t)(file->as_of % 100)};
	return file->as_of ? (eg_date_days(day) * (int64_t)DAY_S - CHINA_OFFSET_S) * EG_SECOND : 0;
}

enum eg_rc file_columns_set(struct file_columns *c, const struct eg_bytes *header, unsigned n,
                            const struct file_name *file, enum file_position position, struct eg_err *err)
{
	if (!same(c, header, n)) {
		drop_names(c);
		if (!keep_names(c, header, n)) {
			drop_names(c);
			return eg_fail(err, EG_NO_MEMORY, "no memory for the columns of a file");
		}
	}
	int64_t at = file_position_of(file, position);
	snprintf(c->texts[0], TEXT_CAP, "%s", file->name);
	snprintf(c->texts[1], TEXT_CAP, "%s", file->region);
	snprintf(c->texts[2], TEXT_CAP, "%04lld-%02lld-%02lld", (long long)(file->as_of / 10000),
	         (long long)(file->as_of / 100 % 100), (long long)(file->as_of % 100));
	snprintf(c->texts[3], TEXT_CAP, "%lld", (long long)file->sequence);
	snprintf(c->texts[4], TEXT_CAP, "%s", file->full ? "FULL" : "INC");
	snprintf(c->texts[5], TEXT_CAP, "%lld", (long long)at);
	bool has[EXTRA] = {true, *file->region, file->as_of, file->sequence >= 0, true, at};
	memcpy(c->has, has, sizeof has);
	return EG_OK;
}

const struct eg_columns *file_columns(const struct file_columns *c)
{
	return &c->columns;
}

const struct eg_bytes *file_columns_row(struct file_columns *c, const struct eg_bytes *values)
{
	if (c->n_header)
		memcpy(c->values, values, c->n_header * sizeof *values);
	for (unsigned i = 0; i < EXTRA; i++)
		c->values[c->n_header + i] = c->has[i] ? eg_bytes_of(c->texts[i]) : (struct eg_bytes){0};
	return c->values;
}

void file_columns_free(struct file_columns *c)
{
	if (!c)
		return;
	drop_names(c);
	free(c);
}
