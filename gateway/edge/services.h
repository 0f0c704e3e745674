/* services: what each service offers to the edge's table of methods. */
#ifndef EG_EDGE_SERVICES_H
#define EG_EDGE_SERVICES_H

#include "edge/ask.h"

/* grpc.health.v1 */
enum eg_rc eg_health_check(struct eg_ask *a, struct eg_fault *f);
extern const struct eg_call_events eg_health_watch;
/* grpc.reflection.v1 and v1alpha */
extern const struct eg_call_events eg_reflection;
/* ExchangeService */
extern const struct eg_call_events eg_submit;
extern const struct eg_call_events eg_reconcile;
enum eg_rc eg_list_rejects_call(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_resubmit(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_get_elder(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_check_life_status(struct eg_ask *a, struct eg_fault *f);
/* FeedService */
extern const struct eg_call_events eg_subscribe;
enum eg_rc eg_list_changes(struct eg_ask *a, struct eg_fault *f);
/* AuditService */
enum eg_rc eg_search_log(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_get_entry_call(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_get_checkpoint_call(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_get_inclusion_proof(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_get_consistency_proof(struct eg_ask *a, struct eg_fault *f);
/* CaseService */
enum eg_rc eg_list_cases_call(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_get_case_call(struct eg_ask *a, struct eg_fault *f);
enum eg_rc eg_resolve_case(struct eg_ask *a, struct eg_fault *f);
/* AdminService */
enum eg_rc eg_get_status(struct eg_ask *a, struct eg_fault *f);

/* Every method that the edge offers. */
extern const struct eg_method eg_methods[];
extern const unsigned eg_n_methods;

#endif
