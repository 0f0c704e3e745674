/* mapping: the mapping file of one site, read, checked whole, and never changed afterwards.
 *
 * It says which gateway and which dataset, where rows come from, which of their columns is which field, and
 * what goes back to the agency (adapters/MAPPING.md). Nothing here touches the source. Thread: any, once it
 * is loaded; one mapper (mapper.h) per thread. */
#ifndef EG_ADAPTERS_MAPPING_H
#define EG_ADAPTERS_MAPPING_H

#include "common/complaints.h"
#include "eldergate/connector.h"
#include "model/record.h"

struct eg_mapping;

/* connectors ends with NULL. EG_CONFIG with the first fault; c (may be NULL) gets up to EG_COMPLAINTS_MAX. */
enum eg_rc eg_mapping_load(struct eg_mapping **out, const char *path,
                           const struct eg_connector_type *const *connectors, struct eg_complaints *c,
                           struct eg_err *err);
/* The same from a text; path stands for it in complaints and is where relative paths begin. */
enum eg_rc eg_mapping_parse(struct eg_mapping **out, const char *path, struct eg_bytes text,
                            const struct eg_connector_type *const *connectors, struct eg_complaints *c,
                            struct eg_err *err);
void eg_mapping_free(struct eg_mapping *m); /* NULL is fine */

/* What the agent needs to know; texts live as long as the mapping. Relative paths have been joined to the
 * folder of the mapping file. */
struct eg_mapping_info {
	const char *path, *agency, *dataset;
	enum eg_section section;
	uint32_t revision;
	const char *gateway_address, *gateway_server_key, *gateway_key_file; /* as struct eg_link_options */
	int64_t heartbeat_us;                                                /* 0: the link's preset */
	const char *state_dir;                                               /* of the checkpoint */
	const struct eg_connector_type *connector;
	const struct eg_settings *source;
	const struct eg_settings *agent; /* of eg_limits_defs */
	bool has_outbound;
};
const struct eg_mapping_info *eg_mapping_info(const struct eg_mapping *m);

/* What `outbound` says; only if has_outbound. */
struct eg_mapping_outbound {
	const char *purpose;
	const struct eg_connector_type *connector;
	const struct eg_settings *target;
	/* The filter of SubscribeRequest. */
	unsigned n_kinds;
	const int *kinds; /* numbers of ChangeKind */
	unsigned n_changed_fields;
	const char *const *changed_fields; /* "life_status" where `life` was given */
	unsigned n_regions;
	const char *const *regions;
	bool snapshot; /* a first start begins with the persons that are there already */
	unsigned n_columns;
	const char *const *columns; /* names of the target's columns */
	unsigned n_fields;
	const char *const
	        *fields; /* that the columns show: for GetElder, where an event did not change them */
};
const struct eg_mapping_outbound *eg_mapping_outbound(const struct eg_mapping *m);

#endif
