/* entry: one log entry in clear: header, and the parts that were opened. Codec of gateway/FORMAT.md. Pure but
 * for opening.
 */
#ifndef EG_FLOW_ENTRY_H
#define EG_FLOW_ENTRY_H

#include "flow/ticket.h"
#include "store/store.h"
#include "trust/vault.h"

enum eg_entry_kind {
	EG_ENTRY_START = 1,
	EG_ENTRY_CHANGE = 2,
	EG_ENTRY_EFFECT = 3,
	EG_ENTRY_UNCHANGED = 4,
	EG_ENTRY_STALE = 5,
	EG_ENTRY_QUARANTINE = 6,
	EG_ENTRY_REFUSAL = 7,
	EG_ENTRY_QUERY = 8,
	EG_ENTRY_DELIVERY = 9,
	EG_ENTRY_CASE = 10,
	EG_ENTRY_DECISION = 11,
	EG_ENTRY_ADMIN = 12,
	EG_ENTRY_LIST = 13,
	EG_ENTRY_TIMER = 14
};
const char *eg_entry_kind_name(enum eg_entry_kind k); /* "CHANGE" */

/* Items of a DECISION's claim part. */
enum {
	EG_DECISION_CASE = 1,
	EG_DECISION_KIND = 2,
	EG_DECISION_TOKEN = 3,
	EG_DECISION_UPHELD = 4,
	EG_DECISION_NOTE = 5,
	EG_DECISION_FELL = 6
};

struct eg_header {
	uint64_t seq;
	int64_t time;
	enum eg_entry_kind kind;
	uint8_t entry_id[16];
	struct eg_bytes agency, operator_name, purpose, dataset, submission, traceparent, act;
	int outcome;
	int64_t count;
	struct eg_bytes digest; /* 32 bytes or empty */
	uint64_t cause;
	unsigned n_reasons;
	uint16_t reasons[EG_REASONS_MAX];
	struct eg_bytes log_id; /* 16 bytes in START, or empty */
	int64_t format, authority_version;
};
void eg_header_write(struct eg_buf *b, const struct eg_header *h);
enum eg_rc eg_header_read(struct eg_bytes text, struct eg_header *out, struct eg_err *err);

enum eg_event_kind {
	EG_EVENT_CREATED = 1,
	EG_EVENT_UPDATED = 2,
	EG_EVENT_CORRECTED = 3,
	EG_EVENT_RETRACTED = 4,
	EG_EVENT_WITHDRAWN = 5,
	EG_EVENT_MERGED = 6,
	EG_EVENT_UNMERGED = 7,
	EG_EVENT_CASE_OPENED = 8,
	EG_EVENT_CASE_CLOSED = 9
};
const char *eg_event_kind_name(enum eg_event_kind k);

struct eg_effect_field {
	unsigned field; /* view field */
	bool has_before, has_after;
	struct eg_value before, after;
	struct eg_bytes agency; /* source of after */
	int64_t as_of;
	int rule;
};
struct eg_effect {
	bool has_person;
	uint8_t person[16];
	int64_t version;
	uint64_t previous;
	enum eg_event_kind event;             /* 0: none */
	enum eg_life life_before, life_after; /* 0: not there */
	uint64_t corrects;
	bool has_other, merged;
	uint8_t other[16];
	unsigned n_fields;
	struct eg_effect_field *fields;
	bool has_case;
	uint8_t case_id[16];
	int case_kind;
	unsigned n_joined, n_left;
	uint8_t (*joined)[16], (*left)[16];
	bool has_view_digest;
	uint8_t view_digest[16];
	struct eg_bytes region_before, region_after;
};
void eg_effect_write(struct eg_buf *b, const struct eg_effect *e);
enum eg_rc eg_effect_read(struct eg_bytes text, struct eg_arena *a, struct eg_effect *out,
                          struct eg_err *err);

/* Opens a stored entry. with_claim, with_effect: which parts to unseal; the others stay empty. */
struct eg_entry {
	struct eg_header header;
	struct eg_bytes claim_part; /* canonical text, in clear */
	bool has_effect;
	struct eg_effect effect;
	const struct eg_log_row *row;
};
enum eg_rc eg_entry_open(struct eg_vault *v, const struct eg_log_row *row, bool with_claim, bool with_effect,
                         struct eg_arena *a, struct eg_entry *out, struct eg_err *err);

#endif
