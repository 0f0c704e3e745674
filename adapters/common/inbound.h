/* inbound: rows from the source to the gateway and their verdicts back to the source.
 *
 *   source --row--> mapper --record--> lane (urgent, live) or list --receipt--> settle --> checkpoint saved
 *
 * A row is settled only after the gateway's receipt. When the source fails, everything under way is dropped:
 * the source hands it out again, and the gateway knows what it has already. Thread: the agent's. */
#ifndef EG_ADAPTERS_INBOUND_H
#define EG_ADAPTERS_INBOUND_H

#include "common/counts.h"
#include "common/limits.h"
#include "common/mapping.h"
#include "eldergate/link.h"

struct eg_inbound;

struct eg_inbound_options {
	const struct eg_mapping *mapping;
	struct eg_link *link;
	struct eg_checkpoint *checkpoint;
	const struct eg_limits *limits;
	struct eg_counts *counts;
	bool once;
	enum eg_part part;
};

enum eg_rc eg_inbound_open(struct eg_inbound **out, const struct eg_inbound_options *o, struct eg_err *err);
void eg_inbound_close(struct eg_inbound *in); /* NULL is fine */

/* Takes rows while there is room, sends what is due. Waits for the source at most until the deadline;
 * *waited: until then, or rows came. */
void eg_inbound_turn(struct eg_inbound *in, int64_t now_us, int64_t mono_deadline_us, bool *waited);
bool eg_inbound_event(struct eg_inbound *in, const struct eg_link_event *e,
                      int64_t now_us);                /* was it ours? */
bool eg_inbound_working(const struct eg_inbound *in); /* could the source do more at once? */
int64_t eg_inbound_due(const struct eg_inbound *in);
/* From now on no row is taken; a list that is open is broken off. */
void eg_inbound_stop(struct eg_inbound *in);
bool eg_inbound_idle(const struct eg_inbound *in); /* nothing is under way */
bool eg_inbound_done(const struct eg_inbound *in); /* once: the source has no more, and all is settled */
void eg_inbound_standing(const struct eg_inbound *in, struct eg_standing *out);
/* What somebody must mend, or what holds things up now; EG_OK in err->rc: nothing. */
void eg_inbound_trouble(const struct eg_inbound *in, struct eg_err *err, bool *needs_mending);

#endif
