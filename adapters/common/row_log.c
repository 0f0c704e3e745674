/* row_log: see row_log.h. */
#include "common/row_log.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

void eg_row_log_end(struct eg_row_log *l)
{
	if (l->untold)
		eg_log(EG_LOG_WARN, "agent.rows_refused_untold", EG_I("rows", l->untold));
	*l = (struct eg_row_log){0};
}

void eg_row_log_turn(struct eg_row_log *l, int64_t now)
{
	if (l->told && now - l->since_us >= EG_ROW_LOG_US)
		eg_row_log_end(l);
}

void eg_row_log_refused(struct eg_row_log *l, const struct eg_in *in, const char *codes, const char *field,
                        const char *column, int64_t now)
{
	eg_row_log_turn(l, now);
	if (l->told == EG_ROW_LOG_TOLD) {
		l->untold++;
		return;
	}
	if (!l->told++)
		l->since_us = now;
	eg_log(EG_LOG_WARN, "agent.row_refused", EG_T("place", in->place), EG_I("line", in->line),
	       EG_T("codes", codes), EG_T("field", field), EG_T("column", column));
}

void eg_row_log_faults(struct eg_row_log *l, const struct eg_in *in, const struct eg_mapped *row, int64_t now)
{
	char codes[512] = "";
	for (unsigned i = 0; i < row->n_faults; i++) {
		size_t len = strlen(codes);
		snprintf(codes + len, sizeof codes - len, "%s%s", i ? " " : "", row->faults[i].code);
	}
	const struct eg_row_fault *first = row->n_faults ? &row->faults[0] : NULL;
	eg_row_log_refused(l, in, codes, first ? first->field : "", first ? first->column : "", now);
}
