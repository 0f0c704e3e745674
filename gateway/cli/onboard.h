/* onboard: makes an identity: key and certificate from the local authority, a key for the bus, and the file
 * that says what it may do. */
#ifndef EG_CLI_ONBOARD_H
#define EG_CLI_ONBOARD_H

#include "eldergate/err.h"
#include "model/record.h"
#include "trust/curve.h"

#include <stdint.h>

enum { ONBOARD_LIST_MAX = 32, ONBOARD_PATH = 1024 };

struct onboard_dataset {
	char name[64];
	enum eg_section section;
};

struct onboard_purpose {
	char code[64];
	const char *fields; /* "registration.name,..."; "" none but life status */
};

struct onboarding {
	const char *name;       /* agency, subscriber or operator */
	const char *data;       /* the daemon's data directory; its authority is in DATA/ca */
	const char *config_dir; /* holds identities.d; NULL: data */
	const char *out;        /* of key and certificate; NULL: DATA/agencies */
	unsigned n_roles, n_datasets, n_purposes;
	const char *roles[ONBOARD_LIST_MAX];
	struct onboard_dataset datasets[ONBOARD_LIST_MAX];
	struct onboard_purpose purposes[ONBOARD_LIST_MAX];
	const char *legal_basis, *until, *rhythm; /* NULL: none */
	bool deaths_first;
	bool bus;    /* also a key for the bus */
	int64_t uid; /* of a local user instead of a certificate; -1: none */
	int days;
};

struct onboarded {
	char ca[ONBOARD_PATH], certificate[ONBOARD_PATH], key[ONBOARD_PATH], identity[ONBOARD_PATH];
	char bus_key[ONBOARD_PATH]; /* the adapter's key file */
	char server_key[EG_CURVE_TEXT + 1];
};

/* "NAME:SECTION" */
enum eg_rc onboard_read_dataset(const char *text, struct onboard_dataset *out, struct eg_err *err);
/* EG_EXISTS: the name has an identity file or certificate already; nothing is changed. */
enum eg_rc onboard(const struct onboarding *o, struct onboarded *out, struct eg_err *err);
/* The daemon's public key on the bus; its pair is made at the first time. */
enum eg_rc onboard_server_key(const char *data, char out[EG_CURVE_TEXT + 1], struct eg_err *err);
/* The daemon's own certificate: DATA/server/server.pem. names: DNS names and addresses, comma-separated. */
enum eg_rc onboard_server(const char *data, const char *out_dir, const char *names, int days,
                          struct onboarded *out, struct eg_err *err);

#endif
