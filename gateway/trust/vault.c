/* vault: see vault.h. */
#include "trust/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WRAPPED = EG_GCM_NONCE + EG_KEY_SIZE + EG_GCM_TAG,
	MAX_EPOCHS = 4096,
	SEAL_HEAD = 1 + 4 + EG_GCM_NONCE,
	SALT = 32,
	FIRST_KEYS = 5,
	EPOCH_NAME = 16
};
_Static_assert(WRAPPED == 60, "the header promises 60 bytes");

struct epoch {
	uint32_t number;
	uint8_t key[EG_KEY_SIZE];
};

struct eg_vault {
	struct eg_vault_keys keys;
	uint8_t root[EG_KEY_SIZE];
	/* Epochs only ever grow, and one that counts never changes, so that readers need no lock. */
	pthread_mutex_t lock; /* of who adds one */
	atomic_uint n_epochs;
	struct epoch epochs[MAX_EPOCHS];
	struct eg_mac *token, *digest, *ref;
	uint8_t checkpoint_seed[32], checkpoint_public[32];
};

/* ---- the root key's file ---- */

static enum eg_rc read_root(const char *path, uint8_t key[EG_KEY_SIZE], struct eg_err *err)
{
	struct stat st;
	enum eg_rc rc = EG_OK;
	uint8_t more;
	ssize_t n, beyond;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? eg_fail(err, EG_NOT_FOUND, "no root key at %s", path)
		                       : eg_fail_errno(err, "root key %s", path);
	if (fstat(fd, &st) != 0)
		rc = eg_fail_errno(err, "root key %s", path);
	else if (st.st_mode & 077)
		rc = eg_fail(err, EG_CONFIG, "%s may be read by others: chmod 600 it", path);
	else if ((n = read(fd, key, EG_KEY_SIZE)) < 0 || (beyond = read(fd, &more, 1)) < 0)
		rc = eg_fail_errno(err, "root key %s", path);
	else if (n != EG_KEY_SIZE || beyond)
		rc = eg_fail(err, EG_CORRUPT, "%s does not hold a root key of %d bytes", path, EG_KEY_SIZE);
	close(fd);
	return rc;
}

static enum eg_rc sync_folder_of(const char *path, struct eg_err *err)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	int fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0) {
		enum eg_rc rc = eg_fail_errno(err, "syncing %s", folder);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(fd);
	return EG_OK;
}

/* Whole or not there at all, and durable before any key is wrapped under it: a store whose root key is lost
 * is lost. */
static enum eg_rc make_root(const char *path, uint8_t key[EG_KEY_SIZE], struct eg_err *err)
{
	char fresh[4096];
	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
		return eg_fail(err, EG_CONFIG, "the root key's path is too long");
	unlink(fresh); /* left by a crash; it never had its real name */
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return eg_fail_errno(err, "making the root key %s", fresh);
	eg_random(key, EG_KEY_SIZE);
	bool ok = write(fd, key, EG_KEY_SIZE) == EG_KEY_SIZE && fsync(fd) == 0 &&
	          renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) == 0;
	enum eg_rc rc = ok ? EG_OK : eg_fail_errno(err, "writing the root key %s", path);
	close(fd);
	if (rc)
		unlink(fresh);
	return rc ? rc : sync_folder_of(path, err);
}

/* ---- wrapped keys ---- */

static enum eg_rc unwrap(struct eg_vault *v, const char *name, uint8_t key[EG_KEY_SIZE], struct eg_err *err)
{
	uint8_t w[WRAPPED];
	enum eg_rc rc = v->keys.get(v->keys.arg, name, w, err);
	if (rc == EG_NOT_FOUND)
		return eg_fail(err, EG_CORRUPT, "the store has lost its key '%s'", name);
	if (rc)
		return rc;
	rc = eg_gcm_open(v->root, w, eg_bytes_of(name),
	                 (struct eg_bytes){w + EG_GCM_NONCE, WRAPPED - EG_GCM_NONCE}, key, NULL);
	return rc ? eg_fail(err, rc, "key '%s' does not open with this root key", name) : EG_OK;
}

