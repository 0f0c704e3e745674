/* powervfs: a SQLite VFS for the very bottom, below everything of ours, that reports to powerdisk.
 *
 * It stands on SQLite's default VFS and passes every call to it. Thread: any. */
#ifndef EG_TEST_POWERVFS_H
#define EG_TEST_POWERVFS_H

const char *power_vfs(void); /* its name, for eg_store_options.vfs; registered when first asked for */

#endif
