/* conf_policy: identity files (*.yaml), one agency, subscriber or operator each, become the policy.
 *
 *   name: police-wenzhou
 *   roles: [agency]                    # agency, subscriber, operator, auditor, admin
 *   pin: sha256:9f86d0...              # SPKI pin of its client certificate; several files never share one
 *   curve: "rq:rM>}U?@Lns47E..."       # or: public CURVE key on the bus, 40 characters of Z85
 *   uid: 1000                          # or: a local user, over the Unix socket; any of the three, or all
 *   records_per_second: 0              # 0: no limit
 *   submit:
 *     - {dataset: registration, section: registration, rhythm: daily}
 *   read:
 *     - purpose: subsidy-check
 *       legal_basis: "..."
 *       until: 2030-01-01              # optional
 *       fields: [registration.name]    # life status is always given
 *       entries: true                  # an auditor may open log entries, whole
 */
#include "conf_policy.h"

#include "base/arena.h"
#include "base/parse.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IDENTITIES = 10000, MAX_LIST = 1000, ARENA_BYTES = 64 << 20 };

struct reader {
	struct eg_yaml *y;
	struct eg_arena *arena;
	struct eg_err *err;
};

#define FAIL(node, ...) eg_yaml_fail(r->y, (node), r->err, __VA_ARGS__)

static enum eg_rc name_of(struct reader *r, const struct eg_yaml_node *node, const char *what,
                          char out[EG_NAME_MAX])
{
	const char *text = eg_yaml_text(r->y, node, what, r->err);
	if (!text)
		return EG_CONFIG;
	size_t len = strlen(text), good = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");
	if (!len || len >= EG_NAME_MAX || good != len || strchr("._-", text[0]))
		return FAIL(node, "%s must be 1 to %d of a-z 0-9 . _ - and begin with a letter or digit",
		            what, EG_NAME_MAX - 1);
	memcpy(out, text, len + 1);
	return EG_OK;
}

/* Calls each for every item of a sequence. */
static enum eg_rc each_item(struct reader *r, const struct eg_yaml_node *seq, const char *what, unsigned *n,
                            enum eg_rc (*each)(struct reader *, const struct eg_yaml_node *, void *,
                                               unsigned),
                            void *arg)
{
	if (seq->kind != EG_YAML_LIST)
		return FAIL(seq, "%s must be a list", what);
	*n = 0;
	for (unsigned i = 0; i < seq->n; i++) {
		if (*n == MAX_LIST)
			return FAIL(seq, "%s has more than %d items", what, MAX_LIST);
		enum eg_rc rc = each(r, seq->values[i], arg, (*n)++);
		if (rc)
			return rc;
	}
	return EG_OK;
}

static unsigned count(const struct eg_yaml_node *seq)
{
	return seq->kind == EG_YAML_LIST ? seq->n : 0;
}

static enum eg_rc each_key(struct reader *r, const struct eg_yaml_node *map, const char *what,
                           enum eg_rc (*each)(struct reader *, const char *, const struct eg_yaml_node *,
                                              const struct eg_yaml_node *, void *),
                           void *arg)
{
	if (map->kind != EG_YAML_MAP)
		return FAIL(map, "%s must be a mapping of keys to values", what);
	for (unsigned i = 0; i < map->n; i++) {
		enum eg_rc rc = each(r, map->keys[i]->text, map->keys[i], map->values[i], arg);
		if (rc)
			return rc;
	}
	return EG_OK;
}

static enum eg_rc role(struct reader *r, const struct eg_yaml_node *node, void *arg, unsigned i)
{
	static const struct {
		const char *name;
		enum eg_role role;
	} roles[] = {{"agency", EG_ROLE_AGENCY},
	             {"subscriber", EG_ROLE_SUBSCRIBER},
	             {"operator", EG_ROLE_OPERATOR},
	             {"auditor", EG_ROLE_AUDITOR},
	             {"admin", EG_ROLE_ADMIN}};
	const char *text = eg_yaml_text(r->y, node, "a role", r->err);
	(void)i;
	if (!text)
		return EG_CONFIG;
	for (unsigned k = 0; k < sizeof roles / sizeof *roles; k++)
		if (strcmp(text, roles[k].name) == 0) {
			*(unsigned *)arg |= roles[k].role;
			return EG_OK;
		}
	return FAIL(node, "no role '%s': it is one of agency, subscriber, operator, auditor, admin", text);
}

