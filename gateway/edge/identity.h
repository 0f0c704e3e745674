/* identity: who a call is from, as the policy knows them: by the pin of the certificate, the CURVE key or the
 * local user.
 *
 * Nothing is read from metadata. Thread: any. */
#ifndef EG_EDGE_IDENTITY_H
#define EG_EDGE_IDENTITY_H

#include "edge/call.h"
#include "edge/status.h"
#include "trust/policy.h"

struct eg_caller {
	const struct eg_policy *policy;     /* a reference; owned */
	const struct eg_identity_rule *who; /* of that policy; NULL: not known */
	enum eg_peer_kind kind;
	uint8_t pin[EG_HASH_SIZE];
	uint32_t uid;
	uint8_t curve[EG_CURVE_SIZE];
};

/* EG_UNAUTHENTICATED: the policy knows no such identity; EG_NO_MEMORY: who it is could not be read. The
 * caller is then not opened. */
enum eg_rc eg_caller_open(struct eg_caller *out, struct eg_call *call, const struct eg_policy *policy,
                          struct eg_fault *f);
/* Who has this CURVE key; as eg_caller_open. */
enum eg_rc eg_caller_of_curve(struct eg_caller *out, const uint8_t curve[EG_CURVE_SIZE],
                              const struct eg_policy *policy, struct eg_fault *f);
/* The same peer under another policy. EG_UNAUTHENTICATED: it is gone, or has another name; the caller stays
 * as it was. */
enum eg_rc eg_caller_renew(struct eg_caller *c, const struct eg_policy *policy, struct eg_fault *f);
void eg_caller_close(struct eg_caller *c);

enum eg_rc eg_caller_role(const struct eg_caller *c, unsigned roles, struct eg_fault *f); /* EG_DENIED */
/* The grant for a purpose. EG_DENIED: PURPOSE_NOT_PERMITTED or GRANT_EXPIRED. */
enum eg_rc eg_caller_purpose(const struct eg_caller *c, const char *code, const struct eg_purpose_rule **out,
                             struct eg_fault *f);

#endif
