/* command_agency_test: `eldergate agency test`: the way of a record to its receipt, step by step, with a
 * record of which nothing is kept. Where a step fails, the next ones cannot be tried: what to do is said
 * instead. */
#include "cli/commands.h"

#include "cli/file.h"
#include "cli/knock.h"
#include "cli/over_bus.h"
#include "cli/sandbox.h"
#include "cli/show.h"
#include "cli/status.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "trust/crypto.h"
#include "trust/x509.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SUBMIT "/eldergate.v1.ExchangeService/Submit"
#define CHECK  "/eldergate.v1.ExchangeService/CheckLifeStatus"
enum { PEM_MAX = 1 << 20, ADVICE = 512 };

struct trial {
	struct cli *c;
	const char *dataset;
	enum eg_section section;
	const char *address;        /* of gRPC, or of the bus */
	struct eg_link_options bus; /* address NULL: over gRPC */
	char key[SANDBOX_KEY];
	char pin[2 * EG_HASH_SIZE + 1]; /* of the client certificate; "": none */
	char advice[ADVICE];            /* what to do about the error; "" */
};

static void good(const struct trial *t, const char *step, const char *text)
{
	if (!t->c->json)
		printf("  ok    %-11s %s\n", step, text);
}

static enum eg_rc bad(const struct trial *t, const char *step, enum eg_rc rc, const struct eg_err *err)
{
	if (!t->c->json)
		printf("  FAIL  %-11s %s\n", step, err->text);
	if (!t->c->json && *t->advice)
		printf("        to do       %s\n", t->advice);
	fflush(stdout);
	return rc;
}

#define ADVISE(t, ...) snprintf((t)->advice, sizeof(t)->advice, __VA_ARGS__)

/* ---- before anything is sent ---- */

/* The certificate and its key, which gRPC would only find wrong in the handshake. */
static enum eg_rc own_files(struct trial *t, struct eg_err *err)
{
	struct rpc_options o;
	struct eg_buf cert = {0}, key = {0};
	uint8_t pin[EG_HASH_SIZE];
	cli_rpc_options(t->c, &o);
	if (strncmp(o.server, "unix:", 5) == 0 || !o.certificate || !o.key)
		return EG_OK; /* connecting says what is missing */
	ADVISE(t, "Use the two files that `eldergate agency add` made together: NAME.pem and NAME.key.");
	enum eg_rc rc = file_read(o.certificate, PEM_MAX, &cert, err);
	if (!rc)
		rc = file_read(o.key, PEM_MAX, &key, err);
	if (!rc && (rc = eg_x509_match(eg_buf_bytes(&cert), eg_buf_bytes(&key), err))) {
		struct eg_err why = *err;
		eg_fail(err, rc, "%.100s, %.100s: %.80s", o.certificate, o.key, why.text);
	}
	if (!rc)
		rc = eg_spki_pin(eg_buf_bytes(&cert), pin, err);
	if (!rc) {
		eg_hex(pin, sizeof pin, t->pin);
		good(t, "certificate", "it fits its key");
		*t->advice = 0;
	}
	if (key.len)
		explicit_bzero(key.p, key.len);
	eg_buf_free(&cert);
	eg_buf_free(&key);
	return rc;
}

/* ---- what a refusal means ---- */

static void advise(struct trial *t, const struct eg_refusal *why)
{
	if (strcmp(why->reason, "IDENTITY_UNKNOWN") == 0 && t->bus.address)
		ADVISE(t, "Have the operator put the public key (first line of the key file) as `curve:` "
		          "into this "
		          "agency's file in identities.d, and reload.");
	else if (strcmp(why->reason, "IDENTITY_UNKNOWN") == 0 && *t->pin)
		ADVISE(t,
		       "Have the operator put `pin: sha256:%s` into this agency's file in identities.d, and "
		       "reload.",
		       t->pin);
	else if (strcmp(why->reason, "IDENTITY_UNKNOWN") == 0)
		ADVISE(t, "This local user has no identity: `eldergate agency add NAME --uid $(id -u)`, then "
		          "reload.");
	else if (strcmp(why->reason, "DATASET_UNKNOWN") == 0 ||
	         strcmp(why->reason, "DATASET_NOT_PERMITTED") == 0)
		ADVISE(t, "The names must be those of `submit:` in this agency's file in identities.d; a "
		          "reload makes a "
		          "change known.");
	else if (strcmp(why->reason, "PURPOSE_NOT_PERMITTED") == 0)
		ADVISE(t, "The purpose must be one of `read:` in this agency's file in identities.d.");
	else if (strcmp(why->reason, "METHOD_NOT_PERMITTED") == 0)
		ADVISE(t, "Whoever sends records needs `roles: [agency]`.");
	else if (why->retry_us >= 0)
		ADVISE(t, "It is busy or shutting down: try again after %.0f s.",
		       (double)why->retry_us / 1e6);
	else
		*t->advice = 0;
}

