/* file_work: see file_work.h. */
#include "connectors/file_work.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "connectors/file_check.h"
#include "connectors/file_moving.h"
#include "connectors/file_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_A_STEP = 1000, NAME_CAP = 300, REASON_CAP = 256, SAVE_ROWS = 10000 };
static const int64_t SAVE_EVERY_US = EG_SECOND;

enum phase { CHECK, BEGIN, ROWS, END, VERDICTS, FINISH, OVER };

struct file_work {
	const struct file_place *place;
	struct file_candidate c;
	struct file_control control;
	enum phase phase;
	int fd;
	uint64_t first_ref;
	struct file_reader *reader;
	struct file_check check;
	uint8_t digest[EG_HASH_SIZE]; /* of the first reading */
	struct file_lines *lines;
	struct file_report *report; /* NULL when dry */
	uint64_t skip;              /* lines up to here are settled from before */
	bool columns_set;
	bool replaced; /* the second reading had other bytes */
	struct {
		bool refused, repeated;
		char code[REASON_CAP], text[REASON_CAP];
	} outcome;
	int64_t saved_us;
	uint64_t unsaved;
	const char *region; /* what eg_in points at */
};

/* ---- moving away ---- */

static bool control_name(const struct file_place *place, const char *entry, char out[NAME_CAP])
{
	snprintf(out, NAME_CAP, "%s%s", entry, place->rules->control);
	return *place->rules->control;
}

/* Is the name free, or still that of the file that was seen? Its owner may have taken it back. */
static bool still(int dir, const char *name, const struct file_id *seen)
{
	struct file_id now;
	enum eg_rc rc = file_stat(dir, name, &now, NULL);
	return rc == EG_NOT_FOUND || (!rc && file_id_same(&now, seen));
}

/* EG_CONFLICT: another one stands there by now; it stays in the inbox. */
static enum eg_rc move_away(const struct file_place *place, const char *entry, const struct file_id *seen,
                            int to, const char *name, struct eg_err *err)
{
	int inbox = file_inbox_dir(place->inbox);
	enum eg_rc rc = still(inbox, entry, seen) ? file_move(inbox, entry, to, name, err) : EG_CONFLICT;
	if (!rc && !still(to, name, seen)) { /* it came between the look and the move */
		rc = file_move(to, name, inbox, entry, err);
		if (!rc || rc == EG_EXISTS) /* or one more came, which takes its place as by a rename */
			rc = EG_CONFLICT;
	}
	if (rc == EG_CONFLICT)
		return eg_fail(err, rc, "another file came under the name of one that was read");
	return rc == EG_NOT_FOUND ? EG_OK : rc;
}

/* Are file and control file those that were seen? What came under their names since is unread. */
static bool both_still(const struct file_place *place, const struct file_candidate *c)
{
	static const struct file_id none;
	int inbox = file_inbox_dir(place->inbox);
	char control[NAME_CAP];
	return still(inbox, c->entry, &c->id) &&
	       (c->orphan || !control_name(place, c->entry, control) ||
	        still(inbox, control, c->has_control ? &c->control_id : &none));
}

/* The file, then its control file; the report stands there already. */
static enum eg_rc move_both(const struct file_place *place, const struct file_candidate *c, int to,
                            const char *name, struct eg_err *err)
{
	char from[NAME_CAP], free_name[256];
	bool two = c->has_control && !c->orphan && control_name(place, c->entry, from);
	enum eg_rc rc = two ? file_moving_begin(place, c->entry, to == place->refused, err) : EG_OK;
	if (!rc)
		rc = move_away(place, c->entry, &c->id, to, name, err);
	if (rc == EG_CONFLICT || rc == EG_DENIED ||
	    rc == EG_INVALID) /* it stays, so that says nothing true */
		file_report_withdraw(to, name);
	if (rc || !two)
		return rc;
	eg_kill_point("file.between_moves");
	rc = file_free_name(to, from, free_name, err);
	if (!rc)
		rc = move_away(place, from, &c->control_id, to, free_name, err);
	if (!rc || rc == EG_CONFLICT)
		file_moving_end(place);
	return rc == EG_CONFLICT ? EG_OK : rc; /* the next file's: this one is away */
}

