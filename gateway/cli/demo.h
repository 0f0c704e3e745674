/* demo: the story that `eldergate demo` tells: its world, its people, its steps.
 *
 * Every number that is printed was measured, or counted where an agency, a subscriber or an auditor would see
 * it; every claim is checked: a check that fails ends the story with what was expected. Thread: main's, but
 * for the subscriber and the funeral homes' interface. */
#ifndef EG_CLI_DEMO_H
#define EG_CLI_DEMO_H

#include "cli/cli.h"
#include "cli/demo_folder.h"
#include "cli/demo_peer.h"
#include "cli/demo_table.h"
#include "cli/made.h"
#include "cli/onboard.h"
#include "cli/process.h"
#include "cli/watch.h"

enum { DEMO_PATH = 512, DEMO_AGENCIES = 3 };
enum { POLICE, ASSISTANCE, FUNERAL };

/* How long the story waits for something that should be there at once. */
#define DEMO_PATIENCE (10 * EG_SECOND)

struct demo_agency {
	const char *name, *dataset, *program;
	const char *purpose, *fields; /* of what comes back to it */
	enum eg_section section;
	struct onboarded files;
	struct process adapter;
};

/* What an adapter's status file says, of this one process. */
struct demo_counts {
	uint64_t applied, unchanged, stale, quarantined, bad_rows, refused; /* rows that are settled */
	uint64_t rows_in_flight, lists, parked;
	bool ready; /* connected, and its place in the log is kept: it misses nothing from now on */
};

struct demo {
	struct cli *cli;
	uint64_t elders, seed;
	char dir[DEMO_PATH], data[DEMO_PATH], server[64], bus[64], broker[64];
	bool temporary;
	struct process daemon, kafka;
	struct demo_agency agencies[DEMO_AGENCIES];
	struct onboarded platform;
	struct rpc_client *police_client, *platform_client, *operator_client;
	struct watch *watch;
	struct population_options options;
	struct population *population;
	int64_t began;
	/* the agencies' own systems */
	struct demo_table *table;
	struct demo_peer *peer;
	struct demo_csv csv; /* the file under way */
	char inbox[DEMO_PATH], outbox[DEMO_PATH];
	/* what later steps need */
	struct made_row subsidy;                      /* of the person who is cremated */
	uint64_t certificate_seq;                     /* of the wrong death certificate */
	struct eg_buf proof, early_note, consistency; /* encoded answers, and a checkpoint taken early */
};

/* ---- telling ---- */
void demo_step(const char *title);
void demo_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* EG_INTERNAL with what was expected; for `return demo_wrong(...)`. */
enum eg_rc demo_wrong(struct eg_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- the world (demo_world.c) ---- */
enum eg_rc demo_place(struct demo *d, const char *keep, struct eg_err *err);
enum eg_rc demo_onboard(struct demo *d, struct eg_err *err);
enum eg_rc demo_start_kafka(struct demo *d, struct eg_err *err);
enum eg_rc demo_start_daemon(struct demo *d, struct eg_err *err); /* the ports stay the same */
enum eg_rc demo_ready(struct demo *d, int64_t *us, struct eg_err *err);
enum eg_rc demo_connect(struct demo *d, struct eg_err *err);
/* The log's last entry, and how many persons there are; either may be NULL. */
enum eg_rc demo_status(struct demo *d, uint64_t *head, int64_t *persons, struct eg_err *err);
void demo_clear(struct demo *d, bool well); /* of what is there; says where logs are if it did not go well */
const char *demo_in_dir(const struct demo *d, const char *name, char out[DEMO_PATH]);

/* ---- the agencies' systems (demo_sources.c) ---- */
enum eg_rc demo_open_sources(struct demo *d, struct eg_err *err);
/* A row into the agency's own system; it is seen there from the next demo_show on. file: the name of an
 * assistance file; cut: so many of its last rows get lost. */
enum eg_rc demo_put(struct demo *d, unsigned agency, const struct made_row *r, struct eg_err *err);
enum eg_rc demo_show(struct demo *d, unsigned agency, const char *file, unsigned cut, struct eg_err *err);
void demo_connection(const struct demo *d, char out[DEMO_PATH]); /* of the table, for ODBC */

/* ---- the adapters (demo_mapping.c, demo_adapters.c) ---- */
enum eg_rc demo_write_mapping(struct demo *d, unsigned agency, const char *path, struct eg_err *err);
enum eg_rc demo_start_adapter(struct demo *d, unsigned agency, struct eg_err *err);
void demo_counts(const struct demo *d, unsigned agency, struct demo_counts *out); /* zero: none yet */
uint64_t demo_settled(const struct demo_counts *c);
/* Looks until it is so. EG_DEADLINE names what was waited for. */
typedef bool demo_is(struct demo *d, const void *arg);
enum eg_rc demo_wait(struct demo *d, demo_is *is, const void *arg, const char *what, struct eg_err *err);
/* Adapters are ready. */
enum eg_rc demo_adapters_ready(struct demo *d, struct eg_err *err);

/* ---- the steps ---- */
enum eg_rc demo_adapters(struct demo *d, struct eg_err *err);         /* demo_adapters.c */
enum eg_rc demo_lists(struct demo *d, struct eg_err *err);            /* demo_lists.c */
enum eg_rc demo_converge(struct demo *d, struct eg_err *err);         /* demo_lists.c */
enum eg_rc demo_cremation(struct demo *d, struct eg_err *err);        /* demo_story.c */
enum eg_rc demo_return(struct demo *d, struct eg_err *err);           /* demo_story.c */
enum eg_rc demo_way_back(struct demo *d, struct eg_err *err);         /* demo_back.c */
enum eg_rc demo_full_list(struct demo *d, struct eg_err *err);        /* demo_full.c */
enum eg_rc demo_crash(struct demo *d, struct eg_err *err);            /* demo_crash.c */
enum eg_rc demo_topics(struct demo *d, struct eg_err *err);           /* demo_topics.c */
enum eg_rc demo_early_checkpoint(struct demo *d, struct eg_err *err); /* demo_proof.c, as the rest */
enum eg_rc demo_fetch_proofs(struct demo *d, struct eg_err *err);
enum eg_rc demo_stop(struct demo *d, struct eg_err *err);
enum eg_rc demo_prove(struct demo *d, struct eg_err *err);
enum eg_rc demo_tamper(struct demo *d, struct eg_err *err);

#endif
