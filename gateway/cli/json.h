/* json: protobuf messages as JSON, as protobuf's own mapping has it, with the field names of the .proto
 * files.
 *
 * 64-bit numbers are strings, bytes base64, instants RFC 3339, enumerations names; what is unset is left out.
 * Pure. */
#ifndef EG_CLI_JSON_H
#define EG_CLI_JSON_H

#include "base/buf.h"

#include <protobuf-c/protobuf-c.h>

void json_message(struct eg_buf *out, const ProtobufCMessage *m);
/* The name of an enumeration's value without the enumeration's prefix: "SUSPECTED_DECEASED". A value that
 * this version does not know is its number. out is returned. */
const char *enum_short(const ProtobufCEnumDescriptor *d, int value, char out[64]);

#endif