static void log_end(const struct file_candidate *c, const char *outcome, const char *reason,
                    struct file_counts n)
{
	/* A name outside the pattern may be anything, a person's name too. */
	eg_log(strcmp(outcome, "refused") == 0 ? EG_LOG_WARN : EG_LOG_INFO, "file.end",
	       EG_T("file", c->fits ? c->name.name : ""), EG_T("outcome", outcome), EG_T("reason", reason),
	       EG_I("taken", n.taken), EG_I("refused", n.refused), EG_I("bad", n.bad));
}

enum eg_rc file_refuse(const struct file_place *place, const struct file_candidate *c,
                       enum file_reason reason, struct eg_err *err)
{
	char name[256];
	struct file_counts none = {0};
	if (!both_still(place, c))
		return eg_fail(err, EG_CONFLICT, "a file changed since it was seen");
	if (!place->dry) {
		struct file_report *report = NULL;
		enum eg_rc rc = file_free_name(place->refused, c->entry, name, err);
		if (!rc)
			rc = file_report_open(&report, place->work, c->entry, 0, err);
		if (!rc)
			rc = file_report_publish(report, place->refused, name, "refused",
			                         file_reason_code(reason), file_reason_text(reason), none,
			                         err);
		file_report_close(report);
		if (rc == EG_INVALID) /* a name too long for a report */
			rc = EG_OK;
		if (!rc)
			rc = move_both(place, c, place->refused, name, err);
		if (!rc && c->fits && !c->orphan)
			rc = file_memory_drop_progress(&place->memory, c->entry, err);
		if (rc)
			return rc;
		file_report_drop(place->work, c->entry);
	}
	log_end(c, "refused", file_reason_code(reason), none);
	return EG_OK;
}

/* ---- beginning ---- */

enum eg_rc file_work_open(struct file_work **out, const struct file_place *place,
                          const struct file_candidate *c, const struct file_control *control,
                          uint64_t first_ref, struct eg_err *err)
{
	*out = NULL;
	struct file_work *w = calloc(1, sizeof *w);
	if (!w)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a file");
	w->place = place;
	w->c = *c;
	w->control = *control;
	w->first_ref = first_ref;
	w->region = w->c.name.region;
	w->check.rules = place->rules;
	struct file_id id;
	enum eg_rc rc = file_open(&w->fd, file_inbox_dir(place->inbox), c->entry, &id, err);
	if (!rc && !file_id_same(&id, &c->id))
		rc = eg_fail(err, EG_CONFLICT, "a file changed since it was seen");
	if (!rc)
		rc = file_reader_open(&w->reader, place->rules, w->fd, control->kind, err);
	if (rc) {
		file_work_close(w);
		return rc;
	}
	*out = w;
	eg_kill_point("file.taken");
	return EG_OK;
}

/* Is it still the file that was opened, as it was? */
static bool unchanged(const struct file_work *w)
{
	struct file_id open_one, named;
	return file_stat_fd(w->fd, &open_one, NULL) == EG_OK && file_id_same(&open_one, &w->c.id) &&
	       file_stat(file_inbox_dir(w->place->inbox), w->c.entry, &named, NULL) == EG_OK &&
	       file_id_same(&named, &w->c.id);
}

static void rest(struct file_work *w, int64_t until_us)
{
	struct file_candidate *c = file_inbox_find(w->place->inbox, w->c.entry);
	if (c)
		c->not_before_us = until_us;
	w->phase = OVER;
}

static void refuse(struct file_work *w, const char *code, const char *text)
{
	w->outcome.refused = true;
	snprintf(w->outcome.code, REASON_CAP, "%s", code);
	snprintf(w->outcome.text, REASON_CAP, "%s", text);
}

/* ---- the first reading ---- */

static enum eg_rc begin_rows(struct file_work *w, struct eg_err *err)
{
	const struct file_place *place = w->place;
	struct file_progress p = {0};
	bool known = !place->dry && file_memory_progress(&place->memory, w->c.entry, w->digest, &p);
	bool all = known && p.line == FILE_ALL_LINES;
	if (!known || (w->c.name.full && !all))
		p = (struct file_progress){0};
	w->skip = p.line;
	w->lines = file_lines_new(w->first_ref, all ? 0 : p.line, p.counts);
	if (!w->lines)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the lines of a file");
	enum eg_rc rc =
	        place->dry ? EG_OK : file_report_open(&w->report, place->work, w->c.entry, p.line, err);
	if (rc)
		return rc;
	if (all || w->outcome.refused || w->outcome.repeated) {
		w->phase = FINISH;
		return EG_OK;
	}
	file_reader_close(w->reader);
	w->reader = NULL;
	if (lseek(w->fd, 0, SEEK_SET) != 0)
		return eg_fail_errno(err, "reading a file again");
	rc = file_reader_open(&w->reader, place->rules, w->fd, w->control.kind, err);
	w->phase = w->c.name.full ? BEGIN : ROWS;
	eg_kill_point("file.checked");
	return rc;
}

