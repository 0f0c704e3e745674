/* file_inbox: see file_inbox.h. The table of what is there is sorted anew after each scan. */
#include "connectors/file_inbox.h"

#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_inbox {
	const struct file_rules *rules;
	enum eg_part part;
	int dir;
	int watch; /* -1: not yet, or the system gives none: then only the clock wakes */
	bool watched;
	struct file_candidate *list;
	size_t n, cap;
	/* of the scan under way */
	char (*names)[256];
	size_t names_n, names_cap;
	enum eg_rc rc;
};

enum eg_rc file_inbox_open(struct file_inbox **out, const struct file_rules *rules, enum eg_part part,
                           struct eg_err *err)
{
	*out = NULL;
	struct file_inbox *i = calloc(1, sizeof *i);
	if (!i)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a folder");
	i->rules = rules;
	i->part = part;
	i->dir = i->watch = -1;
	enum eg_rc rc = file_dir_open(&i->dir, rules->inbox, err);
	if (rc) {
		file_inbox_close(i);
		return rc;
	}
	*out = i;
	return EG_OK;
}

int file_inbox_dir(const struct file_inbox *i)
{
	return i->dir;
}

struct file_candidate *file_inbox_find(struct file_inbox *i, const char *entry)
{
	for (size_t k = 0; k < i->n; k++)
		if (strcmp(i->list[k].entry, entry) == 0)
			return &i->list[k];
	return NULL;
}

const struct file_candidate *file_inbox_stuck(const struct file_inbox *i)
{
	for (size_t k = 0; k < i->n; k++)
		if (i->list[k].stuck)
			return &i->list[k];
	return NULL;
}

/* ---- scanning ---- */

static bool ends(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return m && n > m && strcmp(name + n - m, end) == 0;
}

static bool left_alone(const struct file_inbox *i, const char *name)
{
	return name[0] == '.' || ends(name, ".tmp") || ends(name, ".part") || ends(name, ".filepart") ||
	       ends(name, "~") || strcmp(name, i->rules->done) == 0 || strcmp(name, i->rules->refused) == 0;
}

static bool collect(void *arg, const char *name)
{
	struct file_inbox *i = arg;
	if (left_alone(i, name))
		return true;
	if (i->names_n == FILE_ENTRIES_MAX) {
		i->rc = EG_LIMIT;
		return false;
	}
	if (i->names_n == i->names_cap) {
		size_t cap = i->names_cap ? 2 * i->names_cap : 64;
		void *names = realloc(i->names, cap * sizeof *i->names);
		if (!names) {
			i->rc = EG_NO_MEMORY;
			return false;
		}
		i->names = names;
		i->names_cap = cap;
	}
	snprintf(i->names[i->names_n++], sizeof *i->names, "%s", name);
	return true;
}

static int by_entry(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool listed(const struct file_inbox *i, const char *name)
{
	return bsearch(name, i->names, i->names_n, sizeof *i->names, by_entry) != NULL;
}

/* The name of the file that this is the control file of; false: it is none. */
static bool control_of(const struct file_inbox *i, const char *name, char out[256])
{
	size_t m = strlen(i->rules->control), n = strlen(name);
	if (!ends(name, i->rules->control))
		return false;
	memcpy(out, name, n - m);
	out[n - m] = 0;
	struct file_name parts;
	return file_pattern_match(&i->rules->pattern, out, &parts);
}

static struct file_candidate *put(struct file_inbox *i, const char *entry)
{
	/* The list stands in the order of entries while a scan fills it. */
	size_t low = 0, high = i->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(i->list[mid].entry, entry);
		if (!c)
			return &i->list[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (i->n == i->cap) {
		size_t cap = i->cap ? 2 * i->cap : 64;
		struct file_candidate *list = realloc(i->list, cap * sizeof *list);
		if (!list)
			return NULL;
		i->list = list;
		i->cap = cap;
	}
	memmove(&i->list[low + 1], &i->list[low], (i->n - low) * sizeof *i->list);
	i->n++;
	struct file_candidate *c = &i->list[low];
	memset(c, 0, sizeof *c);
	snprintf(c->entry, sizeof c->entry, "%s", entry);
	return c;
}

static enum eg_rc look_at(struct file_inbox *i, const char *entry, int64_t now_us, struct eg_err *err)
{
	char file[256], control[300] = "";
	struct file_id id, control_id = {0};
	bool is_control = control_of(i, entry, file);
	if (is_control && listed(i, file))
		return EG_OK; /* seen with its file */
	struct stat st;
	if (fstatat(i->dir, entry, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode) ||
	    file_stat(i->dir, entry, &id, NULL))
		return EG_OK; /* gone meanwhile; folders of others are theirs */
	if (*i->rules->control && !is_control)
		snprintf(control, sizeof control, "%s%s", entry, i->rules->control);
	bool has_control = control[0] && file_stat(i->dir, control, &control_id, NULL) == EG_OK;
	struct file_candidate *c = put(i, entry);
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a folder");
	if (!c->first_us) {
		c->first_us = c->since_us = now_us;
		c->orphan = is_control;
		c->fits = file_pattern_match(&i->rules->pattern, is_control ? file : entry, &c->name);
		if (c->fits && !c->name.has_kind)
			c->name.full = i->rules->full;
	} else if (!file_id_same(&c->id, &id) || c->has_control != has_control ||
	           (has_control && !file_id_same(&c->control_id, &control_id))) {
		c->since_us = now_us;
		c->not_before_us = 0; /* another file: what was held against the old one is over */
		c->stuck = 0;
	}
	c->id = id;
	c->control_id = control_id;
	c->has_control = has_control;
	c->seen = true;
	return EG_OK;
}

static int64_t order_of(const struct file_candidate *c, bool sequence)
{
	return sequence ? c->name.sequence : c->name.as_of;
}

static int compare(const void *pa, const void *pb, void *arg)
{
	const struct file_candidate *a = pa, *b = pb;
	const struct file_rules *rules = arg;
	if (a->fits != b->fits)
		return a->fits - b->fits;
	int region = strcmp(a->name.region, b->name.region);
	if (region)
		return region;
	for (int k = 0; k < 2; k++) {
		int64_t x = order_of(a, rules->by_sequence != k), y = order_of(b, rules->by_sequence != k);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return strcmp(a->entry, b->entry);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct file_candidate *)a)->entry, ((const struct file_candidate *)b)->entry);
}

