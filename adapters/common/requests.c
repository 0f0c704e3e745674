/* requests: see requests.h. */
#include "common/requests.h"

#include "base/clock.h"
#include "base/log.h"
#include "common/parked.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "request-"
enum { PATH_ROOM = 4096 };

static enum eg_rc write_file(const char *path, const char *text, struct eg_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return eg_fail_errno(err, "%s", path);
	size_t len = strlen(text);
	bool good = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	enum eg_rc rc = good ? EG_OK : eg_fail_errno(err, "%s", path);
	close(fd);
	return rc;
}

enum eg_rc eg_requests_leave(const char *dir, const char *verb, uint64_t seq, struct eg_err *err)
{
	char beside[PATH_ROOM], path[PATH_ROOM], text[64];
	long long time = eg_now_us();
	snprintf(beside, sizeof beside, "%s/new-%lld-%d", dir, time, getpid());
	snprintf(path, sizeof path, "%s/" PREFIX "%lld-%d", dir, time, getpid());
	snprintf(text, sizeof text, "%s %" PRIu64 "\n", verb, seq);
	enum eg_rc rc = write_file(beside, text, err);
	if (!rc && rename(beside, path) != 0)
		rc = eg_fail_errno(err, "%s", path);
	int fd = rc ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!rc && (fd < 0 || fsync(fd) != 0))
		rc = eg_fail_errno(err, "%s", dir);
	if (fd >= 0)
		close(fd);
	if (rc)
		unlink(beside);
	return rc;
}

static enum eg_rc carry_out(struct eg_checkpoint *c, const char *path, struct eg_err *err)
{
	char text[64] = "", verb[16] = "";
	uint64_t seq = 0;
	FILE *f = fopen(path, "re");
	if (!f)
		return eg_fail_errno(err, "%s", path);
	bool read = fgets(text, sizeof text, f) != NULL;
	fclose(f);
	if (!read || sscanf(text, "%15s %" SCNu64, verb, &seq) != 2)
		return eg_fail(err, EG_INVALID, "%s is no request", path);
	eg_log(EG_LOG_INFO, "agent.parked_request", EG_T("verb", verb), EG_I("seq", seq));
	enum eg_rc rc = strcmp(verb, "retry") == 0  ? eg_parked_retry(c, seq, err)
	                : strcmp(verb, "drop") == 0 ? eg_parked_drop(c, seq, err)
	                                            : eg_fail(err, EG_INVALID, "%s is no request", path);
	return rc;
}

void eg_requests_take(struct eg_checkpoint *c, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	while (d && (e = readdir(d))) {
		char path[PATH_ROOM];
		struct eg_err err = {0};
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		enum eg_rc rc = carry_out(c, path, &err);
		if (rc)
			eg_log_err(EG_LOG_WARN, "agent.parked_request_failed", &err);
		if (!rc && eg_checkpoint_save(c, &err)) {
			eg_log_err(EG_LOG_ERROR, "agent.checkpoint_failed", &err);
			continue; /* not done yet; the next look finds it again */
		}
		unlink(path);
	}
	if (d)
		closedir(d);
}
