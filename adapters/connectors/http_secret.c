/* http_secret: see http_secret.h. The file holds the end (microseconds since 1970) and the secret, a line
 * each. */
#include "connectors/http_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

struct eg_http_secret {
	const struct eg_settings *s;
	bool renewable;
	int64_t ends; /* wall; 0: no renewed one is there */
	char text[SECRET_MAX + 1];
};

static const char *path(const struct eg_http_secret *h)
{
	return eg_settings_text(h->s, "secret_file");
}

static enum eg_rc load(struct eg_http_secret *h, struct eg_err *err)
{
	char line[32];
	struct stat st;
	FILE *f = fopen(path(h), "re");
	if (!f && errno == ENOENT)
		return EG_OK;
	if (!f || fstat(fileno(f), &st)) {
		enum eg_rc rc = eg_fail_errno(err, "%s", path(h));
		if (f)
			fclose(f);
		return rc;
	}
	enum eg_rc rc = EG_OK;
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		rc = eg_fail(err, EG_DENIED, "others may read %s; chmod 600 it", path(h));
	else if (fgets(line, sizeof line, f) && fgets(h->text, sizeof h->text, f)) {
		h->text[strcspn(h->text, "\n")] = 0;
		h->ends = *h->text ? strtoll(line, NULL, 10) : 0;
	}
	fclose(f);
	return rc;
}

enum eg_rc eg_http_secret_open(struct eg_http_secret **out, const struct eg_settings *s, struct eg_err *err)
{
	struct eg_http_secret *h = calloc(1, sizeof *h);
	*out = NULL;
	if (!h)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a secret");
	h->s = s;
	h->renewable = *eg_settings_text(s, "renew_url");
	enum eg_rc rc = EG_OK;
	if (h->renewable && *path(h))
		rc = load(h, err);
	else if (*path(h))
		rc = eg_settings_fail(s, "secret_file", err,
		                      "is for a secret that is renewed: set renew_url");
	if (!rc && !eg_doc_path_valid(eg_settings_text(s, "renew_secret_path")))
		rc = eg_settings_fail(s, "renew_secret_path", err, "must be a path such as /data/secret");
	if (!rc && !eg_doc_path_valid(eg_settings_text(s, "renew_expiry_path")))
		rc = eg_settings_fail(s, "renew_expiry_path", err, "must be a path such as /data/expires");
	if (rc)
		eg_http_secret_close(h);
	else
		*out = h;
	return rc;
}

void eg_http_secret_close(struct eg_http_secret *h)
{
	if (!h)
		return;
	explicit_bzero(h, sizeof *h);
	free(h);
}

const char *eg_http_secret_text(const struct eg_http_secret *h)
{
	return h->ends ? h->text : eg_settings_text(h->s, "secret");
}

bool eg_http_secret_renewable(const struct eg_http_secret *h)
{
	return h->renewable;
}

bool eg_http_secret_due(const struct eg_http_secret *h, int64_t wall_us)
{
	return h->renewable && wall_us >= h->ends - eg_settings_int(h->s, "renew_before");
}

/* Written whole or not at all: a half secret would be asked with, and count as a failed log-in. */
static enum eg_rc keep(const struct eg_http_secret *h, struct eg_err *err)
{
	char next[1100];
	snprintf(next, sizeof next, "%s.next", path(h));
	int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return eg_fail_errno(err, "%s", next);
	bool ok = fchmod(fd, 0600) == 0 && dprintf(fd, "%" PRId64 "\n%s\n", h->ends, h->text) > 0 &&
	          fsync(fd) == 0;
	enum eg_rc rc = ok ? EG_OK : eg_fail_errno(err, "%s", next);
	close(fd);
	if (!rc && rename(next, path(h)))
		rc = eg_fail_errno(err, "%s", path(h));
	if (rc)
		unlink(next);
	return rc;
}

/* When the secret ends that the answer brought; 0: the answer does not say it as the settings do. */
static int64_t end_of(const struct eg_http_secret *h, const struct eg_doc_node *answer, int64_t wall_us)
{
	const char *where = eg_settings_text(h->s, "renew_expiry_path");
	const char *how = eg_settings_text(h->s, "renew_expiry");
	char digits[16];
	if (!*where)
		return wall_us + eg_settings_int(h->s, "renew_every");
	struct eg_bytes text = eg_doc_text(answer, where);
	if (!text.len || text.len >= sizeof digits)
		return 0;
	memcpy(digits, text.p, text.len);
	digits[text.len] = 0;
	if (strspn(digits, "0123456789") != text.len)
		return 0;
	int64_t n = strtoll(digits, NULL, 10);
	if (strncmp(how, "at-", 3) == 0)
		return n > INT64_MAX / 1000000 ? 0 : n * (strcmp(how, "at-ms") == 0 ? 1000 : 1000000);
	if (n > 100LL * 365 * 86400)
		return 0;
	return wall_us + n * (*how == 'm' ? 60000000 : 1000000);
}

enum eg_rc eg_http_secret_take(struct eg_http_secret *h, const struct eg_doc_node *answer, int64_t wall_us,
                               struct eg_err *err)
{
	struct eg_bytes text = eg_doc_text(answer, eg_settings_text(h->s, "renew_secret_path"));
	int64_t ends = end_of(h, answer, wall_us);
	if (!text.len || text.len > SECRET_MAX || !eg_utf8_valid(text) || memchr(text.p, '\n', text.len))
		return eg_fail(err, EG_UNAVAILABLE,
		               "the renewal's answer has no secret at renew_secret_path");
	if (ends <= wall_us)
		return eg_fail(err, EG_UNAVAILABLE,
		               "the renewal's answer has no end in the future at renew_expiry_path");
	memcpy(h->text, text.p, text.len);
	h->text[text.len] = 0;
	h->ends = ends;
	return *path(h) ? keep(h, err) : EG_OK;
}
