/* http_target: see http_target.h.
 *
 *   group --post--> taken, or there already: delivered
 *               --> refused: a group is sent again one by one, to find the one at fault; that one is parked
 *               --> not reached, or not with a secret that is good: the call fails, which no change answers
 * for
 *               --> anything else: later; what follows waits, so order holds */
#include "connectors/http_target.h"

#include "base/clock.h"
#include "base/fault.h"
#include "connectors/http_body.h"
#include "connectors/http_peer.h"
#include "connectors/http_settings.h"
#include "trust/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct eg_setting_def eg_http_target_settings[] = {
        EG_HTTP_PEER_SETTINGS,
        {"method", EG_SET_CHOICE, false, "POST", 0, 0, "POST|PUT", "HTTP method"},
        {"batch", EG_SET_INT, false, "1", 1, 100, NULL, "changes in one request; more than 1: ${events}"},
        {"item", EG_SET_TEXT, false, "${columns}", 0, 65536, NULL, "one change within ${events}"},
        {"idempotency_header", EG_SET_TEXT, false, "Idempotency-Key", 1, 100, NULL,
         "header that holds the event's id, or one made of the ids and contents of a batch"},
        {0},
};

struct eg_http_target {
	const struct eg_settings *s;
	struct eg_http_peer *peer;
	struct eg_http_what what;
	struct eg_http_body body;
	struct eg_buf header;
	bool outage; /* the last group was not delivered, and no change is at fault */
};

static enum eg_rc check(struct eg_http_target *t, struct eg_err *err)
{
	bool batch = eg_settings_int(t->s, "batch") > 1;
	const char *name = eg_settings_text(t->s, "idempotency_header");
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")])
		return eg_settings_fail(t->s, "idempotency_header", err, "must be the name of a header");
	if (!*eg_settings_text(t->s, "body"))
		return eg_settings_fail(t->s, "body", err, "is needed: what is delivered");
	if (batch && *eg_settings_text(t->s, "body_format") == 'f')
		return eg_settings_fail(t->s, "batch", err, "more than 1 needs a JSON or XML body");
	enum eg_rc rc = eg_http_body_sample(&t->body, batch, err);
	t->what.values = t->body.values;
	t->what.n = t->body.n;
	return rc ? rc : eg_http_request_check(t->s, &t->what, err);
}

enum eg_rc eg_http_target_open(struct eg_http_target **out, const struct eg_connector_options *o,
                               struct eg_err *err)
{
	struct eg_http_target *t = calloc(1, sizeof *t);
	*out = NULL;
	if (!t)
		return eg_fail(err, EG_NO_MEMORY, "no memory for an HTTP target");
	t->s = t->body.s = o->settings;
	t->what = (struct eg_http_what){.prefix = "", .method = eg_settings_text(t->s, "method")};
	enum eg_rc rc = check(t, err);
	if (!rc)
		rc = eg_http_peer_open(&t->peer, o, err);
	if (rc)
		eg_http_target_close(t);
	else
		*out = t;
	return rc;
}

/* Opening asks nobody anything. */
enum eg_rc eg_http_target_check(const struct eg_settings *s, struct eg_err *err)
{
	struct eg_http_target *c = NULL;
	enum eg_rc rc =
	        eg_http_target_open(&c, &(struct eg_connector_options){.settings = s, .dry = true}, err);
	eg_http_target_close(c);
	return rc;
}

void eg_http_target_close(struct eg_http_target *t)
{
	if (!t)
		return;
	eg_http_peer_close(t->peer);
	eg_http_body_free(&t->body);
	eg_buf_free(&t->header);
	free(t);
}

/* The same changes together, with the same content, always have the same id; a peer may answer for a request
 * that it knows by its id without looking into it. */
static void batch_id(const struct eg_delivery *d, unsigned n, struct eg_bytes content,
                     char out[2 * EG_HASH_SIZE + 1])
{
	uint8_t hash[EG_HASH_SIZE];
	struct eg_buf ids = {0};
	for (unsigned i = 0; i < n; i++)
		eg_buf_add(&ids, d[i].event_id, strlen(d[i].event_id) + 1);
	struct eg_bytes all[] = {eg_buf_bytes(&ids), content};
	eg_sha256(all, 2, hash);
	eg_hex(hash, sizeof hash, out);
	eg_buf_free(&ids);
}

