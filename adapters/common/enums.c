/* enums: see enums.h. Names come from the generated descriptors, so there is no second list of them. */
#include "common/enums.h"

#include "eldergate/v1/elder.pb-c.h"

#include <string.h>

const ProtobufCMessageDescriptor *eg_section_type(enum eg_section section)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(
	        &eldergate__v1__record__descriptor, eg_section_name(section));
	return f ? f->descriptor : NULL;
}

const ProtobufCEnumDescriptor *eg_enum_of(const struct eg_field_def *field)
{
	if (field->type != EG_TYPE_ENUM)
		return NULL;
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field(eg_section_type(field->section), field->number);
	return f ? f->descriptor : NULL;
}

/* The prefix is what stands before UNSPECIFIED in the name of 0. */
static size_t prefix(const ProtobufCEnumDescriptor *d)
{
	const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(d, 0);
	return zero ? strlen(zero->name) - strlen("UNSPECIFIED") : 0;
}

const char *eg_enum_name(const ProtobufCEnumDescriptor *d, unsigned i, int *number)
{
	for (unsigned k = 0; k < d->n_values; k++) {
		if (d->values[k].value == 0)
			continue;
		if (i-- == 0) {
			*number = d->values[k].value;
			return d->values[k].name + prefix(d);
		}
	}
	return NULL;
}

int eg_enum_number(const ProtobufCEnumDescriptor *d, const char *name, struct eg_hint *hint)
{
	int number, found = 0;
	const char *known;
	for (unsigned i = 0; (known = eg_enum_name(d, i, &number)); i++) {
		if (strcmp(known, name) == 0)
			found = number;
		if (hint)
			eg_hint_try(hint, known);
	}
	return found;
}

const char *eg_enum_text(const ProtobufCEnumDescriptor *d, int number)
{
	const ProtobufCEnumValue *v = number ? protobuf_c_enum_descriptor_get_value(d, number) : NULL;
	return v ? v->name + prefix(d) : "";
}
