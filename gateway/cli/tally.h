/* tally: what became of the records of many receipts: counts by outcome, the reasons with a first example
 * each, cases. */
#ifndef EG_CLI_TALLY_H
#define EG_CLI_TALLY_H

#include "cli/pump.h"
#include "cli/show.h"

#include <stdio.h>

enum { TALLY_OUTCOMES = 8, TALLY_REASONS = 64, TALLY_REFUSALS = 3, TALLY_CASES = 5 };

struct tally {
	uint64_t records, outcomes[TALLY_OUTCOMES]; /* by number of the outcome */
	uint64_t refused_batches, refused_records;  /* batches refused whole, and what was in them */
	uint64_t first_seq, last_seq;
	unsigned n_reasons;
	struct {
		Eldergate__V1__ReasonCode code;
		Eldergate__V1__Severity severity;
		uint64_t count;
		struct origin first;
		char field[96], text[400];
	} reasons[TALLY_REASONS]; /* a further one is counted nowhere: there are not so many */
	uint64_t with_cases;      /* records that a case was named for */
	unsigned n_cases;
	char cases[TALLY_CASES][40]; /* the first ones */
	enum eg_rc refusal_rc;
	char refusal[600]; /* of the first refused batch */
};

void tally_add(struct tally *t, const struct cli *c, const Eldergate__V1__Receipt *r,
               const struct origin *where, unsigned n);
uint64_t tally_of(const struct tally *t, Eldergate__V1__Outcome outcome);
/* names: of the files that origins point to. */
void tally_show(const struct tally *t, const struct cli *c, const char *const *names, FILE *to);
void tally_json(const struct tally *t, const struct pump_result *p, const char *const *names,
                struct eg_buf *out);

#endif
