/* sheets: see sheets.h. */
#include "cli/sheets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sheets {
	const char *const *names;
	unsigned n, file; /* the one that is read */
	enum eg_section section;
	bool list;
	int fd; /* -1: none is open */
	struct sheet *sheet;
};

enum eg_rc sheets_open(struct sheets **out, const char *const *names, unsigned n, enum eg_section section,
                       bool list, struct eg_err *err)
{
	struct sheets *s = calloc(1, sizeof *s);
	*out = s;
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read files");
	*s = (struct sheets){.names = names, .n = n, .section = section, .list = list, .fd = -1};
	return EG_OK;
}

static ssize_t read_fd(void *arg, void *p, size_t len)
{
	ssize_t n;
	do
		n = read(*(const int *)arg, p, len);
	while (n < 0 && errno == EINTR);
	return n;
}

static enum eg_rc open_file(struct sheets *s, struct eg_err *err)
{
	const char *name = s->names[s->file];
	s->fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return errno == ENOENT ? eg_fail(err, EG_NOT_FOUND, "%s: there is no such file", name)
		                       : eg_fail_errno(err, "%s", name);
	name = s->fd == STDIN_FILENO ? "standard input" : name;
	return s->list ? sheet_open_list(&s->sheet, name, read_fd, &s->fd, s->section, err)
	               : sheet_open(&s->sheet, name, read_fd, &s->fd, s->section, err);
}

static void close_file(struct sheets *s)
{
	sheet_close(s->sheet);
	s->sheet = NULL;
	if (s->fd > STDIN_FILENO)
		close(s->fd);
	s->fd = -1;
}

enum eg_rc sheets_next(struct sheets *s, struct eg_buf *out, struct origin *where, struct eg_err *err)
{
	while (s->file < s->n) {
		enum eg_rc rc = s->sheet ? EG_OK : open_file(s, err);
		if (!rc)
			rc = sheet_next(s->sheet, out, &where->line, err);
		where->file = s->file;
		if (rc != EG_EMPTY)
			return rc;
		close_file(s);
		s->file++;
	}
	return EG_EMPTY;
}

void sheets_rewind(struct sheets *s)
{
	close_file(s);
	s->file = 0;
}

void sheets_close(struct sheets *s)
{
	if (!s)
		return;
	close_file(s);
	free(s);
}
