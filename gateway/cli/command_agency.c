/* command_agency: `eldergate agency add`, `eldergate server certificate`, `eldergate server key`. */
#include "cli/commands.h"

#include "cli/onboard.h"

#include <stdio.h>
#include <string.h>

enum { DAYS = 730, DAYS_MAX = 36500, PURPOSES_BYTES = 64 };
#define LOCAL_NAMES "localhost,127.0.0.1"

static enum eg_rc read_roles(const struct cli *c, struct onboarding *o, struct eg_err *err)
{
	static const char *const roles[] = {"agency", "subscriber", "operator", "auditor", "admin"};
	const char *text;
	for (unsigned i = 0; (text = cli_nth(c, "role", i)); i++) {
		bool known = false;
		for (unsigned k = 0; k < sizeof roles / sizeof *roles; k++)
			known |= strcmp(text, roles[k]) == 0;
		if (!known || i == ONBOARD_LIST_MAX)
			return eg_fail(
			        err, EG_USAGE,
			        "a role is agency, subscriber, operator, auditor or admin; '%.40s' is none",
			        text);
		o->roles[o->n_roles++] = text;
	}
	if (!o->n_roles && o->n_datasets)
		o->roles[o->n_roles++] = "agency";
	return EG_OK;
}

static enum eg_rc read_purposes(const struct cli *c, struct onboarding *o, struct eg_err *err)
{
	const char *text;
	for (unsigned i = 0; (text = cli_nth(c, "read", i)); i++) {
		const char *eq = strchr(text, '=');
		size_t len = eq ? (size_t)(eq - text) : strlen(text);
		if (!len || len >= PURPOSES_BYTES || i == ONBOARD_LIST_MAX)
			return eg_fail(err, EG_USAGE, "--read wants PURPOSE or PURPOSE=FIELD,FIELD");
		memcpy(o->purposes[i].code, text, len);
		o->purposes[i].fields = eq ? eq + 1 : "";
		o->n_purposes++;
	}
	return EG_OK;
}

static void json_pair(struct eg_buf *out, const char *name, const char *value, bool more)
{
	eg_buf_printf(out, "\"%s\":", name);
	eg_buf_json(out, eg_bytes_of(value));
	eg_buf_printf(out, more ? "," : "}\n");
}

static void tell_json(const struct cli *c, const struct onboarding *o, const struct onboarded *r)
{
	struct eg_buf out = {0};
	struct rpc_options where;
	cli_rpc_options(c, &where);
	eg_buf_printf(&out, "{");
	json_pair(&out, "name", o->name, true);
	json_pair(&out, "server", where.server, true);
	json_pair(&out, "ca", r->ca, true);
	json_pair(&out, "certificate", r->certificate, true);
	json_pair(&out, "key", r->key, true);
	if (o->bus) {
		json_pair(&out, "bus", cli_option(c, "bus"), true);
		json_pair(&out, "bus_server_key", r->server_key, true);
		json_pair(&out, "bus_key_file", r->bus_key, true);
	}
	json_pair(&out, "identity", r->identity, false);
	fwrite(out.p, 1, out.failed ? 0 : out.len, stdout);
	eg_buf_free(&out);
}

