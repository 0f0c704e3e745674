/* ticket: one unit of work on its way through the writer, with the arena that carries everything it needs.
 *
 * States: filled by the edge → judged by intake → queued → committed or failed → done() → freed by whoever
 * done() hands it to. The writer calls done exactly once, after the commit that holds the ticket's entries is
 * durable, or with rc set when nothing of it was stored. done runs on the writer's thread and must not block.
 * Ownership: the creator's until eg_intake_put succeeds, then the writer's until done(), then the callee of
 * done's. */
#ifndef EG_FLOW_TICKET_H
#define EG_FLOW_TICKET_H

#include "model/grade.h"
#include "model/join.h"
#include "model/person.h"
#include "trust/policy.h"

/* Lanes of the writer's queue: deaths, voids and restorations; reads; other live records; full lists. */
enum eg_lane { EG_LANE_URGENT = 0, EG_LANE_READ = 1, EG_LANE_LIVE = 2, EG_LANE_BULK = 3 };

enum eg_ticket_kind {
	EG_TICKET_SUBMISSION = 1,
	EG_TICKET_QUERY = 2,    /* a read entry; the answer leaves after its commit */
	EG_TICKET_DELIVERY = 3, /* windows of events; all waiting ones share one entry */
	EG_TICKET_DECISION = 4, /* a case decided */
	EG_TICKET_REFUSAL = 5,  /* counted refusals of one identity, reason and second */
	EG_TICKET_ADMIN = 6,
	EG_TICKET_LIST = 7 /* a step of a full list */
};

enum eg_outcome {
	EG_APPLIED = 1,
	EG_UNCHANGED = 2,
	EG_STALE = 3,
	EG_QUARANTINED = 4,
	EG_REFUSED = 5,
	EG_ANSWERED = 6,
	EG_DECIDED = 7
};

/* One record of a submission. The edge fills claim and what it could not read (reasons); intake the judged
 * part; the writer the result. */
struct eg_item {
	struct eg_claim claim;
	bool malformed; /* the edge could not read it: reasons say why, claim holds what could be read */
	/* judged */
	struct eg_reasons reasons;
	uint8_t token[EG_TOKEN_SIZE]; /* of the source key */
	struct eg_version version;    /* version, digest, key...; seq is set by the writer */
	uint64_t pinned;              /* of a withdrawal: nothing may have come behind this entry */
	uint8_t entry_id[16];
	struct eg_bytes canon;  /* the claim part in clear */
	struct eg_bytes sealed; /* C ‖ sealed claim part, for the kind below */
	unsigned sealed_kind;   /* CHANGE, or QUARANTINE when an error was found; resealed by the writer if it
	                           differs */
	/* result */
	enum eg_outcome outcome; /* REFUSED: a withdrawal that no longer holds; it has no entry */
	uint64_t seq;            /* of its entry; of an unchanged record: the entry it repeats */
	unsigned n_cases;
	uint8_t cases[4][16]; /* opened or found open by this record */
};

struct eg_submission {
	const char *batch_id; /* the sender's, echoed */
	const struct eg_dataset_rule *dataset;
	uint8_t digest[32]; /* SHA-256 of the message as received */
	unsigned n;
	struct eg_item *items;
	uint64_t first_seq, last_seq; /* result: the commit's entries of this batch; 0 when there are none */
};

struct eg_query {
	const char *method, *legal_basis;
	unsigned n_persons, n_missing;
	uint8_t (*persons)[16];
	uint8_t (*missing)[EG_TOKEN_SIZE];
};

struct eg_window {
	const char *subscriber;
	uint64_t first_seq, last_seq; /* events; 0 for snapshot windows */
	int64_t first_row, last_row;
	const char *filter; /* canonical text of the filter */
	int64_t policy_version;
};

enum eg_decision_kind {
	EG_DECIDE_LINK = 1,
	EG_DECIDE_APART = 2,
	EG_DECIDE_UPHOLD = 3,
	EG_DECIDE_APPROVE = 4, /* the withdrawals of a full list */
	EG_DECIDE_REFUSE = 5
};
struct eg_decision {
	uint8_t case_id[16];
	enum eg_decision_kind kind;
	uint8_t digest[EG_DIGEST_SIZE]; /* uphold: of the content that stands */
	unsigned n_tokens;              /* link, apart: the parties it is about; 0: all of the case */
	uint8_t (*tokens)[EG_TOKEN_SIZE];
	bool has_person; /* link: to this person's source keys */
	uint8_t person[16];
	const char *note;
};

struct eg_list_info;

struct eg_ticket {
	enum eg_ticket_kind kind;
	enum eg_lane lane;
	struct eg_arena *arena;                            /* owned; everything below lives in it */
	size_t bytes;                                      /* what it counts for in the queue */
	const struct eg_policy *policy;                    /* a reference; owned */
	const struct eg_identity_rule *who;                /* of that policy; NULL: the gateway itself */
	const char *operator_name, *purpose, *traceparent; /* "" when not given */
	union {
		struct eg_submission submission;
		struct eg_query query;
		struct {
			unsigned n;
			struct eg_window *windows;
		} delivery;
		struct eg_decision decision;
		struct {
			const char *reason;
			int64_t count;
		} refusal;
		struct {
			const char *act;
		} admin;
		struct {
			struct eg_list_info *info; /* as it shall be; seq, case and row are set */
			bool fresh;                /* it has no row yet */
			bool append;               /* with its LIST entry, and its case if it is held */
		} list;
	};
	void (*done)(struct eg_ticket *t); /* arg: below */
	void *done_arg;
	enum eg_rc rc; /* result */
	struct eg_err err;
	uint64_t seq;       /* result: of its (or its shared) entry */
	uint8_t log_id[16]; /* result */
};

/* A ticket with an arena of this budget; takes a reference on the policy (may be NULL). */
struct eg_ticket *eg_ticket_new(enum eg_ticket_kind kind, size_t budget, const struct eg_policy *policy,
                                const struct eg_identity_rule *who);
void eg_ticket_free(struct eg_ticket *t);

#endif
