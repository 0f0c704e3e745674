/* text: what has to be known of a piece of Unicode text to judge or compare it.
 *
 * Code points, not bytes. Nothing here changes its input; normalised text goes into the caller's buffer.
 * Pure. */
#ifndef EG_MODEL_TEXT_H
#define EG_MODEL_TEXT_H

#include "base/buf.h"

/* Decodes the code point at *pos and moves *pos behind it. False at the end, or at a byte that is not strict
 * UTF-8
 * (*pos then stays below s.len). U+0000 is decoded like any other. */
bool eg_utf8_next(struct eg_bytes s, size_t *pos, uint32_t *cp);

struct eg_text_facts {
	size_t chars;  /* code points; variation selectors belong to the character before them */
	bool bad_utf8; /* the other facts then hold for the part before the bad byte */
	bool nul;      /* U+0000 */
	bool control;  /* any other control character, C0 or C1 */
	bool suspect; /* U+FFFD, what GB18030 makes of it, or GB18030 or UTF-8 bytes that were read as Latin-1
	               */
	bool odd_name; /* holds digits or signs that no name has */
};
struct eg_text_facts eg_text_facts(struct eg_bytes s);

/* Is there nothing, or only a word or sign that says so (无, 不详, -, NULL, ...)? */
bool eg_text_says_none(struct eg_bytes s);

/* The name as the join key takes it: white space trimmed, and collapsed to one space (to nothing between Han
 * characters, where it is padding); full-width ASCII made half-width; ASCII letters in upper case; variation
 * selectors and zero-width characters dropped; every form of the name dot U+00B7, an ASCII full stop too
 * where it stands between Han characters. Writes at most cap bytes with the NUL and returns the length; 0 if
 * the name is not UTF-8, does not fit, or says that there is none. */
size_t eg_name_normalise(struct eg_bytes raw, char *out, size_t cap);

/* Half-width form of a full-width ASCII character or space; anything else as it is. */
uint32_t eg_half_width(uint32_t cp);
bool eg_is_space(uint32_t cp); /* white space of any script, U+3000 too */
bool eg_is_zero_width(
        uint32_t cp); /* prints nothing: zero-width space and joiners, byte order mark, variation selectors */

#endif
