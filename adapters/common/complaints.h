/* complaints: what is wrong with one file, several faults at once, in the order of their places.
 *
 * Thread: one at a time. */
#ifndef EG_ADAPTERS_COMPLAINTS_H
#define EG_ADAPTERS_COMPLAINTS_H

#include "base/yaml.h"

enum { EG_COMPLAINTS_MAX = 20, EG_COMPLAINT_BYTES = 320 };

struct eg_complaints {
	unsigned n;     /* kept: the first EG_COMPLAINTS_MAX by place */
	unsigned total; /* found */
	struct eg_complaint {
		unsigned line, column;         /* 0: the file as a whole */
		char text[EG_COMPLAINT_BYTES]; /* "PATH:LINE:COLUMN: what; hint" */
	} items[EG_COMPLAINTS_MAX];
};

void eg_complain_at(struct eg_complaints *c, const char *path, unsigned line, unsigned column,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* One that has its place in its text already. */
void eg_complain_text(struct eg_complaints *c, const char *text);
/* node may be NULL: the file as a whole. */
#define eg_complain(c, yaml, node, ...)                                                                      \
	eg_complain_at((c), eg_yaml_path(yaml), (node) ? (node)->line : 0, (node) ? (node)->column : 0,      \
	               __VA_ARGS__)
/* EG_OK if there are none; else EG_CONFIG, with the first and how many more there are. */
enum eg_rc eg_complaints_end(const struct eg_complaints *c, struct eg_err *err);

#endif
