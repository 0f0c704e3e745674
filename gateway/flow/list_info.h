/* list_info: what table list says of one full list, in clear and as a row.
 *
 *   RECEIVED → COMPARING → DONE
 *                        → WITHDRAWING → DONE
 *                        → HELD → WITHDRAWING → DONE
 *                               → REFUSED
 *
 * Any that is no end may end as FAILED instead. RECEIVED: durable. COMPARING: its pinned seq is fixed; what
 * is new or changed is applied. Its LIST entry is appended with the step that ends COMPARING. HELD: the
 * shrink guard waits for a reviewer. FAILED: it could not go on: what was committed of it stands, it says
 * nothing of other keys, and its sender may send it again. Each step is one commit; whatever lies between may
 * be done again. Pure. */
#ifndef EG_FLOW_LIST_INFO_H
#define EG_FLOW_LIST_INFO_H

#include "base/arena.h"
#include "store/store.h"

enum eg_list_phase {
	EG_LIST_RECEIVED = 1,
	EG_LIST_COMPARING = 2,
	EG_LIST_HELD = 3,
	EG_LIST_WITHDRAWING = 4,
	EG_LIST_DONE = 5,
	EG_LIST_REFUSED = 6,
	EG_LIST_RECEIVING = 7, /* in no row: its end has not come */
	EG_LIST_FAILED = 8
};

#define EG_LIST_REGIONS_MAX 100

/* What a list is compared to have done, as of its pinned seq. */
struct eg_list_counts {
	uint64_t unchanged, changed, added, stale, rejected, missing, covered;
	uint64_t withdrawn, skipped; /* of the missing ones, when they were applied */
	uint64_t unsaid; /* of the rejected: of keys that are known. Of these the list says nothing */
};

struct eg_list_info {
	int64_t row; /* 0: not stored */
	const char *agency, *dataset, *list_id, *operator_name;
	uint8_t digest[32], spool[16];
	int64_t as_of;
	enum eg_list_phase phase;
	uint64_t started; /* the log's head when it began to come; 0: a row of before this was kept */
	uint64_t pinned, seq;
	uint64_t settled; /* in no row: up to here late records were seen to (list_late.h) */
	int64_t received_us, ended_us;
	int64_t taken_at; /* at the source, by its clock: for lag alone; 0: not stated */
	unsigned n_regions;
	const char **regions; /* prefixes; none: the whole dataset */
	uint32_t mapping_revision;
	uint64_t rows, keyless; /* records; of them without a source key that could be read */
	bool versionless;       /* no record has a version of its own */
	struct eg_list_counts counts;
	uint64_t withdrawn_before; /* in the guard's window */
	bool held;
	uint8_t case_id[16]; /* if held */
	enum eg_rc failure;  /* if failed: why; */
	const char *why;     /* a sentence without record values; "" if not */
};

/* The row of a list; its body is put into the arena. */
enum eg_rc eg_list_info_row(const struct eg_list_info *l, struct eg_arena *a, struct eg_list_row *out,
                            struct eg_err *err);
/* Texts point into the row and the arena. */
enum eg_rc eg_list_info_read(const struct eg_list_row *row, struct eg_arena *a, struct eg_list_info *out,
                             struct eg_err *err);
/* The claim part of its LIST entry. */
struct eg_buf;
void eg_list_info_part(const struct eg_list_info *l, struct eg_buf *out);
/* A copy whose texts are in the arena. */
enum eg_rc eg_list_info_copy(const struct eg_list_info *l, struct eg_arena *a, struct eg_list_info *out,
                             struct eg_err *err);
/* The same in one block of its own, for free(). NULL: no memory. */
struct eg_list_info *eg_list_info_clone(const struct eg_list_info *l);
/* Behind this entry nothing may have come for a key whose absence withdraws it. */
uint64_t eg_list_since(const struct eg_list_info *l);
/* Do two lists of one dataset cover a common region? */
bool eg_list_overlap(const struct eg_list_info *a, const struct eg_list_info *b);
/* Is it sent again? The same name, content, position, coverage and mapping revision; one that failed is none.
 */
bool eg_list_same(const struct eg_list_info *a, const struct eg_list_info *b);
/* Does a cover every region that b covers? */
bool eg_list_includes(const struct eg_list_info *a, const struct eg_list_info *b);
bool eg_list_covers_region(const struct eg_list_info *l, struct eg_bytes region);

#endif