enum eg_rc file_inbox_scan(struct file_inbox *i, int64_t now_us, struct eg_err *err)
{
	i->names_n = 0;
	i->rc = EG_OK;
	enum eg_rc rc = file_each(i->dir, collect, i, err);
	if (!rc && i->rc == EG_LIMIT)
		rc = eg_fail(err, EG_LIMIT, "the inbox holds more than %d files", FILE_ENTRIES_MAX);
	else if (!rc && i->rc)
		rc = eg_fail(err, i->rc, "no memory for a folder");
	if (rc)
		return rc;
	if (i->names_n)
		qsort(i->names, i->names_n, sizeof *i->names, by_entry);
	if (i->n)
		qsort(i->list, i->n, sizeof *i->list, compare_entries);
	for (size_t k = 0; k < i->n; k++)
		i->list[k].seen = false;
	for (size_t k = 0; !rc && k < i->names_n; k++)
		rc = look_at(i, i->names[k], now_us, err);
	size_t kept = 0;
	for (size_t k = 0; k < i->n; k++)
		if (i->list[k].seen)
			i->list[kept++] = i->list[k];
	i->n = kept;
	if (i->n)
		qsort_r(i->list, i->n, sizeof *i->list, compare, (void *)(uintptr_t)i->rules);
	return rc;
}

/* ---- choosing ---- */

static bool ours(const struct file_inbox *i, const struct file_candidate *c)
{
	return i->part == EG_PART_ALL || (c->fits && c->name.full) == (i->part == EG_PART_LISTS);
}

bool file_inbox_settled(const struct file_inbox *i, const struct file_candidate *c, int64_t now_us)
{
	return now_us - c->since_us >= i->rules->settle_us;
}

static bool over(const struct file_inbox *i, const struct file_candidate *c, int64_t now_us)
{
	return now_us - c->first_us >= i->rules->incomplete_us;
}

/* What is wrong that will stay wrong once the file is settled. */
static enum file_reason fault_of(const struct file_inbox *i, const struct file_candidate *c,
                                 struct file_control *control)
{
	*control = (struct file_control){.rows = -1, .size = -1, .kind = EG_HASH_SHA256};
	if (!c->fits)
		return FILE_REASON_NAME;
	if (!c->id.regular || (c->has_control && !c->control_id.regular))
		return FILE_REASON_NOT_REGULAR;
	if ((uint64_t)c->id.size > i->rules->max_bytes)
		return FILE_REASON_TOO_LARGE;
	if (!*i->rules->control && c->name.full && !i->rules->full_without_control)
		return FILE_REASON_FULL_NEEDS_CONTROL;
	if (!c->has_control)
		return FILE_REASON_NONE;
	char name[300];
	struct eg_buf text = {0};
	snprintf(name, sizeof name, "%s%s", c->entry, i->rules->control);
	enum file_reason reason = FILE_REASON_NONE;
	if (file_get(i->dir, name, FILE_CONTROL_MAX, &text, NULL) ||
	    file_control_parse(control, eg_buf_bytes(&text), c->name.name, NULL))
		reason = FILE_REASON_CONTROL_INVALID;
	else if (c->name.full && !i->rules->full_without_control && !control->has_digest &&
	         control->rows < 0 && control->size < 0)
		reason = FILE_REASON_FULL_NEEDS_CONTROL; /* it says nothing that could show a truncation */
	else if (control->size >= 0 && control->size != c->id.size)
		reason = FILE_REASON_SIZE_MISMATCH;
	eg_buf_free(&text);
	return reason;
}

