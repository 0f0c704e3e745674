/* reasons_text: see reasons_text.h. */
#include "common/reasons_text.h"

#include "model/grade.h"

#include <string.h>

static bool tells(size_t n, Eldergate__V1__Reason *const *reasons, size_t which)
{
	if (reasons[which]->severity == ELDERGATE__V1__SEVERITY__SEVERITY_ERROR)
		return true;
	for (size_t i = 0; i < n; i++)
		if (reasons[i]->severity == ELDERGATE__V1__SEVERITY__SEVERITY_ERROR)
			return false;
	return true;
}

static void add_name(struct eg_buf *b, int code)
{
	const char *name = eg_reason_name((enum eg_reason_code)code);
	if (*name)
		eg_buf_printf(b, "%s", name);
	else
		eg_buf_printf(b, "CODE_%d", code); /* of a newer gateway */
}

size_t eg_reasons_text(struct eg_buf *b, size_t n, Eldergate__V1__Reason *const *reasons)
{
	size_t start = b->len;
	const char *field = "";
	bool first = true;
	for (size_t i = 0; i < n; i++) {
		if (!tells(n, reasons, i))
			continue;
		if (!first)
			eg_buf_add_u8(b, ' ');
		add_name(b, (int)reasons[i]->code);
		if (!*field)
			field = reasons[i]->field;
		first = false;
	}
	eg_buf_add_u8(b, 0);
	eg_buf_add(b, field, strlen(field) + 1);
	for (size_t i = 0; i < n; i++)
		if (tells(n, reasons, i) && reasons[i]->message)
			eg_buf_add(b, reasons[i]->message->zh_cn, strlen(reasons[i]->message->zh_cn));
	eg_buf_add_u8(b, 0);
	return start;
}

void eg_reasons_point(struct eg_verdict *v, const struct eg_buf *b, size_t start)
{
	const char *p = (const char *)b->p + start;
	v->reason = p;
	v->field = p += strlen(p) + 1;
	v->text = p + strlen(p) + 1;
}
