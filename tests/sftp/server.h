/* server: a real sshd of the test's own, with keys and a folder of its own, and a bad line in front of it. */
#ifndef SFTP_SERVER_H
#define SFTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
	char place[64]; /* keys, configuration, files/ */
	int port, line_port;
	pid_t sshd, line;
};

/* What the line does to bytes on their way from the server; shared with its process. */
struct line {
	volatile int64_t pass;  /* bytes that still come through; then: */
	volatile bool cut;      /* close the connection, else fall silent */
	volatile int slow_us;   /* between pieces of 1 KiB; 0: as fast as it can */
	volatile int64_t count; /* bytes that came through */
};

void server_new(struct server *s); /* keys and folder; fails the test if it cannot */
void server_start(struct server *s);
void server_kill(struct server *s);         /* -9, with its sessions */
struct line *server_line(struct server *s); /* starts the line */
void server_free(struct server *s);

#endif
