/* file_control: what a control file says of the file it stands beside.
 *
 * Read are lines `key=value` or `key,value` ('#' begins a comment; keys in any case; a BOM is skipped):
 *   rows (or count, records)   records without the header
 *   size (or bytes)            of the file
 *   sha256, sm3                of the file's bytes, in hexadecimal
 *   file (or name)             the file's own name, which then must agree
 * Other keys are left alone. A control file that is empty (.ok) says only that the file is whole. Pure. */
#ifndef EG_CONNECTORS_FILE_CONTROL_H
#define EG_CONNECTORS_FILE_CONTROL_H

#include "eldergate/bytes.h"
#include "eldergate/err.h"
#include "trust/crypto.h"

#define FILE_CONTROL_MAX ((size_t)16 * 1024) /* bytes of a control file */

struct file_control {
	int64_t rows, size; /* -1: not said */
	enum eg_hash_kind kind;
	bool has_digest;
	uint8_t digest[EG_HASH_SIZE];
};

/* name: of the file. EG_INVALID: a line that is none, a number or digest that is none, a key twice with
 * different values, both digests, another file's name. Its text names the key, never a value. */
enum eg_rc file_control_parse(struct file_control *out, struct eg_bytes text, const char *name,
                              struct eg_err *err);

#endif
