/* command_population: `eldergate population generate`: the files of a made-up population, and damaged ones
 * beside them. */
#include "cli/commands.h"

#include "cli/file.h"
#include "cli/made.h"
#include "cli/population_files.h"
#include "cli/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FAULTS_MAX = 1000 };

enum eg_rc population_generate(struct cli *c, struct eg_err *err)
{
	struct population_options o = {0};
	struct population *p = NULL;
	struct population_files files = {0};
	const char *out = cli_option(c, "out"), *faults = cli_option(c, "faults");
	int64_t persons, seed, each;
	enum eg_rc rc;
	if ((rc = cli_number(c, "persons", 0, 1, POPULATION_MAX, &persons, err)) ||
	    (rc = cli_number(c, "seed", 1, 0, INT64_MAX, &seed, err)) ||
	    (rc = cli_number(c, "each", 0, 4, POPULATION_MAX / 2, &each, err)))
		return rc;
	if ((persons != 0) == (each != 0))
		return eg_fail(err, EG_USAGE, "say how many: one of --persons N and --each N");
	o.persons = (uint64_t)persons;
	o.seed = (uint64_t)seed;
	o.each = (uint64_t)each;
	char *end = NULL;
	o.faults = faults ? strtod(faults, &end) : 1;
	if (faults && (end == faults || *end || !(o.faults > 0) || o.faults > FAULTS_MAX))
		return eg_fail(err, EG_USAGE, "--faults must be a number above 0, at most %d", FAULTS_MAX);
	if ((rc = population_new(&p, &o, err)))
		return rc;
	const struct population_truth *t = population_truth(p);
	uint64_t rows = 0;
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++)
		rows += t->datasets[s].rows;
	progress_begin(&files.progress, c, "rows", rows);
	rc = population_files_write(p, out, &files, err);
	progress_end(&files.progress);
	if (!rc) {
		printf("%" PRIu64 " persons, seed %" PRIu64 ", in %s\n", t->persons, o.seed, out);
		for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++)
			printf("  %s.csv: %" PRIu64 " rows of %" PRIu64 " source records, %" PRIu64
			       " to be quarantined\n",
			       eg_section_name((enum eg_section)s), t->datasets[s].rows,
			       t->datasets[s].source_records, t->datasets[s].quarantined);
		printf("  damaged/: a file in the wrong character set, one out of a spreadsheet, one "
		       "repeated, one in the wrong "
		       "order, one cut off\n  ground-truth.json: what a gateway should make of the first "
		       "four\n\n"
		       "Next: eldergate submit %s/registration.csv --dataset registration\n",
		       out);
	}
	population_free(p);
	return rc;
}
