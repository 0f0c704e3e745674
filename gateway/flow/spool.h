/* spool: the rows of one full list on disk, sealed, in the order of their source keys' tokens.
 *
 *   filling --finish--> whole --> read, as often as is needed
 *
 * Rows are gathered in memory up to a limit, sorted, written as a run of sealed blocks; reading merges the
 * runs. Bounded: the memory given plus two blocks a run. Nothing in the folder is in clear but random names
 * and lengths; blocks are bound to their spool, run and place, so none can be missing, altered or moved.
 * Files (gateway/FORMAT.md) lie in a folder named by the spool's random id. Thread: one at a time. */
#ifndef EG_FLOW_SPOOL_H
#define EG_FLOW_SPOOL_H

#include "flow/ticket.h"
#include "trust/vault.h"

struct eg_spool;

#define EG_SPOOL_BLOCK    ((size_t)64 << 10)
#define EG_SPOOL_MEMORY   ((size_t)1 << 20) /* at least; and more than the largest row */
#define EG_SPOOL_RUNS_MAX 1024

/* A judged row of a list. */
struct eg_spool_row {
	uint8_t token[EG_TOKEN_SIZE];
	uint64_t index; /* among the list's records */
	struct eg_version
	        version;  /* version, digest...; no join key: an applied row's is made of its claim */
	bool faulty;      /* it is to be quarantined */
	bool own_version; /* the sender stated one */
	struct eg_reasons reasons;
	struct eg_bytes canon; /* the claim */
};

struct eg_spool_options {
	const char *dir; /* DATA/lists; must exist */
	struct eg_vault *vault;
	size_t memory;
	/* Asks for room for so many more bytes on the disk; false: there is none. May be NULL. */
	bool (*room)(void *arg, size_t bytes);
	void *arg;
};

/* A new spool with a random id. */
enum eg_rc eg_spool_new(struct eg_spool **out, const struct eg_spool_options *o, struct eg_err *err);
/* EG_NO_SPACE: the quota or the disk is full. */
enum eg_rc eg_spool_add(struct eg_spool *s, const struct eg_spool_row *row, struct eg_err *err);
/* Writes what is left; durable when it returns EG_OK. Whatever it returns, no row is in memory any more. */
enum eg_rc eg_spool_finish(struct eg_spool *s, struct eg_err *err);
/* A whole spool of before. */
enum eg_rc eg_spool_open(struct eg_spool **out, const struct eg_spool_options *o, const uint8_t id[16],
                         struct eg_err *err);
const uint8_t *eg_spool_id(const struct eg_spool *s);
uint64_t eg_spool_bytes(const struct eg_spool *s); /* on the disk */
/* From the first row again. */
enum eg_rc eg_spool_rewind(struct eg_spool *s, struct eg_err *err);
/* The next row in the order of (token, index); its slices live until the next call. EG_EMPTY: no more. */
enum eg_rc eg_spool_next(struct eg_spool *s, struct eg_spool_row *row, struct eg_err *err);
void eg_spool_close(struct eg_spool *s); /* leaves the files; NULL is fine */
/* Removes the runs (all: the absent keys and the folder too, unless somebody else's files are in it). A link
 * is not followed. */
void eg_spool_remove(const char *dir, const uint8_t id[16], bool all);

#endif
