/* log: builds one line or one journal entry in memory, then hands it over by one call.
 *
 * The journal is reached by its native protocol (systemd's "Native Journal Protocol"), one datagram per
 * event. What it does not take goes to standard error as JSON, so no event is lost between the two. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef EG_JOURNAL_SOCKET
#define EG_JOURNAL_SOCKET "/run/systemd/journal/socket"
#endif
#define TEXT_MAX 4096 /* bytes of one text value; what is longer is cut and ends in "…" */
#define STALL_WAIT_MS                                                                                        \
	1000 /* a log reader that stalls longer loses the line instead of stopping the gateway */

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const int priorities[] = {7, 6, 4, 3}; /* syslog(3) */

static atomic_int lowest_level = EG_LOG_INFO;
/* Written by eg_log_open before threads start, read-only from then on. */
static char program_name[32] = "eldergate";
static int journal = -1;

static pthread_mutex_t stderr_lock =
        PTHREAD_MUTEX_INITIALIZER; /* keeps a line that needs several writes whole */

void eg_log_level(enum eg_log_level lowest)
{
	atomic_store_explicit(&lowest_level, (int)lowest, memory_order_relaxed);
}

void eg_log_open(const char *program, enum eg_log_level lowest, bool journald)
{
	snprintf(program_name, sizeof program_name, "%s", program);
	eg_log_level(lowest);
	if (journal >= 0)
		close(journal);
	journal = journald ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	struct timeval stall = {.tv_sec = STALL_WAIT_MS / 1000, .tv_usec = STALL_WAIT_MS % 1000 * 1000};
	if (journal >= 0)
		setsockopt(journal, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall);
}

/* The value's text, cut at a character's end if it is too long. */
static struct eg_bytes value_text(const struct eg_kv *kv, bool *cut)
{
	struct eg_bytes all = eg_bytes_of(kv->text), rest = all;
	bool valid;
	*cut = all.len > TEXT_MAX;
	if (!*cut)
		return all;
	for (size_t n; (n = eg_utf8_step(rest, &valid)) <= TEXT_MAX - (size_t)(rest.p - all.p);) {
		rest.p += n;
		rest.len -= n;
	}
	return (struct eg_bytes){all.p, (size_t)(rest.p - all.p)};
}

static void add_json_value(struct eg_buf *b, const struct eg_kv *kv)
{
	bool cut;
	switch (kv->type) {
	case EG_KV_TEXT:
		if (!kv->text) {
			eg_buf_add(b, "null", 4);
			break;
		}
		eg_buf_json(b, value_text(kv, &cut));
		if (cut && !b->failed) {
			b->len--; /* the closing quote moves behind the mark */
			eg_buf_add(b, "…\"", strlen("…\""));
		}
		break;
	case EG_KV_INT:
		eg_buf_printf(b, "%lld", (long long)kv->i);
		break;
	case EG_KV_REAL:
		if (isfinite(kv->real))
			eg_buf_real(b, kv->real);
		else
			eg_buf_add(b, "null", 4); /* JSON has no NaN */
		break;
	case EG_KV_BOOL:
		eg_buf_printf(b, "%s", kv->i ? "true" : "false");
		break;
	}
}

static void build_json(struct eg_buf *b, enum eg_log_level level, const char *event, const struct eg_kv *kv)
{
	char now[32];
	eg_instant_format(eg_now_us(), now);
	eg_buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", now, level_names[level]);
	eg_buf_json(b, eg_bytes_of(event));
	eg_buf_printf(b, ",\"program\":");
	eg_buf_json(b, eg_bytes_of(program_name));
	for (; kv && kv->key; kv++) {
		eg_buf_add_u8(b, ',');
		eg_buf_json(b, eg_bytes_of(kv->key));
		eg_buf_add_u8(b, ':');
		add_json_value(b, kv);
	}
	eg_buf_add(b, "}\n", 2);
}

