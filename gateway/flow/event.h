/* event: what a log entry says to the outside: one change of one person, limited to what an audience may see.
 */
#ifndef EG_FLOW_EVENT_H
#define EG_FLOW_EVENT_H

#include "flow/entry.h"
#include "flow/sealed.h"

struct eg_event_field {
	unsigned field; /* view field */
	bool present;   /* false: emptied */
	struct eg_value value;
	struct eg_bytes agency;
	int64_t as_of;
};

struct eg_event {
	uint8_t log_id[16];
	uint64_t seq;
	int64_t time;
	enum eg_event_kind kind;
	uint8_t person_ref[16];
	int64_t person_version;
	enum eg_life life_before, life_after;
	unsigned n_changed;
	unsigned *changed;               /* view fields, all of them: names only */
	struct eg_bytes agency, dataset; /* source of the change; empty for the gateway's own */
	int64_t source_event_time;
	uint64_t corrects;
	bool has_merged_into, has_other;
	uint8_t merged_into[16], other[16]; /* references */
	bool has_case;
	uint8_t case_id[16];
	int case_kind;
	struct eg_bytes traceparent;
	unsigned n_fields;
	struct eg_event_field *fields;               /* values the audience may see */
	struct eg_bytes region_before, region_after; /* for filters; never encoded */
	bool replay;
};

bool eg_is_event(const struct eg_entry *e); /* does it say something about a person? */
/* EG_EMPTY: the entry is no event (a read, a stale record, a case without a person). fields: what the
 * audience may see, n view fields ascending. The claim part must be open for source_event_time (CHANGE
 * entries). */
enum eg_rc eg_event_of(struct eg_vault *v, const char *audience, const uint8_t log_id[16],
                       const struct eg_entry *e, const unsigned *fields, unsigned n, struct eg_arena *a,
                       struct eg_event *out, struct eg_err *err);

/* Leaves out the values of code fields that are no codes: where no list is kept, an agency may have written a
 * name or a number there, and what is on a topic cannot be taken back. For events that leave the gateway's
 * grants, on Kafka; the changed field's name stays. */
void eg_event_keep_codes(struct eg_event *e);

/* The audience whose references an identity sees: one each, so that two recipients cannot join by them. */
void eg_audience_of(const struct eg_identity_rule *who, char out[EG_NAME_MAX + 16]);

/* The state of a person now, as an event without a kind: seq and time are of the person's last entry when
 * known (else 0), fields hold the whole permitted view. The row's body is opened with the vault; *regions and
 * life are set for filters. */
enum eg_rc eg_state_of(struct eg_vault *v, const char *audience, const uint8_t log_id[16],
                       const struct eg_person_row *row, const struct eg_authority *authority,
                       const unsigned *fields, unsigned n, struct eg_arena *a, struct eg_event *out,
                       struct eg_err *err);

#endif
