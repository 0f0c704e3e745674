/* help: teaches the commands, from the same tables that run them. */
#include "cli/cli.h"

#include "model/record.h"

#include <stdio.h>
#include <string.h>

static void print_options(const struct option *o, unsigned n)
{
	for (unsigned i = 0; i < n && o[i].name; i++) {
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", o[i].name, o[i].value ? " " : "",
		         o[i].value ? o[i].value : "");
		printf("  %-28s %s%s\n", left, o[i].doc, o[i].needed ? " (needed)" : "");
	}
}

static void print_indented(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		printf("  %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void print_command(const struct command *k)
{
	printf("eldergate %s%s%s %s\n\n", k->noun, *k->verb ? " " : "", k->verb, k->arguments);
	print_indented(k->text);
	if (k->options[0].name) {
		printf("\nOptions\n");
		print_options(k->options, OPTIONS_MAX);
	}
	if (k->examples) {
		printf("\nFor example\n");
		print_indented(k->examples);
	}
	printf("\n`eldergate help` tells of the options that every command takes, and of exit statuses.\n");
}

static void print_brief(const struct command *k)
{
	char left[64];
	snprintf(left, sizeof left, "%s%s%s %s", k->noun, *k->verb ? " " : "", k->verb, k->arguments);
	printf("  %-28s %s\n", left, k->brief);
}

/* One line per exit status, with the result codes that have it. */
static void print_exits(void)
{
	static const struct {
		const char *name, *text;
		int exit_code;
	} rows[] = {
#define X(name, number, retryable, grpc, exit_code, label, text) {#name, text, exit_code},
#include "eldergate/errors.def"
#undef X
	};
	enum { N = sizeof rows / sizeof *rows };
	printf("\nExit status: 0 done; else, as in sysexits.h,\n");
	for (int code = 1; code < 128; code++) {
		bool first = true;
		for (unsigned i = 0; i < N; i++) {
			if (rows[i].exit_code != code)
				continue;
			if (first)
				printf("  %3d  %s", code, rows[i].text);
			else
				printf("; %s", rows[i].text);
			first = false;
		}
		if (!first)
			putchar('\n');
	}
}

static void print_all(void)
{
	printf("eldergate: exchanges elders' records through the Eldergate gateway\n\n");
	for (unsigned i = 0; i < n_commands; i++) {
		if (i && strcmp(commands[i].noun, commands[i - 1].noun) != 0 &&
		    (*commands[i].verb || *commands[i - 1].verb))
			putchar('\n');
		print_brief(&commands[i]);
	}
	printf("\n`eldergate help NOUN [VERB]` explains a command, `eldergate demo` shows the whole in a few "
	       "seconds.\n");
	printf("\nOptions of every command\n");
	print_options(global_options, n_global_options);
	print_exits();
}

void cli_help(const struct cli *c, const char *noun)
{
	if (c->command) {
		print_command(c->command);
		return;
	}
	if (!noun) {
		print_all();
		return;
	}
	for (unsigned i = 0; i < n_commands; i++)
		if (strcmp(commands[i].noun, noun) == 0)
			print_brief(&commands[i]);
	printf("\n`eldergate help %s VERB` explains one.\n", noun);
}
