/* population_files: a made-up population as files.
 *
 * DIR/{registration,assistance,funeral,care}.csv, DIR/ground-truth.json, and DIR/damaged/ with whole files
 * that went wrong: mojibake.csv    the first rows in GB18030: not UTF-8, so nothing of it is sent excel.csv
 * the first rows with numbers in scientific notation: quarantined repeated.csv    rows of registration.csv
 * once more: unchanged reordered.csv   rows of registration.csv, newest first: unchanged after it, stale
 * before it truncated.csv   cut off within a quoted cell: nothing of it is sent */
#ifndef EG_CLI_POPULATION_FILES_H
#define EG_CLI_POPULATION_FILES_H

#include "cli/population.h"
#include "cli/progress.h"

struct population_files {
	struct progress progress; /* begun by the caller, or zero */
	uint64_t rows;
};

enum eg_rc population_files_write(const struct population *p, const char *dir, struct population_files *f,
                                  struct eg_err *err);

#endif
