/* template: a whole adapter with a connector of its own, to begin yours from; adapters/README.md walks
 * through it.
 *
 * Source: a text file that another program appends to; each line is a row, its values stand between tabs.
 * Target: a file to which each change is appended as one line. */
#include <eldergate/adapter.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS_MAX = 32, ROWS_MAX = 16384 };

/* The target has the same but for the columns: the mapping's outbound section names those. */
static const struct eg_setting_def settings[] = {
        {"columns", EG_SET_LIST, true, NULL, 1, COLUMNS_MAX, NULL, "Names of the file's columns, in order."},
        {"path", EG_SET_TEXT, true, NULL, 1, 4096, NULL, "The file that lines are appended to."},
        {0}};

struct eg_connector {
	struct eg_connector_options o;
	FILE *file;
	char mark[64]; /* name in the checkpoint: everything up to this position is settled */
	struct eg_columns columns;
	const char *names[COLUMNS_MAX];
	struct eg_bytes values[COLUMNS_MAX];
	char *line; /* getline's, as is its size */
	size_t size;
	struct {
		long end; /* in the file */
		bool settled;
	} rows[ROWS_MAX]; /* handed out, from the ref first on */
	uint64_t first, n, line_number;
};

static void lines_close(struct eg_connector *c)
{
	if (!c)
		return;
	fclose(c->file);
	free(c->line);
	free(c);
}

static enum eg_rc open_file(struct eg_connector **out, const struct eg_connector_options *o, const char *mode,
                            struct eg_err *err)
{
	struct eg_connector *c = *out = calloc(1, sizeof *c);
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory");
	c->o = *o;
	c->first = 1;
	if ((c->file = fopen(eg_settings_text(o->settings, "path"), mode)))
		return EG_OK;
	free(c);
	return eg_fail_errno(err, "the file cannot be opened");
}

static enum eg_rc open_source(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	enum eg_rc rc = open_file(out, o, "re", err);
	if (rc)
		return rc;
	struct eg_connector *c = *out;
	long position = 0;
	snprintf(c->mark, sizeof c->mark, "%sposition", o->prefix);
	struct eg_bytes mark = eg_checkpoint_get(o->checkpoint, c->mark);
	if (mark.len == sizeof position)
		memcpy(&position, mark.p, sizeof position);
	c->columns.names = c->names;
	for (; c->columns.n < eg_settings_count(o->settings, "columns"); c->columns.n++)
		c->names[c->columns.n] = eg_settings_item(o->settings, "columns", c->columns.n);
	fseek(c->file, position, SEEK_SET);
	return EG_OK;
}

static enum eg_rc open_target(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	return open_file(out, o, "ae", err);
}

static enum eg_rc lines_next(struct eg_connector *c, int64_t deadline, struct eg_in *out, struct eg_err *err)
{
	(void)deadline; /* there is nothing to wait on; the agent asks again */
	long start = ftell(c->file);
	ssize_t len = getline(&c->line, &c->size, c->file);
	*out = (struct eg_in){.kind = EG_IN_END};
	if (c->n == ROWS_MAX || len < 0 || c->line[len - 1] != '\n') { /* full, nothing, or half a line */
		if (fseek(c->file, start, SEEK_SET))
			return eg_fail_errno(err, "reading the file");
		return c->o.once && c->n < ROWS_MAX ? EG_OK : EG_EMPTY;
	}
	c->rows[c->n].end = start + len;
	c->rows[c->n].settled = false;
	*out = (struct eg_in){.ref = c->first + c->n++, .columns = &c->columns, .values = c->values};
	out->reason = "the line has another number of columns"; /* if it is bad */
	out->place = eg_settings_text(c->o.settings, "path");
	out->line = ++c->line_number;
	c->line[len - 1] = 0;
	char *rest = c->line, *value = NULL;
	for (unsigned i = 0; i < c->columns.n; i++)
		c->values[i] = (value = strsep(&rest, "\t")) ? eg_bytes_of(value) : (struct eg_bytes){0};
	out->kind = value && !rest ? EG_IN_ROW : EG_IN_BAD;
	return EG_OK;
}

static enum eg_rc lines_settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n,
                               struct eg_err *err)
{
	long position = 0; /* verdicts come in any order; it moves over what is settled without a gap */
	uint64_t done = 0;
	for (unsigned i = 0; i < n; i++)
		c->rows[v[i].ref - c->first].settled = v[i].code != EG_VERDICT_AGAIN;
	for (; done < c->n && c->rows[done].settled; done++)
		position = c->rows[done].end;
	c->first += done;
	c->n -= done;
	memmove(c->rows, c->rows + done, c->n * sizeof *c->rows);
	struct eg_bytes mark = {(uint8_t *)&position, sizeof position};
	return done ? eg_checkpoint_put(c->o.checkpoint, c->mark, mark, err) : EG_OK;
}

static enum eg_rc lines_deliver(struct eg_connector *c, const struct eg_delivery *d, unsigned n,
                                struct eg_delivery_result *results, int64_t deadline, struct eg_err *err)
{
	(void)deadline;
	for (unsigned i = 0; i < n; i++) { /* the event id lets a reader pass over what it has already */
		fprintf(c->file, "%s", d[i].event_id);
		for (unsigned k = 0; k < d[i].n; k++)
			fprintf(c->file, "\t%.*s", (int)d[i].values[k].len, (const char *)d[i].values[k].p);
		fputc('\n', c->file);
	}
	if (fflush(c->file) || fsync(fileno(c->file)))
		return eg_fail_errno(err, "writing changes"); /* all of them will come again */
	for (unsigned i = 0; i < n; i++)
		results[i].rc = EG_OK;
	return EG_OK;
}

int main(int argc, char **argv)
{
	static const struct eg_connector_type lines = {"lines",       settings,    settings + 1, open_source,
	                                               open_target,   lines_close, lines_next,   lines_settle,
	                                               lines_deliver, NULL,        false,        NULL};
	static const struct eg_connector_type *const connectors[] = {&lines, NULL};
	return eg_adapter_main(argc, argv, "eldergate-template", connectors);
}
