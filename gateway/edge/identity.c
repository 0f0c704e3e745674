/* identity: see identity.h. Pins of certificates seen lately are remembered: taking one costs more than a
 * look-up. */
#include "edge/identity.h"

#include "base/clock.h"

#include <pthread.h>
#include <string.h>

enum { SLOTS = 256, PEM_MAX = 8192 };

static struct slot {
	struct eg_buf pem;
	uint8_t pin[EG_HASH_SIZE];
} slots[SLOTS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned slot_of(struct eg_bytes pem)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < pem.len; i++)
		h = (h ^ pem.p[i]) * 16777619u;
	return h % SLOTS;
}

static enum eg_rc pin_of(struct eg_bytes pem, uint8_t pin[EG_HASH_SIZE], struct eg_err *err)
{
	struct slot *s = &slots[slot_of(pem)];
	bool known;
	pthread_mutex_lock(&slots_lock);
	known = s->pem.len && eg_bytes_equal(eg_buf_bytes(&s->pem), pem);
	if (known)
		memcpy(pin, s->pin, EG_HASH_SIZE);
	pthread_mutex_unlock(&slots_lock);
	if (known)
		return EG_OK;
	enum eg_rc rc = eg_spki_pin(pem, pin, err);
	if (rc || pem.len > PEM_MAX)
		return rc;
	pthread_mutex_lock(&slots_lock);
	eg_buf_reset(&s->pem);
	eg_buf_add(&s->pem, pem.p, pem.len);
	if (s->pem.failed)
		eg_buf_reset(&s->pem);
	memcpy(s->pin, pin, EG_HASH_SIZE);
	pthread_mutex_unlock(&slots_lock);
	return EG_OK;
}

static const struct eg_identity_rule *find(const struct eg_caller *c, const struct eg_policy *policy)
{
	if (c->kind == EG_PEER_CERTIFICATE)
		return eg_policy_by_pin(policy, c->pin);
	if (c->kind == EG_PEER_CURVE)
		return eg_policy_by_curve(policy, c->curve);
	return c->kind == EG_PEER_LOCAL ? eg_policy_by_uid(policy, c->uid) : NULL;
}

static enum eg_rc unknown(const struct eg_caller *c, struct eg_fault *f)
{
	return eg_refuse(f, EG_UNAUTHENTICATED, EG_REASON_IDENTITY_UNKNOWN, "", "%s is not registered: %s",
	                 c->kind == EG_PEER_LOCAL   ? "this local user"
	                 : c->kind == EG_PEER_CURVE ? "this CURVE key"
	                                            : "this client certificate",
	                 "ask the operator to register its identity");
}

static enum eg_rc settle(struct eg_caller *c, enum eg_rc rc, const struct eg_policy *policy,
                         struct eg_fault *f)
{
	c->who = rc ? NULL : find(c, policy);
	if (!c->who)
		return unknown(c, f);
	c->policy = eg_policy_ref(policy);
	return EG_OK;
}

enum eg_rc eg_caller_open(struct eg_caller *out, struct eg_call *call, const struct eg_policy *policy,
                          struct eg_fault *f)
{
	struct eg_peer peer;
	eg_call_peer(call, &peer);
	*out = (struct eg_caller){.kind = peer.kind, .uid = peer.uid};
	memcpy(out->curve, peer.curve, sizeof out->curve);
	enum eg_rc rc = EG_OK;
	bool unread = peer.pem.failed; /* that says nothing of who it is */
	if (peer.kind == EG_PEER_CERTIFICATE && !unread)
		rc = pin_of(eg_buf_bytes(&peer.pem), out->pin, NULL);
	eg_peer_free(&peer);
	return unread ? eg_refuse(f, EG_NO_MEMORY, 0, "", "no memory to read a certificate")
	              : settle(out, rc, policy, f);
}

enum eg_rc eg_caller_of_curve(struct eg_caller *out, const uint8_t curve[EG_CURVE_SIZE],
                              const struct eg_policy *policy, struct eg_fault *f)
{
	*out = (struct eg_caller){.kind = EG_PEER_CURVE};
	memcpy(out->curve, curve, sizeof out->curve);
	return settle(out, EG_OK, policy, f);
}

enum eg_rc eg_caller_renew(struct eg_caller *c, const struct eg_policy *policy, struct eg_fault *f)
{
	const struct eg_identity_rule *who;
	if (policy == c->policy)
		return EG_OK;
	if (!(who = find(c, policy)))
		return unknown(c, f);
	if (strcmp(who->name, c->who->name) != 0) /* what is under way is the other's */
		return eg_refuse(f, EG_UNAUTHENTICATED, EG_REASON_IDENTITY_MOVED, "",
		                 "the call was begun by an identity that has this key no more");
	const struct eg_policy *old = c->policy;
	c->policy = eg_policy_ref(policy);
	c->who = who;
	eg_policy_unref(old);
	return EG_OK;
}

void eg_caller_close(struct eg_caller *c)
{
	if (c->policy)
		eg_policy_unref(c->policy);
	c->policy = NULL;
	c->who = NULL;
}

enum eg_rc eg_caller_role(const struct eg_caller *c, unsigned roles, struct eg_fault *f)
{
	if (c->who->roles & roles)
		return EG_OK;
	return eg_refuse(f, EG_DENIED, EG_REASON_METHOD_NOT_PERMITTED, "", "%s may not call this method",
	                 c->who->name);
}

enum eg_rc eg_caller_purpose(const struct eg_caller *c, const char *code, const struct eg_purpose_rule **out,
                             struct eg_fault *f)
{
	*out = eg_policy_purpose(c->who, code, eg_now_us());
	if (*out)
		return EG_OK;
	for (unsigned i = 0; i < c->who->n_purposes; i++)
		if (strcmp(c->who->purposes[i].code, code) == 0)
			return eg_refuse(f, EG_DENIED, EG_REASON_GRANT_EXPIRED, "purpose",
			                 "the grant has ended");
	return eg_refuse(f, EG_DENIED, EG_REASON_PURPOSE_NOT_PERMITTED, "purpose",
	                 "%s has no grant for this purpose", c->who->name);
}
