/* eldergate: the command line: reads the command, runs it, tells what went wrong, exits with a stable status.
 */
#include "cli/cli.h"
#include "trust/crypto.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void tell(const struct cli *c, const struct eg_err *err)
{
	struct eg_buf line = {0};
	if (!c->json) {
		fprintf(stderr, "eldergate: %s\n", err->text);
		return;
	}
	eg_buf_printf(&line, "{\"error\":\"%s\",\"text\":", eg_rc_name(err->rc));
	eg_buf_json(&line, eg_bytes_of(err->text));
	if (*err->field) {
		eg_buf_printf(&line, ",\"field\":");
		eg_buf_json(&line, eg_bytes_of(err->field));
	}
	eg_buf_printf(&line, "}\n");
	fwrite(line.p, 1, line.failed ? 0 : line.len, stderr);
	eg_buf_free(&line);
}

int main(int argc, char **argv)
{
	static struct cli c; /* large: it holds every argument */
	struct eg_err err = {0};
	const char *noun;
	bool help;
	/* Memory may hold names and keys: no core, no look inside by others. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	eg_crypto_open(NULL); /* before gRPC; whoever needs it asks again, and is told what fails */
	enum eg_rc rc = cli_parse(&c, argc, argv, &help, &noun, &err);
	if (!rc && help)
		cli_help(&c, noun);
	else if (!rc)
		rc = c.command->run(&c, &err);
	if (!rc && fflush(stdout) != 0)
		rc = eg_fail_errno(&err, "standard output");
	if (rc)
		tell(&c, &err);
	rpc_close(c.client);
	return rc && c.failure ? c.failure : eg_rc_exit(rc);
}
