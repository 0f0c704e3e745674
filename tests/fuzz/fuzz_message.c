/* fuzz_message: the other messages of the protocol: every request that the edge unpacks, the steps of a full
 * list, and why a gateway refused, as adapters read it.
 *
 *   1 byte: which; then the message
 *
 * A message that is read packs and reads again as the same bytes, and costs no more memory than it was given.
 */
#include "fuzz.h"

#include "common/refusal.h"
#include "edge/list_wire.h"
#include "edge/pb.h"
#include "edge/services.h"

#include "eldergate/v1/event.pb-c.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "eldergate/v1/feed.pb-c.h"
#include "google/rpc/error_details.pb-c.h"

/* As the edge has it for one call. */
enum { ARENA = 8 << 20 };

/* What no method of the table names. */
static const ProtobufCMessageDescriptor *const others[] = {
        &eldergate__v1__submit_request__descriptor,     &eldergate__v1__resubmit_request__descriptor,
        &eldergate__v1__reconcile_request__descriptor,  &eldergate__v1__subscribe_request__descriptor,
        &eldergate__v1__submit_response__descriptor,    &eldergate__v1__reconcile_response__descriptor,
        &eldergate__v1__subscribe_response__descriptor, &eldergate__v1__get_elder_response__descriptor,
        &eldergate__v1__change_event__descriptor,       &eldergate__v1__person_state__descriptor,
};
enum { OTHERS = sizeof others / sizeof *others, TYPES_MAX = 64 };
static const ProtobufCMessageDescriptor *types[TYPES_MAX];
static unsigned n_types;

static struct eg_arena *arena;
static const struct eg_policy *policy;

void fuzz_start(void)
{
	struct eg_dataset_rule all[] = {{.name = "registration", .section = EG_REGISTRATION},
	                                {.name = "care", .section = EG_CARE}};
	struct eg_identity_rule who = {
	        .name = "agency", .roles = EG_ROLE_AGENCY, .has_uid = true, .n_datasets = 2, .datasets = all};
	struct eg_policy p = {.version = 1, .n = 1, .identities = &who};
	struct eg_err err = {0};
	MUST(!eg_policy_new(&p, &policy, &err));
	arena = eg_arena_new(ARENA);
	MUST(arena);
	for (unsigned i = 0; i < eg_n_methods; i++) {
		const struct eg_service *s = eg_methods[i].service;
		if (s && s->request)
			types[n_types++] = s->request;
	}
	for (unsigned i = 0; i < OTHERS; i++)
		types[n_types++] = others[i];
	MUST(n_types < TYPES_MAX);
}

/* ---- any message ---- */

static bool read_and_pack(const ProtobufCMessageDescriptor *d, struct eg_bytes in, struct eg_buf *out)
{
	struct eg_err err = {0};
	ProtobufCMessage *m = NULL;
	eg_arena_reset(arena);
	enum eg_rc rc = eg_pb_read(d, in, arena, &m, &err);
	fuzz_reason(rc, &err);
	MUST(rc == EG_OK || rc == EG_INVALID || rc == EG_LIMIT);
	MUST(eg_arena_used(arena) <= ARENA);
	if (rc)
		return false;
	MUST(protobuf_c_message_check(m));
	MUST(!eg_pb_write(m, out, &err));
	return true;
}

static void message(const ProtobufCMessageDescriptor *d, struct eg_bytes in)
{
	struct eg_buf once = {0}, again = {0};
	if (read_and_pack(d, in, &once)) {
		MUST(read_and_pack(d, eg_buf_bytes(&once), &again));
		MUST(eg_bytes_equal(eg_buf_bytes(&once), eg_buf_bytes(&again)));
	}
	eg_buf_free(&once);
	eg_buf_free(&again);
}

/* ---- full lists ---- */