static enum eg_rc field(struct reader *r, const struct eg_yaml_node *node, void *arg, unsigned i)
{
	const char *text = eg_yaml_text(r->y, node, "a field", r->err);
	if (!text)
		return EG_CONFIG;
	unsigned f = eg_view_field_by_name(text);
	if (!f)
		return FAIL(node, "no field '%s': fields are named section.field, such as registration.name",
		            text);
	((unsigned *)arg)[i] = f;
	return EG_OK;
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

/* In seconds, with the longest that the word can mean. 0: it is none. */
static int64_t rhythm_of(const char *text)
{
	static const struct {
		const char *word;
		int64_t days;
	} words[] = {{"daily", 1}, {"weekly", 7}, {"monthly", 31}, {"yearly", 366}};
	int64_t us;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(text, words[i].word) == 0)
			return words[i].days * 86400;
	return eg_parse_time(text, &us) ? us / EG_SECOND : 0;
}

static enum eg_rc dataset_key(struct reader *r, const char *key, const struct eg_yaml_node *at,
                              const struct eg_yaml_node *v, void *arg)
{
	struct eg_dataset_rule *d = arg;
	if (strcmp(key, "dataset") == 0)
		return name_of(r, v, "dataset", d->name);
	const char *text = eg_yaml_text(r->y, v, key, r->err);
	int64_t n;
	if (!text)
		return EG_CONFIG;
	if (strcmp(key, "section") == 0) {
		d->section = eg_section_by_name(text);
		return d->section
		               ? EG_OK
		               : FAIL(v, "no section '%s': it is registration, assistance, funeral or care",
		                      text);
	}
	if (strcmp(key, "rhythm") == 0) {
		d->rhythm_s = rhythm_of(text);
		return d->rhythm_s ? EG_OK
		                   : FAIL(v, "rhythm must be daily, weekly, monthly, yearly or a time of at "
		                             "least 1s, such as 12h");
	}
	if (strcmp(key, "deaths_first") == 0) {
		if (!eg_parse_bool(text, &n))
			return FAIL(v, "deaths_first must be true or false");
		d->deaths_first = n != 0;
		return EG_OK;
	}
	return FAIL(at, "unknown key '%s': here are dataset, section, rhythm, deaths_first", key);
}

static enum eg_rc dataset(struct reader *r, const struct eg_yaml_node *node, void *arg, unsigned i)
{
	struct eg_dataset_rule *d = (struct eg_dataset_rule *)arg + i;
	enum eg_rc rc = each_key(r, node, "an item of submit", dataset_key, d);
	if (!rc && (!d->name[0] || !d->section))
		rc = FAIL(node, "an item of submit needs dataset and section");
	return rc;
}

static enum eg_rc purpose_key(struct reader *r, const char *key, const struct eg_yaml_node *at,
                              const struct eg_yaml_node *v, void *arg)
{
	struct eg_purpose_rule *p = arg;
	enum eg_rc rc;
	if (strcmp(key, "purpose") == 0)
		return name_of(r, v, "purpose", p->code);
	if (strcmp(key, "fields") == 0) {
		p->fields = eg_arena_alloc(r->arena, (count(v) + 1) * sizeof *p->fields);
		if (!p->fields)
			return eg_fail(r->err, EG_NO_MEMORY, "out of memory for identity files");
		rc = each_item(r, v, "fields", &p->n_fields, field, p->fields);
		if (!rc)
			qsort(p->fields, p->n_fields, sizeof *p->fields, by_number);
		return rc;
	}
	const char *text = eg_yaml_text(r->y, v, key, r->err);
	int64_t yes;
	if (!text)
		return EG_CONFIG;
	if (strcmp(key, "entries") == 0) {
		if (!eg_parse_bool(text, &yes))
			return FAIL(v, "entries must be true or false");
		p->entries = yes != 0;
		return EG_OK;
	}
	if (strcmp(key, "legal_basis") == 0) {
		if (!text[0] || strlen(text) >= sizeof p->legal_basis)
			return FAIL(v, "legal_basis must have 1 to %zu bytes", sizeof p->legal_basis - 1);
		memcpy(p->legal_basis, text, strlen(text) + 1);
		return EG_OK;
	}
	if (strcmp(key, "until") == 0) {
		struct eg_date d;
		if (!eg_date_parse(text, &d) || !d.day)
			return FAIL(v, "until must be a date such as 2030-01-31; the grant ends at its end");
		/* a civil date of Asia/Shanghai, up to and including that day */
		p->until_us = ((int64_t)eg_date_days(d) + 1) * 86400 * EG_SECOND - 28800 * EG_SECOND;
		return EG_OK;
	}
	return FAIL(at, "unknown key '%s': here are purpose, legal_basis, until, fields, entries", key);
}

