/* tally: which faults a dry run found, how often, and where first. Thread: one. */
#ifndef EG_ADAPTERS_TALLY_H
#define EG_ADAPTERS_TALLY_H

#include "common/mapper.h"

#include <stdio.h>

enum { EG_TALLY_KINDS = 64 };

struct eg_tally {
	unsigned n;
	uint64_t others; /* faults of kinds that found the table full */
	struct {
		char code[48], field[96], column[96], text[200], place[200];
		uint64_t line, count;
	} kinds[EG_TALLY_KINDS];
};

void eg_tally_fault(struct eg_tally *t, const struct eg_row_fault *f, const char *place, uint64_t line);
void eg_tally_print(const struct eg_tally *t, FILE *to);

#endif
