/* policy: see policy.h. One arena holds the copy, its four orders for look-ups, and the count of references.
 */
#include "trust/policy.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROLES = EG_ROLE_AGENCY | EG_ROLE_SUBSCRIBER | EG_ROLE_OPERATOR | EG_ROLE_AUDITOR | EG_ROLE_ADMIN,
	BUDGET = 1 << 30
};

struct owned {
	struct eg_policy policy; /* what the callers see */
	struct eg_arena *arena;  /* holds all of this */
	atomic_uint refs;
	unsigned n_pins, n_curves, n_uids;
	const struct eg_identity_rule **by_name, **by_pin, **by_curve, **by_uid; /* ascending */
};

static struct owned *owned_of(const struct eg_policy *p)
{
	return (struct owned *)((uintptr_t)p - offsetof(struct owned, policy));
}

/* ---- checks ---- */

static bool is_name(const char name[EG_NAME_MAX])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	if (!memchr(name, 0, EG_NAME_MAX) || !*name || strchr("._-", *name))
		return false;
	return !name[strspn(name, letters)];
}

static bool is_view_field(unsigned field)
{
	char name[80];
	return *eg_view_field_name(field, name) != 0;
}

static enum eg_rc check_datasets(const struct eg_identity_rule *who, struct eg_err *err)
{
	for (unsigned i = 0; i < who->n_datasets; i++) {
		const struct eg_dataset_rule *d = &who->datasets[i];
		if (!is_name(d->name))
			return eg_fail(err, EG_CONFIG, "identity '%s': dataset %u has no valid name",
			               who->name, i + 1);
		if (d->section < EG_REGISTRATION || d->section >= EG_SECTION_END)
			return eg_fail(err, EG_CONFIG, "identity '%s': dataset '%s' has no section",
			               who->name, d->name);
		if (d->rhythm_s < 0)
			return eg_fail(err, EG_CONFIG, "identity '%s': dataset '%s' has a negative rhythm",
			               who->name, d->name);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(d->name, who->datasets[k].name) == 0)
				return eg_fail(err, EG_CONFIG, "identity '%s': dataset '%s' comes twice",
				               who->name, d->name);
	}
	return EG_OK;
}

static enum eg_rc check_purposes(const struct eg_identity_rule *who, struct eg_err *err)
{
	for (unsigned i = 0; i < who->n_purposes; i++) {
		const struct eg_purpose_rule *p = &who->purposes[i];
		if (!is_name(p->code))
			return eg_fail(err, EG_CONFIG, "identity '%s': purpose %u has no valid code",
			               who->name, i + 1);
		if (!*p->legal_basis || !memchr(p->legal_basis, 0, sizeof p->legal_basis))
			return eg_fail(err, EG_CONFIG, "identity '%s': purpose '%s' has no legal basis",
			               who->name, p->code);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(p->code, who->purposes[k].code) == 0)
				return eg_fail(err, EG_CONFIG, "identity '%s': purpose '%s' comes twice",
				               who->name, p->code);
		for (unsigned k = 0; k < p->n_fields; k++)
			if (!is_view_field(p->fields[k]))
				return eg_fail(
				        err, EG_CONFIG,
				        "identity '%s': purpose '%s' names a field that does not exist (%u)",
				        who->name, p->code, p->fields[k]);
	}
	return EG_OK;
}

static enum eg_rc check_identity(const struct eg_identity_rule *who, unsigned at, struct eg_err *err)
{
	if (!is_name(who->name))
		return eg_fail(err, EG_CONFIG, "identity %u has no valid name", at + 1);
	if (!who->roles || who->roles & ~(unsigned)ROLES)
		return eg_fail(err, EG_CONFIG, "identity '%s' has no role, or an unknown one", who->name);
	if (!who->has_pin && !who->has_curve && !who->has_uid)
		return eg_fail(err, EG_CONFIG,
		               "identity '%s' has no pin, no curve and no uid: nobody could be it",
		               who->name);
	if (who->n_datasets && !(who->roles & EG_ROLE_AGENCY))
		return eg_fail(err, EG_CONFIG, "identity '%s' may submit datasets, but is no agency",
		               who->name);
	enum eg_rc rc = check_datasets(who, err);
	return rc ? rc : check_purposes(who, err);
}

