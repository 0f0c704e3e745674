/* cli: see cli.h. */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/status.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SERVER     "unix:/var/lib/eldergate/eldergate.sock"
#define DEFAULT_TIMEOUT_US (30 * EG_SECOND)
#define LONGEST_TIMEOUT_S  86400

/* ---- reading the command line ---- */

static const struct option *find_option(const struct command *k, const char *name, size_t len)
{
	for (unsigned i = 0; i < n_global_options; i++)
		if (strlen(global_options[i].name) == len && memcmp(global_options[i].name, name, len) == 0)
			return &global_options[i];
	for (unsigned i = 0; k && i < OPTIONS_MAX && k->options[i].name; i++)
		if (strlen(k->options[i].name) == len && memcmp(k->options[i].name, name, len) == 0)
			return &k->options[i];
	return NULL;
}

static bool is_noun(const char *word)
{
	for (unsigned i = 0; i < n_commands; i++)
		if (strcmp(commands[i].noun, word) == 0)
			return true;
	return false;
}

static const struct command *find_command(const char *noun, const char *verb)
{
	for (unsigned i = 0; i < n_commands; i++)
		if (strcmp(commands[i].noun, noun) == 0 && strcmp(commands[i].verb, verb) == 0)
			return &commands[i];
	return NULL;
}

static enum eg_rc take_option(struct cli *c, int argc, char **argv, int *i, struct eg_err *err)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct option *o = find_option(c->command, name, len);
	const char *value = NULL;
	if (!o)
		return eg_fail(
		        err, EG_USAGE, "there is no option --%.*s here; `eldergate help%s%s%s%s` lists them",
		        (int)len, name, c->command ? " " : "", c->command ? c->command->noun : "",
		        c->command && *c->command->verb ? " " : "", c->command ? c->command->verb : "");
	if (o->value) {
		if (!eq && *i + 1 == argc)
			return eg_fail(err, EG_USAGE, "--%s wants a value: %s", o->name, o->value);
		value = eq ? eq + 1 : argv[++*i];
	} else if (eq) {
		return eg_fail(err, EG_USAGE, "--%s takes no value", o->name);
	}
	if (c->n_given == ARGUMENTS_MAX)
		return eg_fail(err, EG_USAGE, "too many options");
	c->given[c->n_given].name = o->name;
	c->given[c->n_given++].value = value;
	return EG_OK;
}

static enum eg_rc check(struct cli *c, struct eg_err *err)
{
	const struct command *k = c->command;
	int64_t seconds;
	if (c->n_arguments < k->at_least || c->n_arguments > k->at_most)
		return eg_fail(err, EG_USAGE, "usage: eldergate %s%s%s %s; see `eldergate help %s%s%s`",
		               k->noun, *k->verb ? " " : "", k->verb, k->arguments, k->noun,
		               *k->verb ? " " : "", k->verb);
	for (unsigned i = 0; i < OPTIONS_MAX && k->options[i].name; i++)
		if (k->options[i].needed && !cli_option(c, k->options[i].name))
			return eg_fail(err, EG_USAGE, "--%s %s is needed: %s", k->options[i].name,
			               k->options[i].value, k->options[i].doc);
	c->json = cli_switch(c, "json");
	c->utc = cli_switch(c, "utc");
	enum eg_rc rc =
	        cli_number(c, "timeout", DEFAULT_TIMEOUT_US / EG_SECOND, 1, LONGEST_TIMEOUT_S, &seconds, err);
	c->timeout_us = seconds * EG_SECOND;
	return rc;
}

/* A noun, then its verb unless the noun is a command by itself, then arguments. */
static enum eg_rc take_word(struct cli *c, const char *word, const char **noun, struct eg_err *err)
{
	if (!*noun && !is_noun(word))
		return eg_fail(err, EG_USAGE, "there is no command '%.40s'; `eldergate help` lists them",
		               word);
	if (!*noun) {
		*noun = word;
		c->command = find_command(word, "");
		return EG_OK;
	}
	if (!c->command) {
		c->command = find_command(*noun, word);
		return c->command ? EG_OK
		                  : eg_fail(err, EG_USAGE,
		                            "there is no command '%s %.40s'; see `eldergate help %s`", *noun,
		                            word, *noun);
	}
	if (c->n_arguments == ARGUMENTS_MAX)
		return eg_fail(err, EG_USAGE, "too many arguments");
	c->arguments[c->n_arguments++] = word;
	return EG_OK;
}

