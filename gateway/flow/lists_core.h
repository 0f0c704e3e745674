/* lists_core: what the files of the list engine share. */
#ifndef EG_FLOW_LISTS_CORE_H
#define EG_FLOW_LISTS_CORE_H

#include "flow/lists.h"
#include "flow/spool.h"

#include <pthread.h>
#include <stdatomic.h>

struct eg_list {
	struct eg_lists *of;
	struct eg_list *next;        /* of the engine's list of all */
	struct eg_list *queued_next; /* of the queue that it waits in */
	/* its thread's, until its end; then the engine's threads', one after the other */
	struct eg_arena *arena;
	struct eg_list_info info;
	struct eg_spool *spool;
	struct eg_hash *hash;
	uint64_t declared;
	pthread_mutex_t spooling; /* while it is received: for the spool and the next two */
	uint64_t own_versions, spooled;
	bool dry_run;
	struct eg_list *twin; /* the same list, under way: it is looked at instead; a reference */
	/* guarded by the engine's lock */
	unsigned refs;
	bool receiving, over, repeated;
	bool open; /* its rows are in memory, or may come: it counts in the engine's open */
	enum eg_list_phase phase;
	uint64_t received, compared, applied, total;
	enum eg_rc rc;
	struct eg_err err;
	struct eg_list_info told; /* as of its last step */
	struct eg_list_reject *rejects;
	unsigned n_rejects;
};

struct eg_list_queue {
	struct eg_list *first, **last;
};

struct eg_lists {
	struct eg_lists_options o;
	char dir[400];
	struct eg_thread *keeper, *applier;
	struct eg_wake *wake;
	atomic_bool stopping;
	pthread_mutex_t lock;
	pthread_cond_t some; /* in the keeper's queue */
	struct eg_list *all;
	struct eg_list_queue to_keep, to_apply;
	unsigned open;        /* lists with rows in memory */
	uint64_t disk;        /* bytes of all spools */
	uint8_t (*stood)[16]; /* folders of the lists that stood when they were last tidied; the applier's */
	unsigned n_stood;
};

#define EG_LISTS_PAUSE_US EG_SECOND /* before what failed is tried again */
#define EG_LISTS_TRIES    30        /* of what fails for a reason that may pass, but for a full disk's */

/* ---- lists.c ---- */

/* With one reference. NULL: no memory. */
struct eg_list *eg_list_new(struct eg_lists *ls);
/* None of its rows is in memory any more. */
void eg_list_spooled(struct eg_list *l);
/* Its folder goes, and with it what it took of the disk. */
void eg_list_forget_spool(struct eg_list *l);
/* Tells where the list stands, for whoever looks. */
void eg_list_tell(struct eg_list *l, enum eg_list_phase phase);
/* One more of the rejects that its sender is told, of which there are so many at most. */
void eg_list_tell_reject(struct eg_list *l, uint64_t index, uint64_t seq, const struct eg_reasons *reasons);
void eg_list_over(struct eg_list *l, enum eg_rc rc, const struct eg_err *err);
/* Is it worth another try? Not what fails by its own fault, and what may pass not for ever, since other lists
 * wait behind it. On a full disk none of them could do better: that is waited out. */
bool eg_list_again(enum eg_rc rc, unsigned *tries);
/* Puts one step of the list through the writer. EG_CLOSED: the gateway stops. EG_PRECONDITION: too many
 * entries came since the list was settled. */
enum eg_rc eg_list_step(struct eg_lists *ls, struct eg_list_info *info, bool fresh, bool append,
                        struct eg_err *err);
struct eg_spool_options eg_lists_spool(struct eg_lists *ls);
/* Takes so much of the room that spools have; false: there is less. arg: the engine. */
bool eg_lists_room(void *arg, size_t bytes);
/* Room of a spool that was removed. */
void eg_lists_give_back(struct eg_lists *ls, uint64_t bytes);
/* A reader's connection, as soon as it can be had. NULL: the gateway stops. */
struct eg_conn *eg_lists_reader(struct eg_lists *ls);
void eg_lists_queue(struct eg_lists *ls, struct eg_list_queue *q, struct eg_list *l);
struct eg_list *eg_lists_take(struct eg_lists *ls, struct eg_list_queue *q); /* NULL: none waits */

/* The threads' ways (list_keep.c, list_run.c). arg: the engine. */
void eg_lists_keep(void *arg);
void eg_lists_run(void *arg);
/* Lists of the store that have to go on and that nobody has at hand. phase 0: of any; else only of this one.
 */
enum eg_rc eg_lists_resume(struct eg_lists *ls, struct eg_conn *conn, enum eg_list_phase phase,
                           struct eg_err *err);
/* Compares, applies and withdraws one list, to its end or its case (list_apply.c). EG_CLOSED: the gateway
 * stops. */
enum eg_rc eg_list_apply(struct eg_list *l, struct eg_conn *conn, struct eg_err *err);
/* Removes the folders that nothing needs any more (list_tidy.c). all: those of unfinished lists too. */
enum eg_rc eg_lists_tidy(struct eg_lists *ls, struct eg_conn *conn, bool all, struct eg_err *err);

#endif
