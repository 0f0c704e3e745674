/* connector: how rows of an agency's system come in, how verdicts go back to it, and how the gateway's events
 * go out.
 *
 * A connector knows tables, files or an HTTP interface; it knows no agency and no column: the mapping file
 * does. It hands out rows of named columns in UTF-8, each with a number of its own (ref). The agent maps a
 * row to a record, sends it, and gives the verdict back with the ref, only after the gateway's receipt. What
 * has no verdict when the process dies must come again after a restart: the source's marks (flags, done/
 * folders, checkpoint) move on verdicts alone. Coming twice is harmless, being lost is not.
 *
 *   in:   rows:            ROW* ...
 *         a full list:     LIST_BEGIN ROW* (LIST_END | LIST_ABANDON)
 *
 * Thread: the agent's; next and deliver may wait at most until their deadline. Texts of errors, logs and
 * places hold no value of a row. */
#ifndef ELDERGATE_CONNECTOR_H
#define ELDERGATE_CONNECTOR_H

#include "eldergate/bytes.h"
#include "eldergate/checkpoint.h"
#include "eldergate/err.h"
#include "eldergate/settings.h"

struct eg_connector; /* the implementation's own */

/* Names of a row's columns. A source may change its columns between rows: then another struct is given, with
 * another generation. */
struct eg_columns {
	uint64_t generation;
	unsigned n;
	const char *const *names; /* UTF-8 */
	/* The source has no schema, such as documents whose members may lack: a column that is not here is no
	 * change of one. A row that needs it is refused; elsewhere every row would be, so the source waits.
	 */
	bool open;
};

enum eg_in_kind {
	EG_IN_ROW = 1,
	EG_IN_BAD = 2, /* a row that could not be read: raw and reason are set; it is reported and settled */
	EG_IN_LIST_BEGIN =
	        3, /* the rows up to LIST_END are a full list: what is missing from it is withdrawn */
	EG_IN_LIST_END = 4,     /* count and digest are the sender's own, where it gave them */
	EG_IN_LIST_ABANDON = 5, /* the list broke off: nothing follows from it */
	EG_IN_END = 6           /* with once: the source has no more */
};

/* What next hands out; everything in it lives until the next call of next. */
struct eg_in {
	enum eg_in_kind kind;
	uint64_t ref; /* ROW, BAD, LIST_*: given back by settle; grows */
	const struct eg_columns *columns;
	const struct eg_bytes *values; /* columns->n; p NULL: SQL NULL, or no such value */
	const char *place;             /* file name, table or address, for reports; "" if it says nothing */
	uint64_t line;                 /* in it; 0: none */
	struct eg_bytes raw;           /* BAD: the bytes as they came */
	const char *reason;            /* BAD: why, without values */
	struct {                       /* LIST_BEGIN, LIST_END */
		const char *name;      /* the list's own name, such as a file name; [A-Za-z0-9._-]{1,64} */
		int64_t as_of;         /* position in the dataset's order; 0: the mapping says it */
		unsigned n_regions;
		const char *const
		        *regions; /* coverage: prefixes of region codes; none: the mapping says it */
		int64_t count;    /* rows declared; -1: not declared */
		/* When its content was taken, us since 1970 by the source's clock, for the dataset's lag
		 * alone: rather too early than too late. 0: the source does not say */
		int64_t taken_at;
	} list;
};

enum eg_verdict_code {
	EG_VERDICT_TAKEN = 1,   /* applied, unchanged or stale: the gateway has it */
	EG_VERDICT_REFUSED = 2, /* quarantined or not mappable: reasons say why; it waits at the sender's */
	EG_VERDICT_AGAIN = 3    /* not sent after all (a list that was refused, a stop): it must come again */
};
struct eg_verdict {
	uint64_t ref;
	enum eg_verdict_code code;
	uint64_t seq; /* of its log entry; 0: none */
	/* REFUSED: code names separated by spaces, such as "ID_CHECK_DIGIT". TAKEN, of LIST_END: "", or a
	 * remark on the list, such as "REJECTS_UNTOLD". */
	const char *reason;
	const char *field; /* the first field at fault, or "" */
	const char *text;  /* what to do, for people: zh-CN */
};

