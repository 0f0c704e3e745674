/* crypto_x509: certificates as PEM, read for their pin (crypto.h) and made (x509.h), over OpenSSL. */
#include "trust/x509.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum {
	PEM_MAX = 1 << 20,
	SERIAL = 16,
	NAME_MAX_DNS = 253,
	NAMES_MAX = 100,
	LATE_CLOCK_S = 3600,
	DAYS_MAX = 36500
};

static enum eg_rc fail(struct eg_err *err, const char *what)
{
	char text[160];
	ERR_error_string_n(ERR_get_error(), text, sizeof text);
	ERR_clear_error();
	return eg_fail(err, EG_CRYPTO, "%s: %s", what, text);
}

/* PEM may be guarded by a passphrase; ours never is, and nobody is there to be asked. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

static X509 *read_cert(struct eg_bytes pem)
{
	if (!pem.len || pem.len > PEM_MAX)
		return NULL;
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, no_passphrase, NULL) : NULL;
	BIO_free(in);
	ERR_clear_error();
	return cert;
}

static EVP_PKEY *read_key(struct eg_bytes pem)
{
	if (!pem.len || pem.len > PEM_MAX)
		return NULL;
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
	BIO_free(in);
	ERR_clear_error();
	return key;
}

enum eg_rc eg_spki_pin(struct eg_bytes pem, uint8_t pin[EG_HASH_SIZE], struct eg_err *err)
{
	uint8_t *der = NULL;
	X509 *cert = read_cert(pem);
	if (!cert)
		return eg_fail(err, EG_INVALID, "this is not a PEM certificate");
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	enum eg_rc rc = EG_OK;
	if (len > 0) {
		struct eg_bytes whole = {der, (size_t)len};
		eg_sha256(&whole, 1, pin);
	} else {
		rc = fail(err, "encoding a certificate's key");
	}
	OPENSSL_free(der);
	X509_free(cert);
	return rc;
}

enum eg_rc eg_x509_match(struct eg_bytes cert_pem, struct eg_bytes key_pem, struct eg_err *err)
{
	X509 *cert = read_cert(cert_pem);
	EVP_PKEY *key = read_key(key_pem);
	enum eg_rc rc = EG_OK;
	if (!cert || !key)
		rc = eg_fail(err, EG_INVALID, "this is not a PEM %s", cert ? "private key" : "certificate");
	else if (X509_check_private_key(cert, key) != 1)
		rc = eg_fail(err, EG_INVALID, "the certificate is not one of this key");
	ERR_clear_error();
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

/* ---- making ---- */

static bool is_dns_name(const char *name, size_t len)
{
	if (!len || len > NAME_MAX_DNS)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		bool edge = i == 0 || i + 1 == len || name[i - 1] == '.' || name[i + 1] == '.';
		if (c == '*' ? i != 0 || len < 3 || name[1] != '.'
		             : !letter && (edge || (c != '-' && c != '.')))
			return false;
	}
	return true;
}

static bool add_name(GENERAL_NAMES *all, const char *name, size_t len)
{
	char text[NAME_MAX_DNS + 1];
	uint8_t ip[16];
	if (len >= sizeof text)
		return false;
	memcpy(text, name, len);
	text[len] = '\0';
	int ip_len = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
	if (!ip_len && !is_dns_name(text, len))
		return false;
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_STRING *s = ip_len ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	if (!g || !s || !ASN1_STRING_set(s, ip_len ? (const void *)ip : text, ip_len ? ip_len : (int)len)) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(s);
		return false;
	}
	GENERAL_NAME_set0_value(g, ip_len ? GEN_IPADD : GEN_DNS, s);
	if (sk_GENERAL_NAME_push(all, g) > 0)
		return true;
	GENERAL_NAME_free(g);
	return false;
}

static enum eg_rc add_names(X509 *cert, const char *names, struct eg_err *err)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	enum eg_rc rc = all ? EG_OK : fail(err, "a certificate's names");
	const char *at = names;
	for (unsigned n = 0; !rc; n++) {
		size_t len = strcspn(at, ",");
		if (n == NAMES_MAX || !add_name(all, at, len))
			rc = eg_fail(err, EG_INVALID,
			             "name %u of the server is neither a DNS name nor an IP address", n + 1);
		if (!at[len])
			break;
		at += len + 1;
	}
	if (!rc && X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, 0) != 1)
		rc = fail(err, "a certificate's names");
	GENERAL_NAMES_free(all);
	return rc;
}

