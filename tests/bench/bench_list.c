/* bench_list: sends one full list of generated persons through ExchangeService.Reconcile and times it to its
 * report.
 *
 * Everything is encoded before the clock starts. --content: what the rows say; of every --every-th row (0:
 * none) they say the one --step further, so that it changes. */
#include "base/thread.h"
#include "bench.h"
#include "cli/grpc_client.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "people.h"
#include "trust/crypto.h"

#include <stdlib.h>
#include <string.h>

#define METHOD     "/eldergate.v1.ExchangeService/Reconcile"
#define REPORT_US  (600 * EG_SECOND)
#define ROWS       500 /* of a message */
#define STEP_TAG   0x12
#define RECORD_TAG 0x0A

struct message {
	size_t at, len;
};

static struct {
	struct rpc_stream *call;
	struct eg_buf text;
	struct message *messages;
	uint32_t n;
	int64_t begins, sent, received, compared; /* monotonic; the last two as the gateway told */
	Eldergate__V1__ReconcileReport *report;
} list;

static void add_varint(struct eg_buf *b, uint64_t v)
{
	for (; v > 0x7F; v >>= 7)
		eg_buf_add_u8(b, (uint8_t)(v | 0x80));
	eg_buf_add_u8(b, (uint8_t)v);
}

static void add_message(const struct eg_buf *body)
{
	struct message *m = &list.messages[list.n++];
	m->at = list.text.len;
	eg_buf_add(&list.text, body->p, body->len);
	m->len = list.text.len - m->at;
}

static void add_step(Eldergate__V1__ReconcileRequest *r)
{
	struct eg_buf b = {0};
	uint8_t *p = eg_buf_grow(&b, eldergate__v1__reconcile_request__get_packed_size(r));
	if (!p)
		bench_die("no memory");
	eldergate__v1__reconcile_request__pack(r, p);
	add_message(&b);
	eg_buf_free(&b);
}

static void add_row(struct eg_hash *hash, uint32_t person, int64_t content, struct eg_buf *body)
{
	static struct eg_buf row;
	eg_buf_reset(&row);
	people_row(person, content, &row);
	const uint8_t len[4] = {0, 0, (uint8_t)(row.len >> 8), (uint8_t)row.len};
	const struct eg_bytes parts[] = {{len, sizeof len}, eg_buf_bytes(&row)};
	eg_hash_add(hash, parts, 2);
	eg_buf_add_u8(body, RECORD_TAG);
	add_varint(body, row.len);
	eg_buf_add(body, row.p, row.len);
}

static void encode(const uint32_t *order, uint32_t n, const char *dataset, int64_t as_of, int64_t content,
                   long every, int64_t step_by)
{
	Eldergate__V1__ReconcileRequest r = ELDERGATE__V1__RECONCILE_REQUEST__INIT;
	Eldergate__V1__ReconcileBegin begin = ELDERGATE__V1__RECONCILE_BEGIN__INIT;
	Eldergate__V1__ReconcileEnd end = ELDERGATE__V1__RECONCILE_END__INIT;
	struct eg_hash *hash = eg_hash_new(EG_HASH_SHA256);
	struct eg_buf body = {0}, step = {0};
	uint8_t digest[EG_HASH_SIZE];
	char id[32];
	snprintf(id, sizeof id, "bench-%lld", (long long)as_of);
	list.messages = bench_alloc(n / ROWS + 3, sizeof *list.messages);
	begin.list_id = id;
	begin.dataset = (char *)(uintptr_t)dataset;
	begin.as_of = as_of;
	r.step_case = ELDERGATE__V1__RECONCILE_REQUEST__STEP_BEGIN;
	r.begin = &begin;
	add_step(&r);
	for (uint32_t i = 0; i < n; i++) {
		add_row(hash, order[i], people_content(order[i], content, every, step_by), &body);
		if ((i + 1) % ROWS && i + 1 < n)
			continue;
		eg_buf_reset(&step);
		eg_buf_add_u8(&step, STEP_TAG);
		add_varint(&step, body.len);
		eg_buf_add(&step, body.p, body.len);
		add_message(&step);
		eg_buf_reset(&body);
	}
	eg_hash_end(hash, digest);
	end.count = n;
	end.digest = (ProtobufCBinaryData){sizeof digest, digest};
	r.step_case = ELDERGATE__V1__RECONCILE_REQUEST__STEP_END;
	r.end = &end;
	add_step(&r);
	if (list.text.failed)
		bench_die("no memory for the list");
	eg_hash_free(hash);
	eg_buf_free(&body);
	eg_buf_free(&step);
}

