/* command_elder: `eldergate elder get` and `eldergate life-status check`: questions about persons. */
#include "cli/commands.h"

#include "cli/file.h"
#include "cli/json.h"
#include "cli/selector.h"
#include "cli/show.h"
#include "eldergate/v1/exchange.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GET   "/eldergate.v1.ExchangeService/GetElder"
#define CHECK "/eldergate.v1.ExchangeService/CheckLifeStatus"

enum {
	ASK_AT_ONCE = 1000,
	LINE_MAX_BYTES = 1024,
	FILE_MAX_BYTES = 256 << 20,
	ARENA_BYTES = 16 << 20,
	FIELDS_MAX = 256
};

static char *given(const struct cli *c, const char *name)
{
	const char *v = cli_option(c, name);
	return (char *)(uintptr_t)(v ? v : "");
}

/* The line without its end and blanks around it. */
static char *trim(char *line)
{
	size_t len = strlen(line);
	while (len && strchr(" \t\r\n", line[len - 1]))
		line[--len] = 0;
	return line + strspn(line, " \t");
}

static enum eg_rc select_person(const struct cli *c, struct eg_arena *a, Eldergate__V1__PersonSelector *out,
                                struct eg_err *err)
{
	const char *ref = cli_option(c, "ref"), *source = cli_option(c, "source");
	bool number = cli_switch(c, "id-number-stdin");
	char line[LINE_MAX_BYTES];
	if ((ref != NULL) + (source != NULL) + number != 1)
		return eg_fail(err, EG_USAGE,
		               "name the person by one of --ref, --source and --id-number-stdin");
	if (ref)
		return selector_of_ref(ref, a, out, err);
	if (source)
		return selector_of_source(source, a, out, err);
	if (!fgets(line, sizeof line, stdin))
		return eg_fail(err, EG_USAGE, "standard input holds no ID number");
	enum eg_rc rc = selector_of_identity(trim(line), a, out, err);
	explicit_bzero(line, sizeof line);
	return rc;
}

static void show_elder(const struct cli *c, const Eldergate__V1__GetElderResponse *r)
{
	const Eldergate__V1__ElderView *v = r->elder;
	struct eg_buf line = {0};
	char name[64], time[SHOW_TIME_SIZE];
	if (!v)
		return;
	printf("person %s, version %" PRId64 ": %s\n", v->person_ref, v->person_version,
	       enum_short(&eldergate__v1__life_status__descriptor, (int)v->life_status, name));
	for (size_t i = 0; i < v->n_fields; i++) {
		const Eldergate__V1__ViewField *f = v->fields[i];
		eg_buf_printf(&line, "  %-40s ", f->field);
		show_value(c, &line, f->value);
		if (f->source)
			eg_buf_printf(&line, "   (%s/%s, %s, %s)", f->source->agency, f->source->dataset,
			              show_time(c, f->source->event_time, time),
			              enum_short(&eldergate__v1__view_rule__descriptor, (int)f->rule, name));
		show_line(&line);
	}
	for (size_t i = 0; i < v->n_open_case_ids; i++)
		printf("  open case %s\n", v->open_case_ids[i]);
	printf("this read is entry #%" PRIu64 " of log %s\n", r->read_seq, r->log_id);
	eg_buf_free(&line);
}

enum eg_rc elder_get(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__GetElderRequest request = ELDERGATE__V1__GET_ELDER_REQUEST__INIT;
	Eldergate__V1__PersonSelector person;
	ProtobufCMessage *answer = NULL;
	char *fields[FIELDS_MAX];
	struct eg_arena *a = eg_arena_new(ARENA_BYTES);
	enum eg_rc rc = a ? select_person(c, a, &person, err) : eg_fail(err, EG_NO_MEMORY, "no memory");
	if (rc)
		goto out;
	for (const char *f;
	     request.n_fields < FIELDS_MAX && (f = cli_nth(c, "field", (unsigned)request.n_fields));)
		fields[request.n_fields++] = (char *)(uintptr_t)f;
	request.fields = fields;
	request.person = &person;
	request.purpose = (char *)(uintptr_t)cli_purpose(c);
	request.legal_basis = given(c, "legal-basis");
	rc = cli_call(c, GET, &request.base, &eldergate__v1__get_elder_response__descriptor, &answer, err);
	if (rc)
		goto out;
	if (c->json)
		rc = cli_json(answer, err);
	else
		show_elder(c, (const Eldergate__V1__GetElderResponse *)answer);
	protobuf_c_message_free_unpacked(answer, NULL);
out:
	eg_arena_free(a);
	return rc;
}

