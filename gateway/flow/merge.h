/* merge: what one record, or one decision, does to versions, persons, cases and log inside a commit.
 *
 * The steps of a record: its source key's versions (claims.h), then the closed neighbourhood of source keys
 * that its change can touch, joined anew (join.h), then the persons that follow from the groups, each change
 * of a person with its entry, then the cases. Nothing here depends on the order of arrival but person ids.
 *
 * Which person a group of source keys is. A person goes to the group that holds its registration, of several
 * the oldest row, else its oldest source key. Of several persons in a group the oldest row stays; the others
 * are MERGED into it. A group without a person gets a new one: CREATED, or UNMERGED when its source keys come
 * from a person that stays elsewhere. A person that lost its last claim stays, empty, and is taken up again
 * when its source key speaks again alone. A person that was merged away never returns.
 *
 * A merge or split of several persons at once is told in steps: each entry names one other person, its joined
 * and left source keys are those of that step, its view is the one after it. The entry of a person merged
 * away has no view digest: its life status and region stay its last. Thread: the writer's. Everything lives
 * until the commit's end. */
#ifndef EG_FLOW_MERGE_H
#define EG_FLOW_MERGE_H

#include "flow/list_said.h"
#include "flow/tail.h"
#include "flow/ticket.h"
#include "flow/workset.h"

/* Source keys that one change may touch. Above it the record is quarantined with TOO_MANY_MATCHES: a key that
 * so many share identifies nobody. */
#define EG_NEIGHBOURHOOD_MAX 2000
/* Canonical bytes of one person's claims, or of all that one change may bring together. Above it the record
 * is quarantined likewise: whoever reads persons has to have room for one. */
#define EG_PERSON_BYTES_MAX ((size_t)1 << 20)
/* Source keys of a case that one decision may keep apart pair by pair. */
#define EG_APART_MAX 64

/* What one commit works with. */
struct eg_merge {
	struct eg_vault *vault;
	const struct eg_authority *authority;
	struct eg_tail *tail;
	struct eg_listed listed; /* those of this commit join when it is kept */
	const char *lists_dir;   /* NULL: there are no lists */
	bool lists_moved;        /* by this commit */
	struct eg_workset set;
	struct eg_arena *arena;
	uint64_t created;                        /* persons */
	int64_t opened[EG_CASE_LIST_SHRINK + 1]; /* cases opened less closed, by kind */
	struct eg_buf scratch;
};

/* One record on its way through a commit. */
struct eg_work {
	struct eg_ticket *ticket;
	struct eg_item *item;
	uint32_t order;            /* of arrival */
	enum eg_reason_code added; /* by the writer; 0: none */
	bool confirmed; /* a version not known before, to be listed in the batch's UNCHANGED entry */
	bool rejected;  /* newly quarantined */
	bool by_list;   /* a list's position was confirmed first, to be listed there too: */
	struct eg_version confirmation;
};

/* Sets the result fields of w->item. An error is the store's or the gateway's, never the record's. */
enum eg_rc eg_merge_item(struct eg_merge *m, struct eg_work *w, struct eg_err *err);
/* Appends the UNCHANGED entry of a submission, if any of its n works is unchanged. */
enum eg_rc eg_merge_unchanged(struct eg_merge *m, struct eg_ticket *t, const struct eg_work *works,
                              unsigned n, struct eg_err *err);
/* A step of a full list. One that is not settled far enough (list_late.h) sets t->rc and t->err,
 * EG_PRECONDITION, changes nothing and returns EG_OK. */
enum eg_rc eg_merge_list(struct eg_merge *m, struct eg_ticket *t, struct eg_err *err);
/* A refused decision (EG_NOT_FOUND, EG_PRECONDITION) sets t->rc and t->err, changes nothing and returns
 * EG_OK. */
enum eg_rc eg_merge_decision(struct eg_merge *m, struct eg_ticket *t, struct eg_err *err);

/* For what full lists said. */
struct eg_list_ask eg_merge_ask(struct eg_merge *m);
/* Header fields that every entry of a ticket has. */
void eg_merge_header(const struct eg_ticket *t, enum eg_entry_kind kind, struct eg_header *out);

/* ---- between the files that make up merging ---- */

/* What the entries of one step follow from. */
struct eg_cause {
	const struct eg_ticket *ticket;
	uint64_t seq;          /* of the head entry */
	bool head_waits;       /* the head is a CHANGE not appended yet: it goes with the first effect */
	struct eg_header head; /* of that CHANGE */
	struct eg_bytes claim; /* of that CHANGE: C ‖ sealed */
	struct eg_item *item;  /* is told the open cases of its source key; NULL: a decision */
};

/* What the record did to its source key. */
struct eg_subject {
	struct eg_ws_source *source; /* NULL: none, a decision about links */
	bool was_held;               /* it had an effective claim */
	bool changed;                /* its effective claim is another one now, or none */
	bool holds;                  /* it has an effective claim */
	struct eg_held held;         /* that claim */
	enum eg_event_kind event;    /* RETRACTED or CORRECTED by a void or decision, else 0 */
	uint64_t corrects;           /* the entry that such an event, or a return to life, takes back */
};

