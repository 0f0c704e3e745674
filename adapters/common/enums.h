/* enums: the names of the protocol's enumerations, as mapping files write them: without their prefix. Pure.
 */
#ifndef EG_ADAPTERS_ENUMS_H
#define EG_ADAPTERS_ENUMS_H

#include "base/buf.h"
#include "common/hint.h"
#include "model/record.h"

#include <protobuf-c/protobuf-c.h>

const ProtobufCMessageDescriptor *eg_section_type(enum eg_section section);
const ProtobufCEnumDescriptor *eg_enum_of(const struct eg_field_def *field); /* NULL: it is no enumeration */

/* Values are counted from 0; UNSPECIFIED is left out. NULL behind the last. */
const char *eg_enum_name(const ProtobufCEnumDescriptor *d, unsigned i, int *number);
/* 0: no such name. hint (may be NULL) hears of every name. */
int eg_enum_number(const ProtobufCEnumDescriptor *d, const char *name, struct eg_hint *hint);
const char *eg_enum_text(const ProtobufCEnumDescriptor *d, int number); /* "" if there is none */

#endif
