/* parse: plain values from texts of a configuration. False when the text has another form. Pure. */
#ifndef EG_BASE_PARSE_H
#define EG_BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

bool eg_parse_int(const char *text, int64_t *out);
bool eg_parse_size(const char *text, int64_t *out); /* 64KiB, 2MiB, 1GiB or bytes */
bool eg_parse_time(const char *text, int64_t *out); /* 250ms, 5s, 30d; microseconds */
bool eg_parse_bool(const char *text, int64_t *out); /* true, false, yes, no, on, off */

#endif
