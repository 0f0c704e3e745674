/* full_list: one full list on its way through Reconcile, with the rows it holds until the gateway's report.
 *
 *   none --begin--> open --end--> waiting --report--> settling --> none
 *                    `--abandon--> settling (again)
 *   open, waiting --refused for a fault of the list--> (read to its end) settling (again; its end refused)
 *   open --end, miscounted--> settling (again; its end refused)
 *   any --lost, refused otherwise, forget--> none
 *
 * A row that cannot be mapped is still in the list: its key is sent alone, and without a key an empty record,
 * so that the gateway never takes it for absent. A list that breaks before its report comes again from the
 * source, whole: the same list twice is one list. Memory: a few messages, and runs of refs. Thread: the
 * agent's. */
#ifndef EG_ADAPTERS_FULL_LIST_H
#define EG_ADAPTERS_FULL_LIST_H

#include "common/limits.h"
#include "common/mapper.h"
#include "eldergate/link.h"

struct eg_full_list;

struct eg_full_list_options {
	struct eg_link *link;
	const char *dataset;
	uint32_t revision;
	const struct eg_limits *limits;
	/* Some verdicts, refs ascending; false: the source failed, and eg_full_list_forget was called. */
	bool (*settle)(void *arg, const struct eg_verdict *v, unsigned n);
	/* The list did not get through: the source is to be begun anew. */
	void (*failed)(void *arg, const struct eg_err *err);
	/* The gateway, or we, do not want this list: its end will be settled as refused, its rows again. */
	void (*turned_down)(void *arg);
	/* The report came. */
	void (*reported)(void *arg, uint64_t unchanged, uint64_t applied, uint64_t stale, uint64_t rejected);
	void *arg;
};

enum eg_rc eg_full_list_new(struct eg_full_list **out, const struct eg_full_list_options *o,
                            struct eg_err *err);
void eg_full_list_free(struct eg_full_list *l); /* NULL is fine */

bool eg_full_list_room(const struct eg_full_list *l);    /* may the source hand out more? */
bool eg_full_list_is_open(const struct eg_full_list *l); /* between begin and end */
bool eg_full_list_busy(const struct eg_full_list *l);    /* not none */
enum eg_rc eg_full_list_begin(struct eg_full_list *l, const struct eg_in *in,
                              const struct eg_list_scope *scope, struct eg_err *err);
/* The list that was just begun shall not be sent, for a reason that only its sender can mend: it is read to
 * its end and settled as refused. text: for people, zh-CN. */
void eg_full_list_decline(struct eg_full_list *l, const char *reason, const char *text,
                          const struct eg_err *err);
/* EG_LIMIT: the record is too large for a message. */
enum eg_rc eg_full_list_row(struct eg_full_list *l, uint64_t ref, struct eg_bytes record, struct eg_err *err);
/* A row that is settled otherwise, because it could not be mapped; key empty: not known. */
enum eg_rc eg_full_list_unread(struct eg_full_list *l, struct eg_bytes key, struct eg_err *err);
void eg_full_list_passed(
        struct eg_full_list *l); /* a row that is not for this dataset, and settled otherwise */
/* A list that has another number of rows than the source declared is not sent to its end, but settled as
 * refused. */
enum eg_rc eg_full_list_end(struct eg_full_list *l, const struct eg_in *in, struct eg_err *err);
void eg_full_list_abandon(struct eg_full_list *l, uint64_t ref);
void eg_full_list_turn(struct eg_full_list *l, int64_t now_us);
bool eg_full_list_event(struct eg_full_list *l, const struct eg_link_event *e,
                        int64_t now_us); /* was it ours? */
int64_t eg_full_list_due(const struct eg_full_list *l);
void eg_full_list_forget(struct eg_full_list *l); /* drops it; nothing is settled */

#endif