/* One change on its way to the agency. */
struct eg_delivery {
	const char *event_id; /* idempotency key: log id and seq; the same event always has the same */
	unsigned n;
	const char *const *names; /* of the mapping's outbound columns */
	const struct eg_bytes *values;
};
struct eg_delivery_result {
	enum eg_rc
	        rc; /* EG_OK: the agency has it; retryable: again later; else: refused, it will be parked */
	struct eg_err err;
};

/* What of the source a connector hands out. Full lists wait long for their verdict, and rows must not wait
 * with them: of a type that splits, one connector has the rows and another the lists, side by side. */
enum eg_part { EG_PART_ALL = 0, EG_PART_ROWS, EG_PART_LISTS };

struct eg_connector_options {
	const struct eg_settings *settings; /* of the mapping's `source` or `outbound.target` section */
	struct eg_checkpoint *checkpoint;   /* names begin with prefix */
	const char *prefix;
	bool once;         /* take what is there and hand out EG_IN_END, as a dry check does */
	bool dry;          /* change nothing in the source: no claim, no mark, no file moved */
	enum eg_part part; /* not ALL: only of a type that splits, never with once or dry */
	uint32_t revision; /* of the mapping: with another one what was taken before may be taken anew */
};

struct eg_connector_type {
	const char *name; /* as `connector:` names it */
	const struct eg_setting_def *source_settings;
	const struct eg_setting_def *target_settings; /* NULL: it cannot deliver */
	/* EG_CONFIG: settings that contradict each other; EG_UNAVAILABLE and the like: try again later. */
	enum eg_rc (*open_source)(struct eg_connector **out, const struct eg_connector_options *o,
	                          struct eg_err *err);
	enum eg_rc (*open_target)(struct eg_connector **out, const struct eg_connector_options *o,
	                          struct eg_err *err);
	/* Drops everything; rows without a verdict come again after the next open. NULL is fine. */
	void (*close)(struct eg_connector *c);
	/* EG_EMPTY: nothing now (waits for it, at most until the deadline; returns at once while nothing can
	 * come before verdicts do, because only the agent can wait for those); a retryable error: the agent
	 * closes, backs off and opens anew. */
	enum eg_rc (*next)(struct eg_connector *c, int64_t mono_deadline_us, struct eg_in *out,
	                   struct eg_err *err);
	/* Verdicts, each ref once, in ascending order within a call; a call may leave older refs for later.
	 * EG_OK: they are durable in the source, as far as it can keep them. */
	enum eg_rc (*settle)(struct eg_connector *c, const struct eg_verdict *v, unsigned n,
	                     struct eg_err *err);
	/* Delivers n changes in order; fills results[0..n). After the first that is not EG_OK the rest may be
	 * left at EG_BUSY. What is no fault of a change (connection, disk) is returned instead, as next
	 * returns it; those delivered before are EG_OK, the others EG_BUSY. */
	enum eg_rc (*deliver)(struct eg_connector *c, const struct eg_delivery *deliveries, unsigned n,
	                      struct eg_delivery_result *results, int64_t mono_deadline_us,
	                      struct eg_err *err);
	/* Are the settings of a section right together, as far as they tell without the agency's system?
	 * EG_CONFIG with their place; nothing is connected to or changed. NULL: each of them alone says all.
	 */
	enum eg_rc (*check)(const struct eg_settings *s, bool target, struct eg_err *err);
	/* It has both rows and lists, and can be opened for either: then checkpoint and prefix are both
	 * connectors', and next may return EG_BUSY at the deadline: there is no item yet, but the next call
	 * works on. */
	bool splits;
	/* What the source cannot do while it goes on with the rest, so that somebody must mend it: *err says
	 * it, and the status file tells it. EG_OK: nothing. Cheap, it is asked often. NULL: never anything.
	 */
	enum eg_rc (*trouble)(const struct eg_connector *c, struct eg_err *err);
};

#endif