/* The step that a refusal speaks of: one that passes by itself is about no name and no right. */
static const char *step_of(const struct eg_refusal *why, const char *step)
{
	return why->retry_us >= 0 ? "answer" : step;
}

static enum eg_rc refused(struct trial *t, const char *step, const struct eg_refusal *why, struct eg_err *err)
{
	advise(t, why);
	refusal_fail(why, err);
	return bad(t, step, why->rc, err);
}

/* The kernel takes connections of a Unix socket for a daemon that stands still. */
static enum eg_rc no_answer(struct trial *t, struct eg_err *err)
{
	ADVISE(t, "It is stopped or stuck: " KNOCK_STUCK ".");
	eg_fail(err, EG_UNAVAILABLE, "the socket takes the connection, and the daemon does not answer");
	return bad(t, "connection", EG_UNAVAILABLE, err);
}

/* No TLS although the port answers. */
static enum eg_rc no_tls(struct trial *t, struct eg_err *err)
{
	struct rpc_status status = {0};
	struct eg_buf answer = {0};
	rpc_unary(t->c->client, "/grpc.health.v1.Health/Check", (struct eg_bytes){0}, t->c->timeout_us, false,
	          &answer, &status);
	ADVISE(t, "Look at: --ca (the authority of the daemon's certificate), --server-name (a name in that "
	          "certificate, if it is not HOST), --cert (issued by the daemon's tls.client_ca, not "
	          "expired), and "
	          "whether this is the port of listen.tls.");
	eg_fail(err, EG_UNAVAILABLE, "no TLS is agreed: %.250s", status.text);
	rpc_status_free(&status);
	eg_buf_free(&answer);
	return bad(t, "connection", EG_UNAVAILABLE, err);
}

/* ---- the record ---- */

static enum eg_rc send_grpc(struct trial *t, struct eg_bytes request, struct eg_buf *answer,
                            struct eg_refusal *why, bool *was_refused, struct eg_err *err)
{
	struct rpc_stream *s = NULL;
	struct rpc_status status = {0};
	enum rpc_received got = RPC_SILENT;
	enum eg_rc rc = rpc_stream_open(t->c->client, SUBMIT, &s, err);
	if (!rc) {
		if (rpc_send(s, request))
			rpc_half_close(s);
		got = rpc_receive(s, t->c->timeout_us, answer, &status);
	}
	*was_refused = got == RPC_ENDED;
	if (*was_refused)
		refusal_of_status(&status, why);
	if (!rc && got == RPC_SILENT)
		rc = eg_fail(err, EG_DEADLINE, "the gateway did not answer in time");
	rpc_stream_close(s);
	rpc_status_free(&status);
	return rc;
}

static bool has_reason(const Eldergate__V1__RecordResult *r, Eldergate__V1__ReasonCode code)
{
	for (size_t i = 0; i < r->n_reasons; i++)
		if (r->reasons[i]->code == code)
			return true;
	return false;
}

static void show_reasons(const struct trial *t, const Eldergate__V1__RecordResult *r)
{
	struct eg_buf line = {0};
	for (size_t i = 0; i < r->n_reasons && !t->c->json; i++) {
		eg_buf_printf(&line, "                    ");
		show_reason(t->c, &line, r->reasons[i]);
		show_line(&line);
	}
	eg_buf_free(&line);
}

