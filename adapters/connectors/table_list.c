/* table_list: see table_list.h. */
#include "connectors/table_list.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_AGAIN_US (60 * EG_SECOND) /* before a list that was not taken is read anew */

int64_t eg_table_list_open(struct eg_table_list *l, const struct eg_table_conf *c,
                           struct eg_checkpoint *checkpoint, const char *prefix, bool once)
{
	*l = (struct eg_table_list){.conf = c, .checkpoint = checkpoint};
	snprintf(l->since_name, sizeof l->since_name, "%slist", prefix);
	struct eg_bytes v = eg_checkpoint_get(checkpoint, l->since_name);
	char text[32] = "";
	if (once || v.len == 0 || v.len >= sizeof text)
		return 0;
	memcpy(text, v.p, v.len);
	int64_t left = strtoll(text, NULL, 10) + c->list_every_us - eg_now_us();
	/* A clock that was set back must not put it off for longer than once. */
	return eg_mono_us() + (left > c->list_every_us ? c->list_every_us : left);
}

/* "elders-2026-03-01T02-00-00.000000Z" */
void eg_table_list_begin(struct eg_table_list *l)
{
	char when[32], safe[32];
	size_t n = 0;
	l->began_us = eg_now_us();
	eg_instant_format(l->began_us, when);
	for (const char *p = l->conf->table; *p && n < sizeof safe - 1; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    *p == '_')
			safe[n++] = *p;
	safe[n] = 0;
	for (char *p = when; *p; p++)
		if (*p == ':')
			*p = '-';
	snprintf(l->name, sizeof l->name, "%s%s%s", safe, n ? "-" : "", when);
	l->reading = true;
}

enum eg_rc eg_table_list_settle(struct eg_table_list *l, const struct eg_verdict *v, int64_t *due_us,
                                struct eg_err *err)
{
	char text[32];
	if (!l->end_ref || v->ref != l->end_ref)
		return EG_OK;
	l->end_ref = 0;
	if (v->code == EG_VERDICT_AGAIN) {
		*due_us = eg_mono_us() + LIST_AGAIN_US;
		return EG_OK;
	}
	snprintf(text, sizeof text, "%lld", (long long)l->began_us);
	return eg_checkpoint_put(l->checkpoint, l->since_name, eg_bytes_of(text), err);
}
