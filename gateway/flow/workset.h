/* workset: the rows that one commit reads or changes, each in memory once.
 *
 * A row is loaded through the writer's connection when it is first asked for; from then on everybody gets the
 * same live struct, changes it in place and marks it dirty. flush puts what is dirty into the transaction in
 * sorted order: persons by row, source keys by token, aliases by key. After a rollback everything is dropped:
 * begin starts from nothing. Invariant: a source key with an effective version is held by exactly one person,
 * its `person`. Thread: the writer's. All memory is the arena's of the commit. */
#ifndef EG_FLOW_WORKSET_H
#define EG_FLOW_WORKSET_H

#include "flow/sealed.h"
#include "flow/table.h"

struct eg_ws_case;

/* What becomes of the person's row in table lag. */
enum eg_ws_lag { EG_WS_LAG_AS_IT_IS, EG_WS_LAG_BEGINS, EG_WS_LAG_ENDS };

struct eg_ws_person {
	struct eg_person_row row;   /* row.row 0: made by this commit */
	struct eg_person now;       /* as it stands; replace held and cases, never write into them */
	uint64_t order;             /* by row, then by making: who came first */
	const struct eg_view *view; /* of now.held; NULL until it is asked for */
	bool dirty;
	enum eg_ws_lag lag; /* of this commit, the last word counts */
	int64_t lag_since;  /* of a lag that a person brought into it, or left to it; 0: none */
	bool lag_due;       /* its lag is to become a case in this step */
	uint64_t step;      /* the step that saw it last, with its number there */
	unsigned index;
	struct eg_ws_person *next;
};

/* A reject as the store has it, or as this commit made it. */
struct eg_ws_reject {
	struct eg_reject_row row;
	struct eg_ws_reject *next;
};

struct eg_ws_source {
	struct eg_source_row row; /* row.row 0: not stored yet */
	struct eg_versions versions;
	struct eg_ws_person *person; /* of row.person once loaded */
	uint64_t order;
	bool dirty;
	bool links_loaded, rejects_loaded;
	unsigned n_links;
	struct eg_link_row *links;
	struct eg_ws_reject *rejects;
	uint64_t step;
	unsigned index;
	struct eg_ws_source *next;
};

struct eg_ws_alias {
	uint8_t key[EG_JOIN_KEY_SIZE];
	struct eg_ws_source *source; /* NULL until it is asked for: then row tells which */
	int64_t row;
	bool stored, present;
	struct eg_ws_alias *next;
};

/* The aliases under one 18-digit token, as they stand; skip those that are not present. */
struct eg_ws_prefix {
	struct eg_ws_alias *first;
	uint64_t step; /* the step that saw it last */
};

struct eg_ws_case {
	struct eg_case_row row;
	struct eg_case_body body;
	struct eg_ws_person *person; /* what row.person will be */
	bool dirty;
	uint64_t step;   /* the step that saw it last */
	uint64_t wanted; /* the step that last wanted it open */
	struct eg_ws_case *next;
};

/* Persons made by one commit have random ids with a common beginning, so that they lie side by side in the
 * index: else each would cost a page of it. The rest is random for each one. */
enum { EG_WS_ID_START = 4 };

struct eg_workset {
	struct eg_vault *vault;
	struct eg_conn *conn;
	struct eg_tx *tx;
	struct eg_arena *arena;
	struct eg_table sources, source_rows, persons, person_rows, aliases, cases, subjects;
	struct eg_ws_source *all_sources;
	struct eg_ws_person *all_persons;
	struct eg_ws_case *all_cases, **last_case; /* in order of asking */
	uint64_t step;                             /* see eg_ws_step */
	uint64_t made;                             /* rows made by this commit so far */
	int64_t time;                              /* of the commit */
	uint8_t ids[EG_WS_ID_START];               /* what the ids of its new persons begin with; random */
};

void eg_ws_begin(struct eg_workset *w, struct eg_vault *v, struct eg_conn *c, struct eg_tx *tx,
                 struct eg_arena *a, int64_t time_us);
enum eg_rc eg_ws_person_by_row(struct eg_workset *w, int64_t row, struct eg_ws_person **out,
                               struct eg_err *err); /* EG_CORRUPT: none */
/* A new step: the step and index fields of every row are free for use. */
uint64_t eg_ws_step(struct eg_workset *w);
enum eg_rc eg_ws_flush(struct eg_workset *w, struct eg_err *err);

/* Never NULL: a source key that is not stored is an empty one, and stored only if it is marked dirty. */
enum eg_rc eg_ws_source(struct eg_workset *w, const uint8_t token[16], struct eg_ws_source **out,
                        struct eg_err *err);
/* The person of a source key; NULL if it never had one. */
enum eg_rc eg_ws_person_of(struct eg_workset *w, struct eg_ws_source *s, struct eg_ws_person **out,
                           struct eg_err *err);
enum eg_rc eg_ws_person_by_id(struct eg_workset *w, const uint8_t id[16], struct eg_ws_person **out,
                              struct eg_err *err); /* EG_CORRUPT: none */
enum eg_rc eg_ws_person_new(struct eg_workset *w, struct eg_ws_person **out, struct eg_err *err);

enum eg_rc eg_ws_aliases(struct eg_workset *w, const uint8_t id18[16], struct eg_ws_prefix **out,
                         struct eg_err *err);
enum eg_rc eg_ws_alias_source(struct eg_workset *w, struct eg_ws_alias *a, struct eg_ws_source **out,
                              struct eg_err *err);
enum eg_rc eg_ws_alias_set(struct eg_workset *w, const uint8_t key[EG_JOIN_KEY_SIZE], struct eg_ws_source *s,
                           bool present, struct eg_err *err);

/* Loads s->links: the newest of each pair. */
enum eg_rc eg_ws_links(struct eg_workset *w, struct eg_ws_source *s, struct eg_err *err);
enum eg_rc eg_ws_link_put(struct eg_workset *w, struct eg_ws_source *a, struct eg_ws_source *b,
                          enum eg_link_kind kind, uint64_t seq, struct eg_err *err);

/* Loads s->rejects. */
enum eg_rc eg_ws_rejects(struct eg_workset *w, struct eg_ws_source *s, struct eg_err *err);
enum eg_rc eg_ws_reject_put(struct eg_workset *w, struct eg_ws_source *s, const struct eg_reject_row *r,
                            struct eg_err *err);

enum eg_rc eg_ws_case(struct eg_workset *w, const uint8_t id[16], struct eg_ws_case **out,
                      struct eg_err *err); /* NULL: none */
enum eg_rc eg_ws_case_by_subject(struct eg_workset *w, const uint8_t subject[16], struct eg_ws_case **out,
                                 struct eg_err *err); /* NULL: none */
enum eg_rc eg_ws_case_new(struct eg_workset *w, const uint8_t subject[16], struct eg_ws_case **out,
                          struct eg_err *err);

enum eg_rc eg_ws_no_memory(struct eg_err *err);

#endif
