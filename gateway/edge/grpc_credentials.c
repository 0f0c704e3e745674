/* grpc_credentials: the three files, and what the core asks before each handshake. Locks: lock, for the
 * files' stamps. */
#include "edge/grpc_credentials.h"

#include "base/buf.h"
#include "base/log.h"
#include "trust/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((off_t)1 << 20) /* bytes of a PEM file */

enum { CERTIFICATE, KEY, CLIENT_CA, FILES };
static const char *const settings[FILES] = {"tls.certificate", "tls.key", "tls.client_ca"};

struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct eg_credentials {
	char *paths[FILES];
	pthread_mutex_t lock;
	struct stamp stamps[FILES];
};

static bool look(const char *path, struct stamp *out)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return false;
	memset(out, 0, sizeof *out);
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	out->size = st.st_size;
	out->changed = st.st_mtim;
	return true;
}

static enum eg_rc read_file(const char *setting, const char *path, struct eg_buf *out, struct eg_err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return eg_fail_errno(err, "%s: %s", setting, path);
	enum eg_rc rc = EG_OK;
	if (fstat(fd, &st) != 0)
		rc = eg_fail_errno(err, "%s: %s", setting, path);
	else if (st.st_size > FILE_MAX)
		rc = eg_fail(err, EG_CONFIG, "%s: %s is too large for a PEM file", setting, path);
	while (!rc) {
		uint8_t part[4096];
		ssize_t n = read(fd, part, sizeof part);
		if (n < 0)
			rc = eg_fail_errno(err, "%s: %s", setting, path);
		if (n <= 0)
			break;
		eg_buf_add(out, part, (size_t)n);
		explicit_bzero(part, sizeof part);
	}
	close(fd);
	eg_buf_add_u8(out, 0);
	if (!rc && (out->failed || memchr(out->p, 0, out->len) != out->p + out->len - 1 ||
	            !strstr((char *)out->p, "-----BEGIN ")))
		rc = eg_fail(err, EG_CONFIG, "%s: %s is not a PEM file", setting, path);
	return rc;
}

/* The core takes whatever it is given, and fails in the handshake. */
static enum eg_rc judge(const struct eg_credentials *c, const struct eg_buf texts[FILES], struct eg_err *err)
{
	struct eg_bytes pem[FILES];
	uint8_t pin[EG_HASH_SIZE];
	struct eg_err why;
	for (int i = 0; i < FILES; i++) /* without the NUL that read_file added */
		pem[i] = (struct eg_bytes){texts[i].p, texts[i].len - 1};
	if (eg_x509_match(pem[CERTIFICATE], pem[KEY], &why))
		return eg_fail(err, EG_CONFIG, "tls.certificate: %s, tls.key: %s: %s", c->paths[CERTIFICATE],
		               c->paths[KEY], why.text);
	if (eg_spki_pin(pem[CLIENT_CA], pin, &why))
		return eg_fail(err, EG_CONFIG, "tls.client_ca: %s: %s", c->paths[CLIENT_CA], why.text);
	return EG_OK;
}

static enum eg_rc load(const struct eg_credentials *c, grpc_ssl_server_certificate_config **out,
                       struct eg_err *err)
{
	struct eg_buf texts[FILES] = {0};
	enum eg_rc rc = EG_OK;
	for (int i = 0; i < FILES && !rc; i++)
		rc = read_file(settings[i], c->paths[i], &texts[i], err);
	if (!rc)
		rc = judge(c, texts, err);
	if (!rc) {
		grpc_ssl_pem_key_cert_pair pair = {(char *)texts[KEY].p, (char *)texts[CERTIFICATE].p};
		*out = grpc_ssl_server_certificate_config_create((char *)texts[CLIENT_CA].p, &pair, 1);
	}
	for (int i = 0; i < FILES; i++)
		eg_buf_free(&texts[i]);
	return rc;
}

/* Called by the core before each handshake. */
static grpc_ssl_certificate_config_reload_status fetch(void *arg, grpc_ssl_server_certificate_config **config)
{
	struct eg_credentials *c = arg;
	struct stamp now[FILES];
	struct eg_err err = {0};
	enum eg_rc rc = EG_OK;
	bool there = true;
	pthread_mutex_lock(&c->lock);
	for (int i = 0; i < FILES && there; i++)
		there = look(c->paths[i], &now[i]);
	/* Files that are being replaced may be missing for a moment. */
	bool changed = there && memcmp(now, c->stamps, sizeof now) != 0;
	if (changed) {
		memcpy(c->stamps, now, sizeof now);
		rc = load(c, config, &err);
	}
	pthread_mutex_unlock(&c->lock);
	if (rc)
		eg_log_err(EG_LOG_ERROR, "tls.reload_refused", &err);
	else if (changed)
		eg_log(EG_LOG_INFO, "tls.loaded");
	return changed && !rc ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW
	                      : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
}

enum eg_rc eg_credentials_open(struct eg_credentials **out, const char *certificate, const char *key,
                               const char *client_ca, struct eg_err *err)
{
	const char *const paths[FILES] = {certificate, key, client_ca};
	struct eg_credentials *c = calloc(1, sizeof *c);
	enum eg_rc rc = EG_OK;
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the TLS credentials");
	pthread_mutex_init(&c->lock, NULL);
	for (int i = 0; i < FILES && !rc; i++) {
		if (!paths[i] || !*paths[i])
			rc = eg_fail(err, EG_CONFIG, "listen.tls is set, but %s is not", settings[i]);
		else if (!(c->paths[i] = strdup(paths[i])))
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for the TLS credentials");
	}
	if (!rc)
		rc = eg_credentials_check(c, err);
	if (rc) {
		eg_credentials_close(c);
		return rc;
	}
	*out = c;
	return EG_OK;
}

enum eg_rc eg_credentials_check(const struct eg_credentials *c, struct eg_err *err)
{
	grpc_ssl_server_certificate_config *trial = NULL;
	enum eg_rc rc = load(c, &trial, err);
	if (trial)
		grpc_ssl_server_certificate_config_destroy(trial);
	return rc == EG_IO ? EG_CONFIG : rc;
}

grpc_server_credentials *eg_credentials_core(struct eg_credentials *c)
{
	return grpc_ssl_server_credentials_create_with_options(
	        grpc_ssl_server_credentials_create_options_using_config_fetcher(
	                GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, fetch, c));
}

void eg_credentials_close(struct eg_credentials *c)
{
	if (!c)
		return;
	for (int i = 0; i < FILES; i++)
		free(c->paths[i]);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
