/* file_moving: see file_moving.h. */
#include "connectors/file_moving.h"

#include <stdio.h>
#include <string.h>

enum { NAME_CAP = 300, DONE = 1, REFUSED = 2 };

static void name_of(const struct file_place *place, enum eg_part part, char out[NAME_CAP])
{
	static const char *const ends[] = {
	        [EG_PART_ALL] = "", [EG_PART_ROWS] = ".rows", [EG_PART_LISTS] = ".lists"};
	snprintf(out, NAME_CAP, "%smoving%s", place->memory.prefix, ends[part]);
}

enum eg_rc file_moving_begin(const struct file_place *place, const char *entry, bool refused,
                             struct eg_err *err)
{
	char name[NAME_CAP], value[NAME_CAP];
	name_of(place, place->part, name);
	snprintf(value, sizeof value, "%c%s", refused ? REFUSED : DONE, entry);
	enum eg_rc rc = eg_checkpoint_put(place->memory.checkpoint, name, eg_bytes_of(value), err);
	return rc ? rc : eg_checkpoint_save(place->memory.checkpoint, err);
}

void file_moving_end(const struct file_place *place)
{
	char name[NAME_CAP];
	name_of(place, place->part, name);
	eg_checkpoint_drop(place->memory.checkpoint, name);
}

/* The control file of one that is away. */
static enum eg_rc follow(const struct file_place *place, const char *entry, int to, struct eg_err *err)
{
	char control[NAME_CAP], free_name[256];
	struct file_id id;
	int inbox = file_inbox_dir(place->inbox);
	snprintf(control, sizeof control, "%s%s", entry, place->rules->control);
	if (!*place->rules->control || file_stat(inbox, entry, &id, NULL) != EG_NOT_FOUND ||
	    file_stat(inbox, control, &id, NULL) == EG_NOT_FOUND)
		return EG_OK;
	enum eg_rc rc = file_free_name(to, control, free_name, err);
	return rc ? rc : file_move(inbox, control, to, free_name, err);
}

static enum eg_rc finish(const struct file_place *place, enum eg_part part, struct eg_err *err)
{
	char name[NAME_CAP], entry[256] = "";
	name_of(place, part, name);
	struct eg_bytes v = eg_checkpoint_get(place->memory.checkpoint, name);
	if (!v.len || v.len > sizeof entry)
		return EG_OK;
	memcpy(entry, v.p + 1, v.len - 1);
	enum eg_rc rc = follow(place, entry, v.p[0] == REFUSED ? place->refused : place->done, err);
	if (rc)
		return rc;
	eg_checkpoint_drop(place->memory.checkpoint, name);
	return eg_checkpoint_save(place->memory.checkpoint, err);
}

enum eg_rc file_moving_finish(const struct file_place *place, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (enum eg_part part = EG_PART_ALL; !rc && part <= EG_PART_LISTS; part++)
		if (part == EG_PART_ALL || part == place->part || place->part == EG_PART_ALL)
			rc = finish(place, part, err);
	return rc;
}
