/* http_spool: see http_spool.h.
 *
 * The file: magic (8), begin (i64), what is asked (32), salt (16); then pages: length of what is sealed
 * (u32), nonce (12), sealed: u8 bad bytes, skew (i64), the text. Associated data: the head and the page's
 * number, so that pages can neither be moved nor left out in between. Integers are big-endian. */
#include "connectors/http_spool.h"

#include "base/clock.h"
#include "base/log.h"
#include "connectors/file_dir.h"
#include "trust/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[] = "EGLIST2\n";
enum { SALT = 16, HEAD = 8 + 8 + EG_HASH_SIZE + SALT, FRONT = 4 + EG_GCM_NONCE, PLAIN = 1 + 8 };

struct eg_http_spool {
	struct eg_http_spool_options o;
	int folder, fd; /* fd -1: none is under way */
	char name[64];
	uint8_t head[HEAD], key[EG_KEY_SIZE];
	uint64_t page;
	int64_t size; /* of what is whole */
	bool reading;
	struct eg_buf plain, sealed;
};

enum eg_rc eg_http_spool_open(struct eg_http_spool **out, const struct eg_http_spool_options *o,
                              struct eg_err *err)
{
	struct eg_http_spool *s = calloc(1, sizeof *s);
	*out = NULL;
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list's pages");
	s->o = *o;
	s->fd = -1;
	snprintf(s->name, sizeof s->name, "%.50slist", o->prefix ? o->prefix : "");
	for (char *p = s->name; *p; p++)
		if (*p == '/')
			*p = '-';
	enum eg_rc rc = file_dir_open(&s->folder, eg_settings_text(o->settings, "list_spool"), err);
	if (rc)
		free(s);
	else
		*out = s;
	return rc;
}

static void let_go(struct eg_http_spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->reading = false;
}

void eg_http_spool_close(struct eg_http_spool *s)
{
	if (!s)
		return;
	let_go(s);
	close(s->folder);
	eg_buf_free(&s->plain);
	eg_buf_free(&s->sealed);
	explicit_bzero(s->key, sizeof s->key);
	free(s);
}

void eg_http_spool_drop(struct eg_http_spool *s)
{
	let_go(s);
	if (unlinkat(s->folder, s->name, 0) != 0 && errno != ENOENT)
		eg_log(EG_LOG_WARN, "http.spool_stays", EG_T("error", strerror(errno)));
}

/* From here on pages are asked for again after a restart. */
static void give_up(struct eg_http_spool *s, const struct eg_err *why)
{
	eg_log(EG_LOG_WARN, "http.spool_failed", EG_T("text", why->text));
	eg_http_spool_drop(s);
}

/* ---- the head ---- */

static void add_text(struct eg_buf *b, const char *text)
{
	eg_buf_add(b, text, strlen(text) + 1);
}

/* What is asked, and how its pages are read: the pages of another list are none of this one. */
static void asked(const struct eg_settings *s, uint8_t out[EG_HASH_SIZE])
{
	static const char *const texts[] = {"url",          "method",        "body",      "rid",
	                                    "sid",          "paging",        "rows_path", "total_path",
	                                    "more_path",    "cursor_path",   "code_path", "inner_path",
	                                    "inner_format", "answer_format", "last_page"};
	static const char *const lists[] = {"query", "headers"}, *const numbers[] = {"first_page",
	                                                                             "page_size"};
	struct eg_buf b = {0};
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
		add_text(&b, eg_settings_text(s, texts[i]));
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < eg_settings_count(s, lists[i]); k++)
			add_text(&b, eg_settings_item(s, lists[i], k));
		eg_buf_add_u8(&b, 0);
		eg_buf_add_be(&b, (uint64_t)eg_settings_int(s, numbers[i]), 8);
	}
	struct eg_bytes all = eg_buf_bytes(&b);
	eg_sha256(&all, 1, out);
	eg_buf_free(&b);
}

/* Two tokens of the checkpoint over the head, which has a salt of its own. */
static void make_key(struct eg_http_spool *s)
{
	uint8_t text[HEAD + 1];
	memcpy(text, s->head, HEAD);
	for (uint8_t i = 0; i < 2; i++) {
		text[HEAD] = i;
		eg_checkpoint_token(s->o.checkpoint, (struct eg_bytes){text, sizeof text},
		                    s->key + (size_t)i * (EG_KEY_SIZE / 2));
	}
}

