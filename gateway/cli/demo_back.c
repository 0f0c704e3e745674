/* demo_back: what came back to the agencies, counted in their own systems. */
#include "cli/demo.h"

#include <inttypes.h>
#include <stdio.h>

/* What the mapping files ask for: changes that make somebody dead, suspected dead or alive. */
static bool is_told(const void *arg, const struct watch_event *e)
{
	(void)arg;
	return (e->kind == ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_UPDATED ||
	        e->kind == ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_CORRECTED) &&
	       e->before != e->after &&
	       (e->after == ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE ||
	        e->after == ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_SUSPECTED_DECEASED ||
	        e->after == ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_DECEASED);
}

struct back {
	uint64_t clues; /* the event id is their key: different ones */
	struct demo_outbox outbox;
};

static bool look(struct demo *d, struct back *b)
{
	return demo_table_ask(d->table, "SELECT COUNT(*) FROM T_RK_DEATH_CLUE", NULL, &b->clues, NULL) ==
	               EG_OK &&
	       demo_outbox_read(d->outbox, NULL, &b->outbox, NULL) == EG_OK;
}

static bool all_told(struct demo *d, const void *arg)
{
	struct back b = {0};
	uint64_t wanted = *(const uint64_t *)arg;
	return look(d, &b) && b.clues >= wanted && b.outbox.lines >= wanted;
}

enum eg_rc demo_way_back(struct demo *d, struct eg_err *err)
{
	struct back b = {0};
	struct demo_counts police, assistance;
	uint64_t wanted = watch_number(d->watch, 0, is_told, NULL);
	enum eg_rc rc =
	        demo_wait(d, all_told, &wanted, "both agencies have every change of a life status", err);
	if (rc)
		return rc;
	look(d, &b);
	demo_counts(d, POLICE, &police);
	demo_counts(d, ASSISTANCE, &assistance);
	demo_say("%" PRIu64 " changes made somebody dead, suspected dead or alive, the subscriber says.",
	         wanted);
	demo_say("The police's table of clues has %" PRIu64
	         " rows, to be verified; the assistance bureau's outbox %" PRIu64 " lines in %" PRIu64
	         " files: none is missing, none stands there twice.",
	         b.clues, b.outbox.lines, b.outbox.files);
	if (b.clues != wanted || b.outbox.lines != wanted || b.outbox.different != wanted)
		return demo_wrong(err, "each of the %" PRIu64 " changes should have come once to either",
		                  wanted);
	if (police.parked || assistance.parked)
		return demo_wrong(err, "changes are parked");
	return EG_OK;
}
