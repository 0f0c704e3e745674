/* x509: keys with their certificates, as PEM in memory.
 *
 * ECDSA P-256 keys in PKCS#8, X.509 v3 certificates signed with SHA-256, random serial numbers. Thread: any.
 * Owns nothing. */
#ifndef EG_TRUST_X509_H
#define EG_TRUST_X509_H

#include "trust/crypto.h"

enum eg_x509_use { EG_X509_AUTHORITY, EG_X509_SERVER, EG_X509_CLIENT };

struct eg_x509_wish {
	enum eg_x509_use use;
	const char *common_name; /* at most 64 bytes */
	const char *names;       /* comma-separated DNS names and IP addresses; NULL for an authority */
	int days;                /* from now, which begins an hour ago for clocks that are late */
	struct eg_bytes issuer_cert, issuer_key; /* PEM; empty for an authority, which signs itself */
};

/* Appends a new key and its certificate. EG_INVALID: names; EG_PRECONDITION: the issuer ends sooner;
 * EG_CORRUPT: the issuer's key and certificate are unreadable or do not belong together. */
enum eg_rc eg_x509_make(const struct eg_x509_wish *w, struct eg_buf *cert, struct eg_buf *key,
                        struct eg_err *err);

/* EG_INVALID: one of them is unreadable, or they do not belong together. */
enum eg_rc eg_x509_match(struct eg_bytes cert, struct eg_bytes key, struct eg_err *err);

#endif
