/* views: pieces of the model as messages of the protocol, in memory of an arena.
 *
 * A maker remembers its first failure; pieces made after it are NULL, which a message leaves out, so a
 * service builds its answer straight down and looks at `failed` once. Pure. */
#ifndef EG_EDGE_VIEWS_H
#define EG_EDGE_VIEWS_H

#include "eldergate/v1/event.pb-c.h"
#include "eldergate/v1/reason.pb-c.h"
#include "flow/event.h"
#include "model/grade.h"
#include "model/person.h"

#include <string.h>

struct eg_maker {
	struct eg_arena *arena;
	bool failed;
};

void *eg_make(struct eg_maker *k, size_t size); /* zeroed; NULL once it failed */
/* A message of this type, initialised by its generated function. */
#define EG_MAKE(k, type, init)                                                                               \
	__extension__({                                                                                      \
		type *made_ = eg_make((k), sizeof(type));                                                    \
		if (made_)                                                                                   \
			init(made_);                                                                         \
		made_;                                                                                       \
	})
/* Room for n pointers. */
#define EG_MAKE_LIST(k, n) eg_make((k), ((n) + 1) * sizeof(void *))

char *eg_make_text(struct eg_maker *k, struct eg_bytes text);
char *eg_make_id(struct eg_maker *k, const uint8_t id[16]);                /* 32 hexadecimal digits */
Google__Protobuf__Timestamp *eg_make_time(struct eg_maker *k, int64_t us); /* 0: NULL */
Eldergate__V1__CivilDate *eg_make_date(struct eg_maker *k, int32_t packed);
Eldergate__V1__Source *eg_make_source(struct eg_maker *k, struct eg_bytes agency, struct eg_bytes dataset,
                                      int64_t event_time);
Eldergate__V1__FieldValue *eg_make_value(struct eg_maker *k, unsigned view_field, const struct eg_value *v);
Eldergate__V1__FieldEntry *eg_make_entry(struct eg_maker *k, unsigned view_field, const struct eg_value *v);
Eldergate__V1__Reason *eg_make_reason(struct eg_maker *k, enum eg_reason_code code, const char *field);
Eldergate__V1__ChangeEvent *eg_make_event(struct eg_maker *k, const struct eg_event *e, bool left_scope);
Eldergate__V1__PersonState *eg_make_state(struct eg_maker *k, const struct eg_event *e);
/* The fields of a view that are wanted (n view fields ascending), and the life status. */
Eldergate__V1__ElderView *eg_make_view(struct eg_maker *k, const struct eg_person *p, const struct eg_view *v,
                                       const uint8_t ref[16], const unsigned *fields, unsigned n);

/* Name of an enumeration's value without its prefix, of the field's list; NULL: it has none. */
const char *eg_enum_name(unsigned view_field, int64_t number);
bool eg_read_id(const char *text, uint8_t id[16]); /* 32 lower-case hexadecimal digits */

#endif
