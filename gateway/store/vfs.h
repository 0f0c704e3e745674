/* vfs: a SQLite VFS that hands a write-ahead log to the file layer in few, large writes.
 *
 * What is gathered, and why nobody can miss it: vfs.c. Thread: eg_vfs_over any; a file its connection's. */
#ifndef EG_STORE_VFS_H
#define EG_STORE_VFS_H

/* The name of ours over the VFS `below` (NULL: SQLite's default), registered when it is first asked for and
 * kept as long as the process; NULL: there is no VFS of that name, or no memory. */
const char *eg_vfs_over(const char *below);

#endif
