/* follow: see follow.h.
 *
 *   connecting → receiving → (broken | silent) → waiting → connecting
 *
 * The gateway says something at least every 5 seconds, so silence for 15 is a dead connection. */
#include "cli/follow.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define METHOD     "/eldergate.v1.FeedService/Subscribe"
#define TICK_US    (EG_SECOND / 5) /* how soon `stop` is seen */
#define SILENCE_US (15 * EG_SECOND)
#define PAUSE_MIN  (EG_SECOND / 20)
#define PAUSE_MAX  (10 * EG_SECOND)

void follow_cursor(struct follow *f, const Eldergate__V1__Cursor *c)
{
	snprintf(f->log_id, sizeof f->log_id, "%s", c->log_id);
	eldergate__v1__cursor__init(&f->cursor);
	f->cursor.log_id = f->log_id;
	f->cursor.seq = c->seq;
	f->cursor.snapshot_row = c->snapshot_row;
	f->has_cursor = true;
}

static enum eg_rc take(struct follow *f, const struct eg_buf *message, struct eg_err *err)
{
	Eldergate__V1__SubscribeResponse *w =
	        eldergate__v1__subscribe_response__unpack(NULL, message->len, message->p);
	if (!w)
		return eg_fail(err, EG_INTERNAL, "a window of the feed could not be decoded");
	enum eg_rc rc = f->window(f->arg, w, err);
	if (!rc && w->next)
		follow_cursor(f, w->next);
	eldergate__v1__subscribe_response__free_unpacked(w, NULL);
	return rc;
}

/* One connection. EG_UNAVAILABLE: it broke; another may do. */
static enum eg_rc connection(struct follow *f, bool *heard, struct eg_err *err)
{
	Eldergate__V1__FeedStart start = ELDERGATE__V1__FEED_START__INIT;
	struct eg_buf message = {0};
	struct rpc_status status = {0};
	struct rpc_stream *s = NULL;
	struct eg_refusal refusal;
	int64_t silent_since = eg_mono_us();
	if (f->has_cursor) {
		start.position_case = ELDERGATE__V1__FEED_START__POSITION_CURSOR;
		start.cursor = &f->cursor;
		f->request->start = &start;
	}
	enum eg_rc rc = pack(&f->request->base, &message, err);
	if (!rc)
		rc = rpc_stream_open(f->client, METHOD, &s, err);
	atomic_fetch_add(&f->connections, 1);
	if (!rc && rpc_send(s, eg_buf_bytes(&message)))
		rpc_half_close(s);
	while (!rc && !atomic_load(&f->stop)) {
		switch (rpc_receive(s, TICK_US, &message, &status)) {
		case RPC_MESSAGE:
			*heard = true;
			rc = take(f, &message, err);
			silent_since = eg_mono_us();
			break;
		case RPC_SILENT:
			if (eg_mono_us() - silent_since > SILENCE_US)
				rc = eg_fail(err, EG_UNAVAILABLE, "the gateway says nothing any more");
			break;
		case RPC_ENDED:
			refusal_of_status(&status, &refusal);
			rc = status.code ? refusal_fail(&refusal, err)
			                 : eg_fail(err, EG_UNAVAILABLE, "the gateway ended the feed");
		}
	}
	rpc_stream_close(s);
	rpc_status_free(&status);
	eg_buf_free(&message);
	if (f->request->start == &start)
		f->request->start = NULL; /* the cursor takes its place at the next connection */
	return rc;
}

/* Until there is a connection, or somebody wants the end. A gateway that answers and refuses is given a
 * pause, too. */
static void reach(struct follow *f, int64_t pause)
{
	int64_t until = eg_mono_us() + pause;
	struct timespec tick = {0, (TICK_US / 4) * 1000};
	while (!atomic_load(&f->stop) && eg_mono_us() < until)
		nanosleep(&tick, NULL); /* between two attempts there is nothing to wait on but time */
	while (!atomic_load(&f->stop) && !rpc_reach(f->client, TICK_US))
		;
}

enum eg_rc follow_run(struct follow *f, struct eg_err *err)
{
	int64_t pause = PAUSE_MIN;
	bool ever = false;
	enum eg_rc rc = EG_OK;
	while (!atomic_load(&f->stop)) {
		bool heard = false;
		rc = connection(f, &heard, err);
		ever |= heard;
		if (rc != EG_UNAVAILABLE || atomic_load(&f->stop) || !(ever || f->patient))
			break;
		if (heard)
			pause = PAUSE_MIN;
		reach(f, pause);
		pause = 2 * pause < PAUSE_MAX ? 2 * pause : PAUSE_MAX;
	}
	return atomic_load(&f->stop) && rc == EG_UNAVAILABLE ? EG_OK : rc;
}
