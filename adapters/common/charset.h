/* charset: the lines of a file in an agency's character set, as UTF-8, with their bytes kept.
 *
 * A line that cannot be decoded is handed out with a fault, what can be read of it, and all of its bytes.
 * Thread: one at a time. */
#ifndef EG_ADAPTERS_CHARSET_H
#define EG_ADAPTERS_CHARSET_H

#include "base/csv.h"
#include "base/lines.h"

enum eg_charset {
	EG_CHARSET_AUTO, /* by a byte order mark, else UTF-8 if nearly all of the text ahead is, else GB18030
	                  */
	EG_CHARSET_UTF8,
	EG_CHARSET_GB18030
};
/* As settings name them, for EG_SET_CHOICE. */
#define EG_CHARSET_CHOICES "auto|utf-8|gb18030|gbk"
enum eg_charset eg_charset_by_name(const char *name); /* AUTO if it is none */

struct eg_charset_lines;
/* NULL: no memory. line_max: longer lines come in pieces, with the fault EG_CSV_LONG. */
struct eg_charset_lines *eg_charset_lines_new(const char *name, enum eg_charset charset, eg_read *read,
                                              void *arg, size_t line_max);
void eg_charset_lines_free(struct eg_charset_lines *l); /* wipes; NULL is fine */
/* A source for eg_csv_new; arg is the struct eg_charset_lines. */
enum eg_rc eg_charset_line(void *arg, struct eg_csv_line *out, struct eg_err *err);
/* AUTO as long as all that was read is ASCII. */
enum eg_charset eg_charset_found(const struct eg_charset_lines *l);

#endif
