/* kafka_core: see kafka_core.h. */
#include "flow/kafka_core.h"

#include "base/clock.h"
#include "base/log.h"

enum { DEFAULT_TIMEOUT_MS = 10000, MAX_PARTITIONS = 1000 };

static enum eg_rc rc_of(rd_kafka_resp_err_t e)
{
	switch (e) {
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
		return EG_DENIED;
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
		return EG_DEADLINE;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		return EG_NOT_FOUND;
	default:
		return EG_UNAVAILABLE;
	}
}

enum eg_rc eg_kafka_fail(struct eg_err *err, rd_kafka_resp_err_t e, const char *what)
{
	return eg_fail(err, rc_of(e), "kafka: %s: %s", what, rd_kafka_err2str(e));
}

enum eg_rc eg_kafka_fail_error(struct eg_err *err, rd_kafka_error_t *e, const char *what)
{
	enum eg_rc rc =
	        eg_fail(err, rc_of(rd_kafka_error_code(e)), "kafka: %s: %s", what, rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
	return rc;
}

struct eg_kafka_waiting eg_kafka_waiting(const struct eg_kafka_options *o)
{
	return (struct eg_kafka_waiting){o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS, o->give_up,
	                                 o->give_up_arg};
}

static int64_t give_up_at(const struct eg_kafka_waiting *w)
{
	return w->give_up ? w->give_up(w->arg) : INT64_MAX;
}

bool eg_kafka_ended(const struct eg_kafka_waiting *w)
{
	return eg_mono_us() >= give_up_at(w);
}

struct eg_kafka_slices eg_kafka_slices(const struct eg_kafka_waiting *w)
{
	return (struct eg_kafka_slices){w, eg_mono_us() + (int64_t)w->timeout_ms * 1000};
}

/* The ms that the next call may take, of at most this many. */
int eg_kafka_slice_ms(const struct eg_kafka_slices *s, int most_ms)
{
	int64_t until = give_up_at(s->w), us;
	until = until < s->deadline ? until : s->deadline;
	us = until - eg_mono_us();
	return us <= 0 ? 0 : us / 1000 + 1 < most_ms ? (int)(us / 1000 + 1) : most_ms;
}

bool eg_kafka_once_more(const struct eg_kafka_slices *s)
{
	return eg_kafka_slice_ms(s, EG_KAFKA_POLL_MS) > 0;
}

enum eg_rc eg_kafka_gave_up(struct eg_err *err)
{
	return eg_fail(err, EG_CLOSED, "kafka: the time to finish was over");
}

void eg_kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	eg_log(level <= 4 ? EG_LOG_WARN : EG_LOG_DEBUG, "kafka.client", EG_T("facility", facility),
	       EG_T("text", text));
}

enum eg_rc eg_kafka_configure(rd_kafka_conf_t *conf, const char *const *settings, struct eg_err *err)
{
	char why[256];
	for (unsigned i = 0; settings && settings[i]; i += 2)
		if (rd_kafka_conf_set(conf, settings[i], settings[i + 1], why, sizeof why) !=
		    RD_KAFKA_CONF_OK)
			return eg_fail(err, EG_CONFIG, "kafka setting %s: %s", settings[i], why);
	return EG_OK;
}

/* The broker did not answer: worth another try. */
bool eg_kafka_unanswered(rd_kafka_resp_err_t e)
{
	return e == RD_KAFKA_RESP_ERR__TIMED_OUT || e == RD_KAFKA_RESP_ERR__TRANSPORT;
}

static rd_kafka_resp_err_t ask_metadata(rd_kafka_t *rk, rd_kafka_topic_t *t, const struct eg_kafka_waiting *w,
                                        const struct rd_kafka_metadata **md)
{
	struct eg_kafka_slices s = eg_kafka_slices(w);
	rd_kafka_resp_err_t e;
	int ms = EG_KAFKA_ASK_MS;
	do {
		e = rd_kafka_metadata(rk, 0, t, md, eg_kafka_slice_ms(&s, ms));
		ms = 2 * ms < EG_KAFKA_ASK_MOST_MS ? 2 * ms : EG_KAFKA_ASK_MOST_MS;
	} while (eg_kafka_unanswered(e) && eg_kafka_once_more(&s));
	return e;
}

enum eg_rc eg_kafka_partitions_of(rd_kafka_t *rk, const char *topic, const struct eg_kafka_waiting *w,
                                  unsigned *n, struct eg_err *err)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_resp_err_t e = t ? ask_metadata(rk, t, w, &md) : rd_kafka_last_error();
	*n = 0;
	if (!e) {
		e = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
		*n = e ? 0 : (unsigned)md->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(md);
	}
	if (t)
		rd_kafka_topic_destroy(t);
	if (e)
		return eg_kafka_unanswered(e) && eg_kafka_ended(w) ? eg_kafka_gave_up(err)
		                                                   : eg_kafka_fail(err, e, topic);
	return *n > MAX_PARTITIONS ? eg_fail(err, EG_LIMIT, "topic %s has too many partitions", topic)
	                           : EG_OK;
}
