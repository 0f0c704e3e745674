/* file_reason: why a file, or a line of one, was not taken. */
#ifndef EG_CONNECTORS_FILE_REASON_H
#define EG_CONNECTORS_FILE_REASON_H

enum file_reason {
	FILE_REASON_NONE = 0,
#define X(code, text) FILE_REASON_##code,
#include "connectors/file_reason.def"
#undef X
	FILE_REASON_COUNT
};

const char *file_reason_code(enum file_reason r); /* "DIGEST_MISMATCH"; "" for none */
const char *file_reason_text(enum file_reason r); /* zh-CN */

#endif
