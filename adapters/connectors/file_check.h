/* file_check: what one whole reading of a file says of it, before any row of it is sent. */
#ifndef EG_CONNECTORS_FILE_CHECK_H
#define EG_CONNECTORS_FILE_CHECK_H

#include "connectors/file_control.h"
#include "connectors/file_reader.h"

struct file_check {
	const struct file_rules *rules;
	uint64_t rows, bad;
	uint64_t sampled, garbled, damaged; /* of the first rows */
	enum file_reason fault;             /* of the file as a whole, as the reader said */
	bool header_seen, header_garbled;
};

/* Each row, bad line and fault of the reading in turn. */
void file_check_row(struct file_check *c, const struct file_row *row, const struct eg_bytes *header,
                    unsigned n);
/* After its end. control NULL: there was none. */
enum file_reason file_check_judge(const struct file_check *c, const struct file_sum *sum,
                                  const struct file_control *control, bool full);

#endif
