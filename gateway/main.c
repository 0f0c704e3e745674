/* main: eldergated, the daemon: it puts the road together, waits for a signal and takes the road apart in
 * road order.
 *
 *   starting → serving → (SIGHUP: configuration reloaded) → draining → gone
 *
 * The service manager hears of each of these steps (base/notify.h), and meanwhile that all loops turn
 * (watchdog.h).
 *
 * Draining goes the way records go: the edge takes no more, intake closes, the writer commits what is queued,
 * the relay publishes what it can until the grace period ends. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/notify.h"
#include "conf.h"
#include "edge/edge.h"
#include "store/dir.h"
#include "watchdog.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef EG_VERSION
#define EG_VERSION "0.1.0"
#endif

const char *argp_program_version = "eldergated " EG_VERSION;

enum { MAX_OVERRIDES = 100 };

struct arguments {
	const char *config;
	const char *overrides[MAX_OVERRIDES];
	unsigned n_overrides;
	bool check, print;
};

static const struct argp_option options[] = {
        {"config", 'c', "FILE", 0, "Configuration file (YAML); without it the built-in defaults hold", 0},
        {"set", 's', "KEY=VALUE", 0, "Override one setting, such as --set listen.tls=127.0.0.1:7443", 0},
        {"check-config", 1, NULL, 0,
         "Check the configuration and the identity files, then exit (78 if they are wrong)", 0},
        {"print-config", 2, NULL, 0, "Print every setting, its value and where it came from, then exit", 0},
        {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	switch (key) {
	case 'c':
		a->config = arg;
		return 0;
	case 's':
		if (a->n_overrides == MAX_OVERRIDES)
			argp_error(state, "--set at most %d times", MAX_OVERRIDES);
		a->overrides[a->n_overrides++] = arg;
		return 0;
	case 1:
		a->check = true;
		return 0;
	case 2:
		a->print = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected '%s'", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct gateway {
	const struct arguments *arguments;
	struct eg_conf *conf;   /* of the start; many threads look at its texts */
	struct eg_conf *latest; /* of the last good reload; at first the same */
	struct eg_store *store;
	struct eg_vault *vault;
	struct eg_intake *intake;
	struct eg_writer *writer;
	struct eg_feed *feed;
	struct eg_relay *relay;
	struct eg_lists *lists;
	char lists_dir[400]; /* under the data directory */
	struct eg_edge *edge;
	struct eg_http *http;
	struct eg_watchdog *watchdog;
};

static void fatal(const struct eg_err *err)
{
	eg_log_err(EG_LOG_ERROR, "daemon.fatal", err);
	_exit(eg_rc_exit(err->rc));
}