static enum file_choice judge(const struct file_inbox *i, const struct file_candidate *c, int64_t now_us,
                              struct file_control *control, enum file_reason *reason)
{
	*reason = FILE_REASON_NONE;
	if (c->not_before_us > now_us)
		return CHOICE_WAIT;
	if (c->orphan) {
		*reason = FILE_REASON_CONTROL_WITHOUT_FILE;
		return over(i, c, now_us) ? CHOICE_REJECTED : CHOICE_WAIT;
	}
	*reason = fault_of(i, c, control);
	if (*reason)
		return file_inbox_settled(i, c, now_us) ? CHOICE_REJECTED : CHOICE_WAIT;
	if (*i->rules->control && !c->has_control) {
		*reason = FILE_REASON_CONTROL_MISSING;
		return over(i, c, now_us) ? CHOICE_REJECTED : CHOICE_WAIT;
	}
	return *i->rules->control || file_inbox_settled(i, c, now_us) ? CHOICE_READY : CHOICE_WAIT;
}

enum file_choice file_inbox_next(struct file_inbox *i, int64_t now_us, struct file_candidate **out,
                                 struct file_control *control, enum file_reason *reason)
{
	enum file_choice all = CHOICE_NOTHING;
	const char *held = NULL; /* the region whose files wait for an earlier one */
	for (size_t k = 0; k < i->n; k++) {
		struct file_candidate *c = &i->list[k];
		if (held && c->fits && strcmp(held, c->name.region) == 0)
			continue;
		if (!ours(i, c)) {
			if (i->part == EG_PART_LISTS && c->fits) { /* a list comes after what is before it */
				held = c->name.region;
				all = CHOICE_WAIT;
			}
			continue;
		}
		enum file_choice choice = judge(i, c, now_us, control, reason);
		if (choice != CHOICE_WAIT) {
			*out = c;
			return choice;
		}
		all = CHOICE_WAIT;
		if (c->fits)
			held = c->name.region;
	}
	return all;
}

bool file_inbox_settling(const struct file_inbox *i, int64_t now_us, int64_t *when_us)
{
	bool any = false;
	for (size_t k = 0; k < i->n; k++) {
		const struct file_candidate *c = &i->list[k];
		int64_t due_us = c->since_us + i->rules->settle_us;
		bool waits_for_more = c->orphan || (*i->rules->control && !c->has_control);
		if (!ours(i, c) || waits_for_more || due_us <= now_us || c->not_before_us > due_us)
			continue;
		any = true;
		*when_us = due_us < *when_us ? due_us : *when_us;
	}
	return any;
}

void file_inbox_forget(struct file_inbox *i, const char *entry)
{
	struct file_candidate *c = file_inbox_find(i, entry);
	if (!c)
		return;
	size_t at = (size_t)(c - i->list);
	memmove(c, c + 1, (i->n - at - 1) * sizeof *c);
	i->n--;
}

/* Made by the first who waits: who only takes what is there needs none, and its end takes the kernel a while.
 */
static void watch(struct file_inbox *i)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", i->dir);
	i->watched = true;
	i->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (i->watch >= 0 &&
	    inotify_add_watch(i->watch, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MODIFY) < 0) {
		close(i->watch);
		i->watch = -1;
	}
}

bool file_inbox_wait(struct file_inbox *i, int64_t mono_deadline_us)
{
	static const int64_t MOST_US = 3600 * EG_SECOND;
	int64_t left_us = mono_deadline_us - eg_mono_us();
	if (!i->watched) {
		watch(i); /* and look again: what came before is not told */
		return true;
	}
	struct pollfd p = {.fd = i->watch, .events = POLLIN};
	int wait_ms = left_us > 0 ? (int)((left_us < MOST_US ? left_us : MOST_US) / 1000 + 1) : 0;
	if (poll(&p, i->watch >= 0, wait_ms) <= 0)
		return false;
	_Alignas(struct inotify_event) char told[4096];
	while (read(i->watch, told, sizeof told) > 0)
		;
	return true;
}

void file_inbox_close(struct file_inbox *i)
{
	if (!i)
		return;
	if (i->watch >= 0)
		close(i->watch);
	if (i->dir >= 0)
		close(i->dir);
	free(i->list);
	free(i->names);
	free(i);
}
