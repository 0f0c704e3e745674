/* http_answer: what an answer means: by its HTTP status, its form, and the code in its body.
 *
 * A peer that answers 200 with an error in the body has failed. Errors tell the status and the code (at most
 * EG_HTTP_CODE_MAX letters and digits: no ID number fits), never the peer's text. Thread: one. */
#ifndef EG_ADAPTERS_HTTP_ANSWER_H
#define EG_ADAPTERS_HTTP_ANSWER_H

#include "connectors/curl.h"
#include "connectors/doc.h"
#include "eldergate/settings.h"

enum { EG_HTTP_CODE_MAX = 12 };

enum eg_http_outcome {
	EG_HTTP_DONE,
	EG_HTTP_EXISTS,  /* it had that already */
	EG_HTTP_REFUSED, /* it will never take this */
	EG_HTTP_AGAIN,   /* later, perhaps soon */
	EG_HTTP_AUTH,    /* it does not know us */
	EG_HTTP_SPENT,   /* no more calls today */
	EG_HTTP_BROKEN   /* not an answer that we understand: asking again at once would not help */
};

struct eg_http_answer {
	struct eg_doc_node *doc; /* DONE, and the body was wanted */
	bool elements;           /* doc comes from XML */
	bool bad_bytes;          /* U+FFFD stands in doc for bytes that could not be read */
	int64_t date_us;         /* the peer's clock; 0: not said */
	struct eg_arena *arena;
	struct eg_buf text; /* the body, in UTF-8 */
};

enum eg_rc eg_http_answer_open(struct eg_http_answer *a, const struct eg_settings *s, struct eg_err *err);
void eg_http_answer_free(struct eg_http_answer *a); /* wipes */
/* EG_CONFIG: paths that are none. */
enum eg_rc eg_http_answer_check(const struct eg_settings *s, struct eg_err *err);

/* Reads the text of an answer that was DONE before. */
enum eg_rc eg_http_answer_again(struct eg_http_answer *a, const struct eg_settings *s, struct eg_bytes text,
                                bool bad_bytes, struct eg_err *err);

/* Reads and judges; err says why when it is not DONE. wanted: the document is needed even if no code is. The
 * document lives until the next read. */
enum eg_http_outcome eg_http_answer_read(struct eg_http_answer *a, const struct eg_settings *s,
                                         const struct eg_curl_answer *raw, bool wanted, struct eg_err *err);

#endif
