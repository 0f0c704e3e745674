/* powerdisk: what is durable of one directory, kept beside what is there; see powerdisk.h.
 *
 * Each file is a struct power_inode with its durable bytes and the changes since. A name maps to an inode
 * twice: in `names`, as of the directory's last sync, and in the directory itself. An inode is held open
 * (O_PATH, which touches no lock of SQLite's), so that its number is not given to another file while it may
 * still come back.
 */
#include "powerdisk.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMES_MAX 32
#define PATH_ROOM 512

const char *const power_op_names[POWER_OPS] = {
        "a write to the WAL",
        "a sync of the WAL",
        "a cut of the WAL",
        "a write to the database",
        "a sync of the database",
        "a cut of the database",
        "a write to the journal",
        "a sync of the journal",
        "a cut of the journal",
        "a sync of another file",
        "a deletion",
        "a sync of the directory",
};

struct bytes {
	uint8_t *p;
	size_t len;
};

/* A write, or with data.p NULL a cut of the file to `at`. */
struct change {
	size_t at;
	struct bytes data;
	struct change *next;
};

struct power_inode {
	dev_t dev;
	ino_t ino;
	int held;     /* descriptor, O_PATH */
	bool sqlites; /* its writes are seen; of others only what is synced is known */
	struct bytes durable;
	struct change *first, **last; /* since then, in order */
	struct power_inode *next;
};

struct name {
	char text[64];
	struct power_inode *inode;
};
struct names {
	struct name list[NAMES_MAX];
	int n;
};

static pthread_mutex_t lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct power_watch watched; /* dir NULL: none */
static struct stat watched_stat;
static struct power_inode *inodes;
static struct names durable_names;

_Noreturn static void give_up(const char *what)
{
	perror(what);
	fputs("powerdisk: cannot go on\n", stderr);
	abort();
}

uint64_t power_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool chance(uint64_t *random, unsigned percent)
{
	return power_random(random) % 100 < percent;
}

/* ---- bytes ---- */

static void resize(struct bytes *b, size_t len)
{
	uint8_t *p = realloc(b->p, len + 1);
	if (!p)
		give_up("memory");
	if (len > b->len)
		memset(p + b->len, 0, len - b->len);
	b->p = p;
	b->len = len;
}

static void put(struct bytes *b, size_t at, const uint8_t *p, size_t len)
{
	if (at + len > b->len)
		resize(b, at + len);
	memcpy(b->p + at, p, len);
}

static struct bytes copy_of(const uint8_t *p, size_t len)
{
	struct bytes b = {0};
	resize(&b, len);
	if (len)
		memcpy(b.p, p, len);
	return b;
}

/* ---- inodes and names ---- */

static struct power_inode *inode_of(const struct stat *st)
{
	struct power_inode *i = inodes;
	while (i && (i->dev != st->st_dev || i->ino != st->st_ino))
		i = i->next;
	return i;
}

static struct power_inode *inode_new(int path_fd, const struct stat *st, bool sqlites)
{
	struct power_inode *i = calloc(1, sizeof *i);
	if (!i || path_fd < 0)
		give_up("an inode");
	*i = (struct power_inode){.dev = st->st_dev, .ino = st->st_ino, .held = path_fd, .sqlites = sqlites};
	i->last = &i->first;
	i->next = inodes;
	inodes = i;
	return i;
}

/* The bytes that are there now. Never of a file that SQLite has open: closing it would drop SQLite's locks.
 */
static struct bytes bytes_now(const struct power_inode *i)
{
	char path[64];
	struct stat st;
	struct bytes b = {0};
	snprintf(path, sizeof path, "/proc/self/fd/%d", i->held);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		give_up(path);
	resize(&b, (size_t)st.st_size);
	if (pread(fd, b.p, b.len, 0) != st.st_size)
		give_up(path);
	close(fd);
	return b;
}

static struct name *find(struct names *n, const char *text)
{
	for (int i = 0; i < n->n; i++)
		if (strcmp(n->list[i].text, text) == 0)
			return &n->list[i];
	return NULL;
}

static bool is_memory(const char *name)
{
	size_t len = strlen(name);
	return len >= 4 && strcmp(name + len - 4, "-shm") == 0;
}