static int64_t get_be(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

void eg_http_spool_begin(struct eg_http_spool *s, int64_t begun_us)
{
	struct eg_err err = {0};
	eg_http_spool_drop(s);
	memcpy(s->head, MAGIC, 8);
	for (unsigned i = 0; i < 8; i++)
		s->head[8 + i] = (uint8_t)((uint64_t)begun_us >> (56 - 8 * i));
	asked(s->o.settings, s->head + 16);
	eg_random(s->head + HEAD - SALT, SALT);
	s->fd = openat(s->folder, s->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum eg_rc rc = s->fd < 0 ? eg_fail_errno(&err, "keeping a list's pages")
	                          : file_write_all(s->fd, (struct eg_bytes){s->head, HEAD}, &err);
	if (rc) {
		give_up(s, &err);
		return;
	}
	make_key(s);
	s->page = 0;
	s->size = HEAD;
}

/* In numbered pages a row that went while we were away pulls one that was to come into a page that we have:
 * it would be missing from the list and be withdrawn. The longer the stop, the likelier; without one it is
 * the price of such pages. A cursor stays where it is. */
static int64_t most_away_us(const struct eg_settings *s)
{
	if (eg_settings_has(s, "list_resume_within"))
		return eg_settings_int(s, "list_resume_within");
	return strcmp(eg_settings_text(s, "paging"), "cursor") == 0 ? 86400 * EG_SECOND : 600 * EG_SECOND;
}

/* Since the last page was kept; less than 0: nobody can tell. */
static int64_t away_us(const struct eg_http_spool *s, int64_t now_us)
{
	struct stat st;
	if (fstat(s->fd, &st) != 0)
		return -1;
	return now_us - (st.st_mtim.tv_sec * EG_SECOND + st.st_mtim.tv_nsec / 1000);
}

bool eg_http_spool_resume(struct eg_http_spool *s, int64_t now_us, int64_t *begun_us)
{
	uint8_t digest[EG_HASH_SIZE];
	let_go(s);
	s->fd = openat(s->folder, s->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return false;
	asked(s->o.settings, digest);
	bool whole = pread(s->fd, s->head, HEAD, 0) == HEAD && memcmp(s->head, MAGIC, 8) == 0 &&
	             memcmp(s->head + 16, digest, sizeof digest) == 0;
	int64_t begun = get_be(s->head + 8, 8), away = away_us(s, now_us);
	if (!whole || begun > now_us || away < 0 || away > most_away_us(s->o.settings)) {
		eg_http_spool_drop(s);
		return false;
	}
	make_key(s);
	s->page = 0;
	s->size = HEAD;
	s->reading = true;
	*begun_us = begun;
	return true;
}

/* ---- pages ---- */

static struct eg_bytes associated(const struct eg_http_spool *s, uint8_t out[HEAD + 8])
{
	memcpy(out, s->head, HEAD);
	for (unsigned i = 0; i < 8; i++)
		out[HEAD + i] = (uint8_t)(s->page >> (56 - 8 * i));
	return (struct eg_bytes){out, HEAD + 8};
}

/* The page at the end of what is whole so far; false: there is none that is. */
static bool read_page(struct eg_http_spool *s)
{
	uint8_t front[FRONT], aad[HEAD + 8];
	struct stat st;
	if (fstat(s->fd, &st) != 0 || pread(s->fd, front, FRONT, s->size) != FRONT)
		return false;
	int64_t len = get_be(front, 4);
	if (len < PLAIN + EG_GCM_TAG || len > st.st_size - s->size - FRONT)
		return false;
	eg_buf_reset(&s->sealed);
	eg_buf_reset(&s->plain);
	uint8_t *sealed = eg_buf_grow(&s->sealed, (size_t)len),
	        *plain = eg_buf_grow(&s->plain, (size_t)len - EG_GCM_TAG);
	if (!sealed || !plain || pread(s->fd, sealed, (size_t)len, s->size + FRONT) != len ||
	    eg_gcm_open(s->key, front + 4, associated(s, aad), eg_buf_bytes(&s->sealed), plain, NULL))
		return false;
	s->size += FRONT + len;
	s->page++;
	return true;
}

bool eg_http_spool_next(struct eg_http_spool *s, struct eg_buf *text, bool *bad_bytes, int64_t *skew_us)
{
	if (!s->reading)
		return false;
	eg_buf_reset(text);
	if (read_page(s)) {
		*bad_bytes = s->plain.p[0] != 0;
		*skew_us = get_be(s->plain.p + 1, 8);
		eg_buf_add(text, s->plain.p + PLAIN, s->plain.len - PLAIN);
		return true;
	}
	s->reading = false;
	struct eg_err err = {0};
	if (ftruncate(s->fd, s->size) != 0 || lseek(s->fd, s->size, SEEK_SET) != s->size) {
		eg_fail_errno(&err, "keeping a list's pages");
		give_up(s, &err);
	}
	eg_log(EG_LOG_INFO, "http.list_resumed", EG_I("pages", s->page));
	return false;
}

void eg_http_spool_put(struct eg_http_spool *s, struct eg_bytes text, bool bad_bytes, int64_t skew_us)
{
	struct eg_err err = {0};
	uint8_t aad[HEAD + 8], nonce[EG_GCM_NONCE];
	size_t len = PLAIN + text.len + EG_GCM_TAG;
	if (s->fd < 0 || s->reading)
		return;
	eg_random(nonce, sizeof nonce);
	eg_buf_reset(&s->plain);
	eg_buf_reset(&s->sealed);
	eg_buf_add_u8(&s->plain, bad_bytes);
	eg_buf_add_be(&s->plain, (uint64_t)skew_us, 8);
	eg_buf_add(&s->plain, text.p, text.len);
	eg_buf_add_be(&s->sealed, len, 4);
	eg_buf_add(&s->sealed, nonce, sizeof nonce);
	uint8_t *to = eg_buf_grow(&s->sealed, len);
	enum eg_rc rc = EG_OK;
	if (!to || s->plain.failed)
		rc = eg_fail(&err, EG_NO_MEMORY, "no memory for a list's page");
	else if (s->size + FRONT + (int64_t)len > eg_settings_int(s->o.settings, "list_spool_size"))
		rc = eg_fail(&err, EG_LIMIT, "a list's pages are more than list_spool_size");
	if (!rc)
		rc = eg_gcm_seal(s->key, nonce, associated(s, aad), eg_buf_bytes(&s->plain), to, &err);
	if (!rc)
		rc = file_write_all(s->fd, eg_buf_bytes(&s->sealed), &err);
	if (rc) {
		give_up(s, &err);
		return;
	}
	s->size += FRONT + (int64_t)len;
	s->page++;
}
