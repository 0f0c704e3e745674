/* commands: what an adapter program can be told to do. Thread: main's. */
#ifndef EG_ADAPTERS_COMMANDS_H
#define EG_ADAPTERS_COMMANDS_H

#include "common/mapping.h"

struct eg_command_options {
	const char *program;
	const struct eg_connector_type *const *connectors;
	const char *mapping_path;
	const char *status_file; /* NULL: none */
	bool source, gateway;    /* check: also against these */
	uint64_t rows;           /* check: at most */
	unsigned n_words;        /* behind the command */
	char **words;
};

/* The mapping; its faults are told on standard error. */
enum eg_rc eg_command_mapping(const struct eg_command_options *o, struct eg_mapping **out,
                              struct eg_err *err);
enum eg_rc eg_command_run(const struct eg_command_options *o, bool once, struct eg_err *err);
enum eg_rc eg_command_check(const struct eg_command_options *o, struct eg_err *err);
enum eg_rc eg_command_parked(const struct eg_command_options *o, struct eg_err *err);

#endif
