/* adapter_main: reads an adapter's command line, does what it says, tells what went wrong. */
#include "base/log.h"
#include "common/commands.h"
#include "eldergate/adapter.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#ifndef EG_VERSION
#define EG_VERSION "0.1.0"
#endif
enum { CHECK_ROWS = 10000 };

enum { OPTION_STATUS = 256, OPTION_SOURCE, OPTION_GATEWAY, OPTION_ROWS, OPTION_JOURNALD, OPTION_DEBUG };

static const struct argp_option options[] = {
        {"mapping", 'm', "FILE", 0, "The site's mapping file (YAML); needed by every command but version", 0},
        {"status-file", OPTION_STATUS, "PATH", 0,
         "run, once: write counts and states there, as JSON, every few seconds", 0},
        {"source", OPTION_SOURCE, NULL, 0, "check: read the source and map its rows, changing nothing", 0},
        {"gateway", OPTION_GATEWAY, NULL, 0, "check: connect to the gateway", 0},
        {"rows", OPTION_ROWS, "N", 0, "check --source: read at most so many rows (10000)", 0},
        {"journald", OPTION_JOURNALD, NULL, 0, "Log to the journal instead of standard error", 0},
        {"debug", OPTION_DEBUG, NULL, 0, "Log more", 0},
        {0}};

static const char doc[] =
        "Carries an agency's rows to the Eldergate gateway and the gateway's changes back.\v"
        "Commands:\n"
        "  check            Is the mapping file right? --source, --gateway: does it fit them?\n"
        "  run              Run until SIGTERM\n"
        "  once             Take what the source has now, deliver what there is, then end\n"
        "  parked [list]    Changes that the agency refused, with those waiting behind them\n"
        "  parked retry SEQ|all, parked drop SEQ|all\n"
        "  version          Print the version\n"
        "  help             This text\n\n"
        "Exit status: 0, or as include/eldergate/errors.def has it: 64 the command line, 69 the gateway or "
        "the "
        "source does not answer, 77 not permitted, 78 the mapping or the source's columns.";

struct arguments {
	struct eg_command_options o;
	const char *command;
	char **words;
	bool journald, debug;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	char *end;
	switch (key) {
	case 'm':
		a->o.mapping_path = arg;
		return 0;
	case OPTION_STATUS:
		a->o.status_file = arg;
		return 0;
	case OPTION_SOURCE:
		a->o.source = true;
		return 0;
	case OPTION_GATEWAY:
		a->o.gateway = true;
		return 0;
	case OPTION_ROWS:
		a->o.rows = strtoull(arg, &end, 10);
		if (!a->o.rows || *end)
			argp_error(state, "--rows takes a number");
		return 0;
	case OPTION_JOURNALD:
		a->journald = true;
		return 0;
	case OPTION_DEBUG:
		a->debug = true;
		return 0;
	case ARGP_KEY_ARGS:
		a->command = state->argv[state->next];
		a->o.words = &state->argv[state->next + 1];
		a->o.n_words = (unsigned)(state->argc - state->next - 1);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

enum eg_rc eg_command_mapping(const struct eg_command_options *o, struct eg_mapping **out, struct eg_err *err)
{
	static struct eg_complaints c; /* large */
	if (!o->mapping_path)
		return eg_fail(err, EG_USAGE, "name the mapping file: --mapping FILE");
	enum eg_rc rc = eg_mapping_load(out, o->mapping_path, o->connectors, &c, err);
	for (unsigned i = 1; rc && i < c.n; i++) /* the first is the error itself */
		fprintf(stderr, "%s: %s\n", o->program, c.items[i].text);
	return rc;
}

static enum eg_rc run(const struct arguments *a, const struct argp *argp, struct eg_err *err)
{
	const char *c = a->command;
	if (strcmp(c, "help") == 0) {
		argp_help(argp, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK,
		          (char *)(uintptr_t)a->o.program);
		return EG_OK;
	}
	if (strcmp(c, "parked") == 0)
		return eg_command_parked(&a->o, err);
	if (a->o.n_words)
		return eg_fail(err, EG_USAGE, "unexpected '%s'", a->o.words[0]);
	if (strcmp(c, "version") == 0)
		return printf("%s " EG_VERSION "\n", a->o.program) < 0 ? EG_IO : EG_OK;
	if (strcmp(c, "check") == 0)
		return eg_command_check(&a->o, err);
	if (strcmp(c, "run") == 0 || strcmp(c, "once") == 0)
		return eg_command_run(&a->o, *c == 'o', err);
	return eg_fail(err, EG_USAGE, "there is no command '%s'; %s help tells them", c, a->o.program);
}

int eg_adapter_main(int argc, char **argv, const char *program,
                    const struct eg_connector_type *const *connectors)
{
	static const struct argp argp = {options, parse, "COMMAND", doc, NULL, NULL, NULL};
	struct arguments a = {.o = {.program = program, .connectors = connectors, .rows = CHECK_ROWS}};
	struct eg_err err = {0};
	/* No core, no ptrace by others: memory holds rows. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(077);
	argp_err_exit_status = eg_rc_exit(EG_USAGE);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	eg_log_open(program, a.debug ? EG_LOG_DEBUG : EG_LOG_INFO, a.journald);
	enum eg_rc rc = run(&a, &argp, &err);
	if (!rc && fflush(stdout) != 0)
		rc = eg_fail_errno(&err, "standard output");
	if (rc)
		fprintf(stderr, "%s: %s%s%s\n", program, err.text, *err.field ? " at " : "", err.field);
	return eg_rc_exit(rc);
}
