/* bench_csv: decodes a CSV file as the adapters do (character set, lines, cells) and counts what it holds.
 *
 * Nothing is mapped or sent: this is the part of the file connector that iconv and wc stand beside. */
#include "bench.h"
#include "common/charset.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { CELLS = 1000, LINES = 100 };
#define LINE_BYTES ((size_t)64 << 10)

static size_t n_bytes;

static ssize_t read_bytes(void *arg, void *p, size_t len)
{
	ssize_t n;
	do
		n = read(*(const int *)arg, p, len);
	while (n < 0 && errno == EINTR);
	n_bytes += n > 0 ? (size_t)n : 0;
	return n;
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *path = bench_text("--file", NULL), *charset = bench_text("--charset", "gb18030");
	bench_args_end();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct eg_csv_options o = {
	        .cells_max = CELLS, .row_bytes_max = LINE_BYTES, .row_lines_max = LINES};
	struct eg_charset_lines *lines =
	        eg_charset_lines_new("a file", eg_charset_by_name(charset), read_bytes, &fd, LINE_BYTES);
	struct eg_csv *csv = lines ? eg_csv_new(&o, eg_charset_line, lines) : NULL;
	struct eg_csv_row row;
	struct eg_err err = {0};
	unsigned long long rows = 0, cells = 0, faults = 0;
	enum eg_rc rc;
	if (fd < 0 || !csv)
		bench_die("the file could not be opened");
	double cpu = bench_cpu_seconds();
	int64_t begun = eg_mono_us();
	while ((rc = eg_csv_next(csv, &row, &err)) == EG_OK) {
		rows++;
		cells += row.n;
		faults += row.fault != EG_CSV_GOOD;
	}
	double seconds = (double)(eg_mono_us() - begun) / 1e6;
	if (rc != EG_EMPTY)
		bench_die("%s", err.text);
	rows -= rows > 0; /* the header */
	printf("{\"bench\":\"csv\",\"rows\":%llu,\"cells\":%llu,\"faults\":%llu,\"bytes\":%zu,\"seconds\":%."
	       "6f,"
	       "\"rate\":%.1f,\"bytes_s\":%.1f,\"cpu_s\":%.3f}\n",
	       rows, cells, faults, n_bytes, seconds, (double)rows / seconds, (double)n_bytes / seconds,
	       bench_cpu_seconds() - cpu);
	eg_csv_free(csv);
	eg_charset_lines_free(lines);
	close(fd);
	return 0;
}
