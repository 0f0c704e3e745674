/* http_body: what of a change's columns stands in an outgoing request.
 *
 * ${event_id}; ${columns}: all of them as members of a JSON object, or as XML elements (without those that
 * are null); ${column.NAME}: the text of one, "" if null; in a batch's body ${events}: its items, each made
 * from the setting item. Thread: one. */
#ifndef EG_ADAPTERS_HTTP_BODY_H
#define EG_ADAPTERS_HTTP_BODY_H

#include "connectors/http_request.h"
#include "eldergate/connector.h"

struct eg_http_body {
	const struct eg_settings *s;
	struct eg_buf names;   /* "column.NAME", each with its NUL */
	struct eg_buf columns; /* ${columns} */
	struct eg_buf events;  /* ${events} */
	unsigned n;
	struct eg_template_value values[EG_HTTP_VALUES_MAX];
};

void eg_http_body_free(struct eg_http_body *b); /* wipes */
/* Sets values for one change, or for a batch: then they are ${events}, to which id adds ${event_id}, that of
 * the batch. EG_CONFIG: columns that cannot be written so. They live until the next call, and as long as d
 * and id. */
enum eg_rc eg_http_body_one(struct eg_http_body *b, const struct eg_delivery *d, struct eg_err *err);
enum eg_rc eg_http_body_batch(struct eg_http_body *b, const struct eg_delivery *d, unsigned n,
                              struct eg_err *err);
void eg_http_body_id(struct eg_http_body *b, const char *id);
/* Made-up values for every ${column.NAME} that the settings use, to check the templates with. */
enum eg_rc eg_http_body_sample(struct eg_http_body *b, bool batch, struct eg_err *err);

#endif
