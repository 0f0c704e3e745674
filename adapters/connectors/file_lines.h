/* file_lines: which lines of the file in work have their verdict.
 *
 * Each item handed out gets the next ref; verdicts come in any order. settled() is the line up to which every
 * item has one that counts: reading may go on behind it after a crash. What lies before it is forgotten, so
 * memory is 4 bytes an item that waits. */
#ifndef EG_CONNECTORS_FILE_LINES_H
#define EG_CONNECTORS_FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_LINES_MAX (((uint64_t)1 << 28) - 1) /* the highest line number */

enum file_mark { FILE_WAITS = 0, FILE_TAKEN = 1, FILE_REFUSED = 2, FILE_AGAIN = 3 };
/* ROW and BAD count as such; SIGN is the beginning or end of a list. */
enum file_item { FILE_ROW = 0, FILE_BAD = 1, FILE_SIGN = 2 };

struct file_counts {
	uint64_t taken, refused, bad;
};

struct file_lines;

/* counts: what was settled before, up to and with this line. NULL: out of memory. */
struct file_lines *file_lines_new(uint64_t first_ref, uint64_t line, struct file_counts counts);
/* The ref of the next item; 0: out of memory, or past FILE_LINES_MAX. A SIGN has no line: 0. Lines never go
 * back. */
uint64_t file_lines_add(struct file_lines *l, enum file_item item, uint64_t line);
/* False: no item with this ref waits. Tells what it is, with its line. */
bool file_lines_mark(struct file_lines *l, uint64_t ref, enum file_mark mark, enum file_item *item,
                     uint64_t *line);
uint64_t file_lines_settled(const struct file_lines *l);
struct file_counts file_lines_counts(const struct file_lines *l); /* up to there */
uint64_t file_lines_waiting(const struct file_lines *l);          /* items without a verdict */
bool file_lines_again(const struct file_lines *l);                /* is one of them to come again? */
uint64_t file_lines_next_ref(const struct file_lines *l);
void file_lines_free(struct file_lines *l); /* NULL is fine */

#endif