static enum eg_rc purpose(struct reader *r, const struct eg_yaml_node *node, void *arg, unsigned i)
{
	struct eg_purpose_rule *p = (struct eg_purpose_rule *)arg + i;
	enum eg_rc rc = each_key(r, node, "an item of read", purpose_key, p);
	if (!rc && (!p->code[0] || !p->legal_basis[0]))
		rc = FAIL(node, "an item of read needs purpose and legal_basis");
	return rc;
}

static enum eg_rc identity_key(struct reader *r, const char *key, const struct eg_yaml_node *at,
                               const struct eg_yaml_node *v, void *arg)
{
	struct eg_identity_rule *id = arg;
	const char *text;
	int64_t n;
	if (strcmp(key, "name") == 0)
		return name_of(r, v, "name", id->name);
	if (strcmp(key, "roles") == 0) {
		unsigned ignored;
		return each_item(r, v, "roles", &ignored, role, &id->roles);
	}
	if (strcmp(key, "submit") == 0) {
		id->datasets = eg_arena_alloc(r->arena, (count(v) + 1) * sizeof *id->datasets);
		return id->datasets ? each_item(r, v, "submit", &id->n_datasets, dataset, id->datasets)
		                    : eg_fail(r->err, EG_NO_MEMORY, "out of memory for identity files");
	}
	if (strcmp(key, "read") == 0) {
		id->purposes = eg_arena_alloc(r->arena, (count(v) + 1) * sizeof *id->purposes);
		return id->purposes ? each_item(r, v, "read", &id->n_purposes, purpose, id->purposes)
		                    : eg_fail(r->err, EG_NO_MEMORY, "out of memory for identity files");
	}
	if (!(text = eg_yaml_text(r->y, v, key, r->err)))
		return EG_CONFIG;
	if (strcmp(key, "pin") == 0) {
		if (strncmp(text, "sha256:", 7) != 0 || strlen(text) != 7 + 2 * EG_HASH_SIZE ||
		    !eg_unhex(text + 7, id->pin, EG_HASH_SIZE))
			return FAIL(v, "pin must be sha256: and 64 hexadecimal digits");
		id->has_pin = true;
		return EG_OK;
	}
	if (strcmp(key, "curve") == 0) {
		if (!eg_curve_parse(text, id->curve))
			return FAIL(v,
			            "curve must be a public key of 40 characters, as `eldergate agency add` "
			            "writes it; quote it");
		id->has_curve = true;
		return EG_OK;
	}
	if (strcmp(key, "uid") == 0) {
		if (!eg_parse_int(text, &n) || n < 0 || n > UINT32_MAX)
			return FAIL(v, "uid must be a number of a local user");
		id->uid = (uint32_t)n;
		id->has_uid = true;
		return EG_OK;
	}
	if (strcmp(key, "records_per_second") == 0) {
		if (!eg_parse_int(text, &n) || n < 0 || n > 10000000)
			return FAIL(v, "records_per_second must be 0 to 10000000");
		id->records_per_second = (uint32_t)n;
		return EG_OK;
	}
	return FAIL(at,
	            "unknown key '%s': here are name, roles, pin, curve, uid, records_per_second, submit, "
	            "read",
	            key);
}

