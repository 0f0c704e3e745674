/* file_report: what came of a file, for the agency that sent it: NAME.report.csv, and NAME.bad with the bytes
 * of lines that could not be read.
 *
 * The report names lines, reasons and fields, never a value. It grows in the private working folder as
 * verdicts come, and is published beside the file when that has its end. Mode 0600. */
#ifndef EG_CONNECTORS_FILE_REPORT_H
#define EG_CONNECTORS_FILE_REPORT_H

#include "connectors/file_lines.h"
#include "eldergate/bytes.h"
#include "eldergate/err.h"

struct file_report;

struct file_report_entry {
	uint64_t line;
	const char *outcome; /* "refused", "bad" */
	const char *reason, *field, *text;
};

/* Goes on with what a former process wrote of this file, as far as line keep; 0: begins anew. */
enum eg_rc file_report_open(struct file_report **out, int work, const char *name, uint64_t keep,
                            struct eg_err *err);
/* Buffered: on the disk after sync. */
enum eg_rc file_report_add(struct file_report *r, const struct file_report_entry *e, struct eg_err *err);
enum eg_rc file_report_bad(struct file_report *r, uint64_t line, struct eg_bytes raw, struct eg_err *err);
enum eg_rc file_report_sync(struct file_report *r, struct eg_err *err);
/* Both files as they are, with a last line for the outcome of the whole file, under their last names in `to`,
 * beside the file that will be called as_name there. Those in the working folder stay until they are dropped,
 * so that this can be done again after a crash. */
enum eg_rc file_report_publish(struct file_report *r, int to, const char *as_name, const char *outcome,
                               const char *reason, const char *text, struct file_counts counts,
                               struct eg_err *err);
/* Published files that belong to no file there: it was another one that was moved. */
void file_report_withdraw(int to, const char *as_name);
void file_report_close(struct file_report *r); /* what it wrote stays for the next open; NULL is fine */
void file_report_drop(int work, const char *name);
/* Drops those of files that are not in the inbox any more. */
void file_report_tidy(int work, int inbox);

#endif
