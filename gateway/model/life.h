/* life: the life status of a person, a pure function of the effective evidence.
 *
 * Evidence of death is the death certificate, the police cancellation by death and the cremation; nothing
 * else. The full truth table stands in life.c; tests hold it against a hand-written table that cites the
 * domain page, row by row. */
#ifndef EG_MODEL_LIFE_H
#define EG_MODEL_LIFE_H

#include <stdbool.h>

enum eg_life {
	EG_LIFE_ALIVE = 1,
	EG_LIFE_SUSPECTED = 2, /* SUSPECTED_DECEASED: cremation only, police still alive */
	EG_LIFE_DECEASED = 3,
	EG_LIFE_DISPUTED = 4,
	EG_LIFE_UNKNOWN = 5 /* no effective registration and no evidence */
};
const char *eg_life_name(enum eg_life l); /* "SUSPECTED_DECEASED" */

enum eg_police { EG_POLICE_NONE, EG_POLICE_ALIVE, EG_POLICE_CANCELLED_DEATH, EG_POLICE_RESTORED };
/* VOIDED: was asserted and its effective statement is now that it is void (not merely reissued). */
enum eg_evidence { EG_EVIDENCE_NONE, EG_EVIDENCE_VALID, EG_EVIDENCE_VOIDED };

struct eg_life_input {
	enum eg_police police;
	enum eg_evidence certificate, cremation;
	bool later_sign_of_life; /* an effective live registration event dated after the death that the
	                            evidence states */
};
enum eg_life eg_life_status(struct eg_life_input in);
/* Do the police lag behind: other evidence of death stands, nothing disputes it, and they have the person as
 * alive? Normal for weeks; a case once a configured grace is over. */
bool eg_life_lags(struct eg_life_input in);

#endif
