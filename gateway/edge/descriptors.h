/* descriptors: the protocol's own description, by file name and by symbol, for reflection. Pure; built once.
 */
#ifndef EG_EDGE_DESCRIPTORS_H
#define EG_EDGE_DESCRIPTORS_H

#include "base/buf.h"
#include "eldergate/err.h"

struct eg_descriptors;

/* set: an encoded FileDescriptorSet, which must outlive it. */
enum eg_rc eg_descriptors_open(struct eg_descriptors **out, struct eg_bytes set, struct eg_err *err);
void eg_descriptors_close(struct eg_descriptors *d); /* NULL is fine */

/* Index of the file; -1: there is none. A symbol is a full name without a leading dot: of a message, an
 * enumeration or one of its values, a field, a service or a method. */
int eg_descriptors_file(const struct eg_descriptors *d, const char *name);
int eg_descriptors_symbol(const struct eg_descriptors *d, const char *symbol);
struct eg_bytes eg_descriptors_bytes(const struct eg_descriptors *d,
                                     int file); /* an encoded FileDescriptorProto */
unsigned eg_descriptors_files(const struct eg_descriptors *d);
/* The file and all that it depends on, it first: fills out (room for all files), returns how many. */
unsigned eg_descriptors_closure(const struct eg_descriptors *d, int file, int *out);

#endif
