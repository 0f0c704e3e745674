/* http_spool: the pages of a full list that is under way, kept so that a restart does not ask for them again.
 *
 *   none --begin--> writing --put*--> writing --drop--> none
 *   left by a former process --resume--> reading --next*--> writing
 *
 * One file of mode 0600 in a folder of the adapter's. Pages are sealed by AES-256-GCM; the key is made from
 * the checkpoint's, so that without the checkpoint the file says nothing. What was written last may be torn:
 * it is cut off. A spool that fails costs calls, never a list: it is told in the log and dropped. Thread: the
 * agent's. */
#ifndef EG_ADAPTERS_HTTP_SPOOL_H
#define EG_ADAPTERS_HTTP_SPOOL_H

#include "base/buf.h"
#include "eldergate/connector.h"

struct eg_http_spool;

struct eg_http_spool_options {
	const struct eg_settings *settings; /* of the source: list_spool, list_spool_size, list_resume_within;
	                                       a list of other requests is not taken up */
	struct eg_checkpoint *checkpoint;
	const char *prefix;
};

/* EG_NOT_FOUND and the like: of the folder. */
enum eg_rc eg_http_spool_open(struct eg_http_spool **out, const struct eg_http_spool_options *o,
                              struct eg_err *err);
void eg_http_spool_close(struct eg_http_spool *s); /* what it holds stays; NULL is fine */

/* Is there a list to go on with, whose last page is not too old (list_resume_within)? Then its pages so far
 * come from next. now_us: our clock. */
bool eg_http_spool_resume(struct eg_http_spool *s, int64_t now_us, int64_t *begun_us);
void eg_http_spool_begin(struct eg_http_spool *s, int64_t begun_us);
/* The next page that was put, with the peer's clock before ours as it was then, into the emptied `text`;
 * false: there are no more, the following are put. */
bool eg_http_spool_next(struct eg_http_spool *s, struct eg_buf *text, bool *bad_bytes, int64_t *skew_us);
void eg_http_spool_put(struct eg_http_spool *s, struct eg_bytes text, bool bad_bytes, int64_t skew_us);
void eg_http_spool_drop(struct eg_http_spool *s);

#endif
