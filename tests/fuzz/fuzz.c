/* fuzz: see fuzz.h. */
#include "fuzz.h"

#include "base/log.h"
#include "trust/crypto.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *corpus;
static unsigned n_seeds;
static uint64_t chance_state = 1;
static char folder[64];

/* ---- pieces ---- */

uint64_t fuzz_take(struct eg_bytes *in, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++) {
		v = v << 8 | (in->len ? *in->p : 0);
		if (in->len) {
			in->p++;
			in->len--;
		}
	}
	return v;
}

struct eg_bytes fuzz_take_bytes(struct eg_bytes *in, size_t len)
{
	struct eg_bytes out = {in->p, len < in->len ? len : in->len};
	in->p += out.len;
	in->len -= out.len;
	return out;
}

uint8_t *fuzz_copy(struct eg_bytes in, bool text)
{
	uint8_t *p = malloc(in.len + text);
	MUST(p);
	if (in.len)
		memcpy(p, in.p, in.len);
	if (text)
		p[in.len] = 0;
	return p;
}

/* ---- errors ---- */

void fuzz_reason(enum eg_rc rc, const struct eg_err *err)
{
	if (!rc)
		return;
	MUST(err->rc == rc);
	MUST(err->text[0] && memchr(err->text, 0, sizeof err->text));
	MUST(memchr(err->field, 0, sizeof err->field));
}

void fuzz_discreet(const char *text)
{
	enum { ID_DIGITS = 15 };
	for (; *text; text++)
		MUST(strspn(text, "0123456789") < ID_DIGITS);
}

/* ---- files ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_dir(void)
{
	if (!*folder) {
		const char *tmp = getenv("TMPDIR");
		snprintf(folder, sizeof folder, "%.40s/eg-fuzz-XXXXXX", tmp ? tmp : "/tmp");
		MUST(mkdtemp(folder));
		atexit(remove_folder);
	}
	return folder;
}

void fuzz_write(const char *path, struct eg_bytes text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	while (text.len) {
		ssize_t n = write(fd, text.p, text.len);
		MUST(n > 0);
		text.p += n;
		text.len -= (size_t)n;
	}
	close(fd);
}

/* ---- seeds ---- */

uint64_t fuzz_random(void)
{
	uint64_t z = (chance_state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void fuzz_seed(struct eg_bytes in)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/seed-%04u", corpus, n_seeds++);
	fuzz_write(path, in);
}

void fuzz_seed_text(const char *text)
{
	fuzz_seed(eg_bytes_of(text));
}

/* ---- libFuzzer's ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct eg_err err = {0};
	eg_log_open("fuzz", EG_LOG_ERROR, false);
	MUST(!eg_crypto_open(&err));
	fuzz_start();
	if (*argc == 3 && strcmp((*argv)[1], "--corpus") == 0) {
		corpus = (*argv)[2];
		fuzz_seeds();
		MUST(n_seeds);
		exit(0);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_one((struct eg_bytes){data, size});
	return 0;
}
