/* evidence: which claims stand, and the testimony drawn from them. The decisions that the domain leaves open:
 *
 * Police. An effective cancellation for death is evidence whatever another registration of the person says; a
 * restored registration takes it back unless the cancellation is the newer of the two. Else any registration
 * that is neither moved out nor cancelled says ALIVE. One moved out, or cancelled for another reason, says
 * nothing. Death certificate, cremation. Each from any funeral record: one that stands is enough, whatever
 * others are void, so a void certificate with a valid reissue voids no death. REISSUED stands. Void with
 * nothing standing beside it: VOIDED. A funeral certificate that is void takes the cremation back that it
 * certified, its time and disposal included. A later sign of life is an act of the person with a date of its
 * own, never the event time of a routine update (a yearly list dates every row after the death): moving in
 * after the death, by a registration that stands, or its restoration. Thread: any. */
#include "model/evidence.h"

#include "model/authority.h"
#include "model/mutant.h"

#include <string.h>

#define CHINA_OFFSET_S 28800

enum {
#define X(list, number, name, doc) list##_##name = (number),
#include "model/codes.def"
};

/* What a claim's status makes of it among others of its section: a lower one speaks first. A status that is
 * not stated says nothing against the claim. */
static unsigned certificate_standing(int64_t status)
{
	return status == CERTIFICATE_STATUS_VOID ? 2 : status == CERTIFICATE_STATUS_REISSUED ? 1 : 0;
}

static unsigned standing(const struct eg_claim *c)
{
	unsigned a, b;
	switch (c->section) {
	case EG_REGISTRATION:
		switch (eg_claim_int(c, EG_FN_REGISTRATION_registration_status)) {
		case REGISTRATION_STATUS_CANCELLED_DEATH:
			return 1;
		case REGISTRATION_STATUS_MOVED_OUT:
			return 2;
		case REGISTRATION_STATUS_CANCELLED_OTHER:
			return 3;
		default:
			return 0;
		}
	case EG_ASSISTANCE:
		switch (eg_claim_int(c, EG_FN_ASSISTANCE_assistance_status)) {
		case ASSISTANCE_STATUS_SUSPENDED:
			return 1;
		case ASSISTANCE_STATUS_STOPPED:
			return 2;
		default:
			return 0;
		}
	case EG_FUNERAL:
		a = certificate_standing(eg_claim_int(c, EG_FN_FUNERAL_death_certificate_status));
		b = certificate_standing(eg_claim_int(c, EG_FN_FUNERAL_funeral_certificate_status));
		return a > b ? a : b;
	case EG_CARE:
		return eg_claim_int(c, EG_FN_CARE_occupancy_end_date) ? 1 : 0;
	default:
		return 0;
	}
}

int eg_held_cmp(const struct eg_held *a, const struct eg_held *b, enum eg_rule *by)
{
	const struct eg_claim *x = &a->claim, *y = &b->claim;
	unsigned s = standing(x), t = standing(y);

	*by = EG_RULE_STATUS;
	if (s != t && !EG_MUTANT_IS(20))
		return s < t ? -1 : 1;
	*by = EG_RULE_NEWEST;
	if (x->event_time != y->event_time)
		return (x->event_time > y->event_time) != EG_MUTANT_IS(21) ? -1
		                                                           : 1; /* 21: the oldest first */
	*by = EG_RULE_ORDER;
	if (EG_MUTANT_IS(22)) /* arrival decides a tie */
		return a < b ? -1 : a > b;
	int c = eg_bytes_cmp(x->agency, y->agency);
	if (!c)
		c = eg_bytes_cmp(x->dataset, y->dataset);
	return c ? c : memcmp(a->token, b->token, EG_TOKEN_SIZE);
}

