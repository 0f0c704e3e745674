/* sftp: see sftp.h. libssh waits on a silent server for ever in places, so a guard holds the socket. */
#include "connectors/sftp.h"

#include "base/clock.h"
#include "connectors/file_dir.h"
#include "connectors/sftp_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 32 * 1024, PATH_CAP = 2048 };

struct eg_sftp {
	ssh_session ssh;
	sftp_session sftp;
	const struct eg_sftp_options o;
	int socket;
	int64_t deadline_us;
	int cut_fd; /* an eventfd: readable once it was cut */
	pthread_mutex_t lock;
	struct sftp_guard *guard; /* set under lock: cut comes from another thread */
};

enum eg_rc eg_sftp_options_read(struct eg_sftp_options *out, const struct eg_settings *s, struct eg_err *err)
{
	*out = (struct eg_sftp_options){.host = eg_settings_text(s, "sftp_host"),
	                                .user = eg_settings_text(s, "sftp_user"),
	                                .known_hosts = eg_settings_text(s, "sftp_known_hosts"),
	                                .folder = eg_settings_text(s, "sftp_folder"),
	                                .key_file = eg_settings_text(s, "sftp_key_file"),
	                                .passphrase = eg_settings_text(s, "sftp_passphrase"),
	                                .password = eg_settings_text(s, "sftp_password"),
	                                .port = (int)eg_settings_int(s, "sftp_port"),
	                                .timeout_us = eg_settings_int(s, "sftp_timeout")};
	if (!*out->host)
		return EG_OK;
	if (!*out->user)
		return eg_settings_fail(s, "sftp_user", err, "SFTP needs an account");
	if (!*out->known_hosts)
		return eg_settings_fail(s, "sftp_known_hosts", err,
		                        "SFTP needs the server's key: ssh-keyscan, then "
		                        "compare it with what the partner says");
	if (!*out->key_file && !*out->password)
		return eg_settings_fail(s, "sftp_key_file", err, "SFTP needs a private key or a password");
	return EG_OK;
}

/* ---- deadlines ---- */

/* Before each call that may wait. */
static void arm(struct eg_sftp *s)
{
	int64_t until = eg_mono_us() + s->o.timeout_us;
	sftp_guard_set(s->guard, until < s->deadline_us ? until : s->deadline_us);
}

static void disarm(struct eg_sftp *s)
{
	sftp_guard_set(s->guard, INT64_MAX);
}

static enum eg_rc fail(struct eg_sftp *s, struct eg_err *err, const char *what)
{
	if (sftp_guard_fell(s->guard))
		return eg_fail(err, EG_UNAVAILABLE, "SFTP, %s: no answer in time", what);
	disarm(s); /* the connection may be used on */
	switch (s->sftp ? sftp_get_error(s->sftp) : SSH_FX_OK) {
	case SSH_FX_NO_SUCH_FILE:
	case SSH_FX_NO_SUCH_PATH:
		return eg_fail(err, EG_NOT_FOUND, "SFTP, %s: there is none", what);
	case SSH_FX_PERMISSION_DENIED:
	case SSH_FX_WRITE_PROTECT:
		return eg_fail(err, EG_DENIED, "SFTP, %s: permission denied", what);
	case SSH_FX_FILE_ALREADY_EXISTS:
		return eg_fail(err, EG_EXISTS, "SFTP, %s: the name is taken", what);
	case SSH_FX_FAILURE:
		return eg_fail(err, EG_IO,
		               "SFTP, %s: the server failed (a full disk, or a name that is taken?)", what);
	default:
		return eg_fail(err, EG_UNAVAILABLE, "SFTP, %s: the connection broke", what);
	}
}

/* ---- connecting ---- */

/* EG_OK: connected before the deadline, without having been cut. */
static int try_address(struct eg_sftp *s, const struct addrinfo *a, int64_t deadline_us)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	if (fd < 0)
		return errno;
	int why = connect(fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS ? 0 : errno;
	struct pollfd p[] = {{.fd = fd, .events = POLLOUT}, {.fd = s->cut_fd, .events = POLLIN}};
	int64_t left_us = deadline_us - eg_mono_us();
	socklen_t len = sizeof why;
	if (!why && poll(p, 2, left_us > 0 ? (int)(left_us / 1000) : 0) <= 0)
		why = ETIMEDOUT;
	if (!why && p[1].revents)
		why = ECANCELED;
	if (!why && getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0)
		why = errno;
	if (!why && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) != 0)
		why = errno;
	if (why)
		close(fd);
	else
		s->socket = fd;
	return why;
}

