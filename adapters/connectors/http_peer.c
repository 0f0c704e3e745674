/* http_peer: see http_peer.h. */
#include "connectors/http_peer.h"

#include "base/clock.h"
#include "base/log.h"
#include "connectors/http_secret.h"
#include "trust/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A wait for midnight looks at the clock anew so often: it may be set. */
#define LOOK_AGAIN (60 * EG_SECOND)

/* In the checkpoint, for both directions: it has no direction's prefix. */
#define QUOTA_PREFIX "http.quota/"
enum { QUOTA_NAME_MAX = 100 };

enum state { IDLE, PACING, SENDING };

struct eg_http_peer {
	const struct eg_settings *s;
	struct eg_checkpoint *checkpoint;
	char quota_name[QUOTA_NAME_MAX];
	struct eg_curl *curl;
	struct eg_http_secret *secret;
	struct eg_call_quota quota;
	struct eg_http_request request;
	struct eg_http_answer answer;
	enum state state;
	const struct eg_http_what *what;
	enum eg_call_priority priority;
	bool document;
	int64_t not_before; /* monotonic */
	unsigned tries;     /* of this exchange that failed */
	bool renewing;      /* what is sent is a renewal; then what was asked follows */
	bool renewed;       /* in this exchange already */
	bool reached;       /* what was asked has gone out */
	bool spent;
};

static const struct eg_http_what *renewal(const struct eg_http_peer *p)
{
	static const struct eg_http_what get = {.prefix = "renew_", .method = "GET"},
	                                 post = {.prefix = "renew_", .method = "POST"};
	return strcmp(eg_settings_text(p->s, "renew_method"), "GET") == 0 ? &get : &post;
}

static enum eg_rc open_curl(struct eg_http_peer *p, struct eg_err *err)
{
	const struct eg_settings *s = p->s;
	struct eg_curl_options o = {
	        .connect_us = eg_settings_int(s, "connect_timeout"),
	        .total_us = eg_settings_int(s, "timeout"),
	        .slow_bytes = eg_settings_int(s, "slow_bytes"),
	        .slow_us = eg_settings_int(s, "slow_time"),
	        .max_body = eg_settings_int(s, "max_response"),
	        .redirects = (unsigned)eg_settings_int(s, "redirects"),
	        .proxy = eg_settings_text(s, "proxy"),
	        .ca_file = eg_settings_text(s, "ca_file"),
	        .certificate = eg_settings_text(s, "client_certificate"),
	        .key = eg_settings_text(s, "client_key"),
	};
	if (!*o.certificate != !*o.key)
		return eg_settings_fail(s, "client_key", err,
		                        "client_certificate and client_key go together");
	return eg_curl_open(&p->curl, &o, err);
}

static enum eg_rc check(struct eg_http_peer *p, struct eg_err *err)
{
	const struct eg_settings *s = p->s;
	int64_t per_day = eg_settings_int(s, "calls_per_day"),
	        reserved = eg_settings_int(s, "calls_reserved");
	if (reserved && reserved >= per_day)
		return eg_settings_fail(s, "calls_reserved", err,
		                        "must leave some of calls_per_day to lists");
	if (strcmp(eg_settings_text(s, "sign"), "none") != 0 && !*eg_settings_text(s, "secret") &&
	    !*eg_settings_text(s, "renew_url"))
		return eg_settings_fail(s, "secret", err, "is needed to sign");
	enum eg_rc rc = eg_http_answer_check(s, err);
	if (!rc && *eg_settings_text(s, "renew_url"))
		rc = eg_http_request_check(s, renewal(p), err);
	return rc;
}

/* The peer counts our calls, whichever way they carry records, so both directions count as one. */
static void name_quota(struct eg_http_peer *p)
{
	const char *name = eg_settings_text(p->s, "upstream"), *url = eg_settings_text(p->s, "url");
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	size_t len = *name ? strlen(name) : strcspn(host, "/?#");
	snprintf(p->quota_name, sizeof p->quota_name, QUOTA_PREFIX "%.*s", (int)len, *name ? name : host);
	for (char *c = p->quota_name + strlen(QUOTA_PREFIX); *c; c++) {
		if (!*name && *c >= 'A' && *c <= 'Z') /* hosts have no case */
			*c = (char)(*c - 'A' + 'a');
		if (!(*c >= '0' && *c <= '9') && !(*c >= 'A' && *c <= 'Z') && !(*c >= 'a' && *c <= 'z') &&
		    *c != '.' && *c != '-')
			*c = '_'; /* what a checkpoint's names may hold */
	}
}

/* What the other direction has used since is there already. */
static void share_quota(struct eg_http_peer *p)
{
	if (p->checkpoint)
		eg_call_quota_restore(&p->quota, eg_checkpoint_get(p->checkpoint, p->quota_name));
}