/* The names that are there now. */
static struct names names_now(void)
{
	struct names now = {0};
	DIR *d = opendir(watched.dir);
	if (!d)
		give_up(watched.dir);
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
		    is_memory(e->d_name))
			continue;
		if (now.n == NAMES_MAX)
			give_up("too many files");
		struct name *n = &now.list[now.n++];
		if ((size_t)snprintf(n->text, sizeof n->text, "%s", e->d_name) >= sizeof n->text)
			give_up("a long name");
		n->inode = inode_of(&st);
		if (!n->inode)
			n->inode = inode_new(openat(dirfd(d), e->d_name, O_PATH | O_CLOEXEC), &st, false);
	}
	closedir(d);
	return now;
}

static void add_change(struct power_inode *i, size_t at, struct bytes data)
{
	struct change *c = malloc(sizeof *c);
	if (!c)
		give_up("memory");
	*c = (struct change){.at = at, .data = data};
	*i->last = c;
	i->last = &c->next;
}

static void apply(struct bytes *b, const struct change *c)
{
	if (c->data.p)
		put(b, c->at, c->data.p, c->data.len);
	else
		resize(b, c->at);
}

static void forget_changes(struct power_inode *i)
{
	for (struct change *c; (c = i->first);) {
		i->first = c->next;
		free(c->data.p);
		free(c);
	}
	i->last = &i->first;
}

static void now_durable(struct power_inode *i)
{
	if (!i->sqlites) {
		free(i->durable.p);
		i->durable = bytes_now(i);
	}
	for (struct change *c = i->first; c; c = c->next)
		apply(&i->durable, c);
	forget_changes(i);
}

/* ---- syncs, where they happen ---- */

static void before(enum power_op op)
{
	if (watched.before)
		watched.before(watched.arg, op);
}