static enum eg_evidence evidence(int64_t status, bool stated)
{
	if (EG_MUTANT_IS(23) && status == CERTIFICATE_STATUS_REISSUED)
		return EG_EVIDENCE_VOIDED;
	if (EG_MUTANT_IS(24) && stated) /* what was certified once stands for ever */
		return EG_EVIDENCE_VALID;
	if (status == CERTIFICATE_STATUS_VOID)
		return EG_EVIDENCE_VOIDED;
	return stated || status ? EG_EVIDENCE_VALID : EG_EVIDENCE_NONE;
}

static enum eg_evidence certificate_of(const struct eg_claim *c)
{
	return evidence(eg_claim_int(c, EG_FN_FUNERAL_death_certificate_status),
	                eg_claim_value(c, EG_FN_FUNERAL_death_certificate_number) != NULL);
}

static enum eg_evidence cremation_of(const struct eg_claim *c)
{
	return evidence(eg_claim_int(c, EG_FN_FUNERAL_funeral_certificate_status),
	                eg_claim_value(c, EG_FN_FUNERAL_cremation_time) ||
	                        eg_claim_value(c, EG_FN_FUNERAL_disposal) ||
	                        eg_claim_value(c, EG_FN_FUNERAL_funeral_certificate_number));
}

static int64_t registration_status(const struct eg_claim *c)
{
	return eg_claim_int(c, EG_FN_REGISTRATION_registration_status);
}

/* Neither moved out nor cancelled. */
static bool registered(const struct eg_claim *c)
{
	int64_t status = registration_status(c);
	return status != REGISTRATION_STATUS_MOVED_OUT && status != REGISTRATION_STATUS_CANCELLED_DEATH &&
	       status != REGISTRATION_STATUS_CANCELLED_OTHER;
}

unsigned eg_death_voice(const struct eg_claim *c)
{
	if (c->section == EG_REGISTRATION)
		return registration_status(c) == REGISTRATION_STATUS_RESTORED ? 0 : EG_REGISTRATION;
	if (c->section != EG_FUNERAL)
		return 0;
	enum eg_evidence certificate = certificate_of(c), cremation = cremation_of(c);
	if (certificate == EG_EVIDENCE_VALID)
		return EG_VOICE_CERTIFICATE;
	bool voided = certificate == EG_EVIDENCE_VOIDED || cremation == EG_EVIDENCE_VOIDED;
	return voided && cremation != EG_EVIDENCE_VALID && !EG_MUTANT_IS(25) ? 0 : EG_FUNERAL;
}

/* Keeps the one that speaks first. */
static void prefer(const struct eg_held **best, const struct eg_held *h)
{
	enum eg_rule by;
	if (!*best || eg_held_cmp(h, *best, &by) < 0)
		*best = h;
}

/* As prefer, but valid evidence goes before voided. */
static void prefer_evidence(const struct eg_held **best, enum eg_evidence *value, const struct eg_held *h,
                            enum eg_evidence e)
{
	if (e == EG_EVIDENCE_NONE || (*value == EG_EVIDENCE_VALID && e == EG_EVIDENCE_VOIDED))
		return;
	if (e != *value)
		*best = NULL;
	*value = e;
	prefer(best, h);
}

static void judge_police(struct eg_testimony *t, const struct eg_held *cancelled,
                         const struct eg_held *restored, const struct eg_held *live)
{
	if (cancelled && restored && restored->claim.event_time < cancelled->claim.event_time &&
	    !EG_MUTANT_IS(26))
		restored = NULL;
	if (EG_MUTANT_IS(27) && live) /* another registration that stands hides a cancellation */
		cancelled = NULL;
	if (restored) {
		t->in.police = EG_POLICE_RESTORED;
		t->police = restored;
	} else if (cancelled) {
		t->in.police = EG_POLICE_CANCELLED_DEATH;
		t->police = cancelled;
	} else if (live) {
		t->in.police = EG_POLICE_ALIVE;
		t->police = live;
	}
}