static enum eg_rc tcp(struct eg_sftp *s, int64_t deadline_us, struct eg_err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV},
	                *list;
	char port[16];
	snprintf(port, sizeof port, "%d", s->o.port);
	int rc = getaddrinfo(s->o.host, port, &hints, &list);
	if (rc)
		return eg_fail(err, EG_UNAVAILABLE, "SFTP: %s: %s", s->o.host, gai_strerror(rc));
	int why = ETIMEDOUT;
	for (const struct addrinfo *a = list; a && s->socket < 0; a = a->ai_next)
		why = try_address(s, a, deadline_us);
	freeaddrinfo(list);
	return s->socket >= 0
	               ? EG_OK
	               : eg_fail(err, EG_UNAVAILABLE, "SFTP: %s port %s: %s", s->o.host, port, strerror(why));
}

static bool set_up(ssh_session ssh, const struct eg_sftp_options *o)
{
	int no = 0;
	unsigned port = (unsigned)o->port;
	long seconds = (long)(o->timeout_us / EG_SECOND) + 1;
	/* The name and port only choose the line of known_hosts; the socket is connected. */
	return ssh_options_set(ssh, SSH_OPTIONS_PROCESS_CONFIG, &no) == 0 &&
	       ssh_options_set(ssh, SSH_OPTIONS_HOST, o->host) == 0 &&
	       ssh_options_set(ssh, SSH_OPTIONS_PORT, &port) == 0 &&
	       ssh_options_set(ssh, SSH_OPTIONS_USER, o->user) == 0 &&
	       ssh_options_set(ssh, SSH_OPTIONS_KNOWNHOSTS, o->known_hosts) == 0 &&
	       ssh_options_set(ssh, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") == 0 &&
	       ssh_options_set(ssh, SSH_OPTIONS_TIMEOUT, &seconds) == 0;
}

/* libssh closes its socket whenever it likes, so it gets a descriptor of its own to the same one. */
static bool hand_over(ssh_session ssh, int socket)
{
	int own = fcntl(socket, F_DUPFD_CLOEXEC, 0);
	if (own < 0 || ssh_options_set(ssh, SSH_OPTIONS_FD, &own) == 0)
		return own >= 0;
	close(own);
	return false;
}

static enum eg_rc read_key(const struct eg_sftp_options *o, ssh_key *out, struct eg_err *err)
{
	struct stat st;
	if (stat(o->key_file, &st) != 0)
		return eg_fail(err, EG_CONFIG, "SFTP: %s: %s", o->key_file, strerror(errno));
	if (st.st_mode & S_IRWXO)
		return eg_fail(err, EG_CONFIG, "SFTP: everybody may read %s; chmod o= it", o->key_file);
	if (ssh_pki_import_privkey_file(o->key_file, *o->passphrase ? o->passphrase : NULL, NULL, NULL,
	                                out) == SSH_OK)
		return EG_OK;
	return eg_fail(err, EG_CONFIG, "SFTP: %s holds no private key, or sftp_passphrase does not fit",
	               o->key_file);
}

static enum eg_rc log_in(struct eg_sftp *s, struct eg_err *err)
{
	const struct eg_sftp_options *o = &s->o;
	enum ssh_known_hosts_e known = ssh_session_is_known_server(s->ssh);
	if (known != SSH_KNOWN_HOSTS_OK)
		return eg_fail(err, EG_UNAUTHENTICATED, "SFTP: the key of %s %s: nothing was sent to it",
		               o->host,
		               known == SSH_KNOWN_HOSTS_CHANGED || known == SSH_KNOWN_HOSTS_OTHER
		                       ? "is not the one in sftp_known_hosts"
		                       : "does not stand in sftp_known_hosts");
	if (*o->key_file) {
		ssh_key key;
		enum eg_rc read = read_key(o, &key, err);
		if (read)
			return read;
		int rc = ssh_userauth_publickey(s->ssh, NULL, key);
		ssh_key_free(key);
		if (rc == SSH_AUTH_SUCCESS)
			return EG_OK;
		if (rc == SSH_AUTH_ERROR)
			return fail(s, err, "log-in");
	}
	if (*o->password) {
		int rc = ssh_userauth_password(s->ssh, NULL, o->password);
		if (rc == SSH_AUTH_SUCCESS)
			return EG_OK;
		if (rc == SSH_AUTH_ERROR)
			return fail(s, err, "log-in");
	}
	return eg_fail(err, EG_UNAUTHENTICATED,
	               "SFTP: %s does not let this account in with this key or password", o->host);
}

/* A cut that came before the guard is not lost. */
static enum eg_rc set_guard(struct eg_sftp *s, struct eg_err *err)
{
	struct sftp_guard *guard;
	enum eg_rc rc = sftp_guard_start(&guard, s->socket, err);
	struct pollfd cut = {.fd = s->cut_fd, .events = POLLIN};
	pthread_mutex_lock(&s->lock);
	s->guard = guard;
	if (!rc && poll(&cut, 1, 0) == 1)
		rc = eg_fail(err, EG_CLOSED, "SFTP: it is shutting down");
	pthread_mutex_unlock(&s->lock);
	return rc;
}

enum eg_rc eg_sftp_connect(struct eg_sftp *s, struct eg_err *err)
{
	int64_t until = eg_mono_us() + s->o.timeout_us;
	enum eg_rc rc = tcp(s, until < s->deadline_us ? until : s->deadline_us, err);
	if (!rc)
		rc = set_guard(s, err);
	if (rc)
		return rc;
	s->ssh = ssh_new();
	if (!s->ssh || !set_up(s->ssh, &s->o) || !hand_over(s->ssh, s->socket))
		return eg_fail(err, EG_CONFIG, "SFTP: host, account or known_hosts is not usable");
	arm(s);
	if (ssh_connect(s->ssh) != SSH_OK)
		return fail(s, err, "key exchange");
	arm(s);
	rc = log_in(s, err);
	if (rc)
		return rc;
	arm(s);
	s->sftp = sftp_new(s->ssh);
	if (!s->sftp || sftp_init(s->sftp) != SSH_OK)
		return fail(s, err, "beginning the subsystem");
	arm(s);
	sftp_attributes a = sftp_stat(s->sftp, s->o.folder);
	if (!a)
		return fail(s, err, "the folder");
	bool folder = a->type == SSH_FILEXFER_TYPE_DIRECTORY;
	sftp_attributes_free(a);
	disarm(s);
	return folder ? EG_OK : eg_fail(err, EG_CONFIG, "SFTP: sftp_folder is no folder");
}

struct eg_sftp *eg_sftp_new(const struct eg_sftp_options *o)
{
	struct eg_sftp start = {
	        .o = *o, .socket = -1, .deadline_us = INT64_MAX, .cut_fd = eventfd(0, EFD_CLOEXEC)};
	struct eg_sftp *s = start.cut_fd >= 0 ? malloc(sizeof *s) : NULL;
	if (!s) {
		if (start.cut_fd >= 0)
			close(start.cut_fd);
		return NULL;
	}
	memcpy(s, &start, sizeof start);
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void eg_sftp_close(struct eg_sftp *s)
{
	if (!s)
		return;
	/* Without a farewell: it would wait for the peer. */
	if (s->guard)
		sftp_guard_cut(s->guard);
	if (s->socket >= 0)
		shutdown(s->socket, SHUT_RDWR);
	if (s->sftp)
		sftp_free(s->sftp);
	sftp_guard_stop(s->guard);
	if (s->ssh)
		ssh_free(s->ssh);
	if (s->socket >= 0)
		close(s->socket);
	close(s->cut_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void eg_sftp_cut(struct eg_sftp *s)
{
	pthread_mutex_lock(&s->lock);
	eventfd_write(s->cut_fd, 1);
	if (s->guard)
		sftp_guard_cut(s->guard);
	pthread_mutex_unlock(&s->lock);
}

void eg_sftp_deadline(struct eg_sftp *s, int64_t mono_deadline_us)
{
	s->deadline_us = mono_deadline_us;
}

/* ---- files ---- */

static enum eg_rc path_of(const struct eg_sftp *s, const char *name, char out[PATH_CAP], struct eg_err *err)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return eg_fail(err, EG_INVALID, "SFTP: a file name that leads elsewhere");
	return snprintf(out, PATH_CAP, "%s/%s", s->o.folder, name) < PATH_CAP
	               ? EG_OK
	               : eg_fail(err, EG_INVALID, "SFTP: a file name is too long");
}

static struct eg_sftp_file told(const char *name, const struct sftp_attributes_struct *a)
{
	struct eg_sftp_file f = {
	        .size = a->size, .changed = a->mtime, .regular = a->type == SSH_FILEXFER_TYPE_REGULAR};
	snprintf(f.name, sizeof f.name, "%s", name);
	return f;
}

enum eg_rc eg_sftp_each(struct eg_sftp *s, bool (*each)(void *arg, const struct eg_sftp_file *f), void *arg,
                        struct eg_err *err)
{
	arm(s);
	sftp_dir dir = sftp_opendir(s->sftp, s->o.folder);
	if (!dir)
		return fail(s, err, "the folder");
	bool go_on = true;
	sftp_attributes a;
	while (go_on && (arm(s), a = sftp_readdir(s->sftp, dir))) {
		struct eg_sftp_file f = told(a->name, a);
		if (strlen(a->name) < sizeof f.name && strcmp(f.name, ".") != 0 && strcmp(f.name, "..") != 0)
			go_on = each(arg, &f);
		sftp_attributes_free(a);
	}
	enum eg_rc rc = go_on && !sftp_dir_eof(dir) ? fail(s, err, "the folder") : EG_OK;
	arm(s);
	sftp_closedir(dir);
	disarm(s);
	return rc;
}

enum eg_rc eg_sftp_stat(struct eg_sftp *s, const char *name, struct eg_sftp_file *out, struct eg_err *err)
{
	char path[PATH_CAP];
	enum eg_rc rc = path_of(s, name, path, err);
	if (rc)
		return rc;
	arm(s);
	sftp_attributes a = sftp_lstat(s->sftp, path);
	if (!a)
		return fail(s, err, "a file's state");
	disarm(s);
	*out = told(name, a);
	sftp_attributes_free(a);
	return EG_OK;
}

/* Where fetched bytes go. */
typedef enum eg_rc put_piece(void *arg, struct eg_bytes piece, struct eg_err *err);

static enum eg_rc fetch(struct eg_sftp *s, const char *name, uint64_t max, put_piece *put, void *arg,
                        struct eg_err *err)
{
	char path[PATH_CAP], piece[PIECE];
	struct eg_sftp_file before, after;
	uint64_t got = 0;
	enum eg_rc rc = path_of(s, name, path, err);
	if (!rc)
		rc = eg_sftp_stat(s, name, &before, err);
	if (!rc && !before.regular)
		rc = eg_fail(err, EG_INVALID, "SFTP: not a regular file");
	if (!rc && before.size > max)
		rc = eg_fail(err, EG_LIMIT, "SFTP: a file is larger than max_size");
	if (rc)
		return rc;
	arm(s);
	sftp_file file = sftp_open(s->sftp, path, O_RDONLY, 0);
	if (!file)
		return fail(s, err, "opening a file");
	for (ssize_t n = 1; !rc && n > 0;) {
		arm(s);
		n = sftp_read(file, piece, sizeof piece);
		if (n < 0)
			rc = fail(s, err, "reading a file");
		else if ((got += (uint64_t)n) > max)
			rc = eg_fail(err, EG_LIMIT, "SFTP: a file is larger than max_size");
		else
			rc = put(arg, (struct eg_bytes){(const uint8_t *)piece, (size_t)n}, err);
	}
	explicit_bzero(piece, sizeof piece);
	arm(s);
	sftp_close(file);
	if (!rc)
		rc = eg_sftp_stat(s, name, &after, err);
	if (!rc && (after.size != before.size || after.changed != before.changed || got != before.size))
		rc = eg_fail(err, EG_CONFLICT, "SFTP: a file changed while it was fetched");
	disarm(s);
	return rc;
}

struct sink {
	int fd;
	bool failed;
};

static enum eg_rc to_fd(void *arg, struct eg_bytes piece, struct eg_err *err)
{
	struct sink *to = arg;
	enum eg_rc rc = file_write_all(to->fd, piece, err);
	to->failed = rc != EG_OK;
	return rc;
}

static enum eg_rc to_buf(void *arg, struct eg_bytes piece, struct eg_err *err)
{
	struct eg_buf *b = arg;
	eg_buf_add(b, piece.p, piece.len);
	return b->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a file") : EG_OK;
}

enum eg_rc eg_sftp_fetch(struct eg_sftp *s, const char *name, uint64_t max, int fd, bool *ours,
                         struct eg_err *err)
{
	struct sink to = {.fd = fd};
	enum eg_rc rc = fetch(s, name, max, to_fd, &to, err);
	*ours = to.failed;
	return rc;
}

enum eg_rc eg_sftp_get(struct eg_sftp *s, const char *name, size_t max, struct eg_buf *out,
                       struct eg_err *err)
{
	return fetch(s, name, max, to_buf, out, err);
}

static enum eg_rc write_pieces(struct eg_sftp *s, sftp_file file, struct eg_bytes bytes, struct eg_err *err)
{
	while (bytes.len) {
		arm(s);
		ssize_t n = sftp_write(file, bytes.p, bytes.len < PIECE ? bytes.len : PIECE);
		if (n <= 0)
			return fail(s, err, "writing a file");
		bytes.p += n;
		bytes.len -= (size_t)n;
	}
	arm(s);
	if (sftp_extension_supported(s->sftp, "fsync@openssh.com", "1") && sftp_fsync(file) != 0)
		return fail(s, err, "syncing a file");
	return EG_OK;
}

enum eg_rc eg_sftp_put(struct eg_sftp *s, const char *name, struct eg_bytes bytes, struct eg_err *err)
{
	char path[PATH_CAP], beside[PATH_CAP], temporary[300];
	enum eg_rc rc = path_of(s, name, path, err);
	if (rc)
		return rc;
	snprintf(temporary, sizeof temporary, ".%.250s.tmp", name);
	rc = path_of(s, temporary, beside, err);
	if (rc)
		return rc;
	arm(s);
	sftp_file file = sftp_open(s->sftp, beside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!file)
		return fail(s, err, "making a file");
	rc = write_pieces(s, file, bytes, err);
	arm(s);
	if (sftp_close(file) != SSH_OK && !rc)
		rc = fail(s, err, "closing a file");
	/* libssh's rename replaces where the server offers posix-rename. */
	arm(s);
	if (!rc && sftp_rename(s->sftp, beside, path) != 0)
		rc = fail(s, err, "naming a file");
	arm(s);
	if (rc && !sftp_guard_fell(s->guard))
		sftp_unlink(s->sftp, beside);
	disarm(s);
	return rc;
}

enum eg_rc eg_sftp_move(struct eg_sftp *s, const char *name, const char *folder, const char *new_name,
                        struct eg_err *err)
{
	char from[PATH_CAP], dir[PATH_CAP], to[PATH_CAP];
	enum eg_rc rc = path_of(s, name, from, err);
	if (!rc)
		rc = path_of(s, folder, dir, err);
	if (rc)
		return rc;
	if (snprintf(to, sizeof to, "%s/%s", dir, new_name) >= (int)sizeof to)
		return eg_fail(err, EG_INVALID, "SFTP: a file name is too long");
	arm(s);
	sftp_mkdir(s->sftp, dir, 0700); /* that it is there already is told as a plain failure */
	arm(s);
	sftp_attributes there = sftp_lstat(s->sftp, to);
	if (there) {
		sftp_attributes_free(there);
		disarm(s);
		return eg_fail(err, EG_EXISTS, "SFTP, moving a file: the name is taken");
	}
	arm(s);
	if (sftp_rename(s->sftp, from, to) != 0)
		return fail(s, err, "moving a file");
	disarm(s);
	return EG_OK;
}
