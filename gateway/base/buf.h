/* buf: byte slices that own nothing, and a growing byte buffer that remembers its first failure.
 *
 * Steps on an eg_buf after a failed one are no-ops, so a writer reads straight down and checks `failed` once.
 */
#ifndef EG_BASE_BUF_H
#define EG_BASE_BUF_H

#include "eldergate/bytes.h"

#include <stdbool.h>

struct eg_buf {
	uint8_t *p; /* owned */
	size_t len, cap;
	bool failed; /* out of memory, or past 1 GiB */
};

void eg_buf_add(struct eg_buf *b, const void *p, size_t len);
void eg_buf_add_u8(struct eg_buf *b, uint8_t v);
void eg_buf_add_be(struct eg_buf *b, uint64_t v, unsigned bytes); /* big-endian, 1..8 bytes */
void eg_buf_printf(struct eg_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The shortest decimal text that reads back as v; "NaN", "+Inf", "-Inf". */
void eg_buf_real(struct eg_buf *b, double v);
/* text as a quoted JSON string; each run of bytes that is not UTF-8 becomes one U+FFFD. */
void eg_buf_json(struct eg_buf *b, struct eg_bytes text);
uint8_t *eg_buf_grow(struct eg_buf *b, size_t len);   /* room for len more, counted in; NULL if failed */
void eg_buf_reset(struct eg_buf *b);                  /* keeps the memory; clears failed */
void eg_buf_free(struct eg_buf *b);                   /* wipes */
struct eg_bytes eg_buf_bytes(const struct eg_buf *b); /* empty if failed */

bool eg_bytes_equal(struct eg_bytes a, struct eg_bytes b);
int eg_bytes_cmp(struct eg_bytes a, struct eg_bytes b); /* memcmp, then the shorter first */
void eg_hex(const uint8_t *p, size_t len, char *out);   /* out holds 2 * len + 1 */
bool eg_unhex(const char *text, uint8_t *out, size_t len);
/* Bytes of the first character, or of the ill-formed run that stands in its place (*valid false); 0 if s is
 * empty. Runs are cut as Unicode advises (maximal subparts), so every reader replaces alike. NUL counts as a
 * character. */
size_t eg_utf8_step(struct eg_bytes s, bool *valid);
bool eg_utf8_valid(struct eg_bytes s); /* strict UTF-8 (no surrogates, no overlongs) and no NUL */

#endif
