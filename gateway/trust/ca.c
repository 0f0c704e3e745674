/* ca: see ca.h. The files of the authority: what is in them is made by x509.
 *
 * A pair appears whole or not at all but for a crash between two renames, which leaves the key alone; then
 * the next call says so. A lock on the folder keeps two processes apart. */
#include "trust/ca.h"

#include "trust/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, NAME_MAX_CA = 63, AUTHORITY_DAYS = 7300, FILE_NAME = NAME_MAX_CA + 16 };

/* ---- one folder ---- */

static enum eg_rc open_folder(const char *dir, bool make, int *out, struct eg_err *err)
{
	if (make && mkdir(dir, 0700) != 0 && errno != EEXIST)
		return eg_fail_errno(err, "making %s", dir);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return eg_fail_errno(err, "opening %s", dir);
	if (flock(fd, LOCK_EX) != 0) {
		enum eg_rc rc = eg_fail_errno(err, "locking %s", dir);
		close(fd);
		return rc;
	}
	*out = fd;
	return EG_OK;
}

static enum eg_rc read_file(int folder, const char *name, bool secret, struct eg_buf *out, struct eg_err *err)
{
	struct stat st;
	enum eg_rc rc = EG_OK;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? eg_fail(err, EG_NOT_FOUND, "there is no %s", name)
		                       : eg_fail_errno(err, "opening %s", name);
	if (fstat(fd, &st) != 0)
		rc = eg_fail_errno(err, "reading %s", name);
	else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		rc = eg_fail(err, EG_CORRUPT, "%s is not a PEM file", name);
	else if (secret && st.st_mode & 077)
		rc = eg_fail(err, EG_CONFIG, "%s may be read by others: chmod 600 it", name);
	uint8_t *to = rc ? NULL : eg_buf_grow(out, (size_t)st.st_size);
	if (!rc && !to)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory to read %s", name);
	if (!rc && read(fd, to, (size_t)st.st_size) != st.st_size)
		rc = eg_fail(err, EG_IO, "%s could not be read whole", name);
	close(fd);
	return rc;
}

static enum eg_rc there(int folder, const char *name, bool *out, struct eg_err *err)
{
	struct stat st;
	*out = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return *out || errno == ENOENT ? EG_OK : eg_fail_errno(err, "looking for %s", name);
}

static enum eg_rc write_new(int folder, const char *name, mode_t mode, const struct eg_buf *b,
                            struct eg_err *err)
{
	unlinkat(folder, name, 0); /* left by a crash: the folder is locked, and it never had its real name */
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return eg_fail_errno(err, "making %s", name);
	/* The mode shall not depend on the umask. */
	bool ok = fchmod(fd, mode) == 0 && write(fd, b->p, b->len) == (ssize_t)b->len && fsync(fd) == 0;
	enum eg_rc rc = ok ? EG_OK : eg_fail_errno(err, "writing %s", name);
	close(fd);
	return rc;
}

static enum eg_rc place(int folder, const char *from, const char *to, struct eg_err *err)
{
	return renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0
	               ? EG_OK
	               : eg_fail_errno(err, "putting %s in its place", to);
}

/* The key first: a certificate without its key would be good for nothing. */
static enum eg_rc write_pair(int folder, const char *name, const struct eg_buf *cert,
                             const struct eg_buf *key, struct eg_err *err)
{
	char pem[FILE_NAME], secret[FILE_NAME], new_pem[FILE_NAME], new_secret[FILE_NAME];
	snprintf(pem, sizeof pem, "%s.pem", name);
	snprintf(secret, sizeof secret, "%s.key", name);
	snprintf(new_pem, sizeof new_pem, ".%s.pem.new", name);
	snprintf(new_secret, sizeof new_secret, ".%s.key.new", name);
	enum eg_rc rc = write_new(folder, new_secret, 0600, key, err);
	if (!rc)
		rc = write_new(folder, new_pem, 0644, cert, err);
	if (!rc)
		rc = place(folder, new_secret, secret, err);
	if (!rc && (rc = place(folder, new_pem, pem, err)) != EG_OK)
		unlinkat(folder, secret, 0); /* ours: it was not there before */
	if (!rc && fsync(folder) != 0)
		rc = eg_fail_errno(err, "syncing the folder of %s", pem);
	if (rc) {
		unlinkat(folder, new_pem, 0);
		unlinkat(folder, new_secret, 0);
	}
	return rc;
}

