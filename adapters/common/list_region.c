/* list_region: see list_region.h. */
#include "common/list_region.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name[] = "list.region"; /* "REVISION REGION" */

void eg_list_region_read(struct eg_list_region *r)
{
	char text[EG_LIST_REGION_MAX + 16], *region;
	struct eg_bytes v = eg_checkpoint_get(r->checkpoint, name);
	*r->only = 0;
	if (!v.len || v.len >= sizeof text)
		return;
	memcpy(text, v.p, v.len);
	text[v.len] = 0;
	if (strtoull(text, &region, 10) == r->revision && *region == ' ')
		snprintf(r->only, sizeof r->only, "%.*s", EG_LIST_REGION_MAX - 1, region + 1);
}

/* The regions of a list, separated by commas; false: too long. */
static bool regions_of(const struct eg_in *list, char out[EG_LIST_REGION_MAX])
{
	size_t len = 0;
	*out = 0;
	for (unsigned i = 0; i < list->list.n_regions && len < EG_LIST_REGION_MAX; i++)
		len += (size_t)snprintf(out + len, EG_LIST_REGION_MAX - len, "%s%s", i ? "," : "",
		                        list->list.regions[i]);
	return len < EG_LIST_REGION_MAX;
}

enum eg_rc eg_list_region_begin(struct eg_list_region *r, const struct eg_in *list, struct eg_err *err)
{
	char region[EG_LIST_REGION_MAX], text[EG_LIST_REGION_MAX + 16];
	bool fits = regions_of(list, region);
	if (fits && (!*region || strcmp(region, r->only) == 0))
		return EG_OK;
	if (!fits || *r->only)
		return eg_fail(
		        err, EG_EXISTS,
		        "records of this dataset have no region, and its full lists are those of region "
		        "%s: one of another would withdraw them",
		        r->only);
	snprintf(text, sizeof text, "%" PRIu32 " %s", r->revision, region);
	enum eg_rc rc = eg_checkpoint_put(r->checkpoint, name, eg_bytes_of(text), err);
	if (!rc)
		rc = eg_checkpoint_save(r->checkpoint, err);
	if (rc)
		return rc;
	memcpy(r->only, region, sizeof region);
	r->untried = true;
	return EG_OK;
}

void eg_list_region_end(struct eg_list_region *r, bool taken)
{
	if (r->untried && !taken) {
		eg_checkpoint_drop(r->checkpoint, name);
		*r->only = 0;
	}
	r->untried = false;
}
