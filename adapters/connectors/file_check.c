/* file_check: see file_check.h. */
#include "connectors/file_check.h"

#include "model/text.h"

#include <ctype.h>
#include <string.h>

/* "3.30302E+17": an ID number or code after a spreadsheet took it for a number; its digits are lost. */
static bool scientific(struct eg_bytes v)
{
	size_t i = 0, digits = 0;
	for (; i < v.len && (isdigit(v.p[i]) || v.p[i] == '.'); i++)
		digits += v.p[i] != '.';
	if (!digits || i == v.len || (v.p[i] != 'E' && v.p[i] != 'e'))
		return false;
	i += i + 1 < v.len && v.p[i + 1] == '+' ? 2 : 1;
	/* 10^9 and up: shorter numbers may be amounts. */
	return (v.len - i == 2 && isdigit(v.p[i]) && isdigit(v.p[i + 1])) ||
	       (v.len - i == 1 && v.p[i] == '9');
}

void file_check_row(struct file_check *c, const struct file_row *row, const struct eg_bytes *header,
                    unsigned n)
{
	if (!c->header_seen) {
		c->header_seen = true;
		for (unsigned i = 0; i < n; i++)
			c->header_garbled = c->header_garbled || eg_text_facts(header[i]).suspect;
	}
	if (row->kind == PIECE_FAULT) {
		c->fault = row->reason;
		return;
	}
	bool bad = row->kind == PIECE_BAD, garbled = bad && row->reason == FILE_REASON_CHARSET,
	     damaged = false;
	c->rows += !bad;
	c->bad += bad;
	if (c->sampled == c->rules->sample)
		return;
	for (unsigned i = 0; !bad && i < n; i++) {
		garbled = garbled || eg_text_facts(row->values[i]).suspect;
		damaged = damaged || scientific(row->values[i]);
	}
	c->sampled++;
	c->garbled += garbled;
	c->damaged += damaged;
}

enum file_reason file_check_judge(const struct file_check *c, const struct file_sum *sum,
                                  const struct file_control *control, bool full)
{
	if (control && control->size >= 0 && control->size != sum->size)
		return FILE_REASON_SIZE_MISMATCH;
	if (control && control->has_digest && memcmp(control->digest, sum->digest, EG_HASH_SIZE) != 0)
		return FILE_REASON_DIGEST_MISMATCH;
	if (c->fault)
		return c->fault;
	if (control && control->rows >= 0 && (uint64_t)control->rows != c->rows + c->bad)
		return FILE_REASON_ROW_COUNT_MISMATCH;
	bool sealed = control && (control->has_digest || control->size >= 0);
	if (full && !sealed && sum->torn)
		return FILE_REASON_TORN_END;
	if (c->rules->sample && (c->header_garbled || c->garbled * 2 > c->sampled))
		return FILE_REASON_CHARSET_SUSPECT;
	if (c->damaged * 2 > c->sampled)
		return FILE_REASON_EXCEL_DAMAGE;
	return c->bad > c->rules->max_bad ? FILE_REASON_TOO_MANY_BAD : FILE_REASON_NONE;
}
