/* transform: the steps of `apply`, each from one text to another.
 *
 * A step hands out a slice of what it got, or writes into the work space. Texts are UTF-8; a byte that is not
 * is passed on. Thread: one per work space. */
#ifndef EG_ADAPTERS_TRANSFORM_H
#define EG_ADAPTERS_TRANSFORM_H

#include "base/buf.h"

enum eg_fault {
	EG_FAULT_NONE,
#define X(name, zh, en) EG_FAULT_##name,
#include "common/faults.def"
	EG_FAULT_END
};
const char *eg_fault_name(enum eg_fault f); /* "" for NONE */
const char *eg_fault_text(enum eg_fault f, bool zh);

enum eg_step_kind {
#define X(name, arguments, doc) EG_STEP_##name,
#include "common/transforms.def"
	EG_STEP_END
};
enum eg_step_arguments {
	EG_ARGS_NONE,
	EG_ARGS_TEXT,
	EG_ARGS_TO_WITH,
	EG_ARGS_BY_PART,
	EG_ARGS_FROM_LENGTH,
	EG_ARGS_FROM_TO,
	EG_ARGS_BY
};
struct eg_step {
	enum eg_step_kind kind;
	struct eg_bytes a, b; /* with; by; from, to; the text */
	int64_t i, j;         /* to; part; from, length (0: to the end) */
};
const char *eg_step_name(enum eg_step_kind k);
const char *eg_step_doc(enum eg_step_kind k);
enum eg_step_arguments eg_step_arguments(enum eg_step_kind k);

/* Two sides: what a step writes does not touch what it reads. */
struct eg_work {
	struct eg_buf side[2];
	unsigned now; /* the side that may hold the value */
	bool failed;  /* out of memory at some step: what came out is not to be used */
};
void eg_work_free(struct eg_work *w); /* wipes */
/* An empty buffer to write the next value into, which becomes the value's side. */
struct eg_buf *eg_work_turn(struct eg_work *w);

enum eg_fault eg_step_run(const struct eg_step *s, struct eg_work *w, struct eg_bytes *value);

#endif
