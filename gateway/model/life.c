/* life: the truth table of the life status, row by row.
 *
 * How to read it. A kind of evidence stands when it is VALID, or for the police CANCELLED_DEATH; it was
 * removed when it is VOIDED, or for the police RESTORED. Then: nothing stands     ALIVE while a registration
 * is effective, else UNKNOWN: a retraction brings the person back. two kinds stand    DECEASED, even if a
 * third was removed; a restored household contradicts them: DISPUTED. one stands, one of the others was
 * removed DISPUTED: the correction removed one of the two that confirmed the death. one stands alone
 * certificate or cancellation: DECEASED; cremation: SUSPECTED, also where the police know nobody (it is
 * evidence, so not UNKNOWN, and confirms no more than beside a live registration). a later sign of life turns
 * DECEASED into DISPUTED. It leaves SUSPECTED as it is: no death was confirmed, and that the police still
 * keep the person is what SUSPECTED says. Without evidence it says nothing. The table stands for itself, not
 * computed from these sentences; the tests hold it against tests/unit/model/life.csv. Thread: any. */
#include "model/life.h"

#include <stddef.h>
#include <stdint.h>

#define ALIVE     EG_LIFE_ALIVE
#define SUSPECTED EG_LIFE_SUSPECTED
#define DECEASED  EG_LIFE_DECEASED
#define DISPUTED  EG_LIFE_DISPUTED
#define UNKNOWN   EG_LIFE_UNKNOWN

enum { POLICE = EG_POLICE_RESTORED + 1, EVIDENCE = EG_EVIDENCE_VOIDED + 1 };

/* clang-format off */

