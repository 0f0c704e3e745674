/* queries: persons as callers name them, found in the store.
 *
 * Thread: a worker's, on its own connection, in short read transactions. What is found lives in the arena. */
#ifndef EG_EDGE_QUERIES_H
#define EG_EDGE_QUERIES_H

#include "edge/identity.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "flow/event.h"
#include "flow/intake.h"
#include "store/store.h"

struct eg_finder {
	struct eg_conn *conn;
	struct eg_vault *vault;
	const struct eg_caller *caller;
	struct eg_arena *arena;
};

struct eg_match {
	Eldergate__V1__Match match;
	struct eg_person person; /* FOUND; one that was merged away is told as who it lives on in */
	unsigned n_several;
	uint8_t (*several)[16]; /* SEVERAL: the ids, for the log */
	bool has_token;         /* what was asked for can be told to the log by its token */
	uint8_t token[EG_TOKEN_SIZE];
	enum eg_reason_code bad; /* NOT_FOUND: the ID number can belong to nobody, and this is why; else 0 */
};

/* EG_INVALID with the field (below the selector): it names nobody. Not finding anyone is EG_OK. */
enum eg_rc eg_find_person(const struct eg_finder *q, const Eldergate__V1__PersonSelector *s,
                          struct eg_match *out, struct eg_err *err);
/* A person by id, or who it lives on in. EG_EMPTY: none. */
enum eg_rc eg_find_by_id(const struct eg_finder *q, const uint8_t id[16], struct eg_person *out,
                         struct eg_err *err);
/* The caller's own reference of a person. */
enum eg_rc eg_caller_ref(const struct eg_finder *q, const uint8_t id[16], uint8_t ref[16],
                         struct eg_err *err);
/* Opens an entry with the parts asked for. EG_EMPTY: there is none. */
enum eg_rc eg_find_entry(const struct eg_finder *q, uint64_t seq, bool with_claim, struct eg_entry *out,
                         struct eg_err *err);

#endif
