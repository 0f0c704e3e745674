/* process: a child program of ours, and how it ends.
 *
 * Children are killed when this process is ended by SIGINT or SIGTERM. Thread: main's starts; any kills and
 * waits, one at a time. */
#ifndef EG_CLI_PROCESS_H
#define EG_CLI_PROCESS_H

#include "eldergate/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { PROCESS_ARGUMENTS = 64 };

struct process {
	pid_t pid;  /* 0: none */
	int output; /* its standard output, to be read; -1: goes to the log */
};

/* The program that stands beside this one, else one on the PATH. Standard input is empty; standard error (and
 * output, unless it is read) is appended to log. arguments end with NULL and do not hold the program's name.
 */
enum eg_rc process_start(struct process *p, const char *program, const char *const *arguments,
                         const char *log, bool read_output, struct eg_err *err);
/* One line of its output, without the line end. EG_DEADLINE, EG_UNAVAILABLE (it ended). */
enum eg_rc process_line(struct process *p, char *out, size_t size, int64_t timeout_us, struct eg_err *err);
bool process_runs(struct process *p);
/* Sends the signal and waits for the end; kills after the time. *status as of waitpid. */
enum eg_rc process_end(struct process *p, int signal, int64_t timeout_us, int *status, struct eg_err *err);

#endif
