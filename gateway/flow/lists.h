/* lists: full lists on their way: received into a spool, made durable, compared, applied, their absences
 * withdrawn.
 *
 *   receiving --end--> kept (thread "lists-keep") --durable--> waits --> compared, applied, withdrawn (thread
 * "lists")
 *
 * One list is compared and applied at a time; how many are received at once, their memory and their place on
 * the disk are bounded. What is applied goes to the writer as small bulk tickets, few at once, and waits
 * while the relay is behind, so that a death never waits for a list. A list that is durable goes on after a
 * crash by itself: it is compared with the same pinned entry again, and what was done before is UNCHANGED.
 * Ownership: who begins or holds a list has a reference until it releases it; the engine keeps its own.
 * Thread: a list that is received belongs to one thread at a time, but for eg_list_add and eg_list_look,
 * which are any's. */
#ifndef EG_FLOW_LISTS_H
#define EG_FLOW_LISTS_H

#include "flow/list_info.h"
#include "flow/writer.h"

struct eg_lists;
struct eg_list;

/* About half a kilobyte of memory each, and the time of a restart. */
#define EG_LISTS_STANDING 50000

struct eg_lists_options {
	struct eg_store *store;
	struct eg_vault *vault;
	struct eg_intake *intake;
	struct eg_writer *writer;
	const char *dir;         /* DATA/lists; made if it is not there */
	size_t memory;           /* of one list that is received */
	uint64_t disk;           /* of all spools */
	unsigned open;           /* lists at once whose rows come, or are in memory still */
	unsigned standing;       /* lists that may stand (listed.h); 0: EG_LISTS_STANDING */
	size_t max_record_bytes; /* as of intake */
	int64_t shrink_bp;       /* hundredths of a percent of the covered keys */
	int64_t shrink_floor;    /* keys that may be missing whatever the share */
	int64_t shrink_window_us;
	bool (*hold)(void *arg); /* bulk waits now; may be NULL */
	void *hold_arg;
};

/* Removes what unfinished lists left, resumes the others, starts the threads. */
enum eg_rc eg_lists_start(struct eg_lists **out, const struct eg_lists_options *o, struct eg_err *err);
void eg_lists_stop(struct eg_lists *l); /* after the writer answers no more; joins. NULL is fine */
void eg_lists_free(struct eg_lists *l); /* after every list was released; NULL is fine */

struct eg_list_begin {
	const char *agency, *operator_name, *dataset, *list_id;
	int64_t as_of;
	unsigned n_regions;
	const char *const *regions;
	uint64_t count; /* declared; 0: not yet */
	uint32_t mapping_revision;
	bool dry_run;
	int64_t taken_at; /* us, by the source's clock: for lag alone; 0: not stated */
};
/* EG_BUSY: too many are received now. EG_LIMIT: too many stand. Texts are copied. */
enum eg_rc eg_list_begin(struct eg_lists *ls, const struct eg_list_begin *b, struct eg_list **out,
                         struct eg_err *err);
/* The encoded bytes of the next record, for the list's digest and count. */
void eg_list_digest(struct eg_list *l, struct eg_bytes record);
uint64_t eg_list_digested(const struct eg_list *l); /* records so far: the index of the next one */
/* Judges and spools the items of a submission ticket, which stays the caller's; first: the index of its first
 * record. Any thread, in any order: a row goes by its index. EG_NO_SPACE: no room. */
enum eg_rc eg_list_add(struct eg_list *l, struct eg_ticket *t, uint64_t first, struct eg_err *err);
/* Its end, when everything was added: EG_INVALID with field "count" or "digest" if it is not what was
 * declared, EG_BUSY if something of it could not be kept. EG_OK: it is the engine's to go on with. */
enum eg_rc eg_list_end(struct eg_list *l, uint64_t count, struct eg_bytes digest, struct eg_err *err);
void eg_list_hold(struct eg_list *l); /* a further reference */
/* Drops a reference; a list without its end is removed. NULL is fine. */
void eg_list_release(struct eg_list *l);

/* A quarantined row. */
struct eg_list_reject {
	const struct eg_list_reject *next;
	uint64_t index, seq; /* 0: a dry run's */
	unsigned n;
	const uint16_t *codes;
	const char *const *fields;
};
#define EG_LIST_REJECTS_MAX 10000 /* told of one list; the reject table has all */

struct eg_list_look {
	enum eg_list_phase phase;
	bool dry_run;
	uint64_t received, compared, applied, of;
	bool over;     /* its report can be made, or rc says why not */
	bool repeated; /* it was applied before */
	enum eg_rc rc;
	struct eg_err err;
	struct eg_list_info info;             /* texts live as long as the list */
	const struct eg_list_reject *rejects; /* when over; in no order */
};
void eg_list_look(struct eg_list *l, struct eg_list_look *out);

/* Those under way now, at most max. */
struct eg_list_sight {
	char agency[EG_NAME_MAX], dataset[EG_NAME_MAX], list_id[80];
	enum eg_list_phase phase;
	bool dry_run;
	uint64_t received, compared, applied, of;
};
unsigned eg_lists_see(struct eg_lists *ls, struct eg_list_sight *out, unsigned max);
/* Lists that failed and that no later list of theirs made good; at most max, the newest ones. Texts are the
 * arena's. Thread: of the connection. */
enum eg_rc eg_lists_failed(struct eg_conn *conn, struct eg_arena *a, struct eg_list_info *out, unsigned max,
                           unsigned *n, struct eg_err *err);

#endif
