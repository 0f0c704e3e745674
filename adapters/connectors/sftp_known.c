/* sftp_known: see sftp_known.h. Sorted, since a folder of many known files is looked through again and again.
 */
#include "connectors/sftp_known.h"

#include "trust/crypto.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct tokens {
	struct sftp_token *all;
	size_t n, cap;
};

struct sftp_known {
	pthread_mutex_t lock;
	struct tokens sorted, fresh;
	size_t taken; /* of the fresh ones */
};

static struct sftp_token token_of(const struct eg_sftp_file *f)
{
	struct eg_buf b = {0};
	uint8_t hash[EG_HASH_SIZE];
	struct sftp_token t;
	eg_buf_printf(&b, "%" PRIu64 " %" PRIu32 " %s", f->size, f->changed, f->name);
	struct eg_bytes bytes = eg_buf_bytes(&b);
	eg_sha256(&bytes, 1, hash);
	eg_buf_free(&b);
	memcpy(t.bytes, hash, sizeof t.bytes);
	return t;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sftp_token));
}

static bool room(struct tokens *t, size_t more)
{
	size_t cap = t->cap ? t->cap : 64;
	while (cap < t->n + more)
		cap *= 2;
	struct sftp_token *all = cap == t->cap ? t->all : realloc(t->all, cap * sizeof *all);
	if (!all)
		return false;
	t->all = all;
	t->cap = cap;
	return true;
}

enum eg_rc sftp_known_new(struct sftp_known **out, const struct sftp_token *tokens, size_t n,
                          struct eg_err *err)
{
	struct sftp_known *k = calloc(1, sizeof *k);
	*out = NULL;
	if (!k)
		return eg_fail(err, EG_NO_MEMORY, "no memory for known files");
	pthread_mutex_init(&k->lock, NULL);
	if (!room(&k->sorted, n)) {
		sftp_known_free(k);
		return eg_fail(err, EG_NO_MEMORY, "no memory for known files");
	}
	if (n) {
		memcpy(k->sorted.all, tokens, n * sizeof *tokens);
		qsort(k->sorted.all, n, sizeof *tokens, compare);
	}
	k->sorted.n = n;
	*out = k;
	return EG_OK;
}

void sftp_known_free(struct sftp_known *k)
{
	if (!k)
		return;
	pthread_mutex_destroy(&k->lock);
	free(k->sorted.all);
	free(k->fresh.all);
	free(k);
}

/* The first that is not less. */
static size_t place_of(const struct tokens *t, const struct sftp_token *token)
{
	size_t low = 0, high = t->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare(&t->all[middle], token) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool stands(const struct tokens *t, size_t at, const struct sftp_token *token)
{
	return at < t->n && compare(&t->all[at], token) == 0;
}

bool sftp_known_has(struct sftp_known *k, const struct eg_sftp_file *f)
{
	struct sftp_token t = token_of(f);
	pthread_mutex_lock(&k->lock);
	bool has = stands(&k->sorted, place_of(&k->sorted, &t), &t);
	pthread_mutex_unlock(&k->lock);
	return has;
}

enum eg_rc sftp_known_add(struct sftp_known *k, const struct eg_sftp_file *f, struct eg_err *err)
{
	struct sftp_token t = token_of(f);
	enum eg_rc rc = EG_OK;
	pthread_mutex_lock(&k->lock);
	size_t at = place_of(&k->sorted, &t);
	if (!stands(&k->sorted, at, &t)) {
		if (room(&k->sorted, 1) && room(&k->fresh, 1)) {
			memmove(&k->sorted.all[at + 1], &k->sorted.all[at], (k->sorted.n - at) * sizeof t);
			k->sorted.all[at] = t;
			k->sorted.n++;
			k->fresh.all[k->fresh.n++] = t;
		} else {
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for known files");
		}
	}
	pthread_mutex_unlock(&k->lock);
	return rc;
}

bool sftp_known_take(struct sftp_known *k, struct sftp_token *out)
{
	pthread_mutex_lock(&k->lock);
	bool any = k->taken < k->fresh.n;
	if (any)
		*out = k->fresh.all[k->taken++];
	if (k->taken == k->fresh.n)
		k->taken = k->fresh.n = 0;
	pthread_mutex_unlock(&k->lock);
	return any;
}