static bool add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static bool set_serial(X509 *cert)
{
	uint8_t raw[SERIAL];
	eg_random(raw, sizeof raw);
	raw[0] = (uint8_t)((raw[0] & 0x3F) | 0x40); /* positive, and always of the same length */
	BIGNUM *n = BN_bin2bn(raw, sizeof raw, NULL);
	bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok;
}

static bool set_common_name(X509 *cert, const char *name)
{
	X509_NAME *n = X509_get_subject_name(cert);
	return X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8, (const unsigned char *)name, -1,
	                                  -1, 0) == 1;
}

static enum eg_rc fill(X509 *cert, const struct eg_x509_wish *w, EVP_PKEY *key, X509 *issuer,
                       EVP_PKEY *issuer_key, struct eg_err *err)
{
	bool authority = w->use == EG_X509_AUTHORITY;
	bool ok = X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	          set_common_name(cert, w->common_name) &&
	          X509_set_issuer_name(cert, X509_get_subject_name(issuer)) &&
	          X509_gmtime_adj(X509_getm_notBefore(cert), -LATE_CLOCK_S) &&
	          X509_time_adj_ex(X509_getm_notAfter(cert), w->days, 0, NULL) &&
	          X509_set_pubkey(cert, key) &&
	          add_ext(cert, issuer, NID_basic_constraints,
	                  authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
	          add_ext(cert, issuer, NID_key_usage,
	                  authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
	          add_ext(cert, issuer, NID_subject_key_identifier, "hash") &&
	          (authority || (add_ext(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
	                         add_ext(cert, issuer, NID_ext_key_usage,
	                                 w->use == EG_X509_SERVER ? "serverAuth" : "clientAuth")));
	if (!ok)
		return fail(err, "making a certificate");
	if (!authority && ASN1_TIME_compare(X509_get0_notAfter(issuer), X509_get0_notAfter(cert)) < 0)
		return eg_fail(err, EG_PRECONDITION,
		               "the authority's own certificate ends before %d days are over", w->days);
	enum eg_rc rc = authority ? EG_OK : add_names(cert, w->names, err);
	if (!rc && !X509_sign(cert, issuer_key, EVP_sha256()))
		rc = fail(err, "signing a certificate");
	return rc;
}

static bool take(BIO *bio, struct eg_buf *out)
{
	char *p = NULL;
	long len = BIO_get_mem_data(bio, &p);
	if (len <= 0)
		return false;
	eg_buf_add(out, p, (size_t)len);
	return !out->failed;
}

static enum eg_rc write_pems(X509 *x, EVP_PKEY *k, struct eg_buf *cert, struct eg_buf *key,
                             struct eg_err *err)
{
	BIO *c = BIO_new(BIO_s_mem()), *s = BIO_new(BIO_s_secmem());
	bool ok = c && s && PEM_write_bio_X509(c, x) &&
	          PEM_write_bio_PKCS8PrivateKey(s, k, NULL, NULL, 0, NULL, NULL) && take(c, cert) &&
	          take(s, key);
	BIO_free(c);
	BIO_free(s);
	return ok ? EG_OK : fail(err, "writing a certificate");
}

enum eg_rc eg_x509_make(const struct eg_x509_wish *w, struct eg_buf *cert, struct eg_buf *key,
                        struct eg_err *err)
{
	X509 *x = NULL, *issuer = NULL;
	EVP_PKEY *k = NULL, *issuer_key = NULL;
	bool authority = w->use == EG_X509_AUTHORITY;
	enum eg_rc rc = eg_crypto_open(err);
	if (rc)
		return rc;
	if (w->days < 1 || w->days > DAYS_MAX)
		return eg_fail(err, EG_INVALID, "a certificate is valid for 1 to %d days", DAYS_MAX);
	if (!authority && (!(issuer = read_cert(w->issuer_cert)) || !(issuer_key = read_key(w->issuer_key)) ||
	                   X509_check_private_key(issuer, issuer_key) != 1)) {
		ERR_clear_error();
		rc = eg_fail(err, EG_CORRUPT, "the authority's certificate and key do not belong together");
		goto out;
	}
	k = EVP_EC_gen("P-256");
	x = X509_new();
	if (!k || !x) {
		rc = fail(err, "making a key");
		goto out;
	}
	rc = fill(x, w, k, authority ? x : issuer, authority ? k : issuer_key, err);
	if (!rc)
		rc = write_pems(x, k, cert, key, err);
out:
	X509_free(x);
	X509_free(issuer);
	EVP_PKEY_free(k);
	EVP_PKEY_free(issuer_key);
	return rc;
}
