/* outbound: an event of the gateway becomes the columns that the agency takes.
 *
 * Thread: one. */
#ifndef EG_ADAPTERS_OUTBOUND_H
#define EG_ADAPTERS_OUTBOUND_H

#include "common/mapping.h"
#include "eldergate/v1/event.pb-c.h"

struct eg_outbound;

/* m has an outbound section. */
enum eg_rc eg_outbound_new(struct eg_outbound **out, const struct eg_mapping *m, struct eg_err *err);
void eg_outbound_free(struct eg_outbound *o); /* NULL is fine */

/* Fills *out, which lives until the next call. *skip: it is not for this agency (`life`), nothing is
 * delivered. EG_INVALID: a value is missing or fits none of a column's codes; the text names the column. */
enum eg_rc eg_outbound_event(struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e,
                             struct eg_delivery *out, bool *skip, struct eg_err *err);
/* An event holds only the fields that it changed; view is the person as GetElder shows them, for the columns
 * that name others (fields of struct eg_mapping_outbound). */
enum eg_rc eg_outbound_event_view(struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e,
                                  const Eldergate__V1__ElderView *view, struct eg_delivery *out, bool *skip,
                                  struct eg_err *err);
/* The same of a person of the snapshot, who is wanted if the life status is one of `life`: life_before is
 * empty, kind is CREATED. */
enum eg_rc eg_outbound_state(struct eg_outbound *o, const Eldergate__V1__PersonState *s,
                             struct eg_delivery *out, bool *skip, struct eg_err *err);
/* The same of a person whom GetElder shows now, in place of the snapshot's item with this position. */
enum eg_rc eg_outbound_shown(struct eg_outbound *o, const char *log_id, uint64_t seq, const char *person_ref,
                             const Eldergate__V1__ElderView *view, struct eg_delivery *out, bool *skip,
                             struct eg_err *err);
/* Whether columns show fields that this event does not hold: then ask GetElder, if it is wanted at all. */
bool eg_outbound_needs_view(const struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e);

#endif
