/* demo_shape: how each agency of the demo writes what the population knows: its own names, codes, formats.
 *
 * The mapping files of demo_mapping.c read it back. Pure. */
#ifndef EG_CLI_DEMO_SHAPE_H
#define EG_CLI_DEMO_SHAPE_H

#include "cli/made.h"

enum demo_form {
	DEMO_AS_IT_IS,
	DEMO_COMPACT /* 20250630 */,
	DEMO_YUAN,
	DEMO_BEFORE /* a mark */,
	DEMO_AFTER
};

struct demo_column {
	const char *name;  /* the agency's; in JSON with dots between members */
	const char *field; /* the population's */
	enum demo_form form;
	const char *mark;        /* of DEMO_BEFORE, DEMO_AFTER */
	const char *codes[8][2]; /* the population's, the agency's; none: as it is */
};

const struct demo_column *demo_columns(enum eg_section s, unsigned *n);
void demo_value(enum eg_section s, const struct demo_column *c, const struct made_row *r,
                char out[MADE_VALUE]);

#endif
