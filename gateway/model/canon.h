/* canon: the canonical bytes that get hashed, sealed and stored (gateway/FORMAT.md).
 *
 * A sequence of items `tag u16 | length u32 | value`, tags never decreasing. The reader refuses anything that
 * the writer would not have written the same way, so equal meaning is equal bytes. Pure. */
#ifndef EG_MODEL_CANON_H
#define EG_MODEL_CANON_H

#include "base/arena.h"
#include "eldergate/err.h"
#include "model/record.h"

void eg_canon_bytes(struct eg_buf *b, unsigned tag, struct eg_bytes v); /* an empty value is left out */
void eg_canon_int(struct eg_buf *b, unsigned tag, int64_t v);           /* zero is left out */
void eg_canon_int_always(struct eg_buf *b, unsigned tag, int64_t v);
size_t eg_canon_open(struct eg_buf *b, unsigned tag); /* begins a nested item; what follows goes into it */
void eg_canon_close(struct eg_buf *b, size_t opened);

/* Reads items one by one: while (eg_canon_next(&r)) switch (r.tag) ... ; then check r.bad. */
struct eg_canon_reader {
	struct eg_bytes rest;
	unsigned tag;
	struct eg_bytes value;
	bool bad; /* truncated, out of order, or an integer of the wrong size */
};
struct eg_canon_reader eg_canon_read(struct eg_bytes text);
bool eg_canon_next(struct eg_canon_reader *r);
int64_t eg_canon_as_int(struct eg_canon_reader *r); /* sets bad unless the value has 8 bytes */

void eg_canon_claim(struct eg_buf *b, const struct eg_claim *c);
/* The part of a claim that the assertion digest covers. */
void eg_canon_assertion(struct eg_buf *b, const struct eg_claim *c);
/* Writes the claim and tells where in b the pieces of that part stand: one behind the other they are what
 * eg_canon_assertion would have written. */
enum { EG_CANON_PIECES = 3 };
struct eg_canon_piece {
	size_t at, len;
};
void eg_canon_claim_pieces(struct eg_buf *b, const struct eg_claim *c,
                           struct eg_canon_piece assertion[EG_CANON_PIECES]);
/* The same pieces of a claim's text that eg_canon_claim_read has taken for canonical. */
void eg_canon_assertion_pieces(struct eg_bytes canon, struct eg_bytes assertion[EG_CANON_PIECES]);
/* Slices of *out point into text; values come from the arena. EG_CORRUPT if it is not canonical. */
enum eg_rc eg_canon_claim_read(struct eg_bytes text, struct eg_arena *a, struct eg_claim *out,
                               struct eg_err *err);

#endif