static void step(struct eg_bytes in)
{
	struct eg_fault f = {0};
	enum eg_list_step_kind kind;
	struct eg_bytes body = {0}, digest = {0};
	struct eg_list_begin begin;
	uint64_t count;
	enum eg_rc rc = eg_list_step_read(in, &kind, &body, &f.err);
	fuzz_reason(rc, &f.err);
	if (rc)
		return;
	MUST(kind >= EG_STEP_BEGIN && kind <= EG_STEP_END);
	MUST(body.p >= in.p && body.p + body.len <= in.p + in.len);
	eg_arena_reset(arena);
	if (kind == EG_STEP_BEGIN) {
		rc = eg_list_begin_read(body, policy, eg_policy_by_name(policy, "agency"), arena, &begin, &f);
		fuzz_reason(rc, &f.err);
		MUST(!rc || f.reason);
		if (!rc) {
			MUST(*begin.list_id && strlen(begin.list_id) <= 64 && begin.as_of);
			MUST(begin.n_regions <= EG_LIST_REGIONS_MAX && begin.taken_at >= 0);
			for (unsigned i = 0; i < begin.n_regions; i++)
				MUST(*begin.regions[i] && strlen(begin.regions[i]) <= 12);
		}
	} else if (kind == EG_STEP_END) {
		rc = eg_list_end_read(body, arena, &count, &digest, &f);
		fuzz_reason(rc, &f.err);
		MUST(rc || !digest.len || digest.p);
	}
}

/* ---- refusals, at an adapter ---- */

static void refusal(struct eg_bytes in)
{
	struct eg_refusal r;
	struct eg_err err = {0};
	int code = (int)(fuzz_take(&in, 1) % 17);
	eg_refusal_of_end(code, "the end", in, code & 1, &r);
	MUST(r.n_fields <= EG_REFUSAL_FIELDS);
	MUST(memchr(r.reason, 0, sizeof r.reason) && memchr(r.text, 0, sizeof r.text));
	MUST(r.retry_us >= -1);
	MUST(*r.text && eg_utf8_valid(eg_bytes_of(r.text)));
	for (unsigned i = 0; i < r.n_fields; i++)
		MUST(memchr(r.fields[i].path, 0, sizeof r.fields[i].path) &&
		     memchr(r.fields[i].text, 0, sizeof r.fields[i].text));
	enum eg_rc rc = eg_refusal_fail(&r, &err);
	MUST(rc == r.rc);
	fuzz_reason(rc, &err);
}

void fuzz_one(struct eg_bytes in)
{
	unsigned which = (unsigned)fuzz_take(&in, 1) % (n_types + 2);
	uint8_t *p = fuzz_copy(in, false);
	in.p = p;
	if (which < n_types)
		message(types[which], in);
	else if (which == n_types)
		step(in);
	else
		refusal(in);
	free(p);
}

/* ---- seeds: each type with every field set, some with two of what may repeat ---- */

static void fill(ProtobufCMessage *m, unsigned depth);

static void *element(const ProtobufCFieldDescriptor *f, void *at, unsigned depth)
{
	static const uint8_t some_bytes[32] = {1, 2, 3};
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(const char **)at = depth % 2 ? "registration.name" : "7f3c";
		return (const char **)at + 1;
	case PROTOBUF_C_TYPE_BYTES:
		*(ProtobufCBinaryData *)at = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)some_bytes};
		return (ProtobufCBinaryData *)at + 1;
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessageDescriptor *d = f->descriptor;
		ProtobufCMessage *inner = eg_arena_alloc(arena, d->sizeof_message);
		MUST(inner);
		protobuf_c_message_init(d, inner);
		fill(inner, depth + 1);
		*(ProtobufCMessage **)at = inner;
		return (ProtobufCMessage **)at + 1;
	}
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		*(uint64_t *)at = 1700000000 + depth;
		return (uint64_t *)at + 1;
	default:
		*(uint32_t *)at = 1 + depth;
		return (uint32_t *)at + 1;
	}
}

static void fill(ProtobufCMessage *m, unsigned depth)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		void *at = (char *)m + f->offset, *quantifier = (char *)m + f->quantifier_offset;
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			if (*(uint32_t *)quantifier && fuzz_random() % 2)
				continue; /* another member has it */
			*(uint32_t *)quantifier = f->id;
		}
		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			element(f, at, depth);
			continue;
		}
		void *two = eg_arena_alloc(arena, 2 * sizeof(ProtobufCBinaryData));
		MUST(two);
		element(f, element(f, two, depth), depth + 1);
		*(void **)at = two;
		*(size_t *)quantifier = 2;
	}
}

