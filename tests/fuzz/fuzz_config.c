/* fuzz_config: the daemon's configuration and its identity files.
 *
 *   1 byte: 0 a configuration, else an identity file; then the file
 *
 * A fault is told with the file's name and place. What is taken keeps its bounds, prints, and is the same
 * when it is read again; a policy's version follows from what it says.
 */
#include "fuzz.h"

#include "conf.h"
#include "conf_policy.h"
#include "model/person.h"

#include <sys/stat.h>

static char conf_path[96], identities[96], identity_path[112];

void fuzz_start(void)
{
	snprintf(conf_path, sizeof conf_path, "%s/eldergate.yaml", fuzz_dir());
	snprintf(identities, sizeof identities, "%s/identities", fuzz_dir());
	snprintf(identity_path, sizeof identity_path, "%s/one.yaml", identities);
	MUST(mkdir(identities, 0700) == 0);
}

static char *printed(const struct eg_conf *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	MUST(f);
	eg_conf_print(c, f);
	MUST(fclose(f) == 0 && len);
	return text;
}

static void bounds(const struct eg_conf *c)
{
#define TEXT_WITHIN(v, low, high)                                        MUST((v) && strlen(v) <= (high))
#define NUMBER_WITHIN(v, low, high)                                      MUST((v) >= (low) && (v) <= (high))
#define WITHIN_TEXT                                                      TEXT_WITHIN
#define WITHIN_INT                                                       NUMBER_WITHIN
#define WITHIN_SIZE                                                      NUMBER_WITHIN
#define WITHIN_TIME                                                      NUMBER_WITHIN
#define WITHIN_BOOL                                                      NUMBER_WITHIN
#define X(section, key, member, type, when, deflt, low, high, unit, doc) WITHIN_##type(c->member, low, high);
#include "conf.def"
#undef X
}

static void configuration(struct eg_bytes in)
{
	/* The identities are another subject. */
	char own[128];
	snprintf(own, sizeof own, "identities.directory=%s/none", fuzz_dir());
	const char *const overrides[] = {own};
	struct eg_conf *c = NULL, *again = NULL;
	struct eg_err err = {0};
	fuzz_write(conf_path, in);
	enum eg_rc rc = eg_conf_load(&c, conf_path, overrides, 1, &err);
	fuzz_reason(rc, &err);
	MUST(rc == EG_OK || rc == EG_CONFIG);
	if (rc)
		return;
	bounds(c);
	MUST(!eg_conf_load(&again, conf_path, overrides, 1, &err));
	char *one = printed(c), *two = printed(again);
	MUST(strcmp(one, two) == 0);
	free(one);
	free(two);
	eg_conf_free(c);
	eg_conf_free(again);
}

static void identity(struct eg_bytes in)
{
	const struct eg_policy *p = NULL, *again = NULL;
	struct eg_err err = {0};
	unsigned topic[] = {1};
	fuzz_write(identity_path, in);
	enum eg_rc rc = eg_conf_policy_load(identities, topic, 1, &p, &err);
	fuzz_reason(rc, &err);
	MUST(rc == EG_OK || rc == EG_CONFIG);
	if (rc)
		return;
	MUST(!eg_conf_policy_load(identities, topic, 1, &again, &err));
	MUST(p->n == 1 && p->version == again->version);
	const struct eg_identity_rule *who = &p->identities[0];
	MUST(eg_policy_by_name(p, who->name) == who);
	MUST(who->roles && (who->has_pin || who->has_curve || who->has_uid));
	for (unsigned i = 0; i < who->n_datasets; i++)
		MUST(who->datasets[i].name[0] && who->datasets[i].section >= EG_REGISTRATION &&
		     who->datasets[i].section < EG_SECTION_END);
	for (unsigned i = 0; i < who->n_purposes; i++)
		for (unsigned k = 0; k < who->purposes[i].n_fields; k++) {
			char name[80];
			MUST(eg_view_field_by_name(eg_view_field_name(who->purposes[i].fields[k], name)) ==
			     who->purposes[i].fields[k]);
		}
	eg_policy_unref(p);
	eg_policy_unref(again);
}

void fuzz_one(struct eg_bytes in)
{
	if (fuzz_take(&in, 1) == 0)
		configuration(in);
	else
		identity(in);
}

/* ---- seeds ---- */

static void seed_of(unsigned kind, const char *text)
{
	struct eg_buf b = {0};
	eg_buf_add_u8(&b, (uint8_t)kind);
	eg_buf_add(&b, text, strlen(text));
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
}

void fuzz_seeds(void)
{
	struct eg_conf *c;
	/* Every setting there is, as the daemon prints it. */
	MUST(!eg_conf_load(&c, NULL, NULL, 0, NULL));
	char *all = printed(c);
	seed_of(0, all);
	free(all);
	eg_conf_free(c);
	seed_of(0, "data: /var/lib/eldergate\nlisten:\n  unix: /run/e.sock\n  tls: 0.0.0.0:7443\n  bus: "
	           "tcp://*:1\n"
	           "tls: {certificate: c, key: k, client_ca: a}\nlimits: {batch_bytes: 1MiB}\n");
	seed_of(0, "kafka:\n  bootstrap: '127.0.0.1:9092'\n  development: true\n"
	           "  fields: [registration.address_region, registration.registration_status]\n"
	           "  settings: {client.id: eldergate, linger.ms: 5}\nlog: {level: warn, journald: false}\n"
	           "cases: {police_lag_grace: 60d}\n");
	seed_of(1, "name: police\nroles: [agency]\n"
	           "pin: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
	           "submit:\n  - {dataset: registration, section: registration, rhythm: 1d, deaths_first: "
	           "true}\n"
	           "read:\n  - purpose: verify-death\n    legal_basis: \"law\"\n    until: 2030-12-31\n"
	           "    fields: [registration.name, death_date]\n    entries: true\n");
	seed_of(1, "name: platform\nroles: [agency, subscriber, operator, auditor, admin]\nuid: 990\n"
	           "curve: 'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7'\nrecords_per_second: 100\n"
	           "submit: [{dataset: care, section: care, rhythm: monthly}]\n");
}
