/* sandbox: a made-up record in a batch that the gateway judges without keeping it.
 *
 * The batch is a dry run (SubmitRequest.dry_run), so that nobody comes of it: no person, no entry, no event.
 * The record's number is valid in form and made up; its key says what it is for. Pure. */
#ifndef EG_CLI_SANDBOX_H
#define EG_CLI_SANDBOX_H

#include "base/buf.h"
#include "eldergate/err.h"
#include "model/record.h"

enum { SANDBOX_KEY = 40 };

/* Appends the encoded SubmitRequest; key: the record's source key, for who asks about it later. */
enum eg_rc sandbox_request(const char *dataset, enum eg_section section, char key[SANDBOX_KEY],
                           struct eg_buf *out, struct eg_err *err);

#endif
