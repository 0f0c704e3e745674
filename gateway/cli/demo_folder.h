/* demo_folder: the assistance bureau's folders of the demo: CSV files in GB18030 for the inbox, what comes
 * back in done/, refused/ and the outbox. Thread: one. */
#ifndef EG_CLI_DEMO_FOLDER_H
#define EG_CLI_DEMO_FOLDER_H

#include "cli/made.h"

enum { DEMO_FILE = 64 };

/* A file that is being written. */
struct demo_csv {
	struct eg_buf text; /* UTF-8 */
	uint64_t rows;
};

void demo_csv_add(struct demo_csv *f, const struct made_row *r);
/* Puts it into the inbox: first the file, then its control file. cut: so many of its last rows get lost on
 * the way; the control file does not know. Frees f's memory. */
enum eg_rc demo_csv_send(struct demo_csv *f, const char *inbox, const char *name, unsigned cut,
                         struct eg_err *err);

/* Lines of a CSV file without its header; 0: it is not there. */
uint64_t demo_file_lines(const char *dir, const char *name);
/* What stands in an outbox: lines of all files without headers, and how many different first cells they have;
 * and the number of those lines that hold the text (ASCII), if it is given. */
struct demo_outbox {
	uint64_t files, lines, different, found;
};
enum eg_rc demo_outbox_read(const char *dir, const char *text, struct demo_outbox *out, struct eg_err *err);

#endif
