/* cli: one run of the command line: its command, its options, and how it speaks.
 *
 * Options are looked up by name; the table of commands (commands.c) says which there are, so a wrong name
 * here is a fault of the program and found by its first run. Text for people goes to standard output,
 * progress and errors to standard error. Thread: main's. */
#ifndef EG_CLI_CLI_H
#define EG_CLI_CLI_H

#include "base/buf.h"
#include "base/clock.h"
#include "cli/grpc_client.h"
#include "eldergate/err.h"

#include <protobuf-c/protobuf-c.h>

struct cli;

struct option {
	const char *name;  /* "data": --data */
	const char *value; /* what stands behind it, "DIR"; NULL: a switch */
	const char *doc;
	bool needed;
};

enum { OPTIONS_MAX = 16, ARGUMENTS_MAX = 4096 };

struct command {
	const char *noun, *verb; /* verb "": the noun is the whole command */
	const char *arguments;   /* "FILE..." */
	unsigned at_least, at_most;
	const char *brief; /* one line */
	const char *text;  /* what a newcomer needs to know */
	const char *examples;
	enum eg_rc (*run)(struct cli *c, struct eg_err *err);
	struct option options[OPTIONS_MAX];
};

extern const struct command commands[];
extern const unsigned n_commands;
extern const struct option global_options[];
extern const unsigned n_global_options;

struct cli {
	const struct command *command;
	const char *program; /* argv[0] */
	unsigned n_arguments, n_given;
	const char *arguments[ARGUMENTS_MAX];
	struct {
		const char *name, *value;
	} given[ARGUMENTS_MAX];
	bool json, utc, chinese;
	int64_t timeout_us;
	int failure;               /* exit status in place of the error's own; 0: none */
	struct rpc_client *client; /* opened by the first call */
};

/* Reads the command line. EG_USAGE says what was not understood. help: it asked for help about *command
 * (NULL: all), or about the noun alone. */
enum eg_rc cli_parse(struct cli *c, int argc, char **argv, bool *help, const char **noun, struct eg_err *err);
void cli_help(const struct cli *c, const char *noun);

const char *cli_option(const struct cli *c, const char *name); /* the last one given; NULL: none */
const char *cli_nth(const struct cli *c, const char *name,
                    unsigned nth); /* of a repeated one; NULL: no more */
bool cli_switch(const struct cli *c, const char *name);
/* A whole number within bounds; deflt if the option was not given. */
enum eg_rc cli_number(const struct cli *c, const char *name, int64_t deflt, int64_t low, int64_t high,
                      int64_t *out, struct eg_err *err);
const char *cli_purpose(const struct cli *c); /* "" if none was given */

/* Where the gateway is, from the options and the environment. */
void cli_rpc_options(const struct cli *c, struct rpc_options *out);
enum eg_rc cli_connect(struct cli *c, struct eg_err *err);
/* One call: packs, calls, unpacks. *answer is freed with protobuf_c_message_free_unpacked(…, NULL). */
enum eg_rc cli_call(struct cli *c, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *type, ProtobufCMessage **answer, struct eg_err *err);
/* The same over a given client. */
enum eg_rc call_unary(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
                      int64_t timeout_us, bool wait, const ProtobufCMessageDescriptor *type,
                      ProtobufCMessage **answer, struct eg_err *err);
enum eg_rc pack(const ProtobufCMessage *m, struct eg_buf *out, struct eg_err *err);

/* The message as one line of JSON on standard output. */
enum eg_rc cli_json(const ProtobufCMessage *m, struct eg_err *err);

#endif
