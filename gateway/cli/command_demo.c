/* command_demo: `eldergate demo`: the order of the story. */
#include "cli/commands.h"

#include "base/log.h"
#include "cli/demo.h"

#include <inttypes.h>
#include <stdio.h>

enum { ELDERS = 1000, ELDERS_MIN = 200, ELDERS_MAX = 100000, SEED = 20260302, FAULTS_OF_REAL_DATA = 5 };

static enum eg_rc set_up(struct demo *d, const char *keep, struct eg_err *err)
{
	int64_t ready;
	enum eg_rc rc = demo_place(d, keep, err);
	if (rc)
		return rc;
	printf("Eldergate, shown on this machine alone, in %s. All persons are made up.\n", d->dir);
	demo_step("Agencies are onboarded");
	if ((rc = demo_onboard(d, err)))
		return rc;
	demo_say("police, assistance, funeral: a CURVE key for the bus and one permitted dataset each; the "
	         "first two "
	         "may also hear of deaths.");
	demo_say("platform: a subscriber that may read three fields. operator: this local user, over a Unix "
	         "socket.");
	demo_step("The gateway starts");
	if ((rc = demo_start_kafka(d, err)) || (rc = demo_start_daemon(d, err)) ||
	    (rc = demo_ready(d, &ready, err)) || (rc = demo_connect(d, err)))
		return rc;
	demo_say("eldergated answers after %.2f s: adapters at %s (CURVE), others at %s (mutual TLS).",
	         (double)ready / 1e6, d->bus, d->server);
	demo_say("Kafka is eldergate-devbroker at %s: a development broker that keeps nothing.", d->broker);
	return watch_start(&d->watch, d->platform_client, "care", err);
}

static enum eg_rc tell(struct demo *d, struct eg_err *err)
{
	enum eg_rc rc;
	demo_step("An adapter for each agency, where its data is");
	if ((rc = demo_open_sources(d, err)) || (rc = demo_adapters(d, err)))
		return rc;
	demo_step("Three agencies show what they have");
	if ((rc = population_new(&d->population, &d->options, err)) || (rc = demo_lists(d, err)))
		return rc;
	demo_step("The platform has followed all along");
	if ((rc = demo_converge(d, err)))
		return rc;
	demo_step("What goes back to the agencies");
	if ((rc = demo_way_back(d, err)))
		return rc;
	demo_step("Somebody is cremated who is still registered as alive");
	if ((rc = demo_cremation(d, err)))
		return rc;
	demo_step("Somebody is taken for dead by mistake, and comes back");
	if ((rc = demo_return(d, err)) || (rc = demo_early_checkpoint(d, err)))
		return rc;
	demo_step("Full lists: who is missing, and what got lost");
	if ((rc = demo_full_list(d, err)))
		return rc;
	demo_step("Gateway and adapter are killed in mid-stream");
	if ((rc = demo_crash(d, err)))
		return rc;
	demo_step("Kafka has the same");
	if ((rc = demo_topics(d, err)))
		return rc;
	demo_step("An auditor checks the log");
	if ((rc = demo_fetch_proofs(d, err)) || (rc = demo_stop(d, err)) || (rc = demo_prove(d, err)))
		return rc;
	demo_step("Somebody alters the log");
	return demo_tamper(d, err);
}

enum eg_rc demo(struct cli *c, struct eg_err *err)
{
	static const char told_fields[] = "registration.id_number,registration.name,death_date";
	static struct demo d;
	int64_t elders, seed;
	enum eg_rc rc = cli_number(c, "elders", ELDERS, ELDERS_MIN, ELDERS_MAX, &elders, err);
	if (!rc)
		rc = cli_number(c, "seed", SEED, 0, INT64_MAX, &seed, err);
	if (rc)
		return rc;
	eg_log_open("eldergate", EG_LOG_ERROR, false);
	c->failure = 1;
	d.cli = c;
	d.began = eg_mono_us();
	d.elders = (uint64_t)elders;
	d.seed = (uint64_t)seed;
	d.options = (struct population_options){
	        .seed = d.seed, .each = d.elders, .faults = FAULTS_OF_REAL_DATA, .without_care = true};
	d.agencies[POLICE] = (struct demo_agency){.name = "police",
	                                          .dataset = "registration",
	                                          .program = "eldergate-police",
	                                          .purpose = "death-verification",
	                                          .fields = told_fields,
	                                          .section = EG_REGISTRATION};
	d.agencies[ASSISTANCE] = (struct demo_agency){.name = "assistance",
	                                              .dataset = "assistance",
	                                              .program = "eldergate-assistance",
	                                              .purpose = "subsidy-check",
	                                              .fields = told_fields,
	                                              .section = EG_ASSISTANCE};
	d.agencies[FUNERAL] = (struct demo_agency){.name = "funeral",
	                                           .dataset = "remains",
	                                           .program = "eldergate-funeral",
	                                           .section = EG_FUNERAL};
	rc = set_up(&d, cli_option(c, "keep"), err);
	if (!rc)
		rc = tell(&d, err);
	int64_t us = eg_mono_us() - d.began;
	demo_clear(&d, !rc);
	if (!rc)
		printf("\n%.1f s\ndemo: ok\n", (double)us / 1e6);
	return rc;
}
