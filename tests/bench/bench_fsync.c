/* bench_fsync: what the disk alone can do: one writer, one preallocated file, fdatasync after each write.
 *
 *   --mode bytes     --bytes in writes of --batch-bytes: the floor under any store that must write as much
 *   --mode latency   writes of --batch-bytes, one every 1/--rate s (0: back to back), each timed from when it
 * was due
 *
 * The file is written once before the clock starts, so no block is allocated while it runs. */
#include "bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096 };

static void write_at(int fd, const uint8_t *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);
		if (n <= 0)
			bench_die("the file cannot be written");
		p += n;
		len -= (size_t)n;
		at += n;
	}
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *path = bench_text("--file", NULL), *mode = bench_text("--mode", "bytes");
	long batch = bench_number("--batch-bytes", PAGE), bytes = bench_number("--bytes", 64L << 20);
	long rate = bench_number("--rate", 0), count = bench_number("--count", 1000),
	     records = bench_number("--records", 0);
	bench_args_end();
	if (batch < 1 || bytes < 1 || rate < 0 || count < 1)
		bench_die("sizes, rate and count must be positive");
	if (strcmp(mode, "latency") == 0)
		bytes = batch * count;
	else
		count = (bytes + batch - 1) / batch;

	uint64_t state = 1;
	uint8_t *block = bench_alloc((size_t)batch, 1);
	bench_fill(&state, block, (size_t)batch);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		bench_die("%s: cannot be made", path);
	for (long i = 0; i < count; i++)
		write_at(fd, block, (size_t)batch, (off_t)i * batch);
	if (fsync(fd) != 0)
		bench_die("fsync failed");

	int64_t *latencies = bench_alloc((size_t)count, sizeof *latencies), begun = eg_mono_us();
	for (long i = 0; i < count; i++) {
		if (rate)
			bench_wait_until(begun + i * EG_SECOND / rate);
		int64_t start = eg_mono_us();
		write_at(fd, block, (size_t)batch, (off_t)i * batch);
		if (fdatasync(fd) != 0)
			bench_die("fdatasync failed");
		latencies[i] = eg_mono_us() - start;
	}
	double seconds = (double)(eg_mono_us() - begun) / 1e6;
	printf("{\"bench\":\"fsync\",\"mode\":\"%s\",\"count\":%ld,\"bytes\":%ld,\"seconds\":%.6f,\"rate\":%."
	       "1f,",
	       mode, count, bytes, seconds, (double)records / seconds);
	bench_print_percentiles(latencies, (size_t)count);
	puts("}");
	free(latencies);
	free(block);
	close(fd);
	unlink(path);
	return 0;
}
