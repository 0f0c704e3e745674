/* dev_broker: eldergate-devbroker, a Kafka broker for demos and tests that keeps nothing.
 *
 * It is librdkafka's mock cluster in a process of its own: topics live in memory, transactions are cosmetic,
 * what is published dies with it. Never evidence of delivery. It prints "host:port" of its one broker as its
 * first line and runs until SIGTERM, SIGINT or the end of standard input's parent. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static int wanted_port; /* 0: any */

/* The mock cluster always binds port 0. A test that restarts the broker needs the same port again, so this
 * program's own bind stands before the C library's. */
int bind(int fd, const struct sockaddr *address, socklen_t len)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	if (!real) {
		void *symbol = dlsym(RTLD_NEXT, "bind");
		memcpy(&real, &symbol, sizeof real);
	}
	if (wanted_port && address->sa_family == AF_INET && len == sizeof(struct sockaddr_in)) {
		struct sockaddr_in at;
		int on = 1;
		memcpy(&at, address, sizeof at);
		if (at.sin_port == 0)
			at.sin_port = htons((uint16_t)wanted_port);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		return real(fd, (const struct sockaddr *)&at, sizeof at);
	}
	return real(fd, address, len);
}

int main(int argc, char **argv)
{
	char why[256];
	sigset_t signals;
	int got;
	if (argc > 2 ||
	    (argc == 2 && (argv[1][0] == '-' || (wanted_port = atoi(argv[1])) <= 0 || wanted_port > 65535))) {
		fprintf(stderr,
		        "usage: eldergate-devbroker [PORT]\n\nA Kafka broker for demos and tests. It keeps "
		        "nothing and "
		        "its transactions are cosmetic.\nPrints host:port, then runs until SIGTERM.\n");
		return 64;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends with the test that started it */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!rk) {
		fprintf(stderr, "eldergate-devbroker: %s\n", why);
		return 70;
	}
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
	if (!cluster) {
		fprintf(stderr, "eldergate-devbroker: the broker could not be made (is the port in use?)\n");
		rd_kafka_destroy(rk);
		return 69;
	}
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	sigwait(&signals, &got);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
