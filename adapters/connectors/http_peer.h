/* http_peer: an agency's HTTP interface as one asks it: within its quota, signed, patient, within deadlines.
 *
 *             +------------------- backoff, renewed secret --------------------+
 *             v                                                                |
 *   idle --ask--> pacing --the quota allows it--> sending --answer or failure--+--> idle
 *
 * An exchange that may help to repeat is repeated `retries` times, with a pause that doubles and varies, or
 * the one that Retry-After asks for. An answer that says our secret is not good fetches a new one, once. When
 * the day's calls are used up it paces until midnight, and says so once in the log. Thread: one. */
#ifndef EG_ADAPTERS_HTTP_PEER_H
#define EG_ADAPTERS_HTTP_PEER_H

#include "connectors/http_answer.h"
#include "connectors/http_request.h"
#include "connectors/quota.h"
#include "eldergate/connector.h"

struct eg_http_peer;

/* The checkpoint (may be NULL: nothing is kept) holds http.quota/UPSTREAM: what both directions have used of
 * one peer's quota, each minding the limits of its own settings. EG_CONFIG: settings. */
enum eg_rc eg_http_peer_open(struct eg_http_peer **out, const struct eg_connector_options *o,
                             struct eg_err *err);
void eg_http_peer_close(struct eg_http_peer *p); /* NULL is fine */

/* Begins an exchange; drops one under way. what and its values must live until it is over. document: the
 * answer's document is wanted. */
void eg_http_peer_ask(struct eg_http_peer *p, const struct eg_http_what *what, enum eg_call_priority priority,
                      bool document);
/* EG_OK: done. EG_EMPTY: not yet, at the deadline. EG_EXISTS; EG_INVALID: refused for good;
 * EG_UNAUTHENTICATED; EG_UNAVAILABLE, EG_DEADLINE: failed, after the retries, outcome unknown. */
enum eg_rc eg_http_peer_wait(struct eg_http_peer *p, int64_t mono_deadline_us, struct eg_err *err);
void eg_http_peer_drop(struct eg_http_peer *p);
bool eg_http_peer_busy(const struct eg_http_peer *p);
/* May the peer have got what was asked for last, in any of its tries? False: what failed was the way to it,
 * or the renewal before it. Until the next ask. */
bool eg_http_peer_reached(const struct eg_http_peer *p);
/* Is it waiting for midnight, because the day's calls are used up? */
bool eg_http_peer_spent(const struct eg_http_peer *p);
/* As if it had just answered with this text, without asking it. */
enum eg_rc eg_http_peer_again(struct eg_http_peer *p, struct eg_bytes text, bool bad_bytes,
                              struct eg_err *err);
/* Of the last exchange that was EG_OK; lives until the next ask. */
const struct eg_http_answer *eg_http_peer_answer(const struct eg_http_peer *p);

/* The pause behind so many failed tries, which are at least one: first, then twice as long each time, at most
 * most; less up to half of it, as the dice say, so that many do not come back at one moment. Pure. */
int64_t eg_http_pause(int64_t first_us, int64_t most_us, unsigned tries, uint32_t dice);
/* Waits for the time to pass: until the earlier of the two. */
void eg_http_wait_until(int64_t mono_us, int64_t mono_deadline_us);

#endif
