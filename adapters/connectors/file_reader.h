/* file_reader: the rows of one open file, once from its beginning to its end.
 *
 * Bytes are counted and digested as they are read, then decoded, then cut into rows: so what is known at the
 * end is about the very bytes that the rows came from. Thread: the agent's. */
#ifndef EG_CONNECTORS_FILE_READER_H
#define EG_CONNECTORS_FILE_READER_H

#include "connectors/file_reason.h"
#include "connectors/file_rules.h"
#include "eldergate/bytes.h"
#include "trust/crypto.h"

struct file_reader;

enum file_piece {
	PIECE_ROW = 1,
	PIECE_BAD = 2,   /* raw, reason */
	PIECE_FAULT = 3, /* the whole file is at fault: reason; nothing follows but END */
	PIECE_END = 4
};

struct file_row {
	enum file_piece kind;
	uint64_t line;                 /* where it begins, from 1 */
	const struct eg_bytes *values; /* as many as the header has */
	struct eg_bytes raw;
	enum file_reason reason;
};

/* fd stays the caller's and is read on from where it stands. */
enum eg_rc file_reader_open(struct file_reader **out, const struct file_rules *rules, int fd,
                            enum eg_hash_kind kind, struct eg_err *err);
/* *out lives until the next call. After END: END again. */
enum eg_rc file_reader_next(struct file_reader *r, struct file_row *out, struct eg_err *err);
/* Once a row, or the end, came: the columns' names. */
const struct eg_bytes *file_reader_header(const struct file_reader *r, unsigned *n);

struct file_sum {
	uint8_t digest[EG_HASH_SIZE];
	int64_t size;
	bool torn; /* no line end after the last line */
};
void file_reader_sum(struct file_reader *r, struct file_sum *out); /* once, after END */
void file_reader_close(struct file_reader *r);                     /* wipes; NULL is fine */

#endif