enum eg_rc cli_parse(struct cli *c, int argc, char **argv, bool *help, const char **noun, struct eg_err *err)
{
	bool options_over = false;
	enum eg_rc rc = EG_OK;
	c->program = argv[0];
	c->chinese = speaks_chinese();
	*help = false;
	*noun = NULL;
	for (int i = 1; i < argc && !rc; i++) {
		if (!options_over && strcmp(argv[i], "--") == 0)
			options_over = true;
		else if (!options_over && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
			*help = true;
		else if (!options_over && strncmp(argv[i], "--", 2) == 0)
			rc = take_option(c, argc, argv, &i, err);
		else if (!*noun && !*help && strcmp(argv[i], "help") == 0)
			*help = true;
		else
			rc = take_word(c, argv[i], noun, err);
	}
	if (rc)
		return rc;
	if (*help || !*noun) {
		*help = true;
		return EG_OK;
	}
	if (!c->command)
		return eg_fail(err, EG_USAGE, "'%s' wants a verb; see `eldergate help %s`", *noun, *noun);
	return check(c, err);
}

/* ---- options ---- */

const char *cli_nth(const struct cli *c, const char *name, unsigned nth)
{
	for (unsigned i = 0; i < c->n_given; i++)
		if (strcmp(c->given[i].name, name) == 0 && nth-- == 0)
			return c->given[i].value ? c->given[i].value : "";
	return NULL;
}

const char *cli_option(const struct cli *c, const char *name)
{
	const char *last = NULL;
	assert(find_option(c->command, name, strlen(name)));
	for (unsigned i = 0; i < c->n_given; i++)
		if (strcmp(c->given[i].name, name) == 0)
			last = c->given[i].value ? c->given[i].value : "";
	return last;
}

bool cli_switch(const struct cli *c, const char *name)
{
	return cli_option(c, name) != NULL;
}

enum eg_rc cli_number(const struct cli *c, const char *name, int64_t deflt, int64_t low, int64_t high,
                      int64_t *out, struct eg_err *err)
{
	const char *text = cli_option(c, name);
	char *end = NULL;
	*out = deflt;
	if (!text)
		return EG_OK;
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno || end == text || *end || *out < low || *out > high)
		return eg_fail(err, EG_USAGE, "--%s must be a whole number from %" PRId64 " to %" PRId64,
		               name, low, high);
	return EG_OK;
}

const char *cli_purpose(const struct cli *c)
{
	const char *given = cli_option(c, "purpose");
	if (!given)
		given = getenv("ELDERGATE_PURPOSE");
	return given ? given : "";
}

/* ---- calling ---- */

static const char *or_environment(const struct cli *c, const char *option, const char *variable)
{
	const char *v = cli_option(c, option);
	if (!v)
		v = getenv(variable);
	return v && *v ? v : NULL;
}

void cli_rpc_options(const struct cli *c, struct rpc_options *out)
{
	const char *server = or_environment(c, "server", "ELDERGATE_SERVER");
	*out = (struct rpc_options){
	        .server = server ? server : DEFAULT_SERVER,
	        .certificate = or_environment(c, "cert", "ELDERGATE_CERT"),
	        .key = or_environment(c, "key", "ELDERGATE_KEY"),
	        .ca = or_environment(c, "ca", "ELDERGATE_CA"),
	        .server_name = or_environment(c, "server-name", "ELDERGATE_SERVER_NAME"),
	};
}

enum eg_rc cli_connect(struct cli *c, struct eg_err *err)
{
	struct rpc_options o;
	if (c->client)
		return EG_OK;
	cli_rpc_options(c, &o);
	return rpc_open(&c->client, &o, err);
}

enum eg_rc pack(const ProtobufCMessage *m, struct eg_buf *out, struct eg_err *err)
{
	eg_buf_reset(out);
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *p = len ? eg_buf_grow(out, len) : NULL;
	if (p)
		protobuf_c_message_pack(m, p);
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a message") : EG_OK;
}

enum eg_rc call_unary(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
                      int64_t timeout_us, bool wait, const ProtobufCMessageDescriptor *type,
                      ProtobufCMessage **answer, struct eg_err *err)
{
	struct eg_buf out = {0}, in = {0};
	struct rpc_status status = {0};
	struct eg_refusal refusal;
	enum eg_rc rc = pack(request, &out, err);
	if (!rc && !rpc_unary(client, method, eg_buf_bytes(&out), timeout_us, wait, &in, &status)) {
		refusal_of_status(&status, &refusal);
		rc = refusal_fail(&refusal, err);
	}
	if (!rc && !(*answer = protobuf_c_message_unpack(type, NULL, in.len, in.p)))
		rc = eg_fail(err, EG_INTERNAL, "the gateway's answer could not be decoded");
	rpc_status_free(&status);
	eg_buf_free(&out);
	eg_buf_free(&in);
	return rc;
}

enum eg_rc cli_call(struct cli *c, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *type, ProtobufCMessage **answer, struct eg_err *err)
{
	enum eg_rc rc = cli_connect(c, err);
	return rc ? rc : call_unary(c->client, method, request, c->timeout_us, false, type, answer, err);
}

enum eg_rc cli_json(const ProtobufCMessage *m, struct eg_err *err)
{
	struct eg_buf text = {0};
	json_message(&text, m);
	eg_buf_add_u8(&text, '\n');
	enum eg_rc rc = text.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for the output") : EG_OK;
	if (!rc && (fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout) != 0))
		rc = eg_fail_errno(err, "standard output");
	eg_buf_free(&text);
	return rc;
}
