/* ca: the gateway's own small certificate authority: it issues the server's certificate and one per agency.
 *
 * Keys are ECDSA P-256 in PKCS#8 PEM, mode 0600; certificates X.509 v3 with extendedKeyUsage and a
 * subjectAltName. Identity is the SPKI pin, so a certificate of this authority alone gives no rights. Thread:
 * any; used by the command line and at first start. */
#ifndef EG_TRUST_CA_H
#define EG_TRUST_CA_H

#include "eldergate/err.h"

#include <stdbool.h>

/* Makes DIR/ca.pem and DIR/ca.key unless they are there. */
enum eg_rc eg_ca_open(const char *dir, struct eg_err *err);
/* Writes DIR/NAME.pem and DIR/NAME.key, signed by the authority in ca_dir. EG_EXISTS when they are there.
 * name: [a-z0-9-] up to 63. server: names are the DNS names and IP addresses (comma-separated) the server
 * answers to. */
enum eg_rc eg_ca_issue(const char *ca_dir, const char *dir, const char *name, bool server, const char *names,
                       int days, struct eg_err *err);

#endif
