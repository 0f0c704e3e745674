/* The authority's files, the certificates in them as OpenSSL judges them, and the pin of certificates made
 * elsewhere. */
#include "trust/ca.h"

#include "trust/crypto.h"
#include "trust/x509.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof *(a))

struct world {
	char root[64], ca[96], out[96];
};

static const char *at(const char *dir, const char *file)
{
	static char path[4][512];
	static unsigned turn;
	char *p = path[turn++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", dir, file);
	return p;
}

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	if (!w)
		return -1;
	strcpy(w->root, "/tmp/eg-ca-XXXXXX");
	*state = w;
	if (!mkdtemp(w->root))
		return -1;
	snprintf(w->ca, sizeof w->ca, "%s/ca", w->root);
	snprintf(w->out, sizeof w->out, "%s/out", w->root);
	return eg_ca_open(w->ca, NULL) != EG_OK;
}

static int end(void **state)
{
	struct world *w = *state;
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", w->root);
	int rc = system(command);
	free(w);
	return rc;
}

static X509 *cert_at(const char *path)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(x);
	return x;
}

static EVP_PKEY *key_at(const char *path)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	EVP_PKEY *k = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(k);
	return k;
}

static struct eg_buf content(const char *path)
{
	struct eg_buf b = {0};
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		eg_buf_add(&b, chunk, n);
	fclose(f);
	return b;
}

static bool verifies(X509 *ca, X509 *leaf, int purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	bool ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

static unsigned mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void the_authority(void **state)
{
	struct world *w = *state;
	X509 *ca = cert_at(at(w->ca, "ca.pem"));
	EVP_PKEY *key = key_at(at(w->ca, "ca.key"));
	assert_int_equal(mode_of(at(w->ca, "ca.key")), 0600);
	assert_int_equal(mode_of(at(w->ca, "ca.pem")), 0644);
	assert_int_equal(mode_of(w->ca), 0700);
	assert_int_equal(X509_check_private_key(ca, key), 1);
	assert_int_equal(X509_check_ca(ca), 1);
	assert_int_equal(X509_get_version(ca), X509_VERSION_3);
	assert_int_equal(X509_get_pathlen(ca), 0);
	assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_true(verifies(ca, ca, X509_PURPOSE_ANY));
	struct eg_buf pem = content(at(w->ca, "ca.key"));
	assert_non_null(memmem(pem.p, pem.len, "BEGIN PRIVATE KEY", 17)); /* PKCS#8 */
	eg_buf_free(&pem);
	/* Opened again it stays the same one. */
	assert_int_equal(eg_ca_open(w->ca, NULL), EG_OK);
	X509 *again = cert_at(at(w->ca, "ca.pem"));
	assert_int_equal(X509_cmp(ca, again), 0);
	X509_free(again);
	X509_free(ca);
	EVP_PKEY_free(key);
}

static void a_server(void **state)
{
	struct world *w = *state;
	X509 *ca = cert_at(at(w->ca, "ca.pem"));
	assert_int_equal(eg_ca_issue(w->ca, w->out, "server", true,
	                             "gateway.example,*.pool.example,127.0.0.1,::1,localhost", 90, NULL),
	                 EG_OK);
	X509 *x = cert_at(at(w->out, "server.pem"));
	EVP_PKEY *key = key_at(at(w->out, "server.key"));
	int days, seconds, type = EVP_PKEY_get_base_id(key);
	char curve[32];
	assert_int_equal(mode_of(at(w->out, "server.key")), 0600);
	assert_int_equal(X509_check_private_key(x, key), 1);
	assert_int_equal(type, EVP_PKEY_EC);
	assert_int_equal(EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL), 1);
	assert_string_equal(curve, "prime256v1");
	assert_true(verifies(ca, x, X509_PURPOSE_SSL_SERVER));
	assert_false(verifies(ca, x, X509_PURPOSE_SSL_CLIENT));
	assert_int_equal(X509_check_host(x, "gateway.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "a.pool.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "server", 0, 0, NULL), 0); /* the common name is not an answer */
	assert_int_equal(X509_check_host(x, "example", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.2", 0), 0);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)), 1);
	assert_in_range(days, 89, 90);
	assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(x)), -1);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(x)), 16);
	X509_free(x);
	X509_free(ca);
	EVP_PKEY_free(key);
}

