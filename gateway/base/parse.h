/* parse: plain values from texts of a configuration, with their units, in both directions. Pure. */
#ifndef EG_BASE_PARSE_H
#define EG_BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when the text has another form. */
bool eg_parse_int(const char *text, int64_t *out);
bool eg_parse_size(const char *text, int64_t *out); /* 64KiB, 2MiB, 1GiB or bytes */
bool eg_parse_time(const char *text, int64_t *out); /* 250ms, 5s, 30d; microseconds */
bool eg_parse_bool(const char *text, int64_t *out); /* true, false, yes, no, on, off */

/* In the largest unit that has no fraction: "30d", "64KiB". */
void eg_show_size(int64_t bytes, char *out, size_t size);
void eg_show_time(int64_t us, char *out, size_t size);

#endif