/* NAME=value, or the protocol's counted form where the value holds a newline. */
static void add_journal_field(struct eg_buf *b, const char *name, struct eg_bytes value)
{
	if (!(*name >= 'a' && *name <= 'z') && !(*name >= 'A' && *name <= 'Z'))
		eg_buf_add_u8(b, 'X'); /* the journal drops names that begin otherwise */
	for (; *name; name++) {
		char c = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		eg_buf_add_u8(b, (uint8_t)(plain ? c : '_'));
	}
	if (value.len && memchr(value.p, '\n', value.len)) {
		eg_buf_add_u8(b, '\n');
		for (unsigned i = 0; i < 64; i += 8)
			eg_buf_add_u8(b, (uint8_t)((uint64_t)value.len >> i));
	} else {
		eg_buf_add_u8(b, '=');
	}
	eg_buf_add(b, value.p, value.len);
	eg_buf_add_u8(b, '\n');
}

static void build_journal(struct eg_buf *b, enum eg_log_level level, const char *event,
                          const struct eg_kv *kv)
{
	struct eg_buf value = {0};
	add_journal_field(b, "MESSAGE", eg_bytes_of(event));
	add_journal_field(b, "PRIORITY",
	                  (struct eg_bytes){(const uint8_t[]){(uint8_t)('0' + priorities[level])}, 1});
	add_journal_field(b, "SYSLOG_IDENTIFIER", eg_bytes_of(program_name));
	for (; kv && kv->key; kv++) {
		bool cut = false;
		eg_buf_reset(&value);
		if (kv->type == EG_KV_TEXT) {
			struct eg_bytes text = value_text(kv, &cut);
			eg_buf_add(&value, text.p, text.len);
			if (cut)
				eg_buf_add(&value, "…", strlen("…"));
		} else {
			add_json_value(&value, kv);
		}
		add_journal_field(b, kv->key, eg_buf_bytes(&value));
	}
	b->failed = b->failed || value.failed;
	eg_buf_free(&value);
}

static bool send_journal(enum eg_log_level level, const char *event, const struct eg_kv *kv)
{
	/* Addressed anew each time: a connection would not survive the journal's restart. */
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct eg_buf b = {0};
	ssize_t sent = -1;
	snprintf(to.sun_path, sizeof to.sun_path, "%s", EG_JOURNAL_SOCKET);
	build_journal(&b, level, event, kv);
	if (!b.failed)
		do
			sent = sendto(journal, b.p, b.len, MSG_NOSIGNAL, (const struct sockaddr *)&to,
			              sizeof to);
		while (sent < 0 && errno == EINTR);
	eg_buf_free(&b);
	return sent >= 0;
}

static void write_stderr(const uint8_t *p, size_t len)
{
	pthread_mutex_lock(&stderr_lock);
	while (len) {
		ssize_t n = write(STDERR_FILENO, p, len);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
			if (poll(&room, 1, STALL_WAIT_MS) <= 0)
				break;
		} else if (n == 0 || errno != EINTR) {
			break;
		}
	}
	pthread_mutex_unlock(&stderr_lock);
}

/* Without memory for the line: that it happened. Names of events and programs are plain. */
static void write_bare(enum eg_log_level level, const char *event)
{
	char now[32], line[256];
	eg_instant_format(eg_now_us(), now);
	int len = snprintf(line, sizeof line,
	                   "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%.64s\",\"program\":\"%s\","
	                   "\"cut\":\"no memory for the rest\"}\n",
	                   now, level_names[level], event, program_name);
	if (len > 0 && (size_t)len < sizeof line)
		write_stderr((const uint8_t *)line, (size_t)len);
}

void eg_log_write(enum eg_log_level level, const char *event, const struct eg_kv *kv)
{
	if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed))
		return;
	int saved = errno; /* logging must not disturb the error it is told about */
	if (journal < 0 || !send_journal(level, event, kv)) {
		struct eg_buf b = {0};
		build_json(&b, level, event, kv);
		if (b.failed)
			write_bare(level, event);
		else
			write_stderr(b.p, b.len);
		eg_buf_free(&b);
	}
	errno = saved;
}

void eg_log_err(enum eg_log_level level, const char *event, const struct eg_err *err)
{
	struct eg_kv kv[5] = {EG_T("error", eg_rc_label(err->rc)), EG_T("reason", err->text)};
	size_t n = 2;
	if (err->field[0])
		kv[n++] = EG_T("field", err->field);
	if (err->fatal)
		kv[n++] = EG_B("fatal", true);
	eg_log_write(level, event, kv);
}
