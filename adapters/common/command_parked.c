/* command_parked: shows the parked events, leaves requests about them for the adapter. */
#include "common/commands.h"

#include "common/checkpoint.h"
#include "common/parked.h"
#include "common/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(void *arg, const struct eg_parked *p)
{
	(void)arg;
	printf("%" PRIu64 "\t%s\t%s\n", p->seq,
	       p->state == 'r'   ? "refused"
	       : p->state == 'b' ? "behind"
	       : p->state == 'g' ? "gone"
	                         : "ready",
	       p->reason);
}

static enum eg_rc list(const char *dir, struct eg_err *err)
{
	struct eg_checkpoint *c;
	enum eg_rc rc = eg_checkpoint_peek(&c, dir, err);
	if (rc)
		return rc;
	eg_parked_each(c, show, NULL);
	printf("%u parked\n", eg_parked_count(c));
	eg_checkpoint_close(c);
	return EG_OK;
}

static enum eg_rc leave(const char *dir, const char *verb, const char *which, struct eg_err *err)
{
	char *end = NULL;
	uint64_t seq = strcmp(which, "all") == 0 ? 0 : strtoull(which, &end, 10);
	if (end && (*end || !seq))
		return eg_fail(err, EG_USAGE, "parked %s SEQ, or all", verb);
	enum eg_rc rc = eg_requests_leave(dir, verb, seq, err);
	if (!rc)
		printf("left for the adapter, which looks every few seconds, or at its next start\n");
	return rc;
}

enum eg_rc eg_command_parked(const struct eg_command_options *o, struct eg_err *err)
{
	struct eg_mapping *m;
	const char *verb = o->n_words ? o->words[0] : "list";
	bool change = strcmp(verb, "retry") == 0 || strcmp(verb, "drop") == 0;
	if (o->n_words > 2 || (change && o->n_words != 2) || (!change && strcmp(verb, "list") != 0))
		return eg_fail(err, EG_USAGE, "parked list, parked retry SEQ|all, or parked drop SEQ|all");
	enum eg_rc rc = eg_command_mapping(o, &m, err);
	if (rc)
		return rc;
	const char *dir = eg_mapping_info(m)->state_dir;
	rc = change ? leave(dir, verb, o->words[1], err) : list(dir, err);
	eg_mapping_free(m);
	return rc;
}