/* The last day that the date can mean. */
static struct eg_date last_day(struct eg_date d)
{
	if (d.year && !d.month)
		d.month = 12;
	if (d.year && !d.day)
		d.day = 31;
	return d;
}

static void dead_by(struct eg_testimony *t)
{
	int64_t cremated = 0, cancelled = 0;
	if (t->in.cremation == EG_EVIDENCE_VALID)
		cremated = eg_claim_int(&t->cremation->claim, EG_FN_FUNERAL_cremation_time);
	if (t->in.police == EG_POLICE_CANCELLED_DEATH)
		cancelled = eg_claim_int(&t->police->claim, EG_FN_REGISTRATION_death_cancellation_date);
	if (cremated)
		t->dead_by = eg_date_of_instant(cremated, CHINA_OFFSET_S);
	else if (cancelled)
		t->dead_by = eg_date_unpack((int32_t)cancelled);
}

void eg_testimony_of(const struct eg_held *held, unsigned n, struct eg_testimony *out)
{
	const struct eg_held *cancelled = NULL, *restored = NULL, *live = NULL;

	*out = (struct eg_testimony){0};
	for (unsigned i = 0; i < n; i++) {
		const struct eg_claim *c = &held[i].claim;
		if (c->section == EG_FUNERAL) {
			prefer_evidence(&out->certificate, &out->in.certificate, &held[i], certificate_of(c));
			prefer_evidence(&out->cremation, &out->in.cremation, &held[i], cremation_of(c));
		}
		if (EG_MUTANT_IS(28) &&
		    c->section == EG_ASSISTANCE && /* a benefit stopped for death is evidence */
		    eg_claim_int(c, EG_FN_ASSISTANCE_assistance_reason) == ASSISTANCE_REASON_DEATH)
			prefer(&cancelled, &held[i]);
		if (c->section != EG_REGISTRATION)
			continue;
		if (registration_status(c) == REGISTRATION_STATUS_CANCELLED_DEATH)
			prefer(&cancelled, &held[i]);
		else if (registration_status(c) == REGISTRATION_STATUS_RESTORED)
			prefer(&restored, &held[i]);
		else if (registered(c))
			prefer(&live, &held[i]);
	}
	judge_police(out, cancelled, restored, live);
	dead_by(out);
}

static bool after(struct eg_date act, struct eg_date last)
{
	return act.year > 0 && eg_date_cmp(act, last) > 0;
}

bool eg_later_sign_of_life(const struct eg_held *held, unsigned n, struct eg_date death)
{
	struct eg_date last = last_day(death);

	for (unsigned i = 0; i < n && death.year > 0; i++) {
		const struct eg_claim *c = &held[i].claim;
		if (c->section != EG_REGISTRATION || !registered(c))
			continue;
		if (after(eg_date_unpack((int32_t)eg_claim_int(c, EG_FN_REGISTRATION_moved_in_date)), last))
			return true;
		if (registration_status(c) != REGISTRATION_STATUS_RESTORED &&
		    !EG_MUTANT_IS(29)) /* 29: any update counts */
			continue;
		if (after(c->valid_from, last) ||
		    (c->event_time && after(eg_date_of_instant(c->event_time, CHINA_OFFSET_S), last)))
			return true;
	}
	return false;
}

const struct eg_held *eg_life_source(const struct eg_testimony *t, enum eg_life life,
                                     const struct eg_held *held, unsigned n)
{
	const struct eg_held *best = NULL;

	if (life == EG_LIFE_ALIVE)
		return t->police;
	if (life != EG_LIFE_UNKNOWN) {
		if (t->in.certificate == EG_EVIDENCE_VALID)
			return t->certificate;
		return t->in.police == EG_POLICE_CANCELLED_DEATH ? t->police : t->cremation;
	}
	if (t->certificate || t->cremation)
		return t->certificate ? t->certificate : t->cremation;
	for (unsigned i = 0; i < n; i++)
		prefer(&best, &held[i]);
	return best;
}
