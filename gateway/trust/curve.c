/* curve: see curve.h. */
#include "trust/curve.h"

#include "trust/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 2 * (EG_CURVE_TEXT + 1), PATH_BYTES = 4096 };

/* ---- Z85: five characters for four bytes ---- */

static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

void eg_curve_text(const uint8_t key[EG_CURVE_SIZE], char out[EG_CURVE_TEXT + 1])
{
	for (unsigned i = 0; i < EG_CURVE_SIZE; i += 4, out += 5) {
		uint32_t v = (uint32_t)key[i] << 24 | (uint32_t)key[i + 1] << 16 | (uint32_t)key[i + 2] << 8 |
		             key[i + 3];
		for (unsigned k = 5; k--; v /= 85)
			out[k] = letters[v % 85];
	}
	*out = 0;
}

bool eg_curve_parse(const char *text, uint8_t out[EG_CURVE_SIZE])
{
	uint8_t key[EG_CURVE_SIZE];
	if (strlen(text) != EG_CURVE_TEXT)
		return false;
	for (unsigned i = 0; i < EG_CURVE_SIZE; i += 4, text += 5) {
		uint64_t v = 0;
		for (unsigned k = 0; k < 5; k++) {
			const char *at = strchr(letters, text[k]);
			if (!at)
				return false;
			v = v * 85 + (uint64_t)(at - letters);
		}
		if (v > UINT32_MAX)
			return false;
		for (unsigned k = 4; k--; v >>= 8)
			key[i + k] = (uint8_t)v;
	}
	memcpy(out, key, sizeof key);
	explicit_bzero(key, sizeof key);
	return true;
}

/* ---- files ---- */

static enum eg_rc sync_folder(const char *path, struct eg_err *err)
{
	char folder[PATH_BYTES];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum eg_rc rc = fd >= 0 && fsync(fd) == 0 ? EG_OK : eg_fail_errno(err, "%s", folder);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Under a name of its own first, so that the file is never seen half written; then linked to its name, which
 * fails if that is taken. */
static enum eg_rc write_file(const char *path, const char text[FILE_BYTES], struct eg_err *err)
{
	char beside[PATH_BYTES];
	enum eg_rc rc = EG_OK;
	if (snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= (int)sizeof beside)
		return eg_fail(err, EG_INVALID, "the path of the key file is too long");
	int fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return eg_fail_errno(err, "%s", path);
	if (write(fd, text, FILE_BYTES) != FILE_BYTES || fsync(fd) != 0)
		rc = eg_fail_errno(err, "%s", path);
	else if (link(beside, path) != 0)
		rc = errno == EEXIST ? eg_fail(err, EG_EXISTS, "%s is there already", path)
		                     : eg_fail_errno(err, "%s", path);
	close(fd);
	unlink(beside);
	return rc ? rc : sync_folder(path, err);
}

enum eg_rc eg_curve_make(const char *path, struct eg_curve_pair *out, struct eg_err *err)
{
	char text[FILE_BYTES];
	eg_random(out->secret, sizeof out->secret);
	enum eg_rc rc = eg_x25519_public(out->secret, out->public_key, err);
	if (rc)
		return rc;
	eg_curve_text(out->public_key, text);
	text[EG_CURVE_TEXT] = '\n';
	eg_curve_text(out->secret, text + EG_CURVE_TEXT + 1);
	text[FILE_BYTES - 1] = '\n';
	rc = write_file(path, text, err);
	explicit_bzero(text, sizeof text);
	return rc;
}

static enum eg_rc parse_file(const char *path, char text[FILE_BYTES], struct eg_curve_pair *out,
                             struct eg_err *err)
{
	uint8_t belongs[EG_CURVE_SIZE];
	char *second = text + EG_CURVE_TEXT + 1;
	bool ok = second[-1] == '\n' && text[FILE_BYTES - 1] == '\n';
	second[-1] = text[FILE_BYTES - 1] = 0;
	if (!ok || !eg_curve_parse(text, out->public_key) || !eg_curve_parse(second, out->secret))
		return eg_fail(err, EG_CONFIG, "%s: a key file is two lines of 40 characters: public, secret",
		               path);
	enum eg_rc rc = eg_x25519_public(out->secret, belongs, err);
	if (!rc && memcmp(belongs, out->public_key, sizeof belongs) != 0)
		rc = eg_fail(err, EG_CONFIG, "%s: the public key is not that of the secret one", path);
	return rc;
}

enum eg_rc eg_curve_read(const char *path, struct eg_curve_pair *out, struct eg_err *err)
{
	char text[FILE_BYTES + 1];
	struct stat st;
	ssize_t n = 0;
	enum eg_rc rc = EG_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT   ? eg_fail(err, EG_NOT_FOUND, "%s: there is no such file", path)
		       : errno == EACCES ? eg_fail(err, EG_DENIED, "%s: it may not be read", path)
		                         : eg_fail_errno(err, "%s", path);
	if (fstat(fd, &st) != 0)
		rc = eg_fail_errno(err, "%s", path);
	else if (S_ISREG(st.st_mode) && st.st_mode & 077)
		rc = eg_fail(err, EG_DENIED, "%s may be read by others: chmod 600 it", path);
	else if (S_ISREG(st.st_mode) && (n = read(fd, text, sizeof text)) < 0)
		rc = eg_fail_errno(err, "%s", path);
	else if (n != FILE_BYTES)
		rc = eg_fail(err, EG_CONFIG, "%s: a key file is two lines of 40 characters: public, secret",
		             path);
	else
		rc = parse_file(path, text, out, err);
	close(fd);
	explicit_bzero(text, sizeof text);
	return rc;
}

enum eg_rc eg_curve_open(const char *path, struct eg_curve_pair *out, struct eg_err *err)
{
	enum eg_rc rc = eg_curve_read(path, out, err);
	if (rc == EG_NOT_FOUND && (rc = eg_curve_make(path, out, err)) == EG_EXISTS)
		rc = eg_curve_read(path, out, err);
	return rc;
}
