/* http_source: rows from an agency's HTTP interface: windows of time, a moving cursor, or full lists. */
#ifndef EG_ADAPTERS_HTTP_SOURCE_H
#define EG_ADAPTERS_HTTP_SOURCE_H

#include "eldergate/connector.h"

struct eg_http_source;

/* As in connector.h. */
extern const struct eg_setting_def eg_http_source_settings[];
enum eg_rc eg_http_source_open(struct eg_http_source **out, const struct eg_connector_options *o,
                               struct eg_err *err);
/* EG_CONFIG: settings that do not go together; connects to nothing. */
enum eg_rc eg_http_source_check(const struct eg_settings *s, struct eg_err *err);
void eg_http_source_close(struct eg_http_source *c);
enum eg_rc eg_http_source_next(struct eg_http_source *c, int64_t mono_deadline_us, struct eg_in *out,
                               struct eg_err *err);
enum eg_rc eg_http_source_settle(struct eg_http_source *c, const struct eg_verdict *v, unsigned n,
                                 struct eg_err *err);

#endif
