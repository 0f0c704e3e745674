/* curve: key pairs of CurveZMQ (Curve25519), their text (Z85, ZeroMQ RFC 32), their files.
 *
 * A key file is two lines of Z85, public then secret, mode 0600; it appears whole or not at all. Such pairs
 * are made by libcrypto, so that a program needs no libzmq to make one. Thread: any, after eg_crypto_open. */
#ifndef EG_TRUST_CURVE_H
#define EG_TRUST_CURVE_H

#include "eldergate/err.h"

#include <stdint.h>

#define EG_CURVE_SIZE 32
#define EG_CURVE_TEXT 40 /* characters of a key in Z85 */

struct eg_curve_pair {
	uint8_t public_key[EG_CURVE_SIZE], secret[EG_CURVE_SIZE]; /* the owner wipes it */
};

void eg_curve_text(const uint8_t key[EG_CURVE_SIZE], char out[EG_CURVE_TEXT + 1]);
bool eg_curve_parse(const char *text, uint8_t out[EG_CURVE_SIZE]); /* exactly 40 characters of Z85 */

/* A new pair in a new file. EG_EXISTS: the file is there; it is left as it is. */
enum eg_rc eg_curve_make(const char *path, struct eg_curve_pair *out, struct eg_err *err);
/* EG_NOT_FOUND; EG_DENIED: others may read it; EG_CONFIG: it is no such file, or its halves do not fit. */
enum eg_rc eg_curve_read(const char *path, struct eg_curve_pair *out, struct eg_err *err);
/* Reads it; makes it first if it is not there. Two processes that do so at once get the same pair. */
enum eg_rc eg_curve_open(const char *path, struct eg_curve_pair *out, struct eg_err *err);

#endif