/* *whole: both files are there. One alone is an error: which one is in use elsewhere is not for us to guess.
 */
static enum eg_rc look(int folder, const char *dir, const char *name, bool *whole, struct eg_err *err)
{
	char pem[FILE_NAME], secret[FILE_NAME];
	bool has_pem = false, has_key = false;
	snprintf(pem, sizeof pem, "%s.pem", name);
	snprintf(secret, sizeof secret, "%s.key", name);
	enum eg_rc rc = there(folder, pem, &has_pem, err);
	if (!rc)
		rc = there(folder, secret, &has_key, err);
	if (!rc && has_pem != has_key)
		rc = eg_fail(err, EG_CONFIG,
		             "%s has %s without %s: restore the other, or remove it if unused", dir,
		             has_pem ? pem : secret, has_pem ? secret : pem);
	*whole = has_pem && has_key;
	return rc;
}

/* ---- the authority ---- */

enum eg_rc eg_ca_open(const char *dir, struct eg_err *err)
{
	struct eg_buf cert = {0}, key = {0};
	char common_name[64], mark[9];
	uint8_t raw[4];
	bool whole;
	int folder;
	enum eg_rc rc = open_folder(dir, true, &folder, err);
	if (rc)
		return rc;
	rc = look(folder, dir, "ca", &whole, err);
	if (!rc && !whole) {
		/* Two authorities must not share a name: clients would take one's certificates for the
		 * other's. */
		eg_random(raw, sizeof raw);
		eg_hex(raw, sizeof raw, mark);
		snprintf(common_name, sizeof common_name, "Eldergate authority %s", mark);
		rc = eg_x509_make(&(struct eg_x509_wish){.use = EG_X509_AUTHORITY,
		                                         .common_name = common_name,
		                                         .days = AUTHORITY_DAYS},
		                  &cert, &key, err);
		if (!rc)
			rc = write_pair(folder, "ca", &cert, &key, err);
	}
	eg_buf_free(&cert);
	eg_buf_free(&key);
	close(folder);
	return rc;
}

static enum eg_rc read_authority(const char *ca_dir, struct eg_buf *cert, struct eg_buf *key,
                                 struct eg_err *err)
{
	int folder = open(ca_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return eg_fail_errno(err, "opening %s", ca_dir);
	enum eg_rc rc = read_file(folder, "ca.pem", false, cert, err);
	if (!rc)
		rc = read_file(folder, "ca.key", true, key, err);
	close(folder);
	return rc;
}

static bool is_name(const char *name)
{
	size_t len = strlen(name);
	return len && len <= NAME_MAX_CA && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
	       name[0] != '-' && name[len - 1] != '-' && strcmp(name, "ca") != 0;
}

enum eg_rc eg_ca_issue(const char *ca_dir, const char *dir, const char *name, bool server, const char *names,
                       int days, struct eg_err *err)
{
	struct eg_buf ca_cert = {0}, ca_key = {0}, cert = {0}, key = {0};
	bool whole;
	int folder = -1;
	if (!is_name(name))
		return eg_fail(
		        err, EG_INVALID,
		        "a certificate's name has 1 to %d of a-z 0-9 -, no - at its ends, and is not ca",
		        NAME_MAX_CA);
	if (server && (!names || !*names))
		return eg_fail(err, EG_INVALID, "a server's certificate needs the names it answers to");
	enum eg_rc rc = read_authority(ca_dir, &ca_cert, &ca_key, err);
	if (!rc)
		rc = open_folder(dir, true, &folder, err);
	if (!rc)
		rc = look(folder, dir, name, &whole, err);
	if (!rc && whole)
		rc = eg_fail(err, EG_EXISTS, "%s/%s.pem is there already", dir, name);
	if (!rc)
		rc = eg_x509_make(&(struct eg_x509_wish){.use = server ? EG_X509_SERVER : EG_X509_CLIENT,
		                                         .common_name = name,
		                                         .names = server ? names : name,
		                                         .days = days,
		                                         .issuer_cert = eg_buf_bytes(&ca_cert),
		                                         .issuer_key = eg_buf_bytes(&ca_key)},
		                  &cert, &key, err);
	if (!rc)
		rc = write_pair(folder, name, &cert, &key, err);
	eg_buf_free(&ca_cert);
	eg_buf_free(&ca_key);
	eg_buf_free(&cert);
	eg_buf_free(&key);
	if (folder >= 0)
		close(folder);
	return rc;
}
