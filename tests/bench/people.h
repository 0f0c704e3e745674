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
/* The encoded SubmitRequest of these persons' records. */
void people_batch(const char *batch_id, const char *dataset, const uint32_t *persons, uint32_t n,
                  int64_t version, struct eg_buf *out);
/* The source key of a person, NUL-terminated. */
void people_key(uint32_t person, char out[16]);

#endif