static enum eg_rc check_topic(const struct eg_policy *p, struct eg_err *err)
{
	char name[80];
	for (unsigned i = 0; i < p->n_topic_fields; i++) {
		unsigned f = p->topic_fields[i];
		if (!is_view_field(f))
			return eg_fail(err, EG_CONFIG,
			               "the topics' scope names a field that does not exist (%u)", f);
		if (!(eg_view_field_flags(f) & EG_F_PLAIN))
			return eg_fail(err, EG_CONFIG,
			               "the topics may carry only life status and plain codes, not %s",
			               eg_view_field_name(f, name));
	}
	return EG_OK;
}

/* ---- copying ---- */

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

/* Ascending, each once. */
static unsigned *copy_fields(struct eg_arena *a, const unsigned *fields, unsigned *n)
{
	unsigned *to = eg_arena_alloc(a, (*n + (size_t)1) * sizeof *to), kept = 0;
	if (!to)
		return NULL;
	if (*n) {
		memcpy(to, fields, *n * sizeof *to);
		qsort(to, *n, sizeof *to, by_number);
	}
	for (unsigned i = 0; i < *n; i++)
		if (!kept || to[kept - 1] != to[i])
			to[kept++] = to[i];
	*n = kept;
	return to;
}

static void *copy_array(struct eg_arena *a, const void *from, size_t n, size_t size)
{
	void *to = eg_arena_alloc(a, (n ? n : 1) * size);
	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

static bool copy_identity(struct eg_arena *a, struct eg_identity_rule *who)
{
	who->datasets = copy_array(a, who->datasets, who->n_datasets, sizeof *who->datasets);
	who->purposes = copy_array(a, who->purposes, who->n_purposes, sizeof *who->purposes);
	bool ok = who->datasets && who->purposes;
	for (unsigned i = 0; ok && i < who->n_purposes; i++) {
		struct eg_purpose_rule *p = &who->purposes[i];
		ok = (p->fields = copy_fields(a, p->fields, &p->n_fields)) != NULL;
	}
	return ok;
}

/* ---- the four orders ---- */

static int name_order(const void *a, const void *b)
{
	const struct eg_identity_rule *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static int pin_order(const void *a, const void *b)
{
	const struct eg_identity_rule *const *x = a, *const *y = b;
	return memcmp((*x)->pin, (*y)->pin, EG_HASH_SIZE);
}

static int curve_order(const void *a, const void *b)
{
	const struct eg_identity_rule *const *x = a, *const *y = b;
	return memcmp((*x)->curve, (*y)->curve, EG_CURVE_SIZE);
}

static int uid_order(const void *a, const void *b)
{
	const struct eg_identity_rule *const *x = a, *const *y = b;
	return (*x)->uid < (*y)->uid ? -1 : (*x)->uid > (*y)->uid;
}

static enum eg_rc sort_unique(const struct eg_identity_rule **v, unsigned n,
                              int (*order)(const void *, const void *), const char *what, struct eg_err *err)
{
	if (n)
		qsort(v, n, sizeof *v, order);
	for (unsigned i = 1; i < n; i++)
		if (order(&v[i - 1], &v[i]) == 0)
			return eg_fail(err, EG_CONFIG, "identities '%s' and '%s' have the same %s",
			               v[i - 1]->name, v[i]->name, what);
	return EG_OK;
}

static enum eg_rc fill(struct owned *o, const struct eg_policy *p, struct eg_err *err)
{
	struct eg_policy *q = &o->policy;
	size_t slots = ((size_t)p->n + 1) * sizeof(void *);
	*q = *p;
	q->identities = copy_array(o->arena, p->identities, p->n, sizeof *p->identities);
	q->topic_fields = copy_fields(o->arena, p->topic_fields, &q->n_topic_fields);
	o->by_name = eg_arena_alloc(o->arena, slots);
	o->by_pin = eg_arena_alloc(o->arena, slots);
	o->by_curve = eg_arena_alloc(o->arena, slots);
	o->by_uid = eg_arena_alloc(o->arena, slots);
	bool ok = q->identities && q->topic_fields && o->by_name && o->by_pin && o->by_curve && o->by_uid;
	for (unsigned i = 0; i < q->n && ok; i++) {
		struct eg_identity_rule *who = &q->identities[i];
		ok = copy_identity(o->arena, who);
		o->by_name[i] = who;
		if (who->has_pin)
			o->by_pin[o->n_pins++] = who;
		if (who->has_curve)
			o->by_curve[o->n_curves++] = who;
		if (who->has_uid)
			o->by_uid[o->n_uids++] = who;
	}
	if (!ok)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the policy");
	enum eg_rc rc = sort_unique(o->by_name, q->n, name_order, "name", err);
	if (!rc)
		rc = sort_unique(o->by_pin, o->n_pins, pin_order, "pin", err);
	if (!rc)
		rc = sort_unique(o->by_curve, o->n_curves, curve_order, "curve", err);
	return rc ? rc : sort_unique(o->by_uid, o->n_uids, uid_order, "uid", err);
}

enum eg_rc eg_policy_new(const struct eg_policy *p, const struct eg_policy **out, struct eg_err *err)
{
	enum eg_rc rc = check_topic(p, err);
	for (unsigned i = 0; i < p->n && !rc; i++)
		rc = check_identity(&p->identities[i], i, err);
	if (rc)
		return rc;
	struct eg_arena *arena = eg_arena_new(BUDGET);
	struct owned *o = arena ? eg_arena_alloc(arena, sizeof *o) : NULL;
	if (!o) {
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the policy");
		goto failed;
	}
	o->arena = arena;
	atomic_init(&o->refs, 1);
	rc = fill(o, p, err);
	if (rc)
		goto failed;
	*out = &o->policy;
	return EG_OK;
failed:
	eg_arena_free(arena);
	return rc;
}

const struct eg_policy *eg_policy_ref(const struct eg_policy *p)
{
	if (p)
		atomic_fetch_add_explicit(&owned_of(p)->refs, 1, memory_order_relaxed);
	return p;
}

void eg_policy_unref(const struct eg_policy *p)
{
	if (p && atomic_fetch_sub_explicit(&owned_of(p)->refs, 1, memory_order_acq_rel) == 1)
		eg_arena_free(owned_of(p)->arena);
}

/* ---- looking up ---- */

static const struct eg_identity_rule *find(const struct eg_identity_rule *const *v, unsigned n,
                                           const struct eg_identity_rule *key,
                                           int (*order)(const void *, const void *))
{
	const struct eg_identity_rule *const *found = n ? bsearch(&key, v, n, sizeof *v, order) : NULL;
	return found ? *found : NULL;
}

const struct eg_identity_rule *eg_policy_by_pin(const struct eg_policy *p, const uint8_t pin[EG_HASH_SIZE])
{
	const struct owned *o = owned_of(p);
	struct eg_identity_rule key = {0};
	memcpy(key.pin, pin, EG_HASH_SIZE);
	return find(o->by_pin, o->n_pins, &key, pin_order);
}

const struct eg_identity_rule *eg_policy_by_curve(const struct eg_policy *p,
                                                  const uint8_t curve[EG_CURVE_SIZE])
{
	const struct owned *o = owned_of(p);
	struct eg_identity_rule key = {0};
	memcpy(key.curve, curve, EG_CURVE_SIZE);
	return find(o->by_curve, o->n_curves, &key, curve_order);
}

const struct eg_identity_rule *eg_policy_by_uid(const struct eg_policy *p, uint32_t uid)
{
	const struct owned *o = owned_of(p);
	return find(o->by_uid, o->n_uids, &(struct eg_identity_rule){.uid = uid}, uid_order);
}

const struct eg_identity_rule *eg_policy_by_name(const struct eg_policy *p, const char *name)
{
	struct eg_identity_rule key = {0};
	size_t len = strlen(name);
	if (len >= sizeof key.name)
		return NULL;
	memcpy(key.name, name, len);
	return find(owned_of(p)->by_name, p->n, &key, name_order);
}

const struct eg_dataset_rule *eg_policy_dataset(const struct eg_identity_rule *who, struct eg_bytes dataset)
{
	for (unsigned i = 0; i < who->n_datasets; i++)
		if (eg_bytes_equal(eg_bytes_of(who->datasets[i].name), dataset))
			return &who->datasets[i];
	return NULL;
}

const struct eg_purpose_rule *eg_policy_purpose(const struct eg_identity_rule *who, const char *code,
                                                int64_t now_us)
{
	for (unsigned i = 0; i < who->n_purposes; i++) {
		const struct eg_purpose_rule *p = &who->purposes[i];
		if (strcmp(p->code, code) == 0)
			return !p->until_us || now_us < p->until_us ? p : NULL;
	}
	return NULL;
}

bool eg_purpose_has(const struct eg_purpose_rule *p, unsigned view_field)
{
	if (view_field == EG_VIEW_LIFE)
		return true;
	return p->n_fields && bsearch(&view_field, p->fields, p->n_fields, sizeof *p->fields, by_number);
}
