/* file_csv: outbound changes as the lines of a CSV file (RFC 4180, CRLF) in its character set.
 *
 * Thread: one. */
#ifndef EG_CONNECTORS_FILE_CSV_H
#define EG_CONNECTORS_FILE_CSV_H

#include "base/buf.h"
#include "eldergate/connector.h"

struct file_csv;

/* Begins with a byte order mark (UTF-8 only) and a header: event_id, then this delivery's columns. */
enum eg_rc file_csv_new(struct file_csv **out, const struct eg_delivery *d, bool gb18030, struct eg_err *err);
/* EG_INVALID, and nothing added: a value that is not UTF-8, or has no form in this character set. */
enum eg_rc file_csv_row(struct file_csv *c, const struct eg_delivery *d, struct eg_err *err);
struct eg_bytes file_csv_bytes(const struct file_csv *c);
void file_csv_free(struct file_csv *c); /* wipes; NULL is fine */

#endif
