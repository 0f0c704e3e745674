/* selector: how a person is named on the command line, or in a line of a file. */
#ifndef EG_CLI_SELECTOR_H
#define EG_CLI_SELECTOR_H

#include "base/arena.h"
#include "cli/cli.h"
#include "eldergate/v1/elder.pb-c.h"

/* All texts are copied into the arena. EG_USAGE says what was not understood, without the text. */
enum eg_rc selector_of_ref(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                           struct eg_err *err);
enum eg_rc selector_of_source(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                              struct eg_err *err); /* "DATASET/KEY" */
enum eg_rc selector_of_identity(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                                struct eg_err *err); /* "NUMBER" or "NUMBER,NAME" */
/* 32 hexadecimal digits are a reference, anything with a slash a source record. */
enum eg_rc selector_of_line(const char *text, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                            struct eg_err *err);

#endif