/* No core, no ptrace by others: memory holds keys and names. */
static void harden(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(077);
	/* A flood of connections must meet our limits before the process's. */
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static enum eg_rc key_get(void *arg, const char *name, uint8_t wrapped[60], struct eg_err *err)
{
	enum eg_rc rc = eg_get_key(eg_store_writer(arg), name, wrapped, err);
	return rc == EG_EMPTY ? EG_NOT_FOUND : rc;
}

static enum eg_rc key_put(void *arg, unsigned n, const char *const *names, const uint8_t (*wrapped)[60],
                          struct eg_err *err)
{
	struct eg_tx tx = eg_tx_begin(arg);
	for (unsigned i = 0; i < n; i++)
		eg_tx_put_key(&tx, names[i], wrapped[i]);
	return eg_tx_end(&tx, err);
}

static enum eg_rc key_list(void *arg, const char *prefix, void (*each)(void *, const char *), void *each_arg,
                           struct eg_err *err)
{
	return eg_list_keys(eg_store_writer(arg), prefix, each, each_arg, err);
}

static void refresh_gauges(void *arg)
{
	const struct gateway *g = arg;
	eg_metric_set(EG_M_WAL_BYTES, NULL, (double)eg_store_wal_bytes(g->store));
	if (g->relay) {
		struct eg_relay_status s;
		eg_relay_status(g->relay, &s);
		int64_t age = s.oldest_unpublished_us ? eg_now_us() - s.oldest_unpublished_us : 0;
		eg_metric_set(EG_M_MARK_SEQ, "kafka", (double)s.mark);
		/* After a clock that was ahead was set back, the log's time lies in the future for a while.
		 */
		eg_metric_set(EG_M_UNPUBLISHED_AGE, NULL, age > 0 ? (double)age / 1e6 : 0);
		/* Entries that are no events may lie behind the mark with nothing to publish among them. What
		 * the relay has not looked at counts as waiting. */
		double head = eg_metric_get(EG_M_LOG_SEQ, NULL);
		double from = (double)(s.oldest_unpublished_us ? s.mark : s.passed);
		eg_metric_set(EG_M_UNPUBLISHED, NULL, head > from ? head - from : 0);
	}
}

static enum eg_rc start_relay(struct gateway *g, struct eg_err *err)
{
	const struct eg_conf *c = g->conf;
	if (!*c->kafka_bootstrap) {
		eg_log(EG_LOG_INFO, "relay.off", EG_T("reason", "kafka.bootstrap is empty"));
		return EG_OK;
	}
	struct eg_relay_options o = {
	        .store = g->store,
	        .vault = g->vault,
	        .writer = g->writer,
	        .bootstrap = c->kafka_bootstrap,
	        .topic_prefix = c->kafka_prefix,
	        .transactional_id = c->kafka_txid,
	        .settings = c->kafka_settings,
	        .source_uri = c->kafka_source,
	        .partitions = (int)c->kafka_partitions,
	        .replication = (int)c->kafka_replication,
	        .max_events = (unsigned)c->kafka_max_events,
	        .development = c->kafka_development,
	        .fields = c->policy->topic_fields,
	        .n_fields = c->policy->n_topic_fields,
	        .encode_event = eg_encode_event,
	        .encode_state = eg_encode_state,
	};
	return eg_relay_start(&g->relay, &o, err);
}

static bool relay_behind(void *arg)
{
	return eg_relay_behind(((struct gateway *)arg)->relay);
}

static enum eg_rc start_lists(struct gateway *g, struct eg_err *err)
{
	const struct eg_conf *c = g->conf;
	struct eg_lists_options o = {
	        .store = g->store,
	        .vault = g->vault,
	        .intake = g->intake,
	        .writer = g->writer,
	        .dir = g->lists_dir,
	        .memory = (size_t)c->lists_memory,
	        .disk = (uint64_t)c->lists_disk,
	        .open = (unsigned)c->lists_open,
	        .standing = (unsigned)c->lists_standing,
	        .max_record_bytes = (size_t)c->record_bytes,
	        .shrink_bp = c->lists_shrink_bp,
	        .shrink_floor = c->lists_shrink_floor,
	        .shrink_window_us = c->lists_shrink_window,
	        .hold = relay_behind,
	        .hold_arg = g,
	};
	return eg_lists_start(&g->lists, &o, err);
}

static struct eg_edge_tuning tuning_of(const struct eg_conf *c)
{
	return (struct eg_edge_tuning){.query_timeout_us = c->query_timeout,
	                               .dataset_tolerance = (unsigned)c->dataset_tolerance,
	                               .dataset_look_us = c->dataset_look};
}

static enum eg_rc start_edge(struct gateway *g, struct eg_err *err)
{
	const struct eg_conf *c = g->conf;
	char bus_key[512];
	snprintf(bus_key, sizeof bus_key, "%s/bus.key", c->data);
	struct eg_edge_options o = {
	        .unix_path = c->listen_unix,
	        .tls_address = c->listen_tls,
	        .tls_certificate = c->tls_certificate,
	        .tls_key = c->tls_key,
	        .tls_client_ca = c->tls_client_ca,
	        .handshake_us = c->tls_handshake,
	        .bus_addresses = c->listen_bus,
	        .bus_key_file = bus_key,
	        .bus_heartbeat_us = c->bus_heartbeat,
	        .bus_handshake_us = c->bus_handshake,
	        .bus_max_message = (size_t)c->bus_max_message,
	        .bus_max_peers = (unsigned)c->bus_max_peers,
	        .bus_max_calls = (unsigned)c->bus_max_calls,
	        .pollers = (unsigned)c->grpc_pollers,
	        .workers = (unsigned)c->grpc_workers,
	        .max_streams = (unsigned)c->grpc_max_streams,
	        .in_flight_batches = (unsigned)c->grpc_in_flight,
	        .max_message = (size_t)c->grpc_max_message,
	        .max_metadata = (size_t)c->grpc_max_metadata,
	        .batch_records = (unsigned)c->batch_records,
	        .batch_bytes = (size_t)c->batch_bytes,
	        .record_bytes = (size_t)c->record_bytes,
	        .tuning = tuning_of(c),
	        .store = g->store,
	        .vault = g->vault,
	        .intake = g->intake,
	        .writer = g->writer,
	        .feed = g->feed,
	        .relay = g->relay,
	        .lists = g->lists,
	        .relay_development = c->kafka_development,
	        .policy = c->policy,
	        .version = EG_VERSION,
	};
	return eg_edge_start(&g->edge, &o, err);
}

/* A directory just made is only as durable as its name: it is synced in the folder that holds it. */
static enum eg_rc make_data(const char *data, struct eg_err *err)
{
	char parent[512];
	if (mkdir(data, 0700) == 0) {
		snprintf(parent, sizeof parent, "%s/..", data);
		return eg_dir_sync(parent, err);
	}
	return errno == EEXIST ? EG_OK : eg_fail_errno(err, "data directory %s", data);
}

static enum eg_rc start(struct gateway *g, struct eg_err *err)
{
	const struct eg_conf *c = g->conf;
	char root_key[512];
	enum eg_rc rc;
	if ((rc = make_data(c->data, err)))
		return rc;
	snprintf(root_key, sizeof root_key, "%s/root.key", c->data);
	snprintf(g->lists_dir, sizeof g->lists_dir, "%s/lists", c->data);
	struct eg_store_options so = {.dir = c->data,
	                              .wal_pages = c->wal_pages,
	                              .copier = EG_COPIER_THREAD,
	                              .cache_kib = c->cache_bytes / 1024,
	                              .reserve_bytes = c->reserve_bytes};
	struct eg_intake_options io = {
	        .lane = {.items = (size_t)c->lane_items, .bytes = (size_t)c->lane_bytes},
	        .max_records = (unsigned)c->batch_records,
	        .max_batch_bytes = (size_t)c->batch_bytes,
	        .max_record_bytes = (size_t)c->record_bytes,
	};
	if ((rc = eg_crypto_open(err)) || (rc = eg_store_open(&g->store, &so, err)))
		return rc;
	struct eg_vault_keys keys = {.arg = g->store, .get = key_get, .put = key_put, .list = key_list};
	if ((rc = eg_vault_open(&g->vault, root_key, true, keys, err)))
		return rc;
	io.vault = g->vault;
	if (!(g->intake = eg_intake_new(&io)))
		return eg_fail(err, EG_NO_MEMORY, "no memory for the intake queues");
	struct eg_writer_options wo = {
	        .store = g->store,
	        .vault = g->vault,
	        .intake = g->intake,
	        .origin = *c->origin ? c->origin : NULL,
	        .lists_dir = g->lists_dir,
	        .max_records = (unsigned)c->writer_records,
	        .checkpoint_us = c->checkpoint_us,
	        .lag_grace_us = c->police_lag_grace,
	        .fatal = fatal,
	};
	if ((rc = eg_writer_start(&g->writer, &wo, err)))
		return rc;
	struct eg_feed_options fo = {
	        .store = g->store,
	        .vault = g->vault,
	        .intake = g->intake,
	        .writer = g->writer,
	        .window_events = (unsigned)c->feed_window,
	        .live_windows = (unsigned)c->feed_live_windows,
	        .progress_us = c->feed_progress,
	        .max_subs = (unsigned)c->max_subscribers,
	};
	if ((rc = eg_feed_start(&g->feed, &fo, err)) || (rc = start_relay(g, err)) ||
	    (rc = start_lists(g, err)) || (rc = start_edge(g, err)))
		return rc;
	if (*c->listen_metrics)
		rc = eg_http_start(&g->http, c->listen_metrics, refresh_gauges, g, err);
	return rc ? rc : eg_watchdog_start(&g->watchdog, c->watchdog_stall, err);
}

/* Takes down whatever start() put up, in road order. */
static void stop(struct gateway *g)
{
	int64_t deadline = eg_mono_us() + g->latest->shutdown_grace;
	if (g->edge)
		eg_edge_stop(g->edge, deadline);
	if (g->feed)
		eg_feed_drain(g->feed);
	if (g->intake)
		eg_intake_close(g->intake);
	eg_http_stop(g->http); /* before what its gauges look at goes */
	if (g->writer)
		eg_writer_drain(g->writer);
	if (g->relay)
		eg_relay_drain(g->relay, deadline);
	eg_lists_stop(g->lists); /* the writer has answered all that it was given */
	/* A call whose caller went away may still be on a worker: what the edge looks at goes after it. */
	if (g->edge)
		eg_edge_free(g->edge);
	eg_lists_free(g->lists);
	if (g->feed)
		eg_feed_stop(g->feed);
	if (g->relay)
		eg_relay_stop(g->relay, deadline);
	if (g->writer)
		eg_writer_stop(g->writer);
	eg_intake_free(g->intake);
	eg_vault_close(g->vault);
	if (g->store)
		eg_store_close(g->store);
	eg_watchdog_stop(g->watchdog);
}

static void set_log_level(const struct eg_conf *c)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
		if (strcmp(levels[i], c->log_level) == 0)
			eg_log_level((enum eg_log_level)i);
}

