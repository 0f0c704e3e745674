/* server: see server.h. */
#include "server.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECE = 1024, PATIENCE_S = 30 };

static void shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

static void make_key(const char *place, const char *type, const char *name)
{
	char command[256];
	snprintf(command, sizeof command, "ssh-keygen -q -t %s -N '' -f %s/%s", type, place, name);
	shell(command);
}

static int listener(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static int caller(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	                        .sin_port = htons((uint16_t)port),
	                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

void server_new(struct server *s)
{
	*s = (struct server){.place = "/tmp/eg-sftp-XXXXXX"};
	assert_non_null(mkdtemp(s->place));
	close(listener(&s->port));
	char command[256];
	make_key(s->place, "ed25519", "host_ed25519");
	make_key(s->place, "rsa", "host_rsa");
	make_key(s->place, "rsa", "stranger");
	make_key(s->place, "ed25519", "user");
	snprintf(command, sizeof command, "cp %s/user.pub %s/authorized && mkdir %s/files", s->place,
	         s->place, s->place);
	shell(command);
}

void server_start(struct server *s)
{
	char path[128];
	snprintf(path, sizeof path, "%s/sshd_config", s->place);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f,
	        "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host_ed25519\nHostKey %s/host_rsa\n"
	        "AuthorizedKeysFile %s/authorized\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin "
	        "yes\n"
	        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n"
	        "LogLevel QUIET\n",
	        s->port, s->place, s->place, s->place);
	assert_int_equal(fclose(f), 0);
	s->sshd = fork();
	assert_true(s->sshd >= 0);
	if (!s->sshd) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", path, (char *)NULL);
		_exit(127);
	}
	int fd = -1;
	for (int64_t until = eg_mono_us() + PATIENCE_S * EG_SECOND; fd < 0 && eg_mono_us() < until;) {
		fd = caller(s->port);
		if (fd < 0) {
			assert_int_equal(waitpid(s->sshd, NULL, WNOHANG),
			                 0); /* it ended: its configuration? */
			poll(NULL, 0, 10);
		}
	}
	assert_true(fd >= 0);
	close(fd);
}

/* The children of a process that we started, then itself. */
static void kill_tree(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	FILE *f = fopen(path, "re");
	int child;
	while (f && fscanf(f, "%d", &child) == 1)
		kill_tree(child);
	if (f)
		fclose(f);
	kill(pid, SIGKILL);
}

void server_kill(struct server *s)
{
	if (s->sshd <= 0)
		return;
	kill_tree(s->sshd);
	waitpid(s->sshd, NULL, 0);
	s->sshd = 0;
}

/* ---- the bad line ---- */

static bool pass_on(int from, int to, struct line *l)
{
	char piece[PIECE];
	int64_t most = l && l->pass < PIECE ? l->pass : PIECE;
	if (!most) {
		if (l->cut)
			return false;
		poll(NULL, 0, 10); /* silent */
		return true;
	}
	ssize_t n = read(from, piece, (size_t)most);
	if (n <= 0)
		return false;
	if (l) {
		l->pass -= n;
		l->count += n;
		if (l->slow_us)
			usleep((useconds_t)l->slow_us);
	}
	for (ssize_t at = 0; at < n;) {
		ssize_t k = write(to, piece + at, (size_t)(n - at));
		if (k <= 0)
			return false;
		at += k;
	}
	return true;
}

static void carry(int listening, int port, struct line *l)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept(listening, NULL, NULL), server = caller(port);
		bool open = client >= 0 && server >= 0;
		while (open) {
			struct pollfd p[] = {{.fd = client, .events = POLLIN},
			                     {.fd = server, .events = POLLIN}};
			open = poll(p, 2, -1) > 0;
			if (open && p[0].revents)
				open = pass_on(client, server, NULL);
			if (open && p[1].revents)
				open = pass_on(server, client, l);
		}
		close(client);
		if (server >= 0)
			close(server);
	}
}

struct line *server_line(struct server *s)
{
	struct line *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(l != MAP_FAILED);
	l->pass = INT64_MAX;
	int fd = listener(&s->line_port);
	s->line = fork();
	assert_true(s->line >= 0);
	if (!s->line)
		carry(fd, s->port, l);
	close(fd);
	return l;
}

void server_free(struct server *s)
{
	server_kill(s);
	if (s->line > 0) {
		kill(s->line, SIGKILL);
		waitpid(s->line, NULL, 0);
	}
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", s->place);
	shell(command);
}
