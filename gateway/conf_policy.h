/* conf_policy: the identity files as a policy. Thread: main's. */
#ifndef EG_CONF_POLICY_H
#define EG_CONF_POLICY_H

#include "trust/policy.h"

/* Reads every *.yaml of the directory, in name order (a missing directory is an empty one). topic_fields:
 * names of view fields that the Kafka topics may carry. The version is 48 bits of a digest of what the policy
 * says: the same policy has the same version after any restart. */
enum eg_rc eg_conf_policy_load(const char *dir, const unsigned *topic_fields, unsigned n_topic_fields,
                               const struct eg_policy **out, struct eg_err *err);

#endif
