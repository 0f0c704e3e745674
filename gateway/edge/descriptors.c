/* descriptors: see descriptors.h. Field numbers are those of google/protobuf/descriptor.proto. */
#include "edge/descriptors.h"

#include "edge/wire_read.h"

#include <stdlib.h>
#include <string.h>

enum { SCOPE_MAX = 256, NESTED_MAX = 8 };

struct symbol {
	char *name;
	int file;
};

struct file {
	struct eg_bytes bytes, name;
	unsigned n_depends;
	struct eg_bytes *depends;
};

struct eg_descriptors {
	unsigned n_files, n_symbols, cap_symbols;
	struct file *files;
	struct symbol *symbols; /* sorted by name */
	bool failed;
};

static struct eg_bytes text_field(struct eg_bytes message, uint32_t number)
{
	struct eg_wire_field w;
	struct eg_bytes found = {0};
	while (eg_wire_next(&message, &w) == EG_OK)
		if (w.number == number && w.type == EG_WIRE_BYTES)
			found = w.bytes;
	return found;
}

/* Appends ".name" of the message to the scope; returns false when it does not fit. */
static bool enter(char scope[SCOPE_MAX], struct eg_bytes name)
{
	size_t len = strlen(scope), dot = len ? 1 : 0;
	if (len + dot + name.len >= SCOPE_MAX)
		return false;
	if (dot)
		scope[len] = '.';
	memcpy(scope + len + dot, name.p, name.len);
	scope[len + dot + name.len] = 0;
	return true;
}

static void add_symbol(struct eg_descriptors *d, int file, const char *scope, struct eg_bytes name)
{
	char full[SCOPE_MAX];
	strcpy(full, scope);
	if (d->n_symbols == d->cap_symbols) {
		unsigned cap = d->cap_symbols ? 2 * d->cap_symbols : 256;
		struct symbol *more = realloc(d->symbols, cap * sizeof *more);
		if (!more) {
			d->failed = true;
			return;
		}
		d->symbols = more;
		d->cap_symbols = cap;
	}
	char *copy = enter(full, name) ? strdup(full) : NULL;
	if (copy)
		d->symbols[d->n_symbols++] = (struct symbol){copy, file};
	else
		d->failed = true;
}

/* An enumeration's values are siblings of the enumeration, not its children. */
static void walk_enum(struct eg_descriptors *d, int file, const char *scope, struct eg_bytes e)
{
	struct eg_wire_field w;
	add_symbol(d, file, scope, text_field(e, 1));
	while (eg_wire_next(&e, &w) == EG_OK)
		if (w.number == 2 && w.type == EG_WIRE_BYTES)
			add_symbol(d, file, scope, text_field(w.bytes, 1));
}

static void walk_members(struct eg_descriptors *d, int file, const char *scope, struct eg_bytes m)
{
	struct eg_wire_field w;
	char inner[SCOPE_MAX];
	add_symbol(d, file, scope, text_field(m, 1));
	strcpy(inner, scope);
	if (!enter(inner, text_field(m, 1)))
		return;
	while (eg_wire_next(&m, &w) == EG_OK)
		if (w.number == 2 && w.type == EG_WIRE_BYTES)
			add_symbol(d, file, inner, text_field(w.bytes, 1));
}

/* Messages nest; the list of what is still to be seen stands in for recursion. */
static void walk_message(struct eg_descriptors *d, int file, const char *scope, struct eg_bytes m)
{
	struct {
		struct eg_bytes rest;
		char scope[SCOPE_MAX];
	} level[NESTED_MAX];
	struct eg_wire_field w;
	int depth = 0;
	walk_members(d, file, scope, m);
	strcpy(level[0].scope, scope);
	level[0].rest = m;
	if (!enter(level[0].scope, text_field(m, 1)))
		return;
	while (depth >= 0) {
		if (eg_wire_next(&level[depth].rest, &w) != EG_OK) {
			depth--;
		} else if (w.number == 4 && w.type == EG_WIRE_BYTES) {
			walk_enum(d, file, level[depth].scope, w.bytes);
		} else if (w.number == 3 && w.type == EG_WIRE_BYTES && depth + 1 < NESTED_MAX) {
			walk_members(d, file, level[depth].scope, w.bytes);
			strcpy(level[depth + 1].scope, level[depth].scope);
			level[depth + 1].rest = w.bytes;
			if (enter(level[depth + 1].scope, text_field(w.bytes, 1)))
				depth++;
		}
	}
}