enum eg_rc eg_http_peer_open(struct eg_http_peer **out, const struct eg_connector_options *o,
                             struct eg_err *err)
{
	struct eg_http_peer *p = calloc(1, sizeof *p);
	*out = NULL;
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a peer");
	p->s = o->settings;
	p->checkpoint = o->checkpoint;
	p->quota = eg_call_quota_new(&(struct eg_call_limits){
	        .per_second = eg_settings_int(p->s, "rate_per_second"),
	        .burst = eg_settings_int(p->s, "rate_burst"),
	        .per_day = eg_settings_int(p->s, "calls_per_day"),
	        .reserve = eg_settings_int(p->s, "calls_reserved"),
	});
	name_quota(p);
	share_quota(p);
	enum eg_rc rc = check(p, err);
	if (!rc)
		rc = open_curl(p, err);
	if (!rc)
		rc = eg_http_secret_open(&p->secret, p->s, err);
	if (!rc)
		rc = eg_http_answer_open(&p->answer, p->s, err);
	if (rc)
		eg_http_peer_close(p);
	else
		*out = p;
	return rc;
}

void eg_http_peer_close(struct eg_http_peer *p)
{
	if (!p)
		return;
	eg_curl_close(p->curl);
	eg_http_secret_close(p->secret);
	eg_http_request_free(&p->request);
	eg_http_answer_free(&p->answer);
	free(p);
}

void eg_http_peer_ask(struct eg_http_peer *p, const struct eg_http_what *what, enum eg_call_priority priority,
                      bool document)
{
	eg_http_peer_drop(p);
	p->what = what;
	p->priority = priority;
	p->document = document;
	p->state = PACING;
	p->tries = 0;
	p->renewed = p->renewing = p->reached = false;
	p->not_before = 0;
}

void eg_http_peer_drop(struct eg_http_peer *p)
{
	eg_curl_drop(p->curl);
	p->state = IDLE;
}

bool eg_http_peer_busy(const struct eg_http_peer *p)
{
	return p->state != IDLE;
}

bool eg_http_peer_reached(const struct eg_http_peer *p)
{
	return p->reached;
}

bool eg_http_peer_spent(const struct eg_http_peer *p)
{
	return p->state == PACING && p->spent;
}

enum eg_rc eg_http_peer_again(struct eg_http_peer *p, struct eg_bytes text, bool bad_bytes,
                              struct eg_err *err)
{
	eg_http_peer_drop(p);
	return eg_http_answer_again(&p->answer, p->s, text, bad_bytes, err);
}

const struct eg_http_answer *eg_http_peer_answer(const struct eg_http_peer *p)
{
	return &p->answer;
}

