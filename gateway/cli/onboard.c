/* onboard: see onboard.h. The identity file comes last: without it a certificate is good for nothing. */
#include "cli/onboard.h"

#include "cli/file.h"
#include "trust/ca.h"
#include "trust/crypto.h"
#include "trust/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PEM = 1 << 20 };

static bool good_name(const char *name)
{
	size_t len = strlen(name);
	return len && len < EG_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
	       *name != '-';
}

enum eg_rc onboard_read_dataset(const char *text, struct onboard_dataset *out, struct eg_err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	*out = (struct onboard_dataset){.section = eg_section_by_name(colon ? colon + 1 : text)};
	if (!len || len >= sizeof out->name || !out->section)
		return eg_fail(err, EG_USAGE,
		               "a dataset is NAME:SECTION, where SECTION is registration, assistance, "
		               "funeral or care; "
		               "'%.80s' is not",
		               text);
	memcpy(out->name, text, len);
	out->name[len] = 0;
	return EG_OK;
}

/* DIR/NAME with a suffix; an empty name gives DIR alone. */
static enum eg_rc path(char out[ONBOARD_PATH], struct eg_err *err, const char *dir, const char *name,
                       const char *suffix)
{
	int n = snprintf(out, ONBOARD_PATH, "%s%s%s%s", dir, *name ? "/" : "", name, suffix);
	return n > 0 && n < ONBOARD_PATH ? EG_OK : eg_fail(err, EG_USAGE, "a path is too long");
}

static void write_purpose(struct eg_buf *b, const struct onboarding *o, const struct onboard_purpose *p)
{
	eg_buf_printf(b, "  - purpose: %s\n    legal_basis: ", p->code);
	eg_buf_json(b, eg_bytes_of(o->legal_basis ? o->legal_basis : ""));
	if (o->until)
		eg_buf_printf(b, "\n    until: %s", o->until);
	bool entries = false, first = true;
	eg_buf_printf(b, "\n    fields: [");
	for (const char *f = p->fields; *f;) {
		size_t len = strcspn(f, ",");
		if (len == 7 && strncmp(f, "entries", len) == 0) { /* no field: the log's entries, whole */
			entries = true;
		} else {
			eg_buf_printf(b, "%s%.*s", first ? "" : ", ", (int)len, f);
			first = false;
		}
		f += len + (f[len] == ',');
	}
	eg_buf_printf(b, "]\n%s", entries ? "    entries: true\n" : "");
}

static void write_identity(struct eg_buf *b, const struct onboarding *o, const uint8_t *pin,
                           const char *curve)
{
	char hex[2 * EG_HASH_SIZE + 1];
	eg_buf_printf(b,
	              "# Written by `eldergate agency add`. What is not named here is not permitted.\nname: "
	              "%s\nroles: [",
	              o->name);
	for (unsigned i = 0; i < o->n_roles; i++)
		eg_buf_printf(b, "%s%s", i ? ", " : "", o->roles[i]);
	eg_buf_printf(b, "]\n");
	if (pin) {
		eg_hex(pin, EG_HASH_SIZE, hex);
		eg_buf_printf(b, "pin: sha256:%s\n", hex);
	} else {
		eg_buf_printf(b, "uid: %" PRId64 "\n", o->uid);
	}
	if (*curve)
		eg_buf_printf(b, "curve: \"%s\"\n", curve);
	if (o->n_datasets)
		eg_buf_printf(b, "submit:\n");
	for (unsigned i = 0; i < o->n_datasets; i++) {
		eg_buf_printf(b, "  - {dataset: %s, section: %s", o->datasets[i].name,
		              eg_section_name(o->datasets[i].section));
		if (o->rhythm)
			eg_buf_printf(b, ", rhythm: %s", o->rhythm);
		if (o->deaths_first)
			eg_buf_printf(b, ", deaths_first: true");
		eg_buf_printf(b, "}\n");
	}
	if (o->n_purposes)
		eg_buf_printf(b, "read:\n");
	for (unsigned i = 0; i < o->n_purposes; i++)
		write_purpose(b, o, &o->purposes[i]);
}

/* What the daemon would refuse at its next start is refused here, while it can still be corrected. */
static enum eg_rc check(const struct onboarding *o, struct eg_err *err)
{
	if (!good_name(o->name))
		return eg_fail(err, EG_USAGE, "a name has 1 to %d of a-z 0-9 - and does not begin with -",
		               EG_NAME_MAX - 1);
	if (!o->n_roles)
		return eg_fail(err, EG_USAGE, "say what it is: --dataset for an agency, or --role");
	if (o->n_purposes && (!o->legal_basis || !*o->legal_basis))
		return eg_fail(err, EG_USAGE, "a purpose needs its legal basis: --basis TEXT");
	for (unsigned i = 0; i < o->n_purposes; i++) {
		char name[80];
		for (const char *f = o->purposes[i].fields; *f;) {
			size_t len = strcspn(f, ",");
			snprintf(name, sizeof name, "%.*s", (int)len, f);
			if (!eg_view_field_by_name(name))
				return eg_fail(
				        err, EG_USAGE,
				        "there is no field '%s'; `eldergate fields` lists them, such as "
				        "registration.name",
				        name);
			f += len + (f[len] == ',');
		}
	}
	return EG_OK;
}