/* Posts n changes as one request. */
static enum eg_rc post(struct eg_http_target *t, const struct eg_delivery *d, unsigned n,
                       int64_t mono_deadline_us, struct eg_err *err)
{
	char hash[2 * EG_HASH_SIZE + 1];
	const char *id = d->event_id;
	bool batch = eg_settings_int(t->s, "batch") > 1;
	enum eg_rc rc = batch ? eg_http_body_batch(&t->body, d, n, err) : eg_http_body_one(&t->body, d, err);
	if (rc)
		return rc;
	if (n > 1) {
		batch_id(d, n, eg_buf_bytes(&t->body.events), hash);
		id = hash;
	}
	if (batch)
		eg_http_body_id(&t->body, id);
	for (const char *p = id; *p; p++)
		if (*p <= 0x20 || *p > 0x7e)
			return eg_fail(err, EG_INTERNAL, "an event's id cannot stand in a header");
	eg_buf_reset(&t->header);
	eg_buf_printf(&t->header, "%s: %s", eg_settings_text(t->s, "idempotency_header"), id);
	eg_buf_add_u8(&t->header, 0);
	if (t->header.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a header");
	t->what.n = t->body.n;
	t->what.header = (const char *)t->header.p;
	eg_http_peer_ask(t->peer, &t->what, EG_CALL_URGENT, false);
	do {
		rc = eg_http_peer_wait(t->peer, mono_deadline_us, err);
	} while (rc == EG_EMPTY && !eg_http_peer_spent(t->peer) && eg_mono_us() < mono_deadline_us);
	if (rc == EG_EMPTY)
		rc = eg_http_peer_spent(t->peer) ? eg_fail(err, EG_BUSY, "the calls of today are used up")
		                                 : eg_fail(err, EG_DEADLINE, "no answer in time");
	if (!rc)
		eg_kill_point("http.posted"); /* there, and nobody here knows */
	eg_http_peer_drop(t->peer);
	return rc == EG_EXISTS ? EG_OK : rc;
}

static void set(struct eg_delivery_result *r, unsigned n, enum eg_rc rc, const struct eg_err *err)
{
	for (unsigned i = 0; i < n; i++) {
		r[i].rc = rc;
		r[i].err = rc ? *err : (struct eg_err){0};
		r[i].err.rc = rc;
	}
}

/* The faults of ours, against those of the peer or of the change. */
static bool ours(enum eg_rc rc)
{
	return rc == EG_CONFIG || rc == EG_INTERNAL || rc == EG_CRYPTO || rc == EG_NO_MEMORY || rc == EG_IO ||
	       rc == EG_NO_SPACE;
}

/* A group and its results. EG_OK: go on with the next. */
static enum eg_rc deliver_group(struct eg_http_target *t, const struct eg_delivery *d, unsigned n,
                                struct eg_delivery_result *r, int64_t mono_deadline_us, struct eg_err *err)
{
	enum eg_rc rc = post(t, d, n, mono_deadline_us, err);
	if (rc == EG_INVALID && n > 1) {
		rc = EG_OK;
		for (unsigned i = 0; !rc && i < n; i++)
			rc = deliver_group(t, d + i, 1, r + i, mono_deadline_us, err);
		return rc;
	}
	if (ours(rc))
		return rc;
	/* That we are not known is mended by people; the change has no part in it. */
	if (rc == EG_UNAUTHENTICATED)
		rc = EG_UNAVAILABLE;
	/* A peer that is down must not look like changes that fail, or the outage would park them one by one.
	 * Once one of them has gone out, its content may be what the peer dies of. */
	t->outage = (rc == EG_UNAVAILABLE || rc == EG_DEADLINE) && !eg_http_peer_reached(t->peer);
	if (t->outage)
		return err->rc = rc;
	set(r, n, rc, err);
	return rc == EG_INVALID ? EG_OK : rc;
}

enum eg_rc eg_http_target_deliver(struct eg_http_target *t, const struct eg_delivery *deliveries, unsigned n,
                                  struct eg_delivery_result *results, int64_t mono_deadline_us,
                                  struct eg_err *err)
{
	static const struct eg_err waits = {0};
	unsigned batch = (unsigned)eg_settings_int(t->s, "batch");
	struct eg_err own;
	enum eg_rc rc = EG_OK;
	if (!err)
		err = &own;
	set(results, n, EG_BUSY, &waits);
	t->outage = false;
	for (unsigned i = 0; !rc && i < n; i += batch)
		rc = deliver_group(t, deliveries + i, n - i < batch ? n - i : batch, results + i,
		                   mono_deadline_us, err);
	return ours(rc) || t->outage ? rc : EG_OK;
}
