/* command_run: run and once: opens what the agent needs, lets it run until a signal, closes it in reverse. */
#include "common/commands.h"

#include "base/log.h"
#include "common/agent.h"

#include <string.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void catch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal};
	sigemptyset(&a.sa_mask);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

enum eg_rc eg_command_run(const struct eg_command_options *o, bool once, struct eg_err *err)
{
	struct eg_mapping *m = NULL;
	struct eg_checkpoint *checkpoint = NULL;
	struct eg_link *link = NULL;
	struct eg_limits limits;
	struct eg_counts counts = {0};
	enum eg_rc rc = eg_command_mapping(o, &m, err);
	if (rc)
		return rc;
	const struct eg_mapping_info *info = eg_mapping_info(m);
	struct eg_link_options lo = {.address = info->gateway_address,
	                             .server_key = info->gateway_server_key,
	                             .key_file = info->gateway_key_file,
	                             .heartbeat_us = info->heartbeat_us};
	catch_signals();
	if ((rc = eg_limits_of(info->agent, &limits, err)) ||
	    (rc = eg_checkpoint_open(&checkpoint, info->state_dir, err)) ||
	    (rc = eg_link_open(&link, &lo, err)))
		goto out;
	struct eg_agent_options ao = {.program = o->program,
	                              .mapping = m,
	                              .link = link,
	                              .checkpoint = checkpoint,
	                              .limits = &limits,
	                              .once = once,
	                              .status_file = o->status_file,
	                              .stop = &stop,
	                              .counts = &counts};
	rc = eg_agent_run(&ao, err);
out:
	eg_link_close(link);
	eg_checkpoint_close(checkpoint);
	eg_mapping_free(m);
	return rc;
}