static void seed_of(unsigned which, const ProtobufCMessageDescriptor *d)
{
	struct eg_buf b = {0};
	eg_arena_reset(arena);
	ProtobufCMessage *m = eg_arena_alloc(arena, d->sizeof_message);
	MUST(m);
	protobuf_c_message_init(d, m);
	fill(m, 0);
	eg_buf_add_u8(&b, (uint8_t)which);
	MUST(!eg_pb_write(m, &b, NULL));
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
}

/* A ReconcileRequest as a sender would have it: fill knows no dataset. */
static void seed_list(void)
{
	Eldergate__V1__ReconcileRequest q = ELDERGATE__V1__RECONCILE_REQUEST__INIT;
	Eldergate__V1__ReconcileBegin begin = ELDERGATE__V1__RECONCILE_BEGIN__INIT;
	static char *regions[] = {(char *)(uintptr_t) "330302", (char *)(uintptr_t) "3303"};
	struct eg_buf b = {0};
	begin.list_id = (char *)(uintptr_t) "list-1";
	begin.dataset = (char *)(uintptr_t) "registration";
	begin.as_of = 20260101;
	begin.n_coverage_regions = 2;
	begin.coverage_regions = regions;
	begin.count = 3;
	q.step_case = ELDERGATE__V1__RECONCILE_REQUEST__STEP_BEGIN;
	q.begin = &begin;
	eg_buf_add_u8(&b, (uint8_t)n_types);
	MUST(!eg_pb_write(&q.base, &b, NULL));
	fuzz_seed(eg_buf_bytes(&b));
	eg_buf_free(&b);
}

static void pack_any(Google__Protobuf__Any *any, const char *url, const ProtobufCMessage *m, struct eg_buf *b)
{
	MUST(!eg_pb_write(m, b, NULL));
	google__protobuf__any__init(any);
	any->type_url = (char *)(uintptr_t)url;
	any->value = (ProtobufCBinaryData){b->len, b->p};
}

static void seed_refusal(void)
{
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
	Google__Rpc__LocalizedMessage said = GOOGLE__RPC__LOCALIZED_MESSAGE__INIT;
	Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
	Google__Rpc__BadRequest__FieldViolation at = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT,
	                                        *all[] = {&at};
	Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Any any[4], *details[] = {&any[0], &any[1], &any[2], &any[3]};
	struct eg_buf b[4] = {{0}}, out = {0};
	info.reason = (char *)(uintptr_t) "DATASET_NOT_PERMITTED";
	info.domain = (char *)(uintptr_t) "eldergate";
	said.locale = (char *)(uintptr_t) "zh-CN";
	said.message = (char *)(uintptr_t) "没有权限";
	at.field = (char *)(uintptr_t) "records[3].registration.name";
	at.description = (char *)(uintptr_t) "too long";
	bad.n_field_violations = 1;
	bad.field_violations = all;
	delay.seconds = 2;
	retry.retry_delay = &delay;
	pack_any(&any[0], "type.googleapis.com/google.rpc.ErrorInfo", &info.base, &b[0]);
	pack_any(&any[1], "type.googleapis.com/google.rpc.LocalizedMessage", &said.base, &b[1]);
	pack_any(&any[2], "type.googleapis.com/google.rpc.BadRequest", &bad.base, &b[2]);
	pack_any(&any[3], "type.googleapis.com/google.rpc.RetryInfo", &retry.base, &b[3]);
	status.code = 7;
	status.message = (char *)(uintptr_t) "no";
	status.n_details = 4;
	status.details = details;
	eg_buf_add_u8(&out, (uint8_t)(n_types + 1));
	eg_buf_add_u8(&out, 7);
	MUST(!eg_pb_write(&status.base, &out, NULL));
	fuzz_seed(eg_buf_bytes(&out));
	for (unsigned i = 0; i < 4; i++)
		eg_buf_free(&b[i]);
	eg_buf_free(&out);
}

void fuzz_seeds(void)
{
	for (unsigned i = 0; i < n_types; i++)
		for (unsigned k = 0; k < 3; k++)
			seed_of(i, types[i]);
	seed_of(n_types, &eldergate__v1__reconcile_request__descriptor);
	seed_list();
	seed_refusal();
}