static void an_agency(void **state)
{
	struct world *w = *state;
	char common_name[80];
	assert_int_equal(eg_ca_issue(w->ca, w->out, "police-wenzhou", false, NULL, 365, NULL), EG_OK);
	X509 *ca = cert_at(at(w->ca, "ca.pem")), *x = cert_at(at(w->out, "police-wenzhou.pem"));
	assert_true(verifies(ca, x, X509_PURPOSE_SSL_CLIENT));
	assert_false(verifies(ca, x, X509_PURPOSE_SSL_SERVER));
	assert_int_equal(X509_check_host(x, "police-wenzhou", 0, 0, NULL), 1); /* in subjectAltName */
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, common_name, sizeof common_name);
	assert_string_equal(common_name, "police-wenzhou");

	/* Its pin is that of its key, as OpenSSL encodes it. */
	uint8_t pin[32], want[32], *der = NULL;
	struct eg_buf pem = content(at(w->out, "police-wenzhou.pem"));
	EVP_PKEY *key = key_at(at(w->out, "police-wenzhou.key"));
	assert_int_equal(eg_spki_pin(eg_buf_bytes(&pem), pin, NULL), EG_OK);
	int len = i2d_PUBKEY(key, &der);
	assert_true(len > 0);
	eg_sha256(&(struct eg_bytes){der, (size_t)len}, 1, want);
	assert_memory_equal(pin, want, 32);
	OPENSSL_free(der);
	EVP_PKEY_free(key);

	/* Never written over, under neither name. */
	assert_int_equal(eg_ca_issue(w->ca, w->out, "police-wenzhou", false, NULL, 365, NULL), EG_EXISTS);
	struct eg_buf again = content(at(w->out, "police-wenzhou.pem"));
	assert_true(eg_bytes_equal(eg_buf_bytes(&pem), eg_buf_bytes(&again)));
	assert_int_equal(unlink(at(w->out, "police-wenzhou.pem")), 0);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "police-wenzhou", false, NULL, 365, NULL), EG_CONFIG);
	assert_int_equal(access(at(w->out, "police-wenzhou.key"), F_OK), 0);
	assert_int_not_equal(access(at(w->out, "police-wenzhou.pem"), F_OK), 0);
	eg_buf_free(&again);
	eg_buf_free(&pem);

	/* Another authority's certificate does not verify under ours. */
	char other[128];
	snprintf(other, sizeof other, "%s/other", w->root);
	assert_int_equal(eg_ca_open(other, NULL), EG_OK);
	assert_int_equal(eg_ca_issue(other, w->out, "stranger", false, NULL, 365, NULL), EG_OK);
	X509 *stranger = cert_at(at(w->out, "stranger.pem"));
	assert_false(verifies(ca, stranger, X509_PURPOSE_SSL_CLIENT));
	X509_free(stranger);
	X509_free(x);
	X509_free(ca);
}

static void refused(void **state)
{
	struct world *w = *state;
	static const char *const bad_names[] = {
	        "",
	        "-a",
	        "a-",
	        "A",
	        "a b",
	        "a/b",
	        "../a",
	        "a.b",
	        "ca",
	        "a_b",
	        "a123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad_hosts[] = {
	        "",      ",",   "a,",  ",a",         "a b",         "a..b", ".a",
	        "a.",    "-a",  "a-",  "a.-b",       "1.2.3.4,x_y", "*",    "*a.b",
	        "a.*.b", "::g", "a:1", "IP:1.2.3.4", "DNS:a",       "a\nb", "caf\xC3\xA9.example"};
	for (size_t i = 0; i < N(bad_names); i++)
		assert_int_equal(eg_ca_issue(w->ca, w->out, bad_names[i], false, NULL, 10, NULL), EG_INVALID);
	for (size_t i = 0; i < N(bad_hosts); i++)
		if (eg_ca_issue(w->ca, w->out, "server", true, bad_hosts[i], 10, NULL) != EG_INVALID)
			fail_msg("\"%s\" was taken", bad_hosts[i]);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "server", true, NULL, 10, NULL), EG_INVALID);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "a", false, NULL, 0, NULL), EG_INVALID);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "a", false, NULL, -1, NULL), EG_INVALID);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "a", false, NULL, 40000, NULL), EG_INVALID);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "a", false, NULL, 7301, NULL), EG_PRECONDITION);
	char command[256];
	snprintf(command, sizeof command, "test -z \"$(ls -A '%s' 2>/dev/null)\"", w->out);
	assert_int_equal(system(command), 0); /* nothing was left behind */
}

static void a_broken_authority(void **state)
{
	struct world *w = *state;
	char missing[128];
	snprintf(missing, sizeof missing, "%s/none", w->root);
	assert_int_not_equal(eg_ca_issue(missing, w->out, "a", false, NULL, 10, NULL), EG_OK);
	assert_int_not_equal(access(missing, F_OK), 0);
	assert_int_equal(chmod(at(w->ca, "ca.key"), 0640), 0);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "a", false, NULL, 10, NULL), EG_CONFIG);
	assert_int_equal(chmod(at(w->ca, "ca.key"), 0600), 0);
	/* Another authority's key. */
	char other[128];
	snprintf(other, sizeof other, "%s/other", w->root);
	assert_int_equal(eg_ca_open(other, NULL), EG_OK);
	assert_int_equal(rename(at(other, "ca.key"), at(w->ca, "ca.key")), 0);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "a", false, NULL, 10, NULL), EG_CORRUPT);
	/* One half of a pair is told, never replaced. */
	assert_int_equal(eg_ca_open(other, NULL), EG_CONFIG);
	assert_int_equal(unlink(at(w->ca, "ca.pem")), 0);
	assert_int_equal(eg_ca_open(w->ca, NULL), EG_CONFIG);
	FILE *f = fopen(at(w->ca, "ca.pem"), "w");
	assert_non_null(f);
	fputs("no certificate\n", f);
	fclose(f);
	assert_int_equal(eg_ca_issue(w->ca, w->out, "a", false, NULL, 10, NULL), EG_CORRUPT);
}