/* From here on nothing can fail. */
static void take_over(struct gateway *g, struct eg_conf *fresh)
{
	char waits[1024];
	struct eg_edge_tuning tuning = tuning_of(fresh);
	set_log_level(fresh);
	eg_edge_tune(g->edge, &tuning);
	eg_feed_limit(g->feed, (unsigned)fresh->max_subscribers);
	eg_watchdog_patience(g->watchdog, fresh->watchdog_stall);
	eg_edge_policy(g->edge, fresh->policy);
	if (g->latest != g->conf)
		eg_conf_free(g->latest);
	g->latest = fresh;
	eg_log(EG_LOG_INFO, "policy.reloaded", EG_I("version", fresh->policy->version),
	       EG_I("identities", fresh->policy->n));
	if (eg_conf_waits(g->conf, fresh, waits, sizeof waits))
		eg_log(EG_LOG_WARN, "conf.restart_needed", EG_T("settings", waits));
}

/* refused: why the configuration is still the one before; NULL: it is the one of the files. */
static void tell_ready(const struct gateway *g, const struct eg_err *refused)
{
	char status[400];
	snprintf(status, sizeof status, "serving %u identities%s%s", g->latest->policy->n,
	         refused ? "; the new configuration was refused: " : "", refused ? refused->text : "");
	eg_notify_ready(status);
}

