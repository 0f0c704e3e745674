/* bus_client: a link that a test drives by lines on standard input, and that tells what came by lines of
 * JSON.
 *
 *   call NAME METHOD CREDIT | send NAME HEX | close NAME | drop NAME | trouble | quit
 *
 * Messages wait here for credit, in order. NAME is a number below 1000. */
#include "eldergate/link.h"

#include "base/buf.h"
#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS = 1000, LINE = 8 << 20 };

struct waiting {
	struct waiting *next;
	struct eg_buf bytes;
};

static struct call {
	struct eg_link_call *call;
	struct waiting *first, **end;
	bool closing;
} calls[CALLS];
static struct eg_link *bus;
static char line[LINE];
static size_t filled;

static void tell(const char *event, const struct call *c, struct eg_bytes bytes, int code, const char *text)
{
	struct eg_buf out = {0};
	eg_buf_printf(&out, "{\"event\":\"%s\",\"call\":%ld,\"code\":%d,\"text\":", event,
	              c ? (long)(c - calls) : -1L, code);
	eg_buf_json(&out, eg_bytes_of(text));
	eg_buf_printf(&out, ",\"bytes\":\"");
	char *hex = malloc(2 * bytes.len + 1);
	if (!hex)
		abort();
	eg_hex(bytes.p, bytes.len, hex);
	eg_buf_add(&out, hex, 2 * bytes.len);
	eg_buf_printf(&out, "\"}\n");
	free(hex);
	if (out.failed || write(STDOUT_FILENO, out.p, out.len) != (ssize_t)out.len)
		exit(1);
	eg_buf_free(&out);
}

static void forget(struct call *c)
{
	struct waiting *w;
	while ((w = c->first)) {
		c->first = w->next;
		eg_buf_free(&w->bytes);
		free(w);
	}
	*c = (struct call){0};
	c->end = &c->first;
}

static void pump(struct call *c)
{
	struct eg_err err = {0};
	while (c->first && eg_link_credit(c->call)) {
		struct waiting *w = c->first;
		if (eg_link_send(c->call, eg_buf_bytes(&w->bytes), &err)) {
			tell("failed", c, (struct eg_bytes){0}, (int)err.rc, err.text);
			return;
		}
		if (!(c->first = w->next))
			c->end = &c->first;
		eg_buf_free(&w->bytes);
		free(w);
	}
	if (c->closing && !c->first) {
		c->closing = false;
		eg_link_half_close(c->call, NULL);
	}
}

static void command(char *text)
{
	struct eg_err err = {0};
	char *word = strtok(text, " "), *name = strtok(NULL, " "), *rest = strtok(NULL, " ");
	struct call *c = name ? &calls[atoi(name) % CALLS] : NULL;
	if (!word || strcmp(word, "quit") == 0) {
		eg_link_close(bus);
		exit(0);
	} else if (strcmp(word, "trouble") == 0) {
		enum eg_rc rc = eg_link_trouble(bus, &err);
		tell("trouble", NULL, (struct eg_bytes){0}, (int)rc, err.text);
	} else if (strcmp(word, "call") == 0 && rest) {
		char *credit = strtok(NULL, " ");
		forget(c);
		if (eg_link_call(bus, rest, credit ? (unsigned)atoi(credit) : 0, c, &c->call, &err))
			tell("failed", c, (struct eg_bytes){0}, (int)err.rc, err.text);
	} else if (c && c->call && strcmp(word, "send") == 0) {
		struct waiting *w = calloc(1, sizeof *w);
		size_t len = rest ? strlen(rest) / 2 : 0;
		uint8_t *to = w ? eg_buf_grow(&w->bytes, len) : NULL;
		if (!to || (len && !eg_unhex(rest, to, len)))
			abort();
		*c->end = w;
		c->end = &w->next;
		pump(c);
	} else if (c && c->call && strcmp(word, "close") == 0) {
		c->closing = true;
		pump(c);
	} else if (c && c->call && strcmp(word, "drop") == 0) {
		eg_link_drop(c->call);
		forget(c);
	} else if (strcmp(word, "send") != 0 && strcmp(word, "close") != 0 && strcmp(word, "drop") != 0) {
		abort(); /* those may be of a call that is over */
	}
}

static void take_events(void)
{
	static const char *const names[] = {[EG_LINK_MESSAGE] = "message",
	                                    [EG_LINK_CREDIT] = "credit",
	                                    [EG_LINK_STATUS] = "status",
	                                    [EG_LINK_LOST] = "lost"};
	struct eg_link_event e;
	while (eg_link_wait(bus, 0, &e, NULL) == EG_OK) {
		struct call *c = e.arg;
		if (e.kind == EG_LINK_CREDIT) {
			pump(c);
			continue;
		}
		tell(names[e.kind], c, e.bytes, e.code, e.text);
		if (e.kind != EG_LINK_MESSAGE) {
			eg_link_drop(c->call);
			forget(c);
		}
	}
}

/* False: standard input is at its end. */
static bool take_commands(void)
{
	ssize_t n = read(STDIN_FILENO, line + filled, LINE - 1 - filled);
	if (n <= 0)
		return false;
	filled += (size_t)n;
	line[filled] = 0;
	for (char *end; (end = memchr(line, '\n', filled));) {
		*end = 0;
		command(line);
		filled -= (size_t)(end + 1 - line);
		memmove(line, end + 1, filled);
	}
	return true;
}

int main(int argc, char **argv)
{
	struct eg_link_options o = {0};
	struct eg_err err = {0};
	if (argc < 4)
		return 64;
	o.address = argv[1];
	o.server_key = argv[2];
	o.key_file = argv[3];
	o.heartbeat_us = argc > 4 ? atoi(argv[4]) * 1000 : 0;
	o.max_message = argc > 5 ? (size_t)atoi(argv[5]) : 0;
	for (int i = 0; i < CALLS; i++)
		calls[i].end = &calls[i].first;
	if (eg_link_open(&bus, &o, &err)) {
		tell("failed", NULL, (struct eg_bytes){0}, (int)err.rc, err.text);
		return eg_rc_exit(err.rc);
	}
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
	                       {.fd = eg_link_fd(bus), .events = POLLIN}};
	bool connected = false;
	for (;;) {
		take_events();
		if (connected != eg_link_connected(bus)) {
			connected = !connected;
			tell(connected ? "up" : "down", NULL, (struct eg_bytes){0}, 0, "");
		}
		/* No time out: the link's descriptor alone says when there is something to do. */
		if (poll(fds, 2, -1) > 0 && fds[0].revents && !take_commands())
			break;
	}
	eg_link_close(bus);
	return 0;
}