static void tell(const struct cli *c, const struct onboarding *o, const struct onboarded *r)
{
	const char *server = cli_option(c, "server");
	bool local = o->uid >= 0;
	printf("%s has an identity: %s\n", o->name, r->identity);
	printf("  the daemon takes it at its next start, or now: systemctl reload eldergated\n\n");
	printf("Configuration of %s%s:\n", o->name, local ? " (local user, by the Unix socket)" : "");
	if (server || !local)
		printf("  ELDERGATE_SERVER=%s\n",
		       server ? server : "HOST:PORT      # listen.tls of the daemon");
	if (!local)
		printf("  ELDERGATE_CA=%s\n  ELDERGATE_CERT=%s\n  ELDERGATE_KEY=%s   # secret: hand it over "
		       "safely, keep no copy\n",
		       r->ca, r->certificate, r->key);
	if (o->bus)
		printf("\nThe gateway section of its adapter's mapping file:\n"
		       "  gateway:\n    address: %s\n    server_key: \"%s\"\n    key_file: %s   # secret, as "
		       "above\n\n",
		       cli_option(c, "bus"), r->server_key, r->bus_key);
	for (unsigned i = 0; i < o->n_datasets; i++)
		printf("  dataset %s (%s)\n", o->datasets[i].name, eg_section_name(o->datasets[i].section));
	for (unsigned i = 0; i < o->n_purposes; i++)
		printf("  purpose %s\n", o->purposes[i].code);
	printf("\nNext:\n");
	if (o->n_datasets)
		printf("  eldergate agency test --dataset %s --section %s\n"
		       "  eldergate submit FILE.csv --dataset %s --section %s\n",
		       o->datasets[0].name, eg_section_name(o->datasets[0].section), o->datasets[0].name,
		       eg_section_name(o->datasets[0].section));
	else if (o->n_purposes)
		printf("  eldergate subscribe --snapshot --purpose %s\n", o->purposes[0].code);
	else
		printf("  eldergate status\n");
}

enum eg_rc agency_add(struct cli *c, struct eg_err *err)
{
	struct onboarding o = {.name = c->arguments[0],
	                       .data = cli_option(c, "data"),
	                       .config_dir = cli_option(c, "config-dir"),
	                       .out = cli_option(c, "out"),
	                       .legal_basis = cli_option(c, "basis"),
	                       .until = cli_option(c, "until"),
	                       .rhythm = cli_option(c, "rhythm"),
	                       .bus = cli_option(c, "bus") != NULL,
	                       .deaths_first = cli_switch(c, "deaths-first")};
	struct onboarded done;
	const char *text;
	int64_t days;
	enum eg_rc rc;
	for (; (text = cli_nth(c, "dataset", o.n_datasets)); o.n_datasets++) {
		if (o.n_datasets == ONBOARD_LIST_MAX)
			return eg_fail(err, EG_USAGE, "at most %d datasets", ONBOARD_LIST_MAX);
		if ((rc = onboard_read_dataset(text, &o.datasets[o.n_datasets], err)))
			return rc;
	}
	if ((rc = read_roles(c, &o, err)) || (rc = read_purposes(c, &o, err)) ||
	    (rc = cli_number(c, "uid", -1, 0, UINT32_MAX, &o.uid, err)) ||
	    (rc = cli_number(c, "days", DAYS, 1, DAYS_MAX, &days, err)))
		return rc;
	o.days = (int)days;
	if (o.bus && strncmp(cli_option(c, "bus"), "tcp://", 6) != 0 &&
	    strncmp(cli_option(c, "bus"), "ipc:///", 7) != 0)
		return eg_fail(err, EG_USAGE, "--bus wants tcp://HOST:PORT or ipc:///PATH");
	rc = onboard(&o, &done, err);
	if (rc)
		return rc;
	if (c->json)
		tell_json(c, &o, &done);
	else
		tell(c, &o, &done);
	return EG_OK;
}

enum eg_rc server_key(struct cli *c, struct eg_err *err)
{
	char key[EG_CURVE_TEXT + 1];
	enum eg_rc rc = onboard_server_key(cli_option(c, "data"), key, err);
	if (!rc)
		printf("%s\n", key);
	return rc;
}

enum eg_rc server_certificate(struct cli *c, struct eg_err *err)
{
	const char *names = c->n_arguments ? c->arguments[0] : LOCAL_NAMES;
	struct onboarded done;
	int64_t days;
	enum eg_rc rc = cli_number(c, "days", DAYS, 1, DAYS_MAX, &days, err);
	if (!rc)
		rc = onboard_server(cli_option(c, "data"), cli_option(c, "out"), names, (int)days, &done,
		                    err);
	if (rc)
		return rc;
	printf("The daemon answers as %s. In its configuration:\n\n", names);
	printf("listen:\n  tls: \"0.0.0.0:7443\"\ntls:\n  certificate: %s\n  key: %s\n  client_ca: %s\n",
	       done.certificate, done.key, done.ca);
	return EG_OK;
}