static enum eg_rc judge(struct file_work *w, struct eg_err *err)
{
	struct file_sum sum;
	int64_t now_us = eg_mono_us();
	file_reader_sum(w->reader, &sum);
	if (!unchanged(w)) {
		rest(w, 0);
		return EG_OK;
	}
	enum file_reason reason =
	        file_check_judge(&w->check, &sum, w->c.has_control ? &w->control : NULL, w->c.name.full);
	bool of_content = reason == FILE_REASON_SIZE_MISMATCH || reason == FILE_REASON_DIGEST_MISMATCH ||
	                  reason == FILE_REASON_ROW_COUNT_MISMATCH || reason == FILE_REASON_TORN_END;
	if (of_content && !file_inbox_settled(w->place->inbox, &w->c, now_us)) {
		rest(w, w->c.since_us + w->place->rules->settle_us); /* it may still be on its way */
		return EG_OK;
	}
	memcpy(w->digest, sum.digest, sizeof w->digest);
	if (reason)
		refuse(w, file_reason_code(reason), file_reason_text(reason));
	else
		w->outcome.repeated =
		        !w->place->dry && file_memory_done(&w->place->memory, &w->c.name, w->digest);
	return begin_rows(w, err);
}

static enum eg_rc check(struct file_work *w, struct eg_err *err)
{
	for (unsigned i = 0; i < ROWS_A_STEP; i++) {
		struct file_row row;
		enum eg_rc rc = file_reader_next(w->reader, &row, err);
		if (rc)
			return rc;
		if (row.kind == PIECE_END)
			return judge(w, err);
		unsigned n;
		const struct eg_bytes *header = file_reader_header(w->reader, &n);
		file_check_row(&w->check, &row, header, n);
	}
	return EG_OK;
}

/* ---- the second ---- */

static enum eg_rc hand_out(struct file_work *w, enum eg_in_kind kind, enum file_item item, uint64_t line,
                           struct eg_in *out, struct eg_err *err)
{
	*out = (struct eg_in){.kind = kind,
	                      .ref = file_lines_add(w->lines, item, line),
	                      .place = w->c.name.name,
	                      .line = line,
	                      .reason = ""};
	if (item == FILE_SIGN) {
		out->list.name = w->c.name.name;
		out->list.as_of = file_position_of(&w->c.name, w->place->rules->position);
		out->list.taken_at = file_taken_at(&w->c.name);
		out->list.n_regions = *w->region != 0;
		out->list.regions = &w->region;
		out->list.count = w->c.has_control ? w->control.rows : -1;
	}
	return out->ref ? EG_OK : eg_fail(err, EG_LIMIT, "a file has too many lines, or memory is short");
}

static enum eg_rc bad_line(struct file_work *w, const struct file_row *row, struct eg_in *out,
                           struct eg_err *err)
{
	const struct file_report_entry e = {row->line, "bad", file_reason_code(row->reason), "",
	                                    file_reason_text(row->reason)};
	enum eg_rc rc = w->report ? file_report_bad(w->report, row->line, row->raw, err) : EG_OK;
	if (!rc && w->report)
		rc = file_report_add(w->report, &e, err);
	if (!rc)
		rc = hand_out(w, EG_IN_BAD, FILE_BAD, row->line, out, err);
	out->raw = row->raw;
	out->reason = e.reason;
	return rc;
}

static enum eg_rc good_row(struct file_work *w, const struct file_row *row, struct eg_in *out,
                           struct eg_err *err)
{
	if (!w->columns_set) {
		unsigned n;
		const struct eg_bytes *header = file_reader_header(w->reader, &n);
		enum eg_rc rc = file_columns_set(w->place->columns, header, n, &w->c.name,
		                                 w->place->rules->position, err);
		if (rc)
			return rc;
		w->columns_set = true;
	}
	enum eg_rc rc = hand_out(w, EG_IN_ROW, FILE_ROW, row->line, out, err);
	eg_kill_point("file.parsed");
	out->columns = file_columns(w->place->columns);
	out->values = file_columns_row(w->place->columns, row->values);
	return rc;
}