void eg_http_wait_until(int64_t mono_us, int64_t mono_deadline_us)
{
	struct timespec at = eg_mono_deadline(mono_us < mono_deadline_us ? mono_us : mono_deadline_us);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

/* ---- the quota ---- */

static enum eg_rc put_quota(struct eg_http_peer *p, struct eg_err *err)
{
	char text[EG_CALL_QUOTA_TEXT];
	if (!p->checkpoint)
		return EG_OK;
	eg_call_quota_text(&p->quota, text);
	return eg_checkpoint_put(p->checkpoint, p->quota_name, eg_bytes_of(text), err);
}

/* Before the call, so that a crash forgets no call. */
static enum eg_rc keep_quota(struct eg_http_peer *p, struct eg_err *err)
{
	enum eg_rc rc = put_quota(p, err);
	if (rc || !p->checkpoint || (!p->quota.limits.per_day && !eg_settings_count(p->s, "quota_codes")))
		return rc;
	return eg_checkpoint_save(p->checkpoint, err);
}

static void told_spent(struct eg_http_peer *p, bool spent, int64_t wait)
{
	if (spent && !p->spent)
		eg_log(EG_LOG_WARN, "http.quota_spent", EG_I("calls", p->quota.days[0].used),
		       EG_I("resumes_in_s", wait / EG_SECOND));
	else if (!spent && p->spent)
		eg_log(EG_LOG_INFO, "http.quota_renewed", EG_I("calls_per_day", p->quota.limits.per_day));
	p->spent = spent;
}

/* ---- an exchange ---- */

static enum eg_rc send_it(struct eg_http_peer *p, struct eg_err *err)
{
	int64_t now = eg_now_us();
	if (!p->renewing && !p->renewed && eg_http_secret_due(p->secret, now))
		p->renewing = true;
	/* A renewal is signed with the secret that was given with the settings: the other may have ended. */
	const char *secret = p->renewing ? eg_settings_text(p->s, "secret") : eg_http_secret_text(p->secret);
	enum eg_rc rc =
	        eg_http_request_make(&p->request, p->s, p->renewing ? renewal(p) : p->what, secret, now, err);
	if (!rc)
		rc = keep_quota(p, err);
	if (!rc)
		rc = eg_curl_start(p->curl, &p->request.curl, err);
	if (!rc)
		p->state = SENDING;
	return rc;
}

static enum eg_rc pace(struct eg_http_peer *p, struct eg_err *err)
{
	bool spent;
	share_quota(p);
	int64_t now = eg_mono_us(),
	        wait = eg_call_quota_take(&p->quota, p->renewing ? EG_CALL_URGENT : p->priority, eg_now_us(),
	                                  now, &spent);
	told_spent(p, spent, wait);
	if (!wait)
		return send_it(p, err);
	p->not_before = now + (wait < LOOK_AGAIN ? wait : LOOK_AGAIN);
	return put_quota(p, err);
}

int64_t eg_http_pause(int64_t first_us, int64_t most_us, unsigned tries, uint32_t dice)
{
	int64_t us = first_us;
	for (unsigned i = 1; i < tries && us < most_us; i++)
		us *= 2;
	if (us > most_us)
		us = most_us;
	return us - us / 2 * (int64_t)(dice % 1024) / 1024;
}

static int64_t pause_of(const struct eg_http_peer *p, int64_t retry_after)
{
	int64_t limit = eg_settings_int(p->s, "retry_after_max");
	uint32_t dice;
	if (retry_after)
		return retry_after < limit ? retry_after : limit;
	eg_random(&dice, sizeof dice);
	return eg_http_pause(eg_settings_int(p->s, "retry_first"), eg_settings_int(p->s, "retry_max"),
	                     p->tries, dice);
}

/* Once more, or rc. */
static enum eg_rc again(struct eg_http_peer *p, enum eg_rc rc, int64_t retry_after, const struct eg_err *err)
{
	if (p->tries++ >= (unsigned)eg_settings_int(p->s, "retries"))
		return rc;
	int64_t pause = pause_of(p, retry_after);
	eg_log(EG_LOG_INFO, "http.retry", EG_I("try", p->tries), EG_I("pause_ms", pause / 1000),
	       EG_T("reason", err->text));
	p->not_before = eg_mono_us() + pause;
	p->state = PACING;
	return EG_EMPTY;
}

static enum eg_rc renewed(struct eg_http_peer *p, struct eg_err *err)
{
	enum eg_rc rc = eg_http_secret_take(p->secret, p->answer.doc, eg_now_us(), err);
	if (rc)
		return rc;
	eg_log(EG_LOG_INFO, "http.secret_renewed");
	p->renewing = false;
	p->renewed = true;
	p->state = PACING;
	return EG_EMPTY;
}

static enum eg_rc judge(struct eg_http_peer *p, const struct eg_curl_answer *raw, struct eg_err *err)
{
	switch (eg_http_answer_read(&p->answer, p->s, raw, p->document || p->renewing, err)) {
	case EG_HTTP_DONE:
		return p->renewing ? renewed(p, err) : EG_OK;
	case EG_HTTP_AUTH:
		if (p->renewing || p->renewed || !eg_http_secret_renewable(p->secret))
			return err->rc;
		p->renewing = true;
		p->state = PACING;
		return EG_EMPTY;
	case EG_HTTP_SPENT:
		share_quota(p);
		eg_call_quota_spend(&p->quota, eg_now_us());
		p->state = PACING;
		return keep_quota(p, err) ? err->rc : EG_EMPTY;
	case EG_HTTP_AGAIN:
		return again(p, err->rc, raw->retry_after_us, err);
	default:
		break;
	}
	/* A renewal that is refused says nothing about what was asked. */
	if (p->renewing)
		err->rc = EG_UNAUTHENTICATED;
	return err->rc;
}

/* EG_EMPTY: not over. */
static enum eg_rc step(struct eg_http_peer *p, int64_t mono_deadline_us, struct eg_err *err)
{
	struct eg_curl_answer raw;
	if (p->state == PACING) {
		eg_http_wait_until(p->not_before, mono_deadline_us);
		enum eg_rc rc = eg_mono_us() < p->not_before ? EG_OK : pace(p, err);
		return rc ? rc : EG_EMPTY;
	}
	enum eg_rc rc = eg_curl_wait(p->curl, mono_deadline_us, &raw, err);
	p->reached |= !p->renewing && eg_curl_sent(p->curl);
	if (rc == EG_OK)
		return judge(p, &raw, err);
	if (rc == EG_UNAVAILABLE || rc == EG_DEADLINE)
		return again(p, rc, 0, err);
	/* Not a refusal: whether the peer took it is unknown. */
	if (rc == EG_INVALID || rc == EG_LIMIT)
		rc = err->rc = EG_UNAVAILABLE;
	return rc;
}

enum eg_rc eg_http_peer_wait(struct eg_http_peer *p, int64_t mono_deadline_us, struct eg_err *err)
{
	struct eg_err own;
	enum eg_rc rc = EG_EMPTY;
	if (!err)
		err = &own;
	if (p->state == IDLE)
		return eg_fail(err, EG_INTERNAL, "nothing was asked");
	do {
		rc = step(p, mono_deadline_us, err);
		if (rc == EG_EMPTY && eg_http_peer_spent(p))
			break; /* midnight is far: the caller shall know */
	} while (rc == EG_EMPTY && eg_mono_us() < mono_deadline_us);
	if (rc != EG_EMPTY)
		eg_http_peer_drop(p);
	return rc;
}