static enum eg_rc judge_receipt(struct trial *t, const Eldergate__V1__Receipt *r, struct eg_err *err)
{
	char text[256];
	if (r->status && r->status->code) {
		struct eg_refusal why;
		refusal_of_message(r->status, &why);
		return refused(t, step_of(&why, "dataset"), &why, err);
	}
	enum eg_rc rc = t->c->json ? cli_json(&r->base, err) : EG_OK;
	if (rc)
		return rc;
	if (!r->dry_run || r->n_results != 1) {
		eg_fail(err, EG_INTERNAL, "the answer is not the receipt of a dry run of one record");
		return bad(t, "record", EG_INTERNAL, err);
	}
	snprintf(text, sizeof text, "%s may be sent", t->dataset);
	good(t, "dataset", text);
	const Eldergate__V1__RecordResult *one = r->results[0];
	if (one->outcome != ELDERGATE__V1__OUTCOME__OUTCOME_APPLIED) {
		rc = eg_fail(err, EG_INVALID, "the record would not be taken");
		if (has_reason(one, ELDERGATE__V1__REASON_CODE__REASON_CODE_SECTION_MISMATCH))
			ADVISE(t,
			       "The dataset %s is not of the section %s: give --section as identities.d has "
			       "it.",
			       t->dataset, eg_section_name(t->section));
		else
			ADVISE(t, "See the reasons below: each says what the gateway did not like, and what "
			          "to do.");
		bad(t, "record", rc, err);
		show_reasons(t, one);
		return rc;
	}
	snprintf(text, sizeof text,
	         "APPLIED: it would be taken; judged behind entry #%" PRIu64 " of log %.8s...", r->pinned_seq,
	         r->log_id);
	good(t, "record", text);
	show_reasons(t, one);
	return EG_OK;
}

static enum eg_rc send_record(struct trial *t, struct eg_err *err)
{
	struct eg_buf request = {0}, answer = {0};
	struct eg_refusal why;
	bool was_refused = false;
	enum eg_rc rc = sandbox_request(t->dataset, t->section, t->key, &request, err);
	if (rc) {
		eg_buf_free(&request);
		return bad(t, "record", rc, err);
	}
	if (t->bus.address)
		rc = over_bus(&t->bus, SUBMIT, eg_buf_bytes(&request), t->c->timeout_us, &answer, &why,
		              &was_refused, err);
	else
		rc = send_grpc(t, eg_buf_bytes(&request), &answer, &why, &was_refused, err);
	if (rc == EG_UNAUTHENTICATED)
		advise(t, &(struct eg_refusal){.reason = "IDENTITY_UNKNOWN"});
	if (rc == EG_UNAVAILABLE && t->bus.address)
		ADVISE(t, "Compare --server-key with `eldergate server key --data DIR` on the gateway, and "
		          "the address with "
		          "listen.bus: a gateway with another key leaves without a word.");
	Eldergate__V1__SubmitResponse *m = NULL;
	if (rc) {
		rc = bad(t, t->bus.address && rc != EG_DEADLINE ? "identity" : "answer", rc, err);
	} else if (was_refused) {
		rc = refused(t, step_of(&why, "identity"), &why, err);
	} else if (!(m = eldergate__v1__submit_response__unpack(NULL, answer.len, answer.p)) || !m->receipt) {
		eg_fail(err, EG_INTERNAL, "the gateway's answer could not be decoded");
		rc = bad(t, "answer", EG_INTERNAL, err);
	} else {
		good(t, "identity", "the gateway knows us");
		rc = judge_receipt(t, m->receipt, err);
	}
	if (m)
		eldergate__v1__submit_response__free_unpacked(m, NULL);
	eg_buf_free(&request);
	eg_buf_free(&answer);
	return rc;
}

/* ---- the purpose ---- */