static enum eg_rc rows(struct file_work *w, enum file_step *step, struct eg_in *out, struct eg_err *err)
{
	struct file_row row;
	for (unsigned i = 0; i < ROWS_A_STEP; i++) {
		enum eg_rc rc = file_reader_next(w->reader, &row, err);
		if (rc)
			return rc;
		if (row.kind == PIECE_FAULT || row.kind == PIECE_END) {
			struct file_sum sum = {0};
			if (row.kind == PIECE_END)
				file_reader_sum(w->reader, &sum);
			w->replaced = row.kind == PIECE_FAULT || !unchanged(w) ||
			              memcmp(sum.digest, w->digest, sizeof w->digest) != 0;
			w->phase = w->c.name.full ? END : VERDICTS;
			return EG_OK;
		}
		if (row.line <= w->skip)
			continue;
		*step = STEP_ITEM;
		return row.kind == PIECE_BAD ? bad_line(w, &row, out, err) : good_row(w, &row, out, err);
	}
	return EG_OK;
}

/* ---- the end ---- */

static enum eg_rc save(struct file_work *w, uint64_t line, struct eg_err *err)
{
	if (w->place->dry || !w->report)
		return EG_OK;
	struct file_progress p = {.line = line, .counts = file_lines_counts(w->lines)};
	memcpy(p.digest, w->digest, sizeof p.digest);
	enum eg_rc rc = file_report_sync(w->report, err);
	eg_kill_point("file.before_progress");
	if (!rc)
		rc = file_memory_put_progress(&w->place->memory, w->c.entry, &p, err);
	w->unsaved = rc ? w->unsaved : 0;
	w->saved_us = eg_mono_us();
	return rc;
}

enum eg_rc file_work_save(struct file_work *w, struct eg_err *err)
{
	if (!w->lines || w->c.name.full || !w->unsaved || w->phase >= FINISH ||
	    (w->unsaved < SAVE_ROWS && eg_mono_us() - w->saved_us < SAVE_EVERY_US))
		return EG_OK;
	return save(w, file_lines_settled(w->lines), err);
}

static enum eg_rc verdicts(struct file_work *w, enum file_step *step, struct eg_err *err)
{
	if (file_lines_waiting(w->lines)) {
		*step = STEP_VERDICTS;
		return EG_OK;
	}
	enum eg_rc rc = EG_OK;
	if (!w->outcome.refused && (w->replaced || file_lines_again(w->lines))) {
		if (!w->c.name.full && !w->replaced)
			rc = save(w, file_lines_settled(w->lines), err);
		rest(w, w->replaced ? 0 : eg_mono_us() + w->place->rules->retry_us);
		return rc;
	}
	if (!w->outcome.refused)
		rc = save(w, FILE_ALL_LINES, err);
	if (!rc)
		w->phase = FINISH;
	return rc;
}

/* Publishes the report, moves the file away, remembers it: each may be done again after a crash. */
static enum eg_rc put_away(struct file_work *w, const char *outcome, struct file_counts counts,
                           struct eg_err *err)
{
	const struct file_place *place = w->place;
	int to = w->outcome.refused ? place->refused : place->done;
	char name[256];
	if (!both_still(place, &w->c))
		return eg_fail(err, EG_CONFLICT, "another file came under the name of one that was read");
	eg_kill_point("file.before_report");
	enum eg_rc rc = file_free_name(to, w->c.entry, name, err);
	if (!rc)
		rc = file_report_publish(w->report, to, name, outcome, w->outcome.code, w->outcome.text,
		                         counts, err);
	eg_kill_point("file.before_move");
	if (!rc)
		rc = move_both(place, &w->c, to, name, err);
	eg_kill_point("file.before_done");
	if (!rc)
		rc = w->outcome.refused ? file_memory_drop_progress(&place->memory, w->c.entry, err)
		                        : file_memory_put_done(&place->memory, &w->c.name, w->digest, err);
	if (rc)
		return rc;
	file_report_drop(place->work, w->c.entry);
	file_inbox_forget(place->inbox, w->c.entry);
	w->phase = OVER;
	return EG_OK;
}

