/* evidence: what effective claims are worth, and what they testify about life and death.
 *
 * Every choice among claims is by their content, never by the order they are given in. Pure. */
#ifndef EG_MODEL_EVIDENCE_H
#define EG_MODEL_EVIDENCE_H

#include "model/person.h"

/* Among claims of one rank: negative if a speaks before b; *by tells what decided. 0 only for the same source
 * key. */
int eg_held_cmp(const struct eg_held *a, const struct eg_held *b, enum eg_rule *by);

/* The voice (authority.h) with which the claim states a date of death; 0: its statement does not stand. */
unsigned eg_death_voice(const struct eg_claim *c);

/* in.later_sign_of_life is left false: it needs the stated date of death. */
struct eg_testimony {
	struct eg_life_input in;
	struct eg_date dead_by; /* a day by which the evidence has the person dead, for want of a stated date;
	                           year 0: none */
	const struct eg_held *police, *certificate,
	        *cremation; /* the claim that speaks for each; NULL: none */
};
void eg_testimony_of(const struct eg_held *held, unsigned n, struct eg_testimony *out);

/* Is there a sign of life after the day of death (or after the last day that an inexact date can mean)? */
bool eg_later_sign_of_life(const struct eg_held *held, unsigned n, struct eg_date death);

/* The claim to name as source of the life status. NULL: no claims. */
const struct eg_held *eg_life_source(const struct eg_testimony *t, enum eg_life life,
                                     const struct eg_held *held, unsigned n);

#endif
