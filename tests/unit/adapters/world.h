/* world: an agent's surroundings for a test: a mapping, limits with short waits, a checkpoint in a folder of
 * its own. */
#ifndef EG_TESTS_WORLD_H
#define EG_TESTS_WORLD_H

#include "common/counts.h"
#include "common/limits.h"
#include "common/parked.h"
#include "fake_connector.h"
#include "fake_gateway.h"
#include "fake_mapping.h"

#include <dirent.h>
#include <unistd.h>

static struct eg_mapping mapping;
static struct eg_checkpoint *checkpoint;
static struct eg_counts counts;
static char state_dir[64];
static const int kinds[] = {2, 3};

static const struct eg_limits short_limits = {.batch_records = 3,
                                              .batch_bytes = 20000,
                                              .linger_us = 0,
                                              .in_flight = 2,
                                              .receipt_us = 60000000,
                                              .list_us = 60000000,
                                              .backoff_least_us = 1000,
                                              .backoff_most_us = 2000,
                                              .slow_us = 10000,
                                              .grace_us = 20000,
                                              .patience_us = 50000,
                                              .deliver_events = 10,
                                              .deliver_us = 1000000,
                                              .parked = 4,
                                              .refusals = 1,
                                              .attempts = 1000,
                                              .status_us = 1000};
static struct eg_limits limits;

static inline int world_open(void **state)
{
	(void)state;
	fake_reset();
	fake_source_reset();
	limits = short_limits;
	counts = (struct eg_counts){0};
	strcpy(state_dir, "/tmp/eldergate-agent-XXXXXX");
	if (!mkdtemp(state_dir))
		return 1;
	mapping = (struct eg_mapping){.info = {.agency = "police",
	                                       .dataset = "household",
	                                       .section = EG_REGISTRATION,
	                                       .revision = 7,
	                                       .state_dir = state_dir,
	                                       .connector = &fake_connector},
	                              .outbound = {.purpose = "verify-death",
	                                           .connector = &fake_connector,
	                                           .n_kinds = 2,
	                                           .kinds = kinds}};
	return eg_checkpoint_open(&checkpoint, state_dir, NULL) != EG_OK;
}

static inline int world_close(void **state)
{
	(void)state;
	struct dirent *e;
	char path[400];
	eg_checkpoint_close(checkpoint);
	DIR *d = opendir(state_dir);
	while (d && (e = readdir(d)))
		if (*e->d_name != '.') {
			snprintf(path, sizeof path, "%s/%s", state_dir, e->d_name);
			unlink(path);
		}
	closedir(d);
	fake_reset();
	return rmdir(state_dir);
}

/* What a crash leaves: what was saved. */
static inline void world_reopen_checkpoint(void)
{
	eg_checkpoint_close(checkpoint);
	if (eg_checkpoint_open(&checkpoint, state_dir, NULL))
		abort();
}

#endif
