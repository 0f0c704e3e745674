/* demo: the story that `eldergate demo` tells: its world, its people, its steps.
 *
 * Every number that is printed was measured or counted from replies, and every claim is checked: a check that
 * fails ends the story with what was expected. Thread: main's, but for receipts and the subscriber. */
#ifndef EG_CLI_DEMO_H
#define EG_CLI_DEMO_H

#include "cli/cli.h"
#include "cli/made.h"
#include "cli/onboard.h"
#include "cli/process.h"
#include "cli/tally.h"
#include "cli/watch.h"

enum { DEMO_PATH = 512, DEMO_AGENCIES = 3 };

/* How long the story waits for something that should be there at once. */
#define DEMO_PATIENCE (10 * EG_SECOND)

struct demo_agency {
	const char *name, *dataset;
	enum eg_section section;
	struct onboarded files;
	struct rpc_client *client;
	struct tally tally; /* of its list */
};

/* What one sending brought. */
struct demo_sent {
	struct tally tally;
	struct pump_result pump;
	int64_t us;
	uint64_t *seqs; /* by number of the record; owned */
	Eldergate__V1__Outcome *outcomes;
	uint64_t n;
	bool complete; /* each record has its result */
};

struct demo {
	struct cli *cli;
	uint64_t elders, seed;
	char dir[DEMO_PATH], data[DEMO_PATH], server[64], broker[64];
	bool temporary;
	struct process daemon, kafka;
	struct demo_agency agencies[DEMO_AGENCIES];
	struct onboarded platform;
	struct rpc_client *platform_client, *operator_client;
	struct watch *watch;
	struct population_options options;
	struct population *population;
	int64_t began;
	/* what later steps need */
	uint64_t certificate_seq;                     /* of the wrong death certificate */
	struct eg_buf proof, early_note, consistency; /* encoded answers, and a checkpoint taken early */
	struct {
		bool done;
		uint64_t after, acknowledged; /* receipts for so many records: wanted, and had */
		int status;                   /* of the killed daemon */
		enum eg_rc rc;
		struct eg_err err;
	} kill;
};

enum { POLICE, ASSISTANCE, FUNERAL };

/* ---- telling ---- */
void demo_step(const char *title);
void demo_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* EG_INTERNAL with what was expected; for `return demo_wrong(...)`. */
enum eg_rc demo_wrong(struct eg_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- the world (demo_world.c) ---- */
enum eg_rc demo_place(struct demo *d, const char *keep, struct eg_err *err);
enum eg_rc demo_onboard(struct demo *d, struct eg_err *err);
enum eg_rc demo_start_kafka(struct demo *d, struct eg_err *err);
enum eg_rc demo_start_daemon(struct demo *d, struct eg_err *err); /* the port stays the same */
enum eg_rc demo_ready(struct demo *d, int64_t *us, struct eg_err *err);
enum eg_rc demo_connect(struct demo *d, struct eg_err *err);
void demo_clear(struct demo *d, bool well); /* of what is there; says where logs are if it did not go well */

/* ---- sending (demo_send.c) ---- */
/* Sends the rows of a CSV text. on_receipt, if given, is called after each receipt. */
enum eg_rc demo_send(struct demo *d, struct demo_agency *a, const struct eg_buf *csv, unsigned batch,
                     unsigned in_flight, void (*on_receipt)(struct demo *d, const struct demo_sent *so_far),
                     struct demo_sent *out, struct eg_err *err);
void demo_sent_free(struct demo_sent *s);
enum eg_rc demo_csv(const struct population *p, enum eg_section s, struct eg_buf *out, struct eg_err *err);

/* ---- the steps (demo_story.c, demo_crash.c, demo_proof.c) ---- */
enum eg_rc demo_lists(struct demo *d, struct eg_err *err);
enum eg_rc demo_converge(struct demo *d, struct eg_err *err);
enum eg_rc demo_cremation(struct demo *d, struct eg_err *err);
enum eg_rc demo_return(struct demo *d, struct eg_err *err);
enum eg_rc demo_crash(struct demo *d, struct eg_err *err);
enum eg_rc demo_topics(struct demo *d, struct eg_err *err);
enum eg_rc demo_early_checkpoint(struct demo *d, struct eg_err *err);
enum eg_rc demo_fetch_proofs(struct demo *d, struct eg_err *err);
enum eg_rc demo_stop(struct demo *d, struct eg_err *err);
enum eg_rc demo_prove(struct demo *d, struct eg_err *err);
enum eg_rc demo_tamper(struct demo *d, struct eg_err *err);

#endif
