/* list_region: whose full lists a dataset takes whose records have no region.
 *
 * Such a list cannot be told to cover its district alone, so it covers the dataset: the lists of two
 * districts in one inbox would withdraw each other's people. The first region that a list of the connector
 * names is the only one from then on, under this revision of the mapping; it stands in the checkpoint.
 * Thread: the agent's. */
#ifndef EG_ADAPTERS_LIST_REGION_H
#define EG_ADAPTERS_LIST_REGION_H

#include "eldergate/connector.h"

enum { EG_LIST_REGION_MAX = 200 };

struct eg_list_region {
	struct eg_checkpoint *checkpoint; /* set by the owner */
	uint32_t revision;
	char only[EG_LIST_REGION_MAX]; /* "": any still */
	bool untried;                  /* no list of it was taken yet */
};

void eg_list_region_read(struct eg_list_region *r);
/* EG_OK: the list is of the only region, which is saved if it is the first, or names none. EG_EXISTS: of
 * another one. */
enum eg_rc eg_list_region_begin(struct eg_list_region *r, const struct eg_in *list, struct eg_err *err);
/* What became of the list that was begun last: the region of a first one that was refused is none. */
void eg_list_region_end(struct eg_list_region *r, bool taken);

#endif
