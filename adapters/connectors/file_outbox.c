/* file_outbox: see file_outbox.h. */
#include "connectors/file_outbox.h"

#include "connectors/file_dir.h"

#include <stdlib.h>
#include <unistd.h>

struct file_outbox {
	int folder; /* -1: on the server */
	struct eg_sftp_options server;
	struct eg_sftp *sftp; /* NULL: not connected */
	int64_t deadline_us;
};

enum eg_rc file_outbox_open(struct file_outbox **out, const char *folder,
                            const struct eg_sftp_options *server, struct eg_err *err)
{
	*out = NULL;
	struct file_outbox *o = calloc(1, sizeof *o);
	if (!o)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the outbox");
	*o = (struct file_outbox){.folder = -1, .server = *server, .deadline_us = INT64_MAX};
	enum eg_rc rc = *server->host ? EG_OK : file_dir_open(&o->folder, folder, err);
	if (rc) {
		free(o);
		return rc;
	}
	*out = o;
	return EG_OK;
}

void file_outbox_deadline(struct file_outbox *o, int64_t mono_deadline_us)
{
	o->deadline_us = mono_deadline_us;
}

static void disconnect(struct file_outbox *o)
{
	eg_sftp_close(o->sftp);
	o->sftp = NULL;
}

static enum eg_rc connected(struct file_outbox *o, struct eg_err *err)
{
	if (o->sftp) {
		eg_sftp_deadline(o->sftp, o->deadline_us);
		return EG_OK;
	}
	o->sftp = eg_sftp_new(&o->server);
	if (!o->sftp)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a connection");
	eg_sftp_deadline(o->sftp, o->deadline_us);
	return eg_sftp_connect(o->sftp, err);
}

enum eg_rc file_outbox_has(struct file_outbox *o, const char *name, bool *has, struct eg_err *err)
{
	struct file_id id;
	struct eg_sftp_file file;
	enum eg_rc rc = o->folder >= 0 ? file_stat(o->folder, name, &id, err) : connected(o, err);
	if (o->folder < 0 && !rc) {
		rc = eg_sftp_stat(o->sftp, name, &file, err);
		if (rc && rc != EG_NOT_FOUND)
			disconnect(o);
	} else if (o->folder < 0) {
		disconnect(o);
		return rc;
	}
	*has = rc == EG_OK;
	return rc == EG_NOT_FOUND ? EG_OK : rc;
}

enum eg_rc file_outbox_put(struct file_outbox *o, const char *name, struct eg_bytes bytes, struct eg_err *err)
{
	if (o->folder >= 0)
		return file_put(o->folder, name, bytes, err);
	enum eg_rc rc = connected(o, err);
	if (!rc)
		rc = eg_sftp_put(o->sftp, name, bytes, err);
	if (rc)
		disconnect(o);
	return rc;
}

void file_outbox_close(struct file_outbox *o)
{
	if (!o)
		return;
	disconnect(o);
	if (o->folder >= 0)
		close(o->folder);
	free(o);
}