static enum eg_rc finish(struct file_work *w, struct eg_err *err)
{
	struct file_counts counts = file_lines_counts(w->lines);
	const char *outcome = w->outcome.refused ? "refused" : w->outcome.repeated ? "repeated" : "done";
	struct eg_err why = {0};
	if (w->outcome.repeated) {
		snprintf(w->outcome.code, REASON_CAP, "%s", file_reason_code(FILE_REASON_REPEATED));
		snprintf(w->outcome.text, REASON_CAP, "%s", file_reason_text(FILE_REASON_REPEATED));
	}
	enum eg_rc rc = w->place->dry ? EG_OK : put_away(w, outcome, counts, &why);
	if (rc == EG_CONFLICT) { /* what came meanwhile is unread, and comes anew with its control file */
		rest(w, 0);
		return EG_OK;
	}
	if (rc) /* Whatever is in the way in done/ or refused/ is repaired by people, and then it goes on. */
		return eg_fail(err, eg_rc_retryable(rc) ? rc : EG_IO, "%s", why.text);
	if (w->place->dry)
		rest(w, INT64_MAX);
	log_end(&w->c, outcome, w->outcome.code, counts);
	return EG_OK;
}

enum eg_rc file_work_step(struct file_work *w, enum file_step *step, struct eg_in *out, struct eg_err *err)
{
	*step = STEP_MORE;
	switch (w->phase) {
	case CHECK:
		return check(w, err);
	case BEGIN:
		w->phase = ROWS;
		*step = STEP_ITEM;
		return hand_out(w, EG_IN_LIST_BEGIN, FILE_SIGN, 0, out, err);
	case ROWS:
		return rows(w, step, out, err);
	case END:
		w->phase = VERDICTS;
		*step = STEP_ITEM;
		return hand_out(w, w->replaced ? EG_IN_LIST_ABANDON : EG_IN_LIST_END, FILE_SIGN, 0, out, err);
	case VERDICTS:
		return verdicts(w, step, err);
	case FINISH:
		return finish(w, err);
	case OVER:
		*step = STEP_OVER;
		return EG_OK;
	}
	return EG_OK;
}

enum eg_rc file_work_settle(struct file_work *w, const struct eg_verdict *v, struct eg_err *err)
{
	static const enum file_mark marks[] = {[EG_VERDICT_TAKEN] = FILE_TAKEN,
	                                       [EG_VERDICT_REFUSED] = FILE_REFUSED,
	                                       [EG_VERDICT_AGAIN] = FILE_AGAIN};
	enum file_item item;
	uint64_t line;
	if (!w->lines || v->code < EG_VERDICT_TAKEN || v->code > EG_VERDICT_AGAIN ||
	    !file_lines_mark(w->lines, v->ref, marks[v->code], &item, &line))
		return eg_fail(err, EG_PRECONDITION, "a verdict for a row that waits for none");
	w->unsaved++;
	if (v->code == EG_VERDICT_TAKEN && item == FILE_SIGN && v->reason && *v->reason) {
		snprintf(w->outcome.code, REASON_CAP, "%s", v->reason);
		snprintf(w->outcome.text, REASON_CAP, "%s", v->text ? v->text : "");
	}
	if (v->code != EG_VERDICT_REFUSED || item == FILE_BAD)
		return EG_OK;
	if (item == FILE_SIGN && w->replaced)
		return EG_OK; /* it comes again anyhow */
	if (item == FILE_SIGN) {
		refuse(w, v->reason && *v->reason ? v->reason : file_reason_code(FILE_REASON_LIST_REFUSED),
		       v->text && *v->text ? v->text : file_reason_text(FILE_REASON_LIST_REFUSED));
		return EG_OK;
	}
	const struct file_report_entry e = {line, "refused", v->reason, v->field, v->text};
	return w->report ? file_report_add(w->report, &e, err) : EG_OK;
}

uint64_t file_work_next_ref(const struct file_work *w)
{
	return w->lines ? file_lines_next_ref(w->lines) : w->first_ref;
}

void file_work_close(struct file_work *w)
{
	if (!w)
		return;
	file_reader_close(w->reader);
	file_report_close(w->report);
	file_lines_free(w->lines);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}