/* Draws n keys and keeps them, all or none: a crash must not leave a store with half of its keys. */
static enum eg_rc make(struct eg_vault *v, unsigned n, const char *const *names, struct eg_err *err)
{
	uint8_t wrapped[FIRST_KEYS][WRAPPED], key[EG_KEY_SIZE];
	enum eg_rc rc = EG_OK;
	if (!v->keys.put)
		return eg_fail(err, EG_PRECONDITION, "the store is open for reading only");
	for (unsigned i = 0; i < n && !rc; i++) {
		eg_random(key, sizeof key);
		eg_random(wrapped[i], EG_GCM_NONCE);
		rc = eg_gcm_seal(v->root, wrapped[i], eg_bytes_of(names[i]),
		                 (struct eg_bytes){key, sizeof key}, wrapped[i] + EG_GCM_NONCE, err);
	}
	explicit_bzero(key, sizeof key);
	return rc ? rc : v->keys.put(v->keys.arg, n, names, wrapped, err);
}

struct listing {
	uint32_t numbers[MAX_EPOCHS];
	unsigned n, all;
	bool too_many;
};

static void epoch_name(uint32_t number, char name[EPOCH_NAME])
{
	snprintf(name, EPOCH_NAME, "seal/%08u", number);
}

static void note_epoch(void *arg, const char *name)
{
	struct listing *l = arg;
	char same[EPOCH_NAME];
	unsigned number;
	l->all++;
	if (sscanf(name, "seal/%8u", &number) != 1)
		return;
	epoch_name(number, same);
	if (strcmp(name, same) != 0)
		return;
	if (l->n < MAX_EPOCHS)
		l->numbers[l->n++] = number;
	else
		l->too_many = true;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static enum eg_rc load_epoch(struct eg_vault *v, uint32_t number, struct eg_err *err)
{
	char name[EPOCH_NAME];
	struct epoch e = {.number = number};
	epoch_name(number, name);
	enum eg_rc rc = unwrap(v, name, e.key, err);
	if (rc)
		return rc;
	pthread_mutex_lock(&v->lock);
	v->epochs[v->n_epochs] = e;
	v->n_epochs++;
	pthread_mutex_unlock(&v->lock);
	explicit_bzero(&e, sizeof e);
	return EG_OK;
}

static enum eg_rc load_mac(struct eg_vault *v, const char *name, struct eg_mac **out, struct eg_err *err)
{
	uint8_t key[EG_KEY_SIZE];
	enum eg_rc rc = unwrap(v, name, key, err);
	if (!rc && !(*out = eg_mac_new(key)))
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a key");
	explicit_bzero(key, sizeof key);
	return rc;
}

/* A store without any key is a beginning; in any other, a missing key is a loss. */
static enum eg_rc open_keys(struct eg_vault *v, bool create, struct eg_err *err)
{
	static const char *const first[FIRST_KEYS] = {"seal/00000001", "token", "digest", "ref",
	                                              "checkpoint"};
	struct listing *l = calloc(1, sizeof *l);
	if (!l)
		return eg_fail(err, EG_NO_MEMORY, "no memory for keys");
	enum eg_rc rc = v->keys.list(v->keys.arg, "", note_epoch, l, err);
	if (!rc && !l->all) {
		rc = create ? make(v, FIRST_KEYS, first, err)
		            : eg_fail(err, EG_NOT_FOUND, "the store has no keys yet");
		l->numbers[l->n++] = 1;
	}
	if (!rc && l->too_many)
		rc = eg_fail(err, EG_LIMIT, "more than %d sealing epochs", MAX_EPOCHS);
	if (!rc && !l->n)
		rc = eg_fail(err, EG_CORRUPT, "the store has lost its sealing keys");
	qsort(l->numbers, l->n, sizeof *l->numbers, by_number);
	for (unsigned i = 0; i < l->n && !rc; i++)
		rc = load_epoch(v, l->numbers[i], err);
	free(l);
	if (rc || (rc = load_mac(v, "token", &v->token, err)) ||
	    (rc = load_mac(v, "digest", &v->digest, err)) || (rc = load_mac(v, "ref", &v->ref, err)) ||
	    (rc = unwrap(v, "checkpoint", v->checkpoint_seed, err)))
		return rc;
	return eg_ed25519_public(v->checkpoint_seed, v->checkpoint_public, err);
}

enum eg_rc eg_vault_open(struct eg_vault **out, const char *root_key_path, bool create,
                         struct eg_vault_keys keys, struct eg_err *err)
{
	struct eg_vault *v = calloc(1, sizeof *v);
	if (!v)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the vault");
	v->keys = keys;
	pthread_mutex_init(&v->lock, NULL);
	enum eg_rc rc = eg_crypto_open(err);
	if (!rc)
		rc = read_root(root_key_path, v->root, err);
	if (rc == EG_NOT_FOUND && create) {
		/* A new root key beside wrapped keys would only hide that the old one is lost. */
		struct listing *l = calloc(1, sizeof *l);
		rc = l ? keys.list(keys.arg, "", note_epoch, l, err)
		       : eg_fail(err, EG_NO_MEMORY, "no memory");
		if (!rc && l->all)
			rc = eg_fail(err, EG_CONFIG,
			             "the store has keys, but their root key %s is missing: restore it",
			             root_key_path);
		if (!rc)
			rc = make_root(root_key_path, v->root, err);
		free(l);
	}
	if (!rc)
		rc = open_keys(v, create, err);
	if (rc) {
		eg_vault_close(v);
		return rc;
	}
	*out = v;
	return EG_OK;
}

void eg_vault_close(struct eg_vault *v)
{
	if (!v)
		return;
	eg_mac_free(v->token);
	eg_mac_free(v->digest);
	eg_mac_free(v->ref);
	eg_crypto_forget();
	pthread_mutex_destroy(&v->lock);
	explicit_bzero(v, sizeof *v);
	free(v);
}

enum eg_rc eg_vault_rotate(struct eg_vault *v, struct eg_err *err)
{
	char name[EPOCH_NAME];
	const char *const names[] = {name};
	uint32_t number = v->epochs[v->n_epochs - 1].number + 1;
	if (v->n_epochs == MAX_EPOCHS)
		return eg_fail(err, EG_LIMIT, "more than %d sealing epochs", MAX_EPOCHS);
	epoch_name(number, name);
	enum eg_rc rc = make(v, 1, names, err);
	return rc ? rc : load_epoch(v, number, err);
}

/* ---- sealing ---- */

static bool key_of(struct eg_vault *v, uint32_t number, uint8_t key[EG_KEY_SIZE])
{
	bool found = false;
	for (unsigned i = v->n_epochs; i-- && !found;)
		if (v->epochs[i].number == number) {
			memcpy(key, v->epochs[i].key, EG_KEY_SIZE);
			found = true;
		}
	return found;
}

enum eg_rc eg_vault_seal(struct eg_vault *v, struct eg_bytes aad, struct eg_bytes plain, struct eg_buf *out,
                         struct eg_err *err)
{
	struct epoch e;
	size_t before = out->len;
	e = v->epochs[v->n_epochs - 1];
	uint8_t *to = eg_buf_grow(out, SEAL_HEAD + plain.len + EG_GCM_TAG);
	if (!to)
		return eg_fail(err, EG_NO_MEMORY, "no memory to seal");
	to[0] = 1;
	for (unsigned i = 0; i < 4; i++)
		to[1 + i] = (uint8_t)(e.number >> (24 - 8 * i));
	eg_random(to + 5, EG_GCM_NONCE);
	enum eg_rc rc = eg_gcm_seal(e.key, to + 5, aad, plain, to + SEAL_HEAD, err);
	explicit_bzero(&e, sizeof e);
	if (rc)
		out->len = before;
	return rc;
}

/* What a sealed body says of itself. */
struct sealed {
	uint8_t key[EG_KEY_SIZE];
	const uint8_t *nonce;
	struct eg_bytes body;
	size_t len; /* of its plaintext */
};

static enum eg_rc look_at(struct eg_vault *v, struct eg_bytes sealed, struct sealed *out, struct eg_err *err)
{
	if (sealed.len < SEAL_HEAD + EG_GCM_TAG || sealed.p[0] != 1)
		return eg_fail(err, EG_CORRUPT, "a sealed body is cut short or of an unknown kind");
	uint32_t number = (uint32_t)sealed.p[1] << 24 | (uint32_t)sealed.p[2] << 16 |
	                  (uint32_t)sealed.p[3] << 8 | sealed.p[4];
	if (!key_of(v, number, out->key))
		return eg_fail(err, EG_CORRUPT, "a sealed body is of an unknown epoch");
	out->nonce = sealed.p + 5;
	out->body = (struct eg_bytes){sealed.p + SEAL_HEAD, sealed.len - SEAL_HEAD};
	out->len = out->body.len - EG_GCM_TAG;
	return EG_OK;
}

enum eg_rc eg_vault_open_sealed(struct eg_vault *v, struct eg_bytes aad, struct eg_bytes sealed,
                                struct eg_buf *out, struct eg_err *err)
{
	struct sealed s;
	size_t before = out->len;
	enum eg_rc rc = look_at(v, sealed, &s, err);
	if (rc)
		return rc;
	uint8_t *to = eg_buf_grow(out, s.len);
	rc = to ? eg_gcm_open(s.key, s.nonce, aad, s.body, to, err)
	        : eg_fail(err, EG_NO_MEMORY, "no memory to open a sealed body");
	explicit_bzero(s.key, sizeof s.key);
	if (rc)
		out->len = before;
	return rc;
}

enum eg_rc eg_vault_unseal(struct eg_vault *v, struct eg_bytes aad, struct eg_bytes sealed,
                           struct eg_arena *a, struct eg_bytes *out, struct eg_err *err)
{
	struct sealed s;
	enum eg_rc rc = look_at(v, sealed, &s, err);
	if (rc)
		return rc;
	uint8_t *to = eg_arena_alloc(a, s.len);
	rc = to ? eg_gcm_open(s.key, s.nonce, aad, s.body, to, err)
	        : eg_fail(err, EG_LIMIT, "a sealed body does not fit the memory given to it");
	explicit_bzero(s.key, sizeof s.key);
	*out = rc ? (struct eg_bytes){0} : (struct eg_bytes){to, s.len};
	return rc;
}

/* ---- the parts of a log entry ---- */

enum { AAD_MAX = 16 + 2 + 16 };

static struct eg_bytes part_aad(const uint8_t entry_id[16], unsigned kind, const char *name,
                                uint8_t aad[AAD_MAX])
{
	size_t len = strnlen(name, AAD_MAX - 18);
	memcpy(aad, entry_id, 16);
	aad[16] = (uint8_t)(kind >> 8);
	aad[17] = (uint8_t)kind;
	memcpy(aad + 18, name, len);
	return (struct eg_bytes){aad, 18 + len};
}

enum eg_rc eg_vault_seal_part(struct eg_vault *v, const uint8_t entry_id[16], unsigned kind,
                              const char *part_name, struct eg_bytes part, uint8_t c[EG_HASH_SIZE],
                              struct eg_buf *out, struct eg_err *err)
{
	uint8_t aad[AAD_MAX];
	struct eg_buf plain = {0};
	size_t before = out->len;
	uint8_t *salt = eg_buf_grow(&plain, SALT);
	if (salt)
		eg_random(salt, SALT);
	eg_buf_add(&plain, part.p, part.len);
	enum eg_rc rc = plain.failed ? eg_fail(err, EG_NO_MEMORY, "no memory to seal a part") : EG_OK;
	if (!rc) {
		struct eg_bytes whole = eg_buf_bytes(&plain);
		eg_sha256(&whole, 1, c);
		eg_buf_add(out, c, EG_HASH_SIZE);
		rc = eg_vault_seal(v, part_aad(entry_id, kind, part_name, aad), whole, out, err);
	}
	eg_buf_free(&plain);
	if (rc)
		out->len = before;
	return rc;
}

enum eg_rc eg_vault_open_part(struct eg_vault *v, const uint8_t entry_id[16], unsigned kind,
                              const char *part_name, struct eg_bytes stored, struct eg_arena *a,
                              struct eg_bytes *out, struct eg_err *err)
{
	uint8_t aad[AAD_MAX], c[EG_HASH_SIZE];
	struct eg_bytes whole;
	*out = (struct eg_bytes){0};
	if (!stored.len)
		return EG_OK;
	if (stored.len < EG_HASH_SIZE)
		return eg_fail(err, EG_CORRUPT, "a log entry's part is cut short");
	struct eg_bytes sealed = {stored.p + EG_HASH_SIZE, stored.len - EG_HASH_SIZE};
	enum eg_rc rc = eg_vault_unseal(v, part_aad(entry_id, kind, part_name, aad), sealed, a, &whole, err);
	if (rc)
		return rc;
	eg_sha256(&whole, 1, c);
	if (whole.len < SALT || memcmp(c, stored.p, EG_HASH_SIZE) != 0)
		return eg_fail(err, EG_CORRUPT, "a log entry's part does not match its commitment");
	*out = (struct eg_bytes){whole.p + SALT, whole.len - SALT};
	return EG_OK;
}

void eg_part_c(struct eg_bytes stored, uint8_t c[EG_HASH_SIZE])
{
	memset(c, 0, EG_HASH_SIZE);
	if (stored.len >= EG_HASH_SIZE)
		memcpy(c, stored.p, EG_HASH_SIZE);
}

/* ---- tokens, digests, references ---- */

void eg_vault_token(const struct eg_vault *v, const char *domain, const struct eg_bytes *values, unsigned n,
                    void *out, size_t out_len)
{
	enum { MAX_VALUES = 8 };
	static const uint8_t zero = 0;
	struct eg_bytes parts[1 + 2 * MAX_VALUES];
	uint8_t mac[EG_HASH_SIZE];
	unsigned k = 0;
	parts[k++] = eg_bytes_of(domain);
	for (unsigned i = 0; i < n && i < MAX_VALUES; i++) {
		parts[k++] = (struct eg_bytes){&zero, 1};
		parts[k++] = values[i];
	}
	eg_mac(v->token, parts, k, mac);
	memcpy(out, mac, out_len < sizeof mac ? out_len : sizeof mac);
}

void eg_vault_digest_pieces(const struct eg_vault *v, const struct eg_bytes *pieces, unsigned n,
                            uint8_t out[16])
{
	uint8_t mac[EG_HASH_SIZE];
	eg_mac(v->digest, pieces, n, mac);
	memcpy(out, mac, 16);
}

void eg_vault_digest(const struct eg_vault *v, struct eg_bytes text, uint8_t out[16])
{
	eg_vault_digest_pieces(v, &text, 1, out);
}

static enum eg_rc permute(const struct eg_vault *v, const char *audience, bool forth, const uint8_t in[16],
                          uint8_t out[16], struct eg_err *err)
{
	uint8_t key[EG_HASH_SIZE];
	struct eg_bytes name = eg_bytes_of(audience);
	eg_mac(v->ref, &name, 1, key);
	enum eg_rc rc = eg_block(key, forth, in, out, err);
	explicit_bzero(key, sizeof key);
	return rc;
}

enum eg_rc eg_vault_ref(struct eg_vault *v, const char *audience, const uint8_t id[16], uint8_t ref[16],
                        struct eg_err *err)
{
	return permute(v, audience, true, id, ref, err);
}

enum eg_rc eg_vault_unref(struct eg_vault *v, const char *audience, const uint8_t ref[16], uint8_t id[16],
                          struct eg_err *err)
{
	return permute(v, audience, false, ref, id, err);
}

/* ---- checkpoints ---- */

enum eg_rc eg_vault_sign(struct eg_vault *v, struct eg_bytes message, uint8_t signature[64],
                         struct eg_err *err)
{
	return eg_ed25519_sign(v->checkpoint_seed, message, signature, err);
}

void eg_vault_public(const struct eg_vault *v, uint8_t public_key[32])
{
	memcpy(public_key, v->checkpoint_public, 32);
}
