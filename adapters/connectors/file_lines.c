/* file_lines: see file_lines.h. Items stand in blocks, one word each: line << 4 | item << 2 | mark. */
#include "connectors/file_lines.h"

#include <stdlib.h>

enum { BLOCK = 4096, ITEM_SHIFT = 2, LINE_SHIFT = 4, MASK = 3 };

struct file_lines {
	uint32_t **blocks; /* by item / BLOCK; NULL once passed */
	size_t cap;
	uint64_t first_ref, n, passed, waiting;
	uint64_t settled;
	struct file_counts counts;
	bool again;
};

struct file_lines *file_lines_new(uint64_t first_ref, uint64_t line, struct file_counts counts)
{
	struct file_lines *l = calloc(1, sizeof *l);
	if (l)
		*l = (struct file_lines){.first_ref = first_ref, .settled = line, .counts = counts};
	return l;
}

static bool room(struct file_lines *l)
{
	size_t block = l->n / BLOCK;
	if (block == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		uint32_t **blocks = realloc(l->blocks, cap * sizeof(uint32_t *));
		if (!blocks)
			return false;
		for (size_t i = l->cap; i < cap; i++)
			blocks[i] = NULL;
		l->blocks = blocks;
		l->cap = cap;
	}
	if (!l->blocks[block])
		l->blocks[block] = calloc(BLOCK, sizeof(uint32_t));
	return l->blocks[block];
}

uint64_t file_lines_add(struct file_lines *l, enum file_item item, uint64_t line)
{
	if (line > FILE_LINES_MAX || !room(l))
		return 0;
	l->blocks[l->n / BLOCK][l->n % BLOCK] = (uint32_t)line << LINE_SHIFT | (uint32_t)item << ITEM_SHIFT;
	l->waiting++;
	return l->first_ref + l->n++;
}

static enum file_item item_of(uint32_t word)
{
	return (word >> ITEM_SHIFT) & MASK;
}

static void count(struct file_lines *l, uint32_t word)
{
	enum file_item item = item_of(word);
	l->counts.taken += item == FILE_ROW && (word & MASK) == FILE_TAKEN;
	l->counts.refused += item == FILE_ROW && (word & MASK) == FILE_REFUSED;
	l->counts.bad += item == FILE_BAD;
	if (item != FILE_SIGN)
		l->settled = word >> LINE_SHIFT;
}

static void pass(struct file_lines *l)
{
	while (l->passed < l->n) {
		uint32_t word = l->blocks[l->passed / BLOCK][l->passed % BLOCK];
		if ((word & MASK) == FILE_WAITS || (word & MASK) == FILE_AGAIN)
			return;
		count(l, word);
		if (++l->passed % BLOCK == 0) {
			free(l->blocks[l->passed / BLOCK - 1]);
			l->blocks[l->passed / BLOCK - 1] = NULL;
		}
	}
}

bool file_lines_mark(struct file_lines *l, uint64_t ref, enum file_mark mark, enum file_item *item,
                     uint64_t *line)
{
	if (ref < l->first_ref + l->passed || ref >= l->first_ref + l->n)
		return false;
	uint64_t i = ref - l->first_ref;
	uint32_t *word = &l->blocks[i / BLOCK][i % BLOCK];
	if ((*word & MASK) != FILE_WAITS)
		return false;
	*item = item_of(*word);
	*line = *word >> LINE_SHIFT;
	*word |= (uint32_t)mark;
	l->waiting--;
	l->again = l->again || mark == FILE_AGAIN;
	pass(l);
	return true;
}

uint64_t file_lines_settled(const struct file_lines *l)
{
	return l->settled;
}

struct file_counts file_lines_counts(const struct file_lines *l)
{
	return l->counts;
}

uint64_t file_lines_waiting(const struct file_lines *l)
{
	return l->waiting;
}

bool file_lines_again(const struct file_lines *l)
{
	return l->again;
}

uint64_t file_lines_next_ref(const struct file_lines *l)
{
	return l->first_ref + l->n;
}

void file_lines_free(struct file_lines *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->cap; i++)
		free(l->blocks[i]);
	free(l->blocks);
	free(l);
}
