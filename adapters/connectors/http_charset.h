/* http_charset: an answer's bytes as UTF-8, whatever the peer writes in. Pure. */
#ifndef EG_ADAPTERS_HTTP_CHARSET_H
#define EG_ADAPTERS_HTTP_CHARSET_H

#include "base/buf.h"
#include "eldergate/err.h"

#define EG_HTTP_CHARSET_MAX 40

/* The charset's name: from a Content-Type, else from an XML declaration, else "UTF-8". */
void eg_http_charset_of(const char *content_type, struct eg_bytes body, char out[EG_HTTP_CHARSET_MAX]);

/* Replaces what out held, without a byte order mark. GB2312 and GBK are read as GB18030, which holds them.
 * Each byte that is none of the charset becomes U+FFFD, and *bad is set: the rows that have one are not
 * trusted. EG_INVALID: an unknown charset. */
enum eg_rc eg_http_charset_read(struct eg_bytes body, const char *charset, struct eg_buf *out, bool *bad,
                                struct eg_err *err);

#endif
