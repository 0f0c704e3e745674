/* methods: the one table of what the edge offers, to whom, and who serves it. A service's methods stand side
 * by side. */
#include "edge/services.h"

#include "eldergate/v1/admin.pb-c.h"
#include "eldergate/v1/audit.pb-c.h"
#include "eldergate/v1/cases.pb-c.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "eldergate/v1/feed.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"

/* Their grants decide what they may ask. */
#define READERS  (EG_ROLE_AGENCY | EG_ROLE_SUBSCRIBER | EG_ROLE_OPERATOR)
#define AUDITORS (EG_ROLE_AUDITOR | EG_ROLE_ADMIN)
#define STATUS   (EG_ROLE_OPERATOR | EG_ROLE_AUDITOR | EG_ROLE_ADMIN)

#define SERVE(roles_, request_, serve_)                                                                      \
	.service = &(const struct eg_service)                                                                \
	{                                                                                                    \
		.roles = (roles_), .request = &(request_), .serve = (serve_)                                 \
	}
#define UNARY(path_, ...)                                                                                    \
	{                                                                                                    \
		.path = (path_), .shape = EG_UNARY, .events = &eg_ask_events, SERVE(__VA_ARGS__)             \
	}

#define EXCHANGE "/eldergate.v1.ExchangeService/"
#define FEED     "/eldergate.v1.FeedService/"
#define AUDIT    "/eldergate.v1.AuditService/"
#define CASES    "/eldergate.v1.CaseService/"
#define ADMIN    "/eldergate.v1.AdminService/"

const struct eg_method eg_methods[] = {
        {.path = EXCHANGE "Submit", .shape = EG_BIDI, .events = &eg_submit},
        {.path = EXCHANGE "Reconcile", .shape = EG_BIDI, .events = &eg_reconcile},
        UNARY(EXCHANGE "ListRejects", EG_ROLE_AGENCY, eldergate__v1__list_rejects_request__descriptor,
              eg_list_rejects_call),
        {.path = EXCHANGE "Resubmit",
         .shape = EG_UNARY,
         .events = &eg_ask_events,
         .service = &(const struct eg_service){.roles = EG_ROLE_AGENCY, .serve = eg_resubmit}},
        UNARY(EXCHANGE "GetElder", READERS, eldergate__v1__get_elder_request__descriptor, eg_get_elder),
        UNARY(EXCHANGE "CheckLifeStatus", READERS, eldergate__v1__check_life_status_request__descriptor,
              eg_check_life_status),
        {.path = FEED "Subscribe", .shape = EG_SERVER_STREAM, .events = &eg_subscribe},
        UNARY(FEED "ListChanges", EG_ROLE_SUBSCRIBER, eldergate__v1__list_changes_request__descriptor,
              eg_list_changes),
        UNARY(AUDIT "SearchLog", AUDITORS, eldergate__v1__search_log_request__descriptor, eg_search_log),
        UNARY(AUDIT "GetEntry", AUDITORS, eldergate__v1__get_entry_request__descriptor, eg_get_entry_call),
        UNARY(AUDIT "GetCheckpoint", AUDITORS, eldergate__v1__get_checkpoint_request__descriptor,
              eg_get_checkpoint_call),
        UNARY(AUDIT "GetInclusionProof", AUDITORS, eldergate__v1__get_inclusion_proof_request__descriptor,
              eg_get_inclusion_proof),
        UNARY(AUDIT "GetConsistencyProof", AUDITORS, eldergate__v1__get_consistency_proof_request__descriptor,
              eg_get_consistency_proof),
        UNARY(CASES "ListCases", EG_ROLE_OPERATOR, eldergate__v1__list_cases_request__descriptor,
              eg_list_cases_call),
        UNARY(CASES "GetCase", EG_ROLE_OPERATOR, eldergate__v1__get_case_request__descriptor,
              eg_get_case_call),
        UNARY(CASES "ResolveCase", EG_ROLE_OPERATOR, eldergate__v1__resolve_case_request__descriptor,
              eg_resolve_case),
        UNARY(ADMIN "GetStatus", STATUS, eldergate__v1__get_status_request__descriptor, eg_get_status),
        UNARY("/grpc.health.v1.Health/Check", 0, grpc__health__v1__health_check_request__descriptor,
              eg_health_check),
        {.path = "/grpc.health.v1.Health/Watch", .shape = EG_SERVER_STREAM, .events = &eg_health_watch},
        {.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
         .shape = EG_BIDI,
         .events = &eg_reflection},
        {.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
         .shape = EG_BIDI,
         .events = &eg_reflection},
};
const unsigned eg_n_methods = sizeof eg_methods / sizeof *eg_methods;