static enum eg_rc identity(struct eg_arena *arena, const char *path, struct eg_identity_rule *id,
                           struct eg_err *err)
{
	struct reader r = {.arena = arena, .err = err};
	enum eg_rc rc = eg_yaml_open(&r.y, path, err);
	if (rc)
		return rc;
	const struct eg_yaml_node *root = eg_yaml_root(r.y);
	if (!root)
		rc = eg_yaml_fail(r.y, NULL, err, "the file is empty");
	else
		rc = each_key(&r, root, "an identity", identity_key, id);
	if (!rc && (!id->name[0] || !id->roles))
		rc = eg_yaml_fail(r.y, root, err, "an identity needs name and roles");
	if (!rc && !id->has_pin && !id->has_curve && !id->has_uid)
		rc = eg_yaml_fail(r.y, root, err, "an identity needs a pin, a curve or a uid");
	eg_yaml_close(r.y);
	return rc;
}

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);
	return e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static void digest_identity(struct eg_buf *b, const struct eg_identity_rule *id)
{
	char pin[2 * EG_HASH_SIZE + 1] = "";
	if (id->has_pin)
		eg_hex(id->pin, EG_HASH_SIZE, pin);
	eg_buf_printf(b, "%s %x %s %d %u %u\n", id->name, id->roles, pin, id->has_uid, id->uid,
	              id->records_per_second);
	if (id->has_curve) {
		eg_hex(id->curve, EG_CURVE_SIZE, pin);
		eg_buf_printf(b, "=%s\n", pin);
	}
	for (unsigned i = 0; i < id->n_datasets; i++) {
		const struct eg_dataset_rule *d = &id->datasets[i];
		eg_buf_printf(b, "+%s %d %lld %d\n", d->name, (int)d->section, (long long)d->rhythm_s,
		              d->deaths_first);
	}
	for (unsigned i = 0; i < id->n_purposes; i++) {
		const struct eg_purpose_rule *p = &id->purposes[i];
		eg_buf_printf(b, "-%s %lld %d %s\n", p->code, (long long)p->until_us, p->entries,
		              p->legal_basis);
		for (unsigned k = 0; k < p->n_fields; k++)
			eg_buf_printf(b, " %u", p->fields[k]);
	}
}

/* What the deliveries of the log name: a number that means one policy, across restarts and reloads. */
static enum eg_rc version_of(struct eg_policy *p, struct eg_err *err)
{
	struct eg_buf b = {0};
	uint8_t hash[EG_HASH_SIZE];
	for (unsigned i = 0; i < p->n; i++)
		digest_identity(&b, &p->identities[i]);
	for (unsigned i = 0; i < p->n_topic_fields; i++)
		eg_buf_printf(&b, "*%u", p->topic_fields[i]);
	bool failed = b.failed;
	struct eg_bytes text = eg_buf_bytes(&b);
	eg_sha256(&text, 1, hash);
	eg_buf_free(&b);
	for (unsigned i = 0; i < 6; i++)
		p->version = p->version << 8 | hash[i];
	return failed ? eg_fail(err, EG_NO_MEMORY, "out of memory for identity files") : EG_OK;
}

enum eg_rc eg_conf_policy_load(const char *dir, const unsigned *topic_fields, unsigned n_topic_fields,
                               const struct eg_policy **out, struct eg_err *err)
{
	struct eg_policy p = {.n_topic_fields = n_topic_fields};
	struct dirent **files = NULL;
	enum eg_rc rc = EG_OK;
	struct eg_arena *arena = eg_arena_new(ARENA_BYTES);
	int n = scandir(dir, &files, is_yaml, alphasort);
	if (n < 0 && errno == ENOENT)
		n = 0;
	if (n < 0) {
		rc = eg_yaml_unreadable(dir, err);
		goto out;
	}
	if (n > MAX_IDENTITIES) {
		rc = eg_fail(err, EG_CONFIG, "%s: more than %d identity files", dir, MAX_IDENTITIES);
		goto out;
	}
	p.identities = arena ? eg_arena_alloc(arena, ((size_t)n + 1) * sizeof *p.identities) : NULL;
	p.topic_fields =
	        arena ? eg_arena_copy(arena, topic_fields, n_topic_fields * sizeof *topic_fields) : NULL;
	if (!p.identities || (n_topic_fields && !p.topic_fields)) {
		rc = eg_fail(err, EG_NO_MEMORY, "out of memory for identity files");
		goto out;
	}
	for (int i = 0; i < n && !rc; i++) {
		char path[1024];
		snprintf(path, sizeof path, "%s/%s", dir, files[i]->d_name);
		rc = identity(arena, path, &p.identities[p.n++], err);
	}
	if (!rc)
		rc = version_of(&p, err);
	if (!rc)
		rc = eg_policy_new(&p, out, err);
out:
	for (int i = 0; i < n; i++)
		free(files[i]);
	free(files);
	eg_arena_free(arena);
	return rc;
}