static void walk_file(struct eg_descriptors *d, int file)
{
	struct file *f = &d->files[file];
	struct eg_bytes rest = f->bytes, package = text_field(rest, 2);
	struct eg_wire_field w;
	char scope[SCOPE_MAX] = "";
	enter(scope, package);
	f->name = text_field(rest, 1);
	while (eg_wire_next(&rest, &w) == EG_OK) {
		if (w.type != EG_WIRE_BYTES)
			continue;
		if (w.number == 3) {
			struct eg_bytes *more = realloc(f->depends, (f->n_depends + 1) * sizeof *more);
			d->failed |= !more;
			if (!more)
				return;
			f->depends = more;
			f->depends[f->n_depends++] = w.bytes;
		} else if (w.number == 4) {
			walk_message(d, file, scope, w.bytes);
		} else if (w.number == 5) {
			walk_enum(d, file, scope, w.bytes);
		} else if (w.number ==
		           6) { /* a service's methods are its members, as fields are a message's */
			walk_members(d, file, scope, w.bytes);
		}
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

enum eg_rc eg_descriptors_open(struct eg_descriptors **out, struct eg_bytes set, struct eg_err *err)
{
	struct eg_descriptors *d = calloc(1, sizeof *d);
	struct eg_wire_field w;
	enum eg_rc rc;
	if (!d)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the descriptors");
	while ((rc = eg_wire_next(&set, &w)) == EG_OK && !d->failed) {
		if (w.number != 1 || w.type != EG_WIRE_BYTES)
			continue;
		struct file *more = realloc(d->files, (d->n_files + 1) * sizeof *more);
		d->failed = !more;
		if (!more)
			break;
		d->files = more;
		d->files[d->n_files++] = (struct file){.bytes = w.bytes};
		walk_file(d, (int)d->n_files - 1);
	}
	if (d->failed || rc != EG_EMPTY) {
		bool memory = d->failed;
		eg_descriptors_close(d);
		return memory ? eg_fail(err, EG_NO_MEMORY, "no memory for the descriptors")
		              : eg_fail(err, EG_INTERNAL,
		                        "the descriptors built into the program are broken");
	}
	qsort(d->symbols, d->n_symbols, sizeof *d->symbols, by_name);
	*out = d;
	return EG_OK;
}

void eg_descriptors_close(struct eg_descriptors *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->n_files; i++)
		free(d->files[i].depends);
	for (unsigned i = 0; i < d->n_symbols; i++)
		free(d->symbols[i].name);
	free(d->files);
	free(d->symbols);
	free(d);
}

static int file_of(const struct eg_descriptors *d, struct eg_bytes name)
{
	for (unsigned i = 0; i < d->n_files; i++)
		if (eg_bytes_equal(d->files[i].name, name))
			return (int)i;
	return -1;
}

int eg_descriptors_file(const struct eg_descriptors *d, const char *name)
{
	return file_of(d, eg_bytes_of(name));
}

int eg_descriptors_symbol(const struct eg_descriptors *d, const char *symbol)
{
	struct symbol key = {.name = (char *)(uintptr_t)symbol};
	const struct symbol *found = bsearch(&key, d->symbols, d->n_symbols, sizeof key, by_name);
	return found ? found->file : -1;
}

struct eg_bytes eg_descriptors_bytes(const struct eg_descriptors *d, int file)
{
	return d->files[file].bytes;
}

unsigned eg_descriptors_files(const struct eg_descriptors *d)
{
	return d->n_files;
}

unsigned eg_descriptors_closure(const struct eg_descriptors *d, int file, int *out)
{
	unsigned n = 0;
	out[n++] = file;
	for (unsigned at = 0; at < n; at++) {
		const struct file *f = &d->files[out[at]];
		for (unsigned i = 0; i < f->n_depends; i++) {
			int next = file_of(d, f->depends[i]);
			unsigned known = 0;
			while (known < n && out[known] != next)
				known++;
			if (next >= 0 && known == n)
				out[n++] = next;
		}
	}
	return n;
}
