/* demo_adapters: the adapters as processes: started with a mapping file, followed by their status files. */
#include "cli/demo.h"

#include "cli/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_MAX = 1 << 16, LOOK_NS = 2000000 };

/* NAME and an end, in the demo's folder. */
static const char *file_of(const struct demo *d, unsigned agency, const char *end, char out[DEMO_PATH])
{
	char name[64];
	snprintf(name, sizeof name, "%s.%s", d->agencies[agency].name, end);
	return demo_in_dir(d, name, out);
}

enum eg_rc demo_start_adapter(struct demo *d, unsigned agency, struct eg_err *err)
{
	char mapping[DEMO_PATH], status[DEMO_PATH], log[DEMO_PATH];
	struct demo_agency *a = &d->agencies[agency];
	const char *const arguments[] = {"--mapping",     file_of(d, agency, "yaml", mapping),
	                                 "--status-file", file_of(d, agency, "status", status),
	                                 "run",           NULL};
	unlink(status); /* of the process before */
	return process_start(&a->adapter, a->program, arguments, file_of(d, agency, "log", log), false, err);
}

/* ---- the status file ---- */

static uint64_t number_of(const char *json, const char *name)
{
	char key[64];
	snprintf(key, sizeof key, "\"%s\":", name);
	const char *at = strstr(json, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

void demo_counts(const struct demo *d, unsigned agency, struct demo_counts *out)
{
	char path[DEMO_PATH];
	struct eg_buf text = {0};
	*out = (struct demo_counts){0};
	enum eg_rc rc = file_read(file_of(d, agency, "status", path), STATUS_MAX, &text, NULL);
	eg_buf_add_u8(&text, 0);
	if (!rc && !text.failed) {
		const char *s = (const char *)text.p;
		*out = (struct demo_counts){
		        .applied = number_of(s, "applied"),
		        .unchanged = number_of(s, "unchanged"),
		        .stale = number_of(s, "stale"),
		        .quarantined = number_of(s, "quarantined"),
		        .bad_rows = number_of(s, "bad_rows"),
		        .refused = number_of(s, "refused"),
		        .rows_in_flight = number_of(s, "rows_in_flight"),
		        .lists = number_of(s, "lists"),
		        .parked = number_of(s, "parked"),
		        .ready = strstr(s, "\"link\":\"up\"") &&
		                 (!d->agencies[agency].purpose || !strstr(s, "\"cursor_log\":null")),
		};
	}
	eg_buf_free(&text);
}

uint64_t demo_settled(const struct demo_counts *c)
{
	return c->applied + c->unchanged + c->stale + c->quarantined + c->bad_rows + c->refused;
}

/* ---- waiting ---- */

/* What other processes do to tables and folders tells nobody: one looks. */
enum eg_rc demo_wait(struct demo *d, demo_is *is, const void *arg, const char *what, struct eg_err *err)
{
	static const struct timespec pause = {.tv_nsec = LOOK_NS};
	int64_t deadline = eg_mono_us() + DEMO_PATIENCE;
	while (!is(d, arg)) {
		for (unsigned i = 0; i < DEMO_AGENCIES; i++)
			if (d->agencies[i].adapter.pid && !process_runs(&d->agencies[i].adapter))
				return demo_wrong(err, "%s ended by itself", d->agencies[i].program);
		if (eg_mono_us() > deadline)
			return eg_fail(err, EG_DEADLINE, "waited in vain for this: %s", what);
		nanosleep(&pause, NULL);
	}
	return EG_OK;
}

static bool ready(struct demo *d, const void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < DEMO_AGENCIES; i++) {
		struct demo_counts c;
		demo_counts(d, i, &c);
		if (!c.ready)
			return false;
	}
	return true;
}

enum eg_rc demo_adapters_ready(struct demo *d, struct eg_err *err)
{
	return demo_wait(d, ready, NULL, "the adapters are connected", err);
}

enum eg_rc demo_adapters(struct demo *d, struct eg_err *err)
{
	char path[DEMO_PATH];
	int64_t began = eg_mono_us();
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < DEMO_AGENCIES && !rc; i++) {
		rc = demo_write_mapping(d, i, file_of(d, i, "yaml", path), err);
		if (!rc)
			rc = demo_start_adapter(d, i, err);
	}
	if (!rc)
		rc = demo_adapters_ready(d, err);
	if (rc)
		return rc;
	demo_say("eldergate-police      reads a table of the police's front-end database, through ODBC.");
	demo_say("eldergate-assistance  takes CSV files in GB18030, with control files, out of an inbox.");
	demo_say(
	        "eldergate-funeral     asks the funeral homes' HTTP interface for pages of JSON, and signs.");
	demo_say("No C was written for them: a mapping file each. %.2f s later all three are connected to "
	         "the bus at %s.",
	         (double)(eg_mono_us() - began) / 1e6, d->bus);
	return EG_OK;
}