static void start(void)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE); /* the hook makes images */
	pthread_mutex_init(&lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

void power_enter(void)
{
	pthread_once(&once, start);
	pthread_mutex_lock(&lock);
}

void power_leave(void)
{
	pthread_mutex_unlock(&lock);
}

static int synced(int fd, long call)
{
	struct stat st;
	power_enter();
	bool known = watched.dir && fstat(fd, &st) == 0;
	bool directory = known && st.st_dev == watched_stat.st_dev && st.st_ino == watched_stat.st_ino;
	if (directory)
		before(POWER_DIRECTORY_SYNC);
	else if (known && S_ISREG(st.st_mode) && !inode_of(&st))
		names_now(); /* if it is a new file of the directory, it gets its inode */
	struct power_inode *i = known ? inode_of(&st) : NULL;
	if (i && !i->sqlites)
		before(POWER_OTHER_SYNC);
	int rc = (int)syscall(call, fd);
	if (rc == 0 && directory && !watched.ignore_directory_syncs)
		durable_names = names_now();
	if (rc == 0 && i)
		now_durable(i);
	power_leave();
	return rc;
}

/* In place of the C library's, for SQLite's library too: a program's own symbols go before those of
 * libraries. */
int fsync(int fd)
{
	return synced(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return synced(fd, SYS_fdatasync);
}

/* ---- what the VFS reports ---- */

struct power_inode *power_opened(const char *name)
{
	struct stat st;
	size_t len = watched.dir ? strlen(watched.dir) : 0;
	if (!len || !name || strncmp(name, watched.dir, len) != 0 || name[len] != '/' || stat(name, &st) != 0)
		return NULL;
	struct power_inode *i = inode_of(&st);
	if (!i)
		i = inode_new(open(name, O_PATH | O_CLOEXEC), &st, true);
	if (!i->sqlites && st.st_size > (off_t)i->durable.len)
		give_up("a file of SQLite's was written by another"); /* its bytes were not seen */
	i->sqlites = true;
	return i;
}

void power_wrote(struct power_inode *i, size_t at, const void *p, size_t len, enum power_op op)
{
	if (!watched.dir || !i)
		return;
	add_change(i, at, copy_of(p, len));
	before(op);
}

void power_cut(struct power_inode *i, size_t size, enum power_op op)
{
	if (!watched.dir || !i)
		return;
	add_change(i, size, (struct bytes){0});
	before(op);
}

void power_comes(enum power_op op)
{
	if (watched.dir)
		before(op);
}

/* ---- the power goes ---- */

void power_watch(const struct power_watch *w)
{
	power_enter();
	power_unwatch();
	watched = *w;
	watched.before = NULL;
	if (stat(w->dir, &watched_stat) != 0)
		give_up(w->dir);
	durable_names = names_now();
	for (struct power_inode *i = inodes; i; i = i->next)
		i->durable = bytes_now(i);
	watched.before = w->before;
	power_leave();
}

void power_unwatch(void)
{
	power_enter();
	for (struct power_inode *i; (i = inodes);) {
		inodes = i->next;
		forget_changes(i);
		free(i->durable.p);
		close(i->held);
		free(i);
	}
	durable_names.n = 0;
	watched = (struct power_watch){0};
	power_leave();
}

/* How the disk went about what it had not finished, chosen anew for each file. */
enum { NOTHING, EVERYTHING, PREFIX, SOME_WRITES, SOME_SECTORS, FATES };
struct fate {
	unsigned kind;
	unsigned percent; /* of those kept */
	unsigned whole;   /* PREFIX: changes that made it; the next one did in part */
};

static struct fate choose(const struct power_inode *i, uint64_t *random)
{
	static const unsigned percents[] = {3, 20, 50, 80, 97};
	struct fate f = {.kind = (unsigned)(power_random(random) % FATES),
	                 .percent = percents[power_random(random) % 5]};
	unsigned n = 0;
	for (const struct change *c = i->first; c; c = c->next)
		n++;
	f.whole = n ? (unsigned)(power_random(random) % n) : 0;
	return f;
}

/* Those sectors of a write that made it. */
static void tear(struct bytes *b, const struct change *c, unsigned percent, uint64_t *random)
{
	for (size_t done = 0, part; done < c->data.len; done += part) {
		size_t at = c->at + done;
		part = POWER_SECTOR - at % POWER_SECTOR;
		if (part > c->data.len - done)
			part = c->data.len - done;
		if (chance(random, percent))
			put(b, at, c->data.p + done, part);
	}
}

static struct bytes left_of(const struct power_inode *i, uint64_t *random)
{
	struct bytes b = copy_of(i->durable.p, i->durable.len);
	struct fate f = choose(i, random);
	if (!i->sqlites) { /* its writes were not seen: nothing, all, or some first sectors of what is there
		              now */
		struct bytes now = bytes_now(i);
		struct change all = {.data = now};
		if (f.kind == EVERYTHING)
			resize(&b, now.len);
		if (f.kind != NOTHING)
			tear(&b, &all, f.kind == EVERYTHING ? 100 : f.percent, random);
		free(now.p);
		return b;
	}
	unsigned n = 0;
	for (const struct change *c = i->first; c; c = c->next, n++) {
		bool here = f.kind == EVERYTHING || (f.kind == PREFIX && n < f.whole) ||
		            (f.kind == SOME_WRITES && chance(random, f.percent));
		bool torn = f.kind == SOME_SECTORS || (f.kind == PREFIX && n == f.whole);
		if (here || (torn && !c->data.p && chance(random, f.percent)))
			apply(&b, c);
		else if (torn)
			tear(&b, c, f.percent, random);
	}
	return b;
}

static void write_file(const char *dir, const char *name, struct bytes b)
{
	char path[PATH_ROOM];
	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
		give_up("a long name");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		give_up(path);
	for (size_t done = 0; done < b.len;) {
		ssize_t n = write(fd, b.p + done, b.len - done);
		if (n <= 0)
			give_up(path);
		done += (size_t)n;
	}
	close(fd);
}

void power_image(const char *to, uint64_t *random)
{
	power_enter();
	struct names now = names_now();
	struct names all = now;
	for (int i = 0; i < durable_names.n; i++)
		if (!find(&now, durable_names.list[i].text)) {
			if (all.n == NAMES_MAX)
				give_up("too many files");
			all.list[all.n++] = (struct name){0};
			memcpy(all.list[all.n - 1].text, durable_names.list[i].text, sizeof all.list[0].text);
		}
	if (mkdir(to, 0700) != 0)
		give_up(to);
	for (int i = 0; i < all.n; i++) {
		const struct name *kept = find(&durable_names, all.list[i].text);
		struct power_inode *was = kept ? kept->inode : NULL, *is = all.list[i].inode;
		struct power_inode *left = was == is || chance(random, 50) ? was : is;
		if (!left)
			continue;
		struct bytes b = left_of(left, random);
		write_file(to, all.list[i].text, b);
		free(b.p);
	}
	power_leave();
}