/* Processes that begin at once agree on one authority, and only one of them issues a name. */
static void at_once(void **state)
{
	struct world *w = *state;
	enum { PROCESSES = 6 };
	char dir[128];
	pid_t child[PROCESSES];
	unsigned made = 0;
	snprintf(dir, sizeof dir, "%s/fresh", w->root);
	for (unsigned i = 0; i < PROCESSES; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0) {
			enum eg_rc rc = eg_ca_open(dir, NULL);
			_exit(rc ? 99 : (int)eg_ca_issue(dir, w->out, "one", false, NULL, 10, NULL));
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status;
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) == EG_OK || WEXITSTATUS(status) == EG_EXISTS);
		made += WEXITSTATUS(status) == EG_OK;
	}
	assert_int_equal(made, 1);
	X509 *ca = cert_at(at(dir, "ca.pem")), *x = cert_at(at(w->out, "one.pem"));
	EVP_PKEY *key = key_at(at(w->out, "one.key"));
	assert_true(verifies(ca, x, X509_PURPOSE_SSL_CLIENT));
	assert_int_equal(X509_check_private_key(x, key), 1);
	X509_free(ca);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* Made by OpenSSL's command line; the pins by its `pkey -pubin -outform der | sha256sum`. */
static void pins(void **state)
{
	(void)state;
	static const char ec[] = "-----BEGIN CERTIFICATE-----\n"
	                         "MIIBfTCCASOgAwIBAgIUTJf90aCg/H6dOFY1jj+t2eXMpP4wCgYIKoZIzj0EAwIw\n"
	                         "EzERMA8GA1UEAwwIcGluLXRlc3QwIBcNMjYxMTIzMDQ0NTMwWhgPMjEyNjEwMzAw\n"
	                         "NDQ1MzBaMBMxETAPBgNVBAMMCHBpbi10ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
	                         "AQcDQgAEaicU8MguhQyoo5EA+r4yH46vhB00tOHhINyatkPCgz5UW5m2W0lQQFXD\n"
	                         "Nixy3F2mEAMUnlbt2tLhedlOwJhQa6NTMFEwHQYDVR0OBBYEFC+Pmb2tc7A83s7F\n"
	                         "2Mpi7uSQIb/LMB8GA1UdIwQYMBaAFC+Pmb2tc7A83s7F2Mpi7uSQIb/LMA8GA1Ud\n"
	                         "EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAPkvUb+/CTyLv+AVEc63Ygp+\n"
	                         "6OeYpGf1LCkNeFNJnsf0AiB3rMXi65mmzf8th01h1U/WEGVqb7iayN/itv4uMWCJ\n"
	                         "Rg==\n"
	                         "-----END CERTIFICATE-----\n";
	static const char pin_text[] = "6f43aabd1a17142a448f5b013253d4e3d9f6119eb02ff5da86f948caeb333779";
	static const char *const bad[] = {"",
	                                  "-----BEGIN CERTIFICATE-----\n",
	                                  "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
	                                  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	                                  "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	                                  "hello"};
	uint8_t pin[32], want[32];
	struct eg_buf b = {0};
	assert_true(eg_unhex(pin_text, want, 32));
	assert_int_equal(eg_spki_pin(eg_bytes_of(ec), pin, NULL), EG_OK);
	assert_memory_equal(pin, want, 32);
	eg_buf_printf(&b, "a note before it\n%sand after\n", ec);
	memset(pin, 0, sizeof pin);
	assert_int_equal(eg_spki_pin(eg_buf_bytes(&b), pin, NULL), EG_OK);
	assert_memory_equal(pin, want, 32);
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(eg_spki_pin(eg_bytes_of(bad[i]), pin, NULL), EG_INVALID);
	/* Any bytes: an answer, never a crash, and the pin only of a key that is there. */
	for (size_t at_byte = 0; at_byte < sizeof ec - 1; at_byte++) {
		eg_buf_reset(&b);
		eg_buf_add(&b, ec, sizeof ec - 1);
		b.p[at_byte] ^= 1;
		enum eg_rc rc = eg_spki_pin(eg_buf_bytes(&b), pin, NULL);
		assert_true(rc == EG_OK || rc == EG_INVALID);
		assert_int_equal(eg_spki_pin((struct eg_bytes){(const uint8_t *)ec, at_byte}, pin, NULL),
		                 at_byte + 1 < sizeof ec - 1 ? EG_INVALID : EG_OK);
	}
	eg_buf_free(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(the_authority),   TEST(a_server),           TEST(an_agency),
	                                   TEST(refused),         TEST(a_broken_authority), TEST(at_once),
	                                   cmocka_unit_test(pins)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