/* Asks whether the person of the sandbox record lives: there is none. The read is in the log, as any. */
static enum eg_rc try_purpose(struct trial *t, const char *purpose, struct eg_err *err)
{
	Eldergate__V1__CheckLifeStatusRequest request = ELDERGATE__V1__CHECK_LIFE_STATUS_REQUEST__INIT;
	Eldergate__V1__PersonSelector whom = ELDERGATE__V1__PERSON_SELECTOR__INIT, *list = &whom;
	Eldergate__V1__SourceRecordSelector source = ELDERGATE__V1__SOURCE_RECORD_SELECTOR__INIT;
	struct eg_buf out = {0}, in = {0};
	struct rpc_status status = {0};
	struct eg_refusal why;
	source.dataset = (char *)(uintptr_t)t->dataset;
	source.source_key = t->key;
	whom.selector_case = ELDERGATE__V1__PERSON_SELECTOR__SELECTOR_SOURCE_RECORD;
	whom.source_record = &source;
	request.purpose = (char *)(uintptr_t)purpose;
	request.legal_basis = "agency test: asks about nobody";
	request.n_persons = 1;
	request.persons = &list;
	enum eg_rc rc = pack(&request.base, &out, err);
	if (!rc &&
	    !rpc_unary(t->c->client, CHECK, eg_buf_bytes(&out), t->c->timeout_us, false, &in, &status)) {
		refusal_of_status(&status, &why);
		rc = refused(t, "purpose", &why, err);
	} else if (!rc) {
		good(t, "purpose", "it may be asked for (nobody was asked about; the read is in the log)");
	}
	rpc_status_free(&status);
	eg_buf_free(&out);
	eg_buf_free(&in);
	return rc;
}

/* ---- all steps ---- */

static enum eg_rc read_options(struct cli *c, struct trial *t, struct eg_err *err)
{
	const char *section = cli_option(c, "section"), *bus = cli_option(c, "bus");
	struct rpc_options o;
	t->c = c;
	t->dataset = cli_option(c, "dataset");
	t->section = eg_section_by_name(section ? section : t->dataset);
	if (!t->section)
		return eg_fail(err, EG_USAGE, "--section must be registration, assistance, funeral or care");
	cli_rpc_options(c, &o);
	t->address = o.server;
	if (!bus)
		return EG_OK;
	t->bus = (struct eg_link_options){.address = bus,
	                                  .server_key = cli_option(c, "server-key"),
	                                  .key_file = cli_option(c, "key-file")};
	t->address = strncmp(bus, "tcp://", 6) == 0 ? bus + 6 : bus;
	if (!t->bus.server_key || !t->bus.key_file)
		return eg_fail(err, EG_USAGE,
		               "--bus wants --server-key and --key-file, as the adapter's mapping has them");
	if (*cli_purpose(c))
		return eg_fail(err, EG_USAGE, "a purpose is tried over gRPC; leave --purpose out, or --bus");
	return EG_OK;
}

static enum eg_rc reach(struct trial *t, struct eg_err *err)
{
	bool local = strncmp(t->address, "unix:", 5) == 0;
	char at[KNOCK_TEXT];
	enum eg_rc rc;
	if ((rc = knock(t->address, t->c->timeout_us, at, err)))
		return bad(t, "address", rc, err);
	good(t, "address", at);
	if (t->bus.address)
		return EG_OK;
	if ((rc = own_files(t, err)) || (rc = cli_connect(t->c, err)))
		return bad(t, "certificate", rc, err);
	if (!rpc_reach(t->c->client, t->c->timeout_us))
		return local ? no_answer(t, err) : no_tls(t, err);
	good(t, "connection", local ? "it answers" : "TLS is agreed");
	return EG_OK;
}

enum eg_rc agency_test(struct cli *c, struct eg_err *err)
{
	struct trial t = {0};
	enum eg_rc rc = eg_crypto_open(err);
	if (!rc)
		rc = read_options(c, &t, err);
	if (rc)
		return rc;
	if (!c->json)
		printf("A made-up record of %s (%s) to %s; nothing of it is kept.\n", t.dataset,
		       eg_section_name(t.section), t.bus.address ? t.bus.address : t.address);
	rc = reach(&t, err);
	if (!rc)
		rc = send_record(&t, err);
	if (!rc && *cli_purpose(c))
		rc = try_purpose(&t, cli_purpose(c), err);
	if (!rc && !c->json)
		printf("all is well\n");
	return rc;
}