/* [police][certificate][cremation][a later sign of life: no, yes] */
static const uint8_t status[POLICE][EVIDENCE][EVIDENCE][2] = {
	[EG_POLICE_NONE] = {
		[EG_EVIDENCE_NONE] = {
			[EG_EVIDENCE_NONE]   = {UNKNOWN,   UNKNOWN},   /* nobody says anything */
			[EG_EVIDENCE_VALID]  = {SUSPECTED, SUSPECTED}, /* cremation only */
			[EG_EVIDENCE_VOIDED] = {UNKNOWN,   UNKNOWN},   /* back to what was known before: nothing */
		},
		[EG_EVIDENCE_VALID] = {
			[EG_EVIDENCE_NONE]   = {DECEASED,  DISPUTED},  /* a certificate is enough */
			[EG_EVIDENCE_VALID]  = {DECEASED,  DISPUTED},  /* two kinds */
			[EG_EVIDENCE_VOIDED] = {DISPUTED,  DISPUTED},  /* one of the two removed */
		},
		[EG_EVIDENCE_VOIDED] = {
			[EG_EVIDENCE_NONE]   = {UNKNOWN,   UNKNOWN},   /* all evidence removed */
			[EG_EVIDENCE_VALID]  = {DISPUTED,  DISPUTED},  /* one of the two removed */
			[EG_EVIDENCE_VOIDED] = {UNKNOWN,   UNKNOWN},   /* all evidence removed */
		},
	},
	[EG_POLICE_ALIVE] = {
		[EG_EVIDENCE_NONE] = {
			[EG_EVIDENCE_NONE]   = {ALIVE,     ALIVE},     /* a registration and no evidence */
			[EG_EVIDENCE_VALID]  = {SUSPECTED, SUSPECTED}, /* normal for weeks; a lag case follows */
			[EG_EVIDENCE_VOIDED] = {ALIVE,     ALIVE},     /* all evidence removed */
		},
		[EG_EVIDENCE_VALID] = {
			[EG_EVIDENCE_NONE]   = {DECEASED,  DISPUTED},  /* a certificate is enough; the police lag */
			[EG_EVIDENCE_VALID]  = {DECEASED,  DISPUTED},  /* two kinds; the police lag */
			[EG_EVIDENCE_VOIDED] = {DISPUTED,  DISPUTED},  /* one of the two removed */
		},
		[EG_EVIDENCE_VOIDED] = {
			[EG_EVIDENCE_NONE]   = {ALIVE,     ALIVE},     /* a voided certificate brings the person back */
			[EG_EVIDENCE_VALID]  = {DISPUTED,  DISPUTED},  /* one of the two removed */
			[EG_EVIDENCE_VOIDED] = {ALIVE,     ALIVE},     /* all evidence removed */
		},
	},
	[EG_POLICE_CANCELLED_DEATH] = {
		[EG_EVIDENCE_NONE] = {
			[EG_EVIDENCE_NONE]   = {DECEASED,  DISPUTED},  /* a cancellation is enough */
			[EG_EVIDENCE_VALID]  = {DECEASED,  DISPUTED},  /* two kinds */
			[EG_EVIDENCE_VOIDED] = {DISPUTED,  DISPUTED},  /* one of the two removed */
		},
		[EG_EVIDENCE_VALID] = {
			[EG_EVIDENCE_NONE]   = {DECEASED,  DISPUTED},  /* two kinds */
			[EG_EVIDENCE_VALID]  = {DECEASED,  DISPUTED},  /* all three kinds */
			[EG_EVIDENCE_VOIDED] = {DECEASED,  DISPUTED},  /* two kinds still stand */
		},
		[EG_EVIDENCE_VOIDED] = {
			[EG_EVIDENCE_NONE]   = {DISPUTED,  DISPUTED},  /* one of the two removed */
			[EG_EVIDENCE_VALID]  = {DECEASED,  DISPUTED},  /* two kinds still stand */
			[EG_EVIDENCE_VOIDED] = {DISPUTED,  DISPUTED},  /* two of three removed, one stands */
		},
	},
	[EG_POLICE_RESTORED] = {
		[EG_EVIDENCE_NONE] = {
			[EG_EVIDENCE_NONE]   = {ALIVE,     ALIVE},     /* a restored household brings the person back */
			[EG_EVIDENCE_VALID]  = {DISPUTED,  DISPUTED},  /* one of the two removed */
			[EG_EVIDENCE_VOIDED] = {ALIVE,     ALIVE},     /* all evidence removed */
		},
		[EG_EVIDENCE_VALID] = {
			[EG_EVIDENCE_NONE]   = {DISPUTED,  DISPUTED},  /* one of the two removed */
			[EG_EVIDENCE_VALID]  = {DISPUTED,  DISPUTED},  /* the restoration contradicts the two that stand */
			[EG_EVIDENCE_VOIDED] = {DISPUTED,  DISPUTED},  /* two of three removed, one stands */
		},
		[EG_EVIDENCE_VOIDED] = {
			[EG_EVIDENCE_NONE]   = {ALIVE,     ALIVE},     /* all evidence removed */
			[EG_EVIDENCE_VALID]  = {DISPUTED,  DISPUTED},  /* two of three removed, one stands */
			[EG_EVIDENCE_VOIDED] = {ALIVE,     ALIVE},     /* all evidence removed */
		},
	},
};

/* clang-format on */

_Static_assert(sizeof status == 4 * 3 * 3 * 2,
               "a row for each of the 72 combinations; the tests see that none is 0");

enum eg_life eg_life_status(struct eg_life_input in)
{
	/* An input outside the enumerations is a fault of the caller, not of a record. It must not read past
	 * the table, and DISPUTED asks a person to look. */
	if ((unsigned)in.police >= POLICE || (unsigned)in.certificate >= EVIDENCE ||
	    (unsigned)in.cremation >= EVIDENCE)
		return DISPUTED;
	return (enum eg_life)status[in.police][in.certificate][in.cremation][in.later_sign_of_life];
}

bool eg_life_lags(struct eg_life_input in)
{
	return in.police == EG_POLICE_ALIVE &&
	       (in.certificate == EG_EVIDENCE_VALID || in.cremation == EG_EVIDENCE_VALID) &&
	       eg_life_status(in) != DISPUTED;
}

const char *eg_life_name(enum eg_life l)
{
	switch (l) {
	case ALIVE:
		return "ALIVE";
	case SUSPECTED:
		return "SUSPECTED_DECEASED";
	case DECEASED:
		return "DECEASED";
	case DISPUTED:
		return "DISPUTED";
	case UNKNOWN:
		return "UNKNOWN";
	}
	return "";
}
