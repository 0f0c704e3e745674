/* policy: who is who, and who may send or read what; the default is nothing.
 *
 * One identity table: an SPKI pin, a CURVE key or a Unix user → a name with a role. A policy is built by main
 * from the configuration, is immutable, and is swapped whole on reload (reference counted). Pure after
 * building. Thread: any. */
#ifndef EG_TRUST_POLICY_H
#define EG_TRUST_POLICY_H

#include "eldergate/err.h"
#include "model/person.h"
#include "model/record.h"
#include "trust/crypto.h"
#include "trust/curve.h"

enum eg_role {
	EG_ROLE_AGENCY = 1,
	EG_ROLE_SUBSCRIBER = 2,
	EG_ROLE_OPERATOR = 4,
	EG_ROLE_AUDITOR = 8,
	EG_ROLE_ADMIN = 16
};

#define EG_NAME_MAX 64 /* names of agencies, subscribers, datasets, operators: [a-z0-9][a-z0-9._-]* */

struct eg_dataset_rule {
	char name[EG_NAME_MAX];
	enum eg_section section;
	int64_t rhythm_s;  /* expected at least every so many seconds; 0: not declared */
	bool deaths_first; /* its records ride the first lane */
};

/* One purpose an identity may read for: the view fields it gives, its legal basis, until when. */
struct eg_purpose_rule {
	char code[EG_NAME_MAX];
	char legal_basis[128];
	int64_t until_us; /* 0: no end */
	bool entries;     /* may open the sealed parts of log entries, whole: for auditors */
	unsigned n_fields;
	unsigned *fields; /* view fields, ascending; life status is always given */
};

struct eg_identity_rule {
	char name[EG_NAME_MAX]; /* the agency, subscriber or operator */
	unsigned roles;         /* EG_ROLE_* */
	bool has_pin;
	uint8_t pin[EG_HASH_SIZE];
	bool has_curve; /* public key on the bus */
	uint8_t curve[EG_CURVE_SIZE];
	bool has_uid; /* peer credentials of a local socket */
	uint32_t uid;
	unsigned n_datasets;
	struct eg_dataset_rule *datasets; /* what it may submit */
	unsigned n_purposes;
	struct eg_purpose_rule *purposes; /* what it may read */
	uint32_t records_per_second;      /* 0: no limit */
};

struct eg_policy {
	int64_t version;
	unsigned n;
	struct eg_identity_rule *identities;
	/* what the Kafka topics may carry beyond life status and codes: view fields, each EG_F_PLAIN */
	unsigned n_topic_fields;
	unsigned *topic_fields;
};

/* Copies deeply; checks that names, pins, keys and uids are unique and fields exist. Reference count 1. */
enum eg_rc eg_policy_new(const struct eg_policy *p, const struct eg_policy **out, struct eg_err *err);
const struct eg_policy *eg_policy_ref(const struct eg_policy *p);
void eg_policy_unref(const struct eg_policy *p);

const struct eg_identity_rule *eg_policy_by_pin(const struct eg_policy *p, const uint8_t pin[EG_HASH_SIZE]);
const struct eg_identity_rule *eg_policy_by_curve(const struct eg_policy *p,
                                                  const uint8_t curve[EG_CURVE_SIZE]);
const struct eg_identity_rule *eg_policy_by_uid(const struct eg_policy *p, uint32_t uid);
const struct eg_identity_rule *eg_policy_by_name(const struct eg_policy *p, const char *name);
const struct eg_dataset_rule *eg_policy_dataset(const struct eg_identity_rule *who, struct eg_bytes dataset);
/* NULL: not granted, or ended. */
const struct eg_purpose_rule *eg_policy_purpose(const struct eg_identity_rule *who, const char *code,
                                                int64_t now_us);
bool eg_purpose_has(const struct eg_purpose_rule *p, unsigned view_field);

#endif
