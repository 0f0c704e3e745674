/* show: how instants, values, reasons and enumerations are written for people, and read from them.
 *
 * People are shown Asia/Shanghai unless they ask for UTC. Pure. */
#ifndef EG_CLI_SHOW_H
#define EG_CLI_SHOW_H

#include "cli/cli.h"
#include "eldergate/v1/audit.pb-c.h"
#include "eldergate/v1/event.pb-c.h"
#include "eldergate/v1/reason.pb-c.h"

#define SHOW_TIME_SIZE 48

int64_t us_of(const Google__Protobuf__Timestamp *t); /* 0: not set */
void timestamp_of(int64_t us, Google__Protobuf__Timestamp *out);

/* out is returned; "-" if there is none. */
const char *show_us(const struct cli *c, int64_t us, char out[SHOW_TIME_SIZE]);
const char *show_time(const struct cli *c, const Google__Protobuf__Timestamp *t, char out[SHOW_TIME_SIZE]);
void show_date(struct eg_buf *out, const Eldergate__V1__CivilDate *d);
void show_value(const struct cli *c, struct eg_buf *out, const Eldergate__V1__FieldValue *v);
const char *show_text(const struct cli *c, const Eldergate__V1__LocalizedText *t);
/* "registration.id_number: The check digit ... [ID_CHECK_DIGIT]" */
void show_reason(const struct cli *c, struct eg_buf *out, const Eldergate__V1__Reason *r);
/* One line about a change or a person of a snapshot. */
void show_change(const struct cli *c, struct eg_buf *out, const Eldergate__V1__ChangeEvent *e);
void show_state(const struct cli *c, struct eg_buf *out, const Eldergate__V1__PersonState *p);
void show_header(const struct cli *c, struct eg_buf *out, const Eldergate__V1__EntryHeader *h);
void show_line(struct eg_buf *line); /* to standard output, with a line end; empties it */

/* "suspected_deceased", "SUSPECTED_DECEASED" and "LIFE_STATUS_SUSPECTED_DECEASED" are the same. EG_USAGE
 * names what there is. */
enum eg_rc read_enum(const ProtobufCEnumDescriptor *d, const char *text, int *out, struct eg_err *err);
enum eg_rc read_time(const char *text, Google__Protobuf__Timestamp *out, struct eg_err *err);
enum eg_rc read_hex(const char *text, const char *what, uint8_t *out, size_t len, struct eg_err *err);

#endif
