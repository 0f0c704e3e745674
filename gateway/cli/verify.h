/* verify: recomputes a whole log, and everything that follows from it, from a data directory
 * (gateway/FORMAT.md).
 *
 * In this order, ending at the first fault:
 *   entries   numbered without gaps, times never decreasing, headers fit their leaves, sealed parts fit their
 * commitments and their form, leaves fit the stored tiles, roots fit every stored checkpoint and its
 * signature, each person's entries form one chain of versions (verify_log.c) persons   the stored person is
 * the end of its chain; each effective claim is what its entry holds; the view computed from the claims has
 * the digest that the last entry states (verify_persons.c) sources   each version of a source record is what
 * its entry holds, its person holds the effective one, and the index of join keys is exactly what follows
 * (verify_sources.c) cases   each is what the log says of it, and its open persons say so too; each reject is
 * what its entry holds; each reviewed link is somebody's decision; whom the police lag behind waits for a
 * case or has one (verify_cases.c) lists: each full list's row is what its entry tells (verify_lists.c)
 * Memory: 48 bytes for each entry (verify_facts.c), and what grows with the number of cases. Erased parts are
 * counted and passed over. Thread: one calls; rows are looked at by one thread a CPU (verify_pages.h). */
#ifndef EG_CLI_VERIFY_H
#define EG_CLI_VERIFY_H

#include "base/siphash.h"
#include "cli/archive.h"
#include "flow/entry.h"
#include "flow/sealed.h"
#include "flow/table.h"
#include "trust/checkpoint.h"

#include <stdatomic.h>

struct verify_result {
	uint64_t entries, events, erased_parts, checkpoints, tiles;
	uint64_t persons, claims, views, sources, versions, aliases;
	uint64_t cases, open_cases, rejects, links, lags, lists;
	uint64_t other_authority; /* persons whose view was made with another authority table: not recomputed
	                           */
	uint64_t wrong_entry;     /* the first wrong one, where it is known; 0: none */
	int64_t us;               /* how long it took */
	uint8_t root[EG_HASH_SIZE];
};

struct verify_options {
	const char *vkey;                 /* NULL: the directory's own key */
	const struct eg_checkpoint *kept; /* NULL: none; its signature was verified by the caller */
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total); /* may be NULL */
	void *arg;
};

/* EG_CORRUPT: the text begins with what is wrong, "entry 1234: ..." where it is an entry. */
enum eg_rc verify_archive(struct archive *a, const struct verify_options *o, struct verify_result *out,
                          struct eg_err *err);

/* ---- between the files that make up verify ---- */

/* What the entries say, those that were read so far: as many as there are, whatever the head claims. They
 * stay where they are, so that threads look at some while more are read. */
struct verify_facts {
	struct eg_siphash_key key;    /* of this run */
	_Atomic uint64_t n;           /* entries 1 to n have one */
	struct verify_fact *part[40]; /* each has room for twice as many as the one before it */
};

/* The lags, as their persons are walked by: those that were read and not yet passed. */
struct verify_lags {
	struct eg_arena *arena; /* NULL: none was read yet */
	struct eg_lag_row *rows;
	unsigned n, at;
	bool over; /* nothing comes behind them */
};

struct verify {
	struct archive *a;
	const struct verify_options *o;
	struct verify_result *result;
	struct eg_arena *arena, *side; /* of the page under way, and for single look-ups */
	char origin[128];
	uint8_t public_key[32];
	uint64_t head;
	struct verify_facts facts;
	struct eg_conn *walk; /* reads rows in their order; look-ups have the store's, with its large cache */
	struct verify_lags lags;
	struct eg_arena *lasting; /* of what the log says of cases */
	struct eg_table cases;    /* their ids → the seq of the entry that first named each, as a pointer */
	uint64_t n_cases;         /* of that table */
	uint64_t quarantines;     /* QUARANTINE entries */
	uint64_t list_entries;    /* LIST entries */
};

enum eg_rc verify_log(struct verify *v, struct eg_err *err);
enum eg_rc verify_persons(struct verify *v, struct eg_err *err);
enum eg_rc verify_sources(struct verify *v, struct eg_err *err);
enum eg_rc verify_cases(struct verify *v, struct eg_err *err);
enum eg_rc verify_lists(struct verify *v, struct eg_err *err);
/* Does the person's lag (model/life.h) stand where it has to: in its table, or in an open case? To be asked
 * in the order of the persons' rows. */
enum eg_rc verify_lag(struct verify *v, const struct eg_person_row *row, const struct eg_person *p, bool lags,
                      struct eg_err *err);

/* What an entry says, as hashes by which persons and source records are held against it without reading it
 * again. 0: it says nothing of the kind, or was not understood: whoever asks reads the entry. */
struct verify_fact {
	uint64_t claim;   /* of the claim it holds, and of its source key */
	uint64_t version; /* of that claim as a version of its source key, wherever it stands */
	uint64_t person;  /* of whose newest version it makes */
	uint64_t effect;  /* of that and the view that follows */
	int64_t holder;   /* row of the person that holds the claim now; verify_persons fills it in */
	bool places;      /* its claim is one that a source record must know */
	bool named;       /* a version of a source record names it, or a reject that a decision made of it */
	bool fell_untold; /* a decision took its content down, and no reject was found yet that says so */
};
/* Of n entries more, behind those that have one. The caller's thread. */
enum eg_rc verify_facts_add(struct verify *v, unsigned n, struct eg_err *err);
void verify_facts_free(struct verify_facts *f);
struct verify_fact *verify_fact_of(const struct verify *v, uint64_t seq); /* NULL: there is no such entry */
uint64_t verify_claim_fact(const struct verify *v, const uint8_t token[16], struct eg_bytes canon);
uint64_t verify_version_fact(const struct verify *v, const uint8_t token[16], const struct eg_version *x);
uint64_t verify_person_fact(const struct verify *v, const uint8_t person[16], int64_t version);
uint64_t verify_effect_fact(const struct verify *v, const uint8_t person[16], int64_t version,
                            enum eg_life life, const uint8_t view_digest[16], int64_t authority);
uint64_t verify_alias_fact(const struct verify *v, const uint8_t key[EG_JOIN_KEY_SIZE], int64_t source);

void verify_progress(const struct verify *v, const char *what, uint64_t done, uint64_t total);
/* EG_CORRUPT with "entry SEQ: " before the text; remembers the seq. */
enum eg_rc verify_fail(struct verify *v, uint64_t seq, struct eg_err *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
/* Names the entry before the text of an error that is about it. */
enum eg_rc verify_blame(struct verify *v, uint64_t seq, enum eg_rc rc, struct eg_err *err);
/* One entry with the parts asked for, in the side arena, which is reset first. */
enum eg_rc verify_entry(struct verify *v, uint64_t seq, bool claim, bool effect, struct eg_entry *out,
                        struct eg_err *err);
bool verify_erased(struct eg_bytes stored); /* the commitment is there, the part is not */
/* An entry whose claim a source record has as a version of its own. */
bool verify_places(enum eg_entry_kind kind);

#endif
