/* views: persons as GetElder shows them, for changes that hold less than the agency's columns show.
 *
 *   free --get--> asked --answer--> here --done--> free
 *                   `---lost, refused--> free (asked again after a wait)
 *
 * A view is the person of now, not of the change: what the change itself says goes before it. Some are
 * fetched side by side. Each look is entered in the gateway's log. Thread: the agent's. */
#ifndef EG_ADAPTERS_VIEWS_H
#define EG_ADAPTERS_VIEWS_H

#include "common/limits.h"
#include "common/mapping.h"
#include "eldergate/link.h"
#include "eldergate/v1/exchange.pb-c.h"

enum { EG_VIEWS_MOST = 128 }; /* asked for, or here */

struct eg_views;

enum eg_rc eg_views_open(struct eg_views **out, struct eg_link *link, const struct eg_mapping_outbound *o,
                         const struct eg_limits *limits, struct eg_err *err);
void eg_views_close(struct eg_views *v); /* NULL is fine */
/* The person of the event with this seq; asks if need be. True: here; *view NULL: the gateway knows nobody
 * (any more). It lives until done. */
bool eg_views_get(struct eg_views *v, uint64_t seq, const char *person_ref, int64_t now_us,
                  const Eldergate__V1__ElderView **view);
void eg_views_done(struct eg_views *v, uint64_t seq); /* one that was never asked for is fine */
void eg_views_turn(struct eg_views *v, int64_t now_us);
bool eg_views_event(struct eg_views *v, const struct eg_link_event *e, int64_t now_us); /* was it ours? */
bool eg_views_asking(const struct eg_views *v); /* is an answer under way? */
const struct eg_err *eg_views_trouble(
        const struct eg_views *v); /* the gateway refuses; rc EG_OK: it does not */

#endif
