/* bench_rows: writes the rows of generated persons as an agency would export them: CSV in UTF-8 with a
 * header.
 *
 * --content, --every, --step: as of bench_list. Prints how many rows and bytes there are. */
#include "bench.h"
#include "people.h"

#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)1 << 20)

static void write_out(FILE *f, struct eg_buf *b)
{
	if (fwrite(b->p, 1, b->len, f) != b->len)
		bench_die("the rows could not be written");
	eg_buf_reset(b);
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *path = bench_text("--file", NULL);
	uint32_t persons = (uint32_t)bench_number("--persons", 100000);
	uint64_t seed = (uint64_t)bench_number("--seed", 1);
	int64_t content = bench_number("--content", 1), step = bench_number("--step", 1);
	long every = bench_number("--every", 0);
	bench_args_end();
	uint32_t *order = bench_order(persons, seed);
	struct eg_buf b = {0};
	FILE *f = fopen(path, "we");
	if (!f)
		bench_die("the rows have no file to go to");
	eg_buf_add(&b, people_cells_header, strlen(people_cells_header));
	for (uint32_t i = 0; i < persons; i++) {
		people_cells(order[i], people_content(order[i], content, every, step), &b);
		if (b.len >= PIECE)
			write_out(f, &b);
	}
	write_out(f, &b);
	long bytes = ftell(f);
	if (fclose(f) != 0)
		bench_die("the rows could not be written");
	printf("{\"bench\":\"rows\",\"rows\":%u,\"bytes\":%ld}\n", persons, bytes);
	free(order);
	eg_buf_free(&b);
	return 0;
}
