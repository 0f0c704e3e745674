/* fuzz: what a fuzz target is, and what all of them share.
 *
 * A target is one file with the three functions below. libFuzzer calls fuzz_one with bytes of its choice; a
 * promise that does not hold ends the process, as the sanitizers do, and libFuzzer keeps the input.
 * `PROGRAM --corpus DIR` writes the target's own seeds and ends. Thread: main's. */
#ifndef EG_FUZZ_H
#define EG_FUZZ_H

#include "../unit/trust/in_memory.h" /* MUST */

#include "base/buf.h"
#include "eldergate/err.h"

/* ---- of the target ---- */

void fuzz_start(void); /* once, before the first seed or input */
void fuzz_seeds(void); /* gives good inputs, and ones that are nearly good, to fuzz_seed */
void fuzz_one(struct eg_bytes in);

/* ---- for it ---- */

void fuzz_seed(struct eg_bytes in);
void fuzz_seed_text(const char *text);
/* An error has a reason: the code that was returned, and a sentence. */
void fuzz_reason(enum eg_rc rc, const struct eg_err *err);
/* The sentence holds nothing that could be an ID number. */
void fuzz_discreet(const char *text);
/* splitmix64, the same in every run: seeds are made with it, never inputs. */
uint64_t fuzz_random(void);
/* A folder of this process's own, which goes with it. */
const char *fuzz_dir(void);
void fuzz_write(const char *path, struct eg_bytes text); /* the whole file */

/* ---- pieces of an input: once it is used up there are zeros ---- */

uint64_t fuzz_take(struct eg_bytes *in, unsigned bytes);          /* big-endian, up to 8 */
struct eg_bytes fuzz_take_bytes(struct eg_bytes *in, size_t len); /* or what is left */
/* A copy with nothing but the sanitizer's red zone behind it, and a NUL if text. */
uint8_t *fuzz_copy(struct eg_bytes in, bool text);

#endif