/* All of the new configuration, or nothing of it. No call is dropped, but those of identities that are gone.
 */
static void reload(struct gateway *g)
{
	const struct arguments *a = g->arguments;
	struct eg_err err = {0};
	struct eg_conf *fresh = NULL;
	eg_notify_reloading("reading the configuration");
	enum eg_rc rc = eg_conf_again(g->conf, a->config, a->overrides, a->n_overrides, &fresh, &err);
	if (!rc)
		rc = eg_edge_check(g->edge, &err);
	if (rc) {
		eg_conf_free(fresh);
		eg_log_err(EG_LOG_ERROR, "policy.reload_refused", &err);
		tell_ready(g, &err);
		return;
	}
	take_over(g, fresh);
	tell_ready(g, NULL);
}

static void serve(struct gateway *g, const sigset_t *signals)
{
	for (;;) {
		int got = 0;
		if (sigwait(signals, &got) != 0)
			continue;
		if (got == SIGHUP) {
			reload(g);
			continue;
		}
		eg_log(EG_LOG_INFO, "daemon.draining", EG_T("signal", strsignal(got)));
		eg_notify("STOPPING=1\nSTATUS=draining");
		return;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
	        .options = options,
	        .parser = parse,
	        .doc = "The Eldergate daemon: exchanges elders' records with other government "
	               "systems, keeps one verifiable log, streams the changes."};
	struct arguments a = {0};
	struct gateway g = {.arguments = &a};
	struct eg_err err = {0};
	sigset_t signals;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	harden();
	eg_log_open("eldergated", EG_LOG_INFO, false);
	if (eg_conf_load(&g.conf, a.config, a.overrides, a.n_overrides, &err)) {
		fprintf(stderr, "eldergated: %s\n", err.text);
		return eg_rc_exit(err.rc);
	}
	if (a.print)
		eg_conf_print(g.conf, stdout);
	if (a.check)
		printf("configuration ok: %u identities\n", g.conf->policy->n);
	if (a.print || a.check) {
		eg_conf_free(g.conf);
		return 0;
	}
	g.latest = g.conf;
	eg_log_open("eldergated", EG_LOG_INFO, g.conf->log_journald);
	set_log_level(g.conf);

	/* Before any thread: they inherit the mask, so signals wait for serve(). */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	enum eg_rc rc = start(&g, &err);
	if (rc) {
		eg_log_err(EG_LOG_ERROR, "daemon.start_failed", &err);
	} else {
		eg_log(EG_LOG_INFO, "daemon.ready", EG_T("version", EG_VERSION),
		       EG_T("unix", g.conf->listen_unix), EG_I("tls_port", eg_edge_tls_port(g.edge)),
		       EG_I("identities", g.conf->policy->n));
		tell_ready(&g, NULL);
		serve(&g, &signals);
	}
	stop(&g);
	if (g.latest != g.conf)
		eg_conf_free(g.latest);
	eg_conf_free(g.conf);
	if (!rc)
		eg_log(EG_LOG_INFO, "daemon.stopped");
	return rc ? eg_rc_exit(rc) : 0;
}
