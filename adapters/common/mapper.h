/* mapper: one row of a source becomes one encoded eldergate.v1.Record, or faults that say why it cannot.
 *
 * Columns are found by name once per generation. The same row, mapping and place give the same bytes. No text
 * it hands out holds a value of the row, but for the record and its key. Thread: one. */
#ifndef EG_ADAPTERS_MAPPER_H
#define EG_ADAPTERS_MAPPER_H

#include "common/mapping.h"

struct eg_mapper;

enum eg_rc eg_mapper_new(struct eg_mapper **out, const struct eg_mapping *m, struct eg_err *err);
void eg_mapper_free(struct eg_mapper *p); /* NULL is fine */

enum { EG_ROW_FAULTS_MAX = 8 };

struct eg_row_fault {
	const char *code;   /* of adapters/common/faults.def: "DATE_INVALID" */
	const char *field;  /* "registration.birth_date", "source_key", "version"; "" if it is of the row */
	const char *column; /* "" if there is none */
	const char *text;   /* what to do, for people: zh-CN */
	const char *en;
};

/* Lives until the next row. */
struct eg_mapped {
	bool skipped;           /* not for this dataset (rows.only): taken, nothing is sent */
	struct eg_bytes record; /* encoded; empty if there are faults */
	struct eg_bytes key;    /* the source key; empty if it could not be made */
	int64_t version;
	bool void_op;
	unsigned n_faults;
	struct eg_row_fault faults[EG_ROW_FAULTS_MAX];
};

/* in: an EG_IN_ROW. EG_OK: skipped or record; EG_INVALID: faults say why; EG_CONFIG: a column that the
 * mapping names is not there (the source changed its schema): the text names it, and every row would fail
 * alike, but where the source has no schema; EG_NO_MEMORY, EG_LIMIT. */
enum eg_rc eg_mapper_row(struct eg_mapper *p, const struct eg_in *in, struct eg_mapped *out,
                         struct eg_err *err);

/* Only looks for the columns, as the first row would; for a dry check and for empty sources. */
enum eg_rc eg_mapper_bind(struct eg_mapper *p, const struct eg_columns *columns, struct eg_err *err);

/* What is declared of a full list: the connector's own words, else the mapping's `list`. */
struct eg_list_scope {
	int64_t as_of; /* comparable with the versions of rows */
	unsigned n_regions;
	const char *const *regions; /* none: the whole dataset */
};
/* in: an EG_IN_LIST_BEGIN. EG_CONFIG: neither says the as_of; EG_INVALID: the list's name does not fit
 * `list.as_of`. */
enum eg_rc eg_mapper_list(struct eg_mapper *p, const struct eg_in *in, struct eg_list_scope *out,
                          struct eg_err *err);

#endif
