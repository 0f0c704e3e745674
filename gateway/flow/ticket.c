/* ticket: making and freeing one unit of work; the ticket lives in the arena it carries. */
#include "flow/ticket.h"

struct eg_ticket *eg_ticket_new(enum eg_ticket_kind kind, size_t budget, const struct eg_policy *policy,
                                const struct eg_identity_rule *who)
{
	struct eg_arena *a = eg_arena_new(budget);
	if (!a)
		return NULL;
	struct eg_ticket *t = eg_arena_alloc(a, sizeof *t);
	if (!t) {
		eg_arena_free(a);
		return NULL;
	}
	t->kind = kind;
	t->lane = kind == EG_TICKET_SUBMISSION || kind == EG_TICKET_DECISION ? EG_LANE_LIVE : EG_LANE_READ;
	t->arena = a;
	t->policy = policy ? eg_policy_ref(policy) : NULL;
	t->who = who;
	t->operator_name = t->purpose = t->traceparent = "";
	return t;
}

void eg_ticket_free(struct eg_ticket *t)
{
	if (!t)
		return;
	if (t->policy)
		eg_policy_unref(t->policy);
	eg_arena_free(t->arena); /* the ticket itself is in there */
}