static enum eg_rc issue(const struct onboarding *o, const char *ca_dir, struct onboarded *out,
                        uint8_t pin[EG_HASH_SIZE], struct eg_err *err)
{
	char dir[ONBOARD_PATH];
	struct eg_buf pem = {0};
	enum eg_rc rc = path(dir, err, o->out ? o->out : o->data, o->out ? "" : "agencies", "");
	if (!rc)
		rc = file_mkdir(dir, 0700, err);
	if (!rc)
		rc = path(out->certificate, err, dir, o->name, ".pem");
	if (!rc)
		rc = path(out->key, err, dir, o->name, ".key");
	if (!rc)
		rc = path(out->ca, err, ca_dir, "ca", ".pem");
	if (!rc)
		rc = eg_ca_open(ca_dir, err);
	if (!rc)
		rc = eg_ca_issue(ca_dir, dir, o->name, false, NULL, o->days, err);
	if (!rc)
		rc = file_read(out->certificate, MAX_PEM, &pem, err);
	if (!rc)
		rc = eg_spki_pin(eg_buf_bytes(&pem), pin, err);
	eg_buf_free(&pem);
	return rc;
}

enum eg_rc onboard_server_key(const char *data, char out[EG_CURVE_TEXT + 1], struct eg_err *err)
{
	char file[ONBOARD_PATH];
	struct eg_curve_pair pair;
	struct stat owner;
	enum eg_rc rc = eg_crypto_open(err);
	if (!rc)
		rc = file_mkdir(data, 0700, err);
	if (!rc)
		rc = path(file, err, data, "bus", ".key");
	if (!rc)
		rc = eg_curve_open(file, &pair, err);
	/* Made by root, it is still the daemon's. */
	if (!rc && geteuid() == 0 &&
	    (stat(data, &owner) != 0 || chown(file, owner.st_uid, owner.st_gid) != 0))
		rc = eg_fail_errno(err, "giving %s to the owner of its folder", file);
	if (!rc)
		eg_curve_text(pair.public_key, out);
	explicit_bzero(&pair, sizeof pair);
	return rc;
}

/* The adapter's key file; its public half goes into the identity. */
static enum eg_rc make_bus_key(const struct onboarding *o, struct onboarded *out,
                               char curve[EG_CURVE_TEXT + 1], struct eg_err *err)
{
	char dir[ONBOARD_PATH];
	struct eg_curve_pair pair;
	enum eg_rc rc = onboard_server_key(o->data, out->server_key, err);
	if (!rc)
		rc = path(dir, err, o->out ? o->out : o->data, o->out ? "" : "agencies", "");
	if (!rc)
		rc = file_mkdir(dir, 0700, err);
	if (!rc)
		rc = path(out->bus_key, err, dir, o->name, ".curve");
	if (!rc)
		rc = eg_curve_make(out->bus_key, &pair, err);
	if (!rc)
		eg_curve_text(pair.public_key, curve);
	explicit_bzero(&pair, sizeof pair);
	return rc;
}

enum eg_rc onboard(const struct onboarding *o, struct onboarded *out, struct eg_err *err)
{
	char ca_dir[ONBOARD_PATH], identities[ONBOARD_PATH];
	char curve[EG_CURVE_TEXT + 1] = "";
	uint8_t pin[EG_HASH_SIZE];
	struct eg_buf text = {0};
	enum eg_rc rc;
	*out = (struct onboarded){0};
	if ((rc = check(o, err)) || (rc = eg_crypto_open(err)) ||
	    (rc = path(ca_dir, err, o->data, "ca", "")) ||
	    (rc = path(identities, err, o->config_dir ? o->config_dir : o->data, "identities.d", "")) ||
	    (rc = path(out->identity, err, identities, o->name, ".yaml")))
		return rc;
	if (access(out->identity, F_OK) == 0)
		return eg_fail(err, EG_EXISTS,
		               "%s is there already: remove it first to give '%s' a new identity",
		               out->identity, o->name);
	if ((rc = file_mkdir(o->data, 0700, err)) || (rc = file_mkdir(identities, 0755, err)))
		return rc;
	if (o->uid < 0 && (rc = issue(o, ca_dir, out, pin, err)))
		return rc;
	if (o->bus && (rc = make_bus_key(o, out, curve, err)))
		return rc;
	write_identity(&text, o, o->uid < 0 ? pin : NULL, curve);
	rc = file_make(out->identity, eg_buf_bytes(&text), 0644, err);
	eg_buf_free(&text);
	return rc;
}

enum eg_rc onboard_server(const char *data, const char *out_dir, const char *names, int days,
                          struct onboarded *out, struct eg_err *err)
{
	char ca_dir[ONBOARD_PATH], dir[ONBOARD_PATH];
	enum eg_rc rc;
	*out = (struct onboarded){0};
	if ((rc = eg_crypto_open(err)) || (rc = path(ca_dir, err, data, "ca", "")) ||
	    (rc = path(dir, err, out_dir ? out_dir : data, out_dir ? "" : "server", "")) ||
	    (rc = path(out->ca, err, ca_dir, "ca", ".pem")) ||
	    (rc = path(out->certificate, err, dir, "server", ".pem")) ||
	    (rc = path(out->key, err, dir, "server", ".key")) || (rc = file_mkdir(data, 0700, err)) ||
	    (rc = file_mkdir(dir, 0700, err)) || (rc = eg_ca_open(ca_dir, err)))
		return rc;
	return eg_ca_issue(ca_dir, dir, "server", true, names, days, err);
}
