/* file_reason: see file_reason.h. */
#include "connectors/file_reason.h"

static const struct {
	const char *code, *text;
} reasons[FILE_REASON_COUNT] = {
        {"", ""},
#define X(code, text) {#code, text},
#include "connectors/file_reason.def"
#undef X
};

const char *file_reason_code(enum file_reason r)
{
	return reasons[r].code;
}

const char *file_reason_text(enum file_reason r)
{
	return reasons[r].text;
}