static void receive(void *arg)
{
	struct eg_buf message = {0};
	struct rpc_status status = {0};
	enum rpc_received r;
	(void)arg;
	while ((r = rpc_receive(list.call, REPORT_US, &message, &status)) == RPC_MESSAGE) {
		Eldergate__V1__ReconcileResponse *m =
		        eldergate__v1__reconcile_response__unpack(NULL, message.len, message.p);
		if (!m)
			bench_die("an answer that is none");
		if (m->told_case == ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_PROGRESS && !list.received &&
		    m->progress->phase == ELDERGATE__V1__LIST_PHASE__LIST_PHASE_COMPARING)
			list.received = eg_mono_us();
		if (m->told_case == ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REPORT) {
			list.report = m->report;
			list.compared = eg_mono_us();
			m->report = NULL;
			m->told_case = ELDERGATE__V1__RECONCILE_RESPONSE__TOLD__NOT_SET;
		}
		eldergate__v1__reconcile_response__free_unpacked(m, NULL);
	}
	if (r == RPC_SILENT || status.code || !list.report)
		bench_die("no report: %d %s", status.code, status.text);
	eg_buf_free(&message);
	rpc_status_free(&status);
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	struct rpc_options o = {.server = bench_text("--server", NULL)};
	const char *dataset = bench_text("--dataset", "registration");
	uint32_t persons = (uint32_t)bench_number("--persons", 100000);
	uint64_t seed = (uint64_t)bench_number("--seed", 1);
	int64_t as_of = bench_number("--as-of", 1), content = bench_number("--content", 1);
	long every = bench_number("--every", 0);
	int64_t step_by = bench_number("--step", 1);
	bench_args_end();
	struct eg_err err = {0};
	struct rpc_client *client = NULL;
	struct eg_thread *receiver = NULL;
	if (eg_crypto_open(&err) || rpc_open(&client, &o, &err))
		bench_die("%s", err.text);
	uint32_t *order = bench_order(persons, seed);
	encode(order, persons, dataset, as_of, content, every, step_by);
	free(order);
	if (rpc_stream_open(client, METHOD, &list.call, &err) ||
	    eg_thread_start(&receiver, "receive", receive, NULL, &err))
		bench_die("%s", err.text);
	double cpu = bench_cpu_seconds();
	list.begins = eg_mono_us();
	for (uint32_t i = 0; i < list.n; i++)
		if (!rpc_send(list.call,
		              (struct eg_bytes){list.text.p + list.messages[i].at, list.messages[i].len}))
			break; /* the receiver tells why */
	rpc_half_close(list.call);
	list.sent = eg_mono_us();
	eg_thread_join(receiver);
	const Eldergate__V1__ReconcileReport *r = list.report;
	double seconds = (double)(list.compared - list.begins) / 1e6;
	printf("{\"bench\":\"list\",\"records\":%u,\"seconds\":%.6f,\"rate\":%.1f,\"bytes\":%zu,\"cpu_s\":%."
	       "3f,"
	       "\"sent_s\":%.3f,\"kept_s\":%.3f,\"unchanged\":%llu,\"changed\":%llu,\"added\":%llu,"
	       "\"missing\":%llu,"
	       "\"withdrawn\":%llu,\"rejected\":%llu}\n",
	       persons, seconds, persons / seconds, list.text.len, bench_cpu_seconds() - cpu,
	       (double)(list.sent - list.begins) / 1e6,
	       list.received ? (double)(list.received - list.begins) / 1e6 : 0,
	       (unsigned long long)r->unchanged, (unsigned long long)r->changed, (unsigned long long)r->added,
	       (unsigned long long)r->missing, (unsigned long long)r->withdrawn,
	       (unsigned long long)r->rejected);
	eldergate__v1__reconcile_report__free_unpacked(list.report, NULL);
	rpc_stream_close(list.call);
	rpc_close(client);
	eg_buf_free(&list.text);
	free(list.messages);
	return 0;
}
