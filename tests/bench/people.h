/* people: generated persons, and the records that a police registry sends about them, as protobuf.
 *
 * Person n is the same in every run; every number and name is made here. A record's content differs from
 * version to version, so that each new one changes the person. Pure. */
#ifndef BENCH_PEOPLE_H
#define BENCH_PEOPLE_H

#include "base/buf.h"

/* Each has an ID number of its own up to here. */
#define PEOPLE_MAX 5000000U

/* The encoded Record of a person. */
void people_record(uint32_t person, int64_t version, struct eg_buf *out);
/* The same without a version of its own, as a full list has it; what it says is that of version `content`. */
void people_row(uint32_t person, int64_t content, struct eg_buf *out);
/* The same as a line of a CSV file in UTF-8, with the columns of the header. */
extern const char people_cells_header[];
void people_cells(uint32_t person, int64_t content, struct eg_buf *out);
/* The encoded SubmitRequest of these persons' records. */
void people_batch(const char *batch_id, const char *dataset, const uint32_t *persons, uint32_t n,
                  int64_t version, struct eg_buf *out);
/* What a list says of a person: `content`, but of every `every`-th (0: none) one that is `step` further. */
int64_t people_content(uint32_t person, int64_t content, long every, int64_t step);
/* The source key of a person, NUL-terminated. */
void people_key(uint32_t person, char out[16]);

#endif
