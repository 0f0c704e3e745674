/* demo_world: the place where the demo happens: a directory, identities, a broker, the daemon, connections.
 */
#include "cli/demo.h"

#include "cli/file.h"
#include "eldergate/v1/admin.pb-c.h"

#include <ftw.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOG_MAX = 64 << 20, OPEN_DIRS = 16, END_US = 5000000 };

void demo_step(const char *title)
{
	static unsigned n;
	printf("\n%u. %s\n", ++n, title);
	fflush(stdout);
}

void demo_say(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("   ", stdout);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	fflush(stdout);
}

enum eg_rc demo_wrong(struct eg_err *err, const char *fmt, ...)
{
	char text[280];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return eg_fail(err, EG_INTERNAL, "the demo found something wrong: %s", text);
}

enum eg_rc demo_place(struct demo *d, const char *keep, struct eg_err *err)
{
	const char *tmp = getenv("TMPDIR");
	d->temporary = !keep;
	if (keep) {
		if (access(keep, F_OK) == 0 && rmdir(keep) != 0)
			return eg_fail(err, EG_EXISTS, "%s is there and not empty", keep);
		enum eg_rc rc = file_mkdir(keep, 0700, err);
		if (rc)
			return rc;
		char *whole = realpath(keep, NULL); /* mapping files want it so */
		bool fits = whole && strlen(whole) < sizeof d->dir - 100;
		snprintf(d->dir, sizeof d->dir, "%s", fits ? whole : "");
		free(whole);
		if (!fits)
			return eg_fail(err, EG_USAGE, "the path is too long: %.100s...", keep);
	} else {
		snprintf(d->dir, sizeof d->dir, "%.200s/eldergate-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp");
		if (!mkdtemp(d->dir))
			return eg_fail_errno(err, "%s", d->dir);
	}
	snprintf(d->data, sizeof d->data, "%.*s/gateway", (int)sizeof d->data - 10, d->dir);
	return EG_OK;
}

enum eg_rc demo_onboard(struct demo *d, struct eg_err *err)
{
	static const char fields[] =
	        "registration.name,registration.address_region,registration.registration_status";
	struct onboarded ignored;
	struct onboarding o = {
	        .data = d->data, .uid = -1, .days = 30, .legal_basis = "the demo", .bus = true};
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < DEMO_AGENCIES && !rc; i++) {
		struct demo_agency *a = &d->agencies[i];
		o.name = a->name;
		o.n_roles = 1;
		o.roles[0] = "agency";
		o.n_datasets = 1;
		o.datasets[0].section = a->section;
		snprintf(o.datasets[0].name, sizeof o.datasets[0].name, "%s", a->dataset);
		o.n_purposes = 1;
		o.purposes[0] = (struct onboard_purpose){.code = "life-check", .fields = ""};
		if (a->purpose) {
			struct onboard_purpose *p = &o.purposes[o.n_purposes++];
			snprintf(p->code, sizeof p->code, "%s", a->purpose);
			p->fields = a->fields;
			o.roles[o.n_roles++] = "subscriber";
		}
		rc = onboard(&o, &a->files, err);
	}
	o.bus = false;
	o.n_roles = o.n_purposes = 1;
	o.name = "platform";
	o.roles[0] = "subscriber";
	o.n_datasets = 0;
	o.purposes[0] = (struct onboard_purpose){.code = "care", .fields = fields};
	if (!rc)
		rc = onboard(&o, &d->platform, err);
	o.name = "operator";
	o.n_roles = 3;
	o.roles[0] = "operator";
	o.roles[1] = "auditor";
	o.roles[2] = "admin";
	o.n_purposes = 0;
	o.uid = geteuid();
	if (!rc)
		rc = onboard(&o, &ignored, err);
	return rc ? rc : onboard_server(d->data, NULL, "localhost,127.0.0.1", 30, &ignored, err);
}

const char *demo_in_dir(const struct demo *d, const char *name, char out[DEMO_PATH])
{
	snprintf(out, DEMO_PATH, "%.*s/%s", DEMO_PATH - 64, d->dir, name);
	return out;
}

enum eg_rc demo_start_kafka(struct demo *d, struct eg_err *err)
{
	char log[DEMO_PATH];
	const char *const none[] = {NULL};
	enum eg_rc rc = process_start(&d->kafka, "eldergate-devbroker", none,
	                              demo_in_dir(d, "broker.log", log), true, err);
	return rc ? rc : process_line(&d->kafka, d->broker, sizeof d->broker, DEMO_PATIENCE, err);
}

/* The bus tells nobody which port the system chose, so one is chosen here. */
static enum eg_rc choose_bus(struct demo *d, struct eg_err *err)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 &&
	          getsockname(fd, (struct sockaddr *)&at, &len) == 0;
	enum eg_rc rc = ok ? EG_OK : eg_fail_errno(err, "a port for the bus");
	if (fd >= 0)
		close(fd);
	snprintf(d->bus, sizeof d->bus, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
	return rc;
}

