/* http_secret: the secret that signs, where the peer gives out new ones that end.
 *
 * Kept in memory, and by setting in a file of mode 0600; never in a checkpoint, a log or an error. Thread:
 * one. */
#ifndef EG_ADAPTERS_HTTP_SECRET_H
#define EG_ADAPTERS_HTTP_SECRET_H

#include "connectors/doc.h"
#include "eldergate/settings.h"

struct eg_http_secret;

/* EG_CONFIG: settings that contradict each other; EG_DENIED: others may read the file. */
enum eg_rc eg_http_secret_open(struct eg_http_secret **out, const struct eg_settings *s, struct eg_err *err);
void eg_http_secret_close(struct eg_http_secret *h); /* wipes; NULL is fine */

const char *eg_http_secret_text(const struct eg_http_secret *h);
bool eg_http_secret_renewable(const struct eg_http_secret *h);
/* Is it time to fetch a new one? */
bool eg_http_secret_due(const struct eg_http_secret *h, int64_t wall_us);
/* Takes the new one from the renewal's answer. EG_UNAVAILABLE: it is not in there; EG_IO: the file. */
enum eg_rc eg_http_secret_take(struct eg_http_secret *h, const struct eg_doc_node *answer, int64_t wall_us,
                               struct eg_err *err);

#endif