/* ---- life status ---- */

/* The line of the file is shown where it is a reference or a source key, and only its number where it is an
 * ID number. */
struct question {
	const char *text;
	unsigned line;
};

static void show_answer(const struct cli *c, const struct question *q, bool personal,
                        const Eldergate__V1__LifeStatusAnswer *a)
{
	struct eg_buf line = {0};
	char name[64], time[SHOW_TIME_SIZE];
	if (personal)
		eg_buf_printf(&line, "line %-6u ", q->line);
	else
		eg_buf_printf(&line, "%-36s ", q->text);
	if (a->match != ELDERGATE__V1__MATCH__MATCH_FOUND) {
		eg_buf_printf(&line, "%s",
		              enum_short(&eldergate__v1__match__descriptor, (int)a->match, name));
	} else {
		eg_buf_printf(&line, "%s  as of %s",
		              enum_short(&eldergate__v1__life_status__descriptor, (int)a->life_status, name),
		              show_time(c, a->as_of, time));
		if (a->death_date) {
			eg_buf_printf(&line, "  died ");
			show_date(&line, a->death_date);
		}
	}
	show_line(&line);
	eg_buf_free(&line);
}

static enum eg_rc ask(struct cli *c, struct eg_arena *a, const struct question *q, unsigned n,
                      struct eg_err *err)
{
	Eldergate__V1__CheckLifeStatusRequest request = ELDERGATE__V1__CHECK_LIFE_STATUS_REQUEST__INIT;
	Eldergate__V1__PersonSelector *persons = eg_arena_alloc(a, n * sizeof *persons);
	Eldergate__V1__PersonSelector **list = eg_arena_alloc(a, n * sizeof *list);
	bool numbers = cli_switch(c, "id-numbers");
	ProtobufCMessage *answer = NULL;
	enum eg_rc rc = EG_OK;
	if (!persons || !list)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the questions");
	for (unsigned i = 0; i < n; i++) {
		struct eg_err why = {0};
		list[i] = &persons[i];
		rc = numbers ? selector_of_identity(q[i].text, a, &persons[i], &why)
		             : selector_of_line(q[i].text, a, &persons[i], &why);
		if (rc)
			return eg_fail(err, rc, "line %u: %s", q[i].line, why.text);
	}
	request.persons = list;
	request.n_persons = n;
	request.purpose = (char *)(uintptr_t)cli_purpose(c);
	request.legal_basis = given(c, "legal-basis");
	rc = cli_call(c, CHECK, &request.base, &eldergate__v1__check_life_status_response__descriptor,
	              &answer, err);
	if (rc)
		return rc;
	const Eldergate__V1__CheckLifeStatusResponse *r =
	        (const Eldergate__V1__CheckLifeStatusResponse *)answer;
	if (r->n_answers != n)
		rc = eg_fail(err, EG_INTERNAL, "%zu answers to %u questions", r->n_answers, n);
	else if (c->json)
		rc = cli_json(answer, err);
	for (unsigned i = 0; !rc && !c->json && i < n; i++)
		show_answer(c, &q[i], numbers, r->answers[i]);
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

enum eg_rc life_status_check(struct cli *c, struct eg_err *err)
{
	static struct question questions[ASK_AT_ONCE];
	struct eg_buf text = {0};
	struct eg_arena *a = eg_arena_new(ARENA_BYTES);
	unsigned n = 0, line = 0;
	enum eg_rc rc = a ? file_read(cli_option(c, "file"), FILE_MAX_BYTES, &text, err)
	                  : eg_fail(err, EG_NO_MEMORY, "no memory");
	eg_buf_add_u8(&text, 0);
	for (char *p = (char *)text.p; !rc && !text.failed && p && *p;) {
		char *next = strchr(p, '\n');
		if (next)
			*next++ = 0;
		line++;
		p = trim(p);
		if (*p)
			questions[n++] = (struct question){p, line};
		p = next;
		if (n && (n == ASK_AT_ONCE || !p || !*p)) {
			rc = ask(c, a, questions, n, err);
			eg_arena_reset(a);
			n = 0;
		}
	}
	if (!rc && n)
		rc = ask(c, a, questions, n, err);
	if (!rc && !line)
		rc = eg_fail(err, EG_USAGE, "the file names nobody");
	eg_arena_free(a);
	eg_buf_free(&text);
	return rc;
}
