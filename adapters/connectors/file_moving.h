/* file_moving: the checkpoint's note of a file that is on its way out of the inbox, so that after a crash its
 * control file follows it. Left behind, that one would hold back every later file of its region.
 *
 *   PREFIX moving         u8 1: to done/, 2: to refused/; the file's name in the inbox
 *   PREFIX moving.rows    the same, of the connector that has the rows
 *   PREFIX moving.lists   of the one that has the lists
 *
 * Each writes its own alone: the other one moves files meanwhile. */
#ifndef EG_CONNECTORS_FILE_MOVING_H
#define EG_CONNECTORS_FILE_MOVING_H

#include "connectors/file_work.h"

/* Durable when it returns EG_OK; to be called before the file moves. */
enum eg_rc file_moving_begin(const struct file_place *place, const char *entry, bool refused,
                             struct eg_err *err);
/* Both are away, or stay. Durable with the next save. */
void file_moving_end(const struct file_place *place);
/* At the start: moves what is left, of its own note; with the first name too, which one that has both wrote,
 * and which both halves once shared; one that has both, of all three. */
enum eg_rc file_moving_finish(const struct file_place *place, struct eg_err *err);

#endif