enum eg_rc demo_start_daemon(struct demo *d, struct eg_err *err)
{
	char log[DEMO_PATH], data[DEMO_PATH], tls[128], bus[128], kafka[128], certificate[DEMO_PATH],
	        key[DEMO_PATH], ca[DEMO_PATH];
	enum eg_rc rc = *d->bus ? EG_OK : choose_bus(d, err);
	if (rc)
		return rc;
	snprintf(data, sizeof data, "data=%.*s", DEMO_PATH - 10, d->data);
	snprintf(tls, sizeof tls, "listen.tls=%s", *d->server ? d->server : "127.0.0.1:0");
	snprintf(bus, sizeof bus, "listen.bus=%s", d->bus);
	snprintf(kafka, sizeof kafka, "kafka.bootstrap=%s", d->broker);
	snprintf(certificate, sizeof certificate, "tls.certificate=%.*s/server/server.pem", DEMO_PATH - 64,
	         d->data);
	snprintf(key, sizeof key, "tls.key=%.*s/server/server.key", DEMO_PATH - 64, d->data);
	snprintf(ca, sizeof ca, "tls.client_ca=%.*s/ca/ca.pem", DEMO_PATH - 64, d->data);
	const char *const arguments[] = {"--set", data,
	                                 "--set", tls,
	                                 "--set", bus,
	                                 "--set", "bus.heartbeat=300ms",
	                                 "--set", kafka,
	                                 "--set", certificate,
	                                 "--set", key,
	                                 "--set", ca,
	                                 "--set", "kafka.development=true",
	                                 "--set", "listen.metrics=",
	                                 "--set", "feed.progress=200ms",
	                                 "--set", "writer.checkpoint=200ms",
	                                 NULL};
	return process_start(&d->daemon, "eldergated", arguments, demo_in_dir(d, "gateway.log", log), false,
	                     err);
}

/* The port that the daemon chose stands in its log, perhaps a moment after it first answers. */
static bool port_is_told(struct demo *d, const void *arg)
{
	static const char mark[] = "\"tls_port\":";
	char path[DEMO_PATH];
	struct eg_buf log = {0};
	(void)arg;
	enum eg_rc rc = file_read(demo_in_dir(d, "gateway.log", path), LOG_MAX, &log, NULL);
	eg_buf_add_u8(&log, 0);
	const char *at = !rc && !log.failed ? strstr((const char *)log.p, mark) : NULL;
	at = at && strchr(at, ',') ? at : NULL; /* all of the number is there */
	if (at)
		snprintf(d->server, sizeof d->server, "127.0.0.1:%d", atoi(at + strlen(mark)));
	eg_buf_free(&log);
	return at != NULL;
}

enum eg_rc demo_status(struct demo *d, uint64_t *head, int64_t *persons, struct eg_err *err)
{
	Eldergate__V1__GetStatusRequest request = ELDERGATE__V1__GET_STATUS_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	enum eg_rc rc = call_unary(d->operator_client, "/eldergate.v1.AdminService/GetStatus", &request.base,
	                           DEMO_PATIENCE, true, &eldergate__v1__get_status_response__descriptor,
	                           &answer, err);
	const Eldergate__V1__GetStatusResponse *s = (const Eldergate__V1__GetStatusResponse *)answer;
	if (!rc && *s->log_id == 0)
		rc = demo_wrong(err, "the gateway does not say which log it has");
	if (!rc && head)
		*head = s->head_seq;
	if (!rc && persons)
		*persons = s->persons;
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

/* Asks over the Unix socket until there is an answer: the daemon's own word that it is ready. */
enum eg_rc demo_ready(struct demo *d, int64_t *us, struct eg_err *err)
{
	char socket[DEMO_PATH];
	struct rpc_options o = {.server = socket};
	int64_t began = eg_mono_us();
	enum eg_rc rc = EG_OK;
	snprintf(socket, sizeof socket, "unix:%.*s/eldergate.sock", DEMO_PATH - 64, d->data);
	if (!d->operator_client)
		rc = rpc_open(&d->operator_client, &o, err);
	if (!rc)
		rc = demo_status(d, NULL, NULL, err);
	*us = eg_mono_us() - began;
	return rc || *d->server ? rc
	                        : demo_wait(d, port_is_told, NULL, "the daemon's log tells its port", err);
}

enum eg_rc demo_connect(struct demo *d, struct eg_err *err)
{
	const struct onboarded *files[] = {&d->agencies[POLICE].files, &d->platform};
	struct rpc_client **clients[] = {&d->police_client, &d->platform_client};
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < 2 && !rc; i++) {
		struct rpc_options o = {.server = d->server,
		                        .certificate = files[i]->certificate,
		                        .key = files[i]->key,
		                        .ca = files[i]->ca};
		rc = rpc_open(clients[i], &o, err);
	}
	return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	(void)type;
	(void)place;
	return remove(path);
}

void demo_clear(struct demo *d, bool well)
{
	int status;
	watch_stop(d->watch);
	for (unsigned i = 0; i < DEMO_AGENCIES; i++)
		process_end(&d->agencies[i].adapter, SIGTERM, END_US, &status, NULL);
	rpc_close(d->police_client);
	rpc_close(d->platform_client);
	rpc_close(d->operator_client);
	process_end(&d->daemon, SIGTERM, END_US, &status, NULL);
	process_end(&d->kafka, SIGTERM, END_US, &status, NULL);
	population_free(d->population);
	demo_table_close(d->table);
	demo_peer_stop(d->peer);
	eg_buf_free(&d->csv.text);
	eg_buf_free(&d->proof);
	eg_buf_free(&d->early_note);
	eg_buf_free(&d->consistency);
	if (!*d->dir)
		return;
	if (well && d->temporary)
		nftw(d->dir, remove_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS);
	else
		fprintf(well ? stdout : stderr,
		        "\neverything is in %s (gateway.log, broker.log, police.log and the like, "
		        "gateway/)\n",
		        d->dir);
}