/* One new version of a person. */
struct eg_person_change {
	struct eg_ws_person *person;
	struct eg_held *held; /* after; as it stands when same is true */
	unsigned n_held;
	bool same;
	enum eg_event_kind event;
	const struct eg_ws_person *other;
	bool merged; /* into other; the person ends */
	uint64_t corrects;
	uint8_t (*joined)[16], (*left)[16];
	unsigned n_joined, n_left;
	const struct eg_ws_case *of_case; /* CASE_OPENED, CASE_CLOSED */
};
/* The view as it stands. */
enum eg_rc eg_person_view(struct eg_merge *m, struct eg_ws_person *p, const struct eg_view **out,
                          struct eg_err *err);
/* Appends the entry and moves the person on; *seq tells which entry. Once each is a version. */
enum eg_rc eg_effect_emit(struct eg_merge *m, struct eg_cause *c, const struct eg_person_change *ch,
                          uint64_t *seq, struct eg_err *err);

/* The source keys that a change of the first ones can touch: whoever shares an 18-digit token, a link or a
 * person with one that is touched, and so on. keys: join keys that the first ones had or will have besides
 * their aliases. */
struct eg_neighbours {
	struct eg_ws_source **v;
	unsigned n, cap;
	size_t bytes;  /* of the claims of their persons */
	bool too_many; /* source keys, or bytes */
};
enum eg_rc eg_neighbours_of(struct eg_merge *m, struct eg_ws_source **start, unsigned n_start,
                            const uint8_t (*keys)[EG_JOIN_KEY_SIZE], unsigned n_keys,
                            struct eg_neighbours *out, struct eg_err *err);
size_t eg_person_bytes(const struct eg_ws_person *p);
/* Distinct join keys and proposals (18-digit token ‖ zeros) of all asserted versions that are not void. */
enum eg_rc eg_alias_keys(struct eg_merge *m, const struct eg_versions *l, uint8_t (**out)[EG_JOIN_KEY_SIZE],
                         unsigned *n, struct eg_err *err);

/* Makes the alias rows of s those of the keys after. Both lists are of eg_alias_keys. */
enum eg_rc eg_alias_update(struct eg_merge *m, struct eg_ws_source *s,
                           const uint8_t (*before)[EG_JOIN_KEY_SIZE], unsigned n_before,
                           const uint8_t (*after)[EG_JOIN_KEY_SIZE], unsigned n_after, struct eg_err *err);
/* The claim that a log entry holds, an entry of this commit too. */
enum eg_rc eg_claim_load(struct eg_merge *m, uint64_t seq, const uint8_t token[EG_TOKEN_SIZE],
                         struct eg_held *out, struct eg_err *err);
/* Do two versions' contents join alike? */
bool eg_same_identity(const struct eg_version *a, const struct eg_version *b);

/* Joins the neighbours anew (all of them, or only the subject when its keys are as before), moves claims
 * between persons, appends every entry, settles the cases. */
enum eg_rc eg_regroup(struct eg_merge *m, struct eg_cause *c, const struct eg_subject *s,
                      const struct eg_neighbours *n, struct eg_err *err);

/* A case that the claims call for. */
struct eg_wanted {
	enum eg_case_kind kind;
	unsigned n;
	uint8_t (*tokens)[EG_TOKEN_SIZE]; /* ascending */
};
/* Opens what is wanted, closes what is open and no longer wanted, of the persons of a step. joined: wanted is
 * complete for the kinds that joining finds. changed[i]: the view of persons[i] may have changed. */
enum eg_rc eg_cases_settle(struct eg_merge *m, struct eg_cause *c, struct eg_ws_person **persons,
                           const bool *changed, unsigned n, const struct eg_wanted *wanted, unsigned n_wanted,
                           bool joined, struct eg_err *err);
/* The case of a version conflict: subject is its source key and version. NULL: none. */
enum eg_rc eg_conflict_case(struct eg_merge *m, const struct eg_ws_source *s, int64_t version,
                            uint32_t mapping_revision, struct eg_ws_case **out, struct eg_err *err);
/* Opens that case, or adds to it when it is open. */
enum eg_rc eg_conflict_open(struct eg_merge *m, struct eg_cause *c, struct eg_ws_source *s,
                            const struct eg_version *stands, const struct eg_version *sent, uint64_t sent_seq,
                            struct eg_err *err);
/* The case of a list that the shrink guard holds back; it is nobody's. seq: of its LIST entry. */
enum eg_rc eg_case_of_list(struct eg_merge *m, struct eg_cause *c, const uint8_t spool[16], uint64_t seq,
                           uint8_t id[16], struct eg_err *err);
/* A reviewer decided that case: the list goes on, or ends. */
enum eg_rc eg_list_decided(struct eg_merge *m, const struct eg_case_body *body, bool approved,
                           struct eg_err *err);
enum eg_rc eg_case_shut(struct eg_merge *m, struct eg_cause *c, struct eg_ws_case *k, struct eg_err *err);

#endif
