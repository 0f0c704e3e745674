/* Mapping files: what they say, and every fault with its line, column and hint. */
#include "mapping_fixture.h"

#include <time.h>

static void what_it_says(void **state)
{
	struct eg_mapping *m =
	        mapping_of("mapping: 1\nagency: police-lucheng\ndataset: registration\nsection: "
	                   "registration\nrevision: 7\n"
	                   "gateway:\n  address: tcp://gate:7000\n  server_key: "
	                   "'0123456789012345678901234567890123456789'\n"
	                   "  key_file: keys/own.key\n  heartbeat: 5s\nstate: state\nconnector: "
	                   "paper\nsource: {folder: in}\n" ROWS FIELDS
	                   "outbound:\n  purpose: verify\n  kinds: [UPDATED, CORRECTED]\n  life: [DECEASED]\n"
	                   "  regions: ['3303']\n  snapshot: true\n  columns:\n    EVENT: event_id\n"
	                   "    XM: registration.name\n    XM2: {field: registration.name}\n    ID: "
	                   "registration.id_number\n"
	                   "  target: {folder: out}\n");
	const struct eg_mapping_info *i = eg_mapping_info(m);
	const struct eg_mapping_outbound *o = eg_mapping_outbound(m);
	(void)state;
	assert_string_equal(i->path, "/site/m.yaml");
	assert_string_equal(i->agency, "police-lucheng");
	assert_string_equal(i->dataset, "registration");
	assert_int_equal(i->section, EG_REGISTRATION);
	assert_int_equal(i->revision, 7);
	assert_string_equal(i->gateway_address, "tcp://gate:7000");
	assert_string_equal(i->gateway_key_file, "/site/keys/own.key");
	assert_int_equal(i->heartbeat_us, 5000000);
	assert_string_equal(i->state_dir, "/site/state");
	assert_ptr_equal(i->connector, &paper);
	assert_string_equal(eg_settings_text(i->source, "folder"), "in");
	assert_int_equal(eg_settings_int(i->source, "pause"), 5000000);
	assert_true(i->has_outbound);
	assert_string_equal(o->purpose, "verify");
	assert_ptr_equal(o->connector, &paper);
	assert_string_equal(eg_settings_text(o->target, "folder"), "out");
	assert_int_equal(o->n_kinds, 2);
	assert_int_equal(o->kinds[1], 3);
	assert_int_equal(o->n_changed_fields, 1);
	assert_string_equal(o->changed_fields[0], "life_status");
	assert_int_equal(o->n_regions, 1);
	assert_string_equal(o->regions[0], "3303");
	assert_true(o->snapshot);
	assert_int_equal(o->n_columns, 4);
	assert_string_equal(o->columns[0], "EVENT");
	assert_int_equal(o->n_fields, 2);
	assert_string_equal(o->fields[1], "registration.id_number");
	eg_mapping_free(m);
}

#define IS(text, want) assert_string_equal(complaints_of(text), want)

static void head(void **state)
{
	(void)state;
	IS(WHOLE, "none");
	IS("", "m.yaml: the file is empty");
	IS("- a\n", "m.yaml:1:1: the file must be a mapping of keys to values");
	IS("a: [\n", "m.yaml:2:1: did not find expected node content");
	IS(WHOLE "agancy: x\n", "m.yaml:11:1: unknown key 'agancy'; did you mean 'agency'?");
	IS(WHOLE "agency: Police\n", "m.yaml:11:9: agency must be 1 to 63 of a-z 0-9 . _ -");
	IS(WHOLE "revision: 0\n", "m.yaml:11:11: revision must be a whole number from 1 to 4294967295");
	IS(WHOLE "state: s\n", "m.yaml:11:1: 'state' stands here twice, first in line 5");
	IS(WHOLE "source: {foldr: x}\n",
	   "m.yaml:11:10: unknown setting source.foldr; did you mean 'folder'?");
	IS(WHOLE "source: {pause: 5}\n",
	   "m.yaml:11:17: source.pause must be a time such as 250ms, 5s or 30d");
	IS(WHOLE "code_lists: {a: b}\n", "m.yaml:11:17: code_lists.a must be a mapping of codes");
	IS("mapping: 2\ndataset: [x]\nsection: registrations\ngateway: {address: 'http://x', server_key: k}\n"
	   "state: ''\nconnector: papr\n" ROWS FIELDS,
	   "m.yaml:1:10: this program reads mapping files of version 1\n"
	   "m.yaml:2:10: dataset must be a single value\n"
	   "m.yaml:3:10: no section 'registrations': it is registration, assistance, funeral or care; "
	   "did you mean 'registration'?\n"
	   "m.yaml:4:10: gateway needs key_file: File of this adapter's own key pair, mode 0600; relative to "
	   "this file\n"
	   "m.yaml:4:20: gateway.address must be tcp://HOST:PORT or ipc:///PATH\n"
	   "m.yaml:4:44: gateway.server_key must have 40 characters\n"
	   "m.yaml:5:8: the path is empty\n"
	   "m.yaml:6:12: this program has no connector 'papr'; did you mean 'paper'?");
	IS("mapping: 1\n",
	   "m.yaml:1:1: the file needs dataset: Name of the dataset, as the gateway's operator registered "
	   "it\n"
	   "m.yaml:1:1: the file needs section: Kind of record: registration, assistance, funeral or care\n"
	   "m.yaml:1:1: the file needs gateway: Where the gateway is: see `gateway`\n"
	   "m.yaml:1:1: the file needs state: Folder of the checkpoint; relative to this file\n"
	   "m.yaml:1:1: the file needs connector: How the source is reached: table, file or http\n"
	   "m.yaml:1:1: the file needs rows: What identifies a row and its version: see `rows`\n"
	   "m.yaml:1:1: the file needs fields: Field of the section to how its value is made: see `value`. "
	   "`eldergate fields SECTION` lists the fields");
}

#define FIELD(text) WHOLE "  " text "\n"

static void fields(void **state)
{
	(void)state;
	IS(HEAD ROWS "fields: {name: XM}\n",
	   "m.yaml:8:9: fields needs id_number: without it no record finds its person");
	IS(FIELD("brith_date: X"),
	   "m.yaml:11:3: registration has no field 'brith_date'; did you mean 'birth_date'?");
	IS(FIELD("sex: {colum: X}"),
	   "m.yaml:11:8: registration.sex needs one of column, columns, constant, place\n"
	   "m.yaml:11:9: unknown key 'colum' in registration.sex; did you mean 'column'?");
	IS(FIELD("sex: {column: X, constant: '1'}"),
	   "m.yaml:11:8: registration.sex needs one of column, columns, constant, place");
	IS(FIELD("sex: {constant: ''}"),
	   "m.yaml:11:19: registration.sex: the constant is empty: leave the field out");
	IS(FIELD("sex: {place: maybe}"), "m.yaml:11:16: registration.sex: place can only be true");
	IS(FIELD("sex: {column: X, join: '-'}"), "m.yaml:11:26: registration.sex: join goes with columns");
	IS(FIELD("sex: []"), "m.yaml:11:8: registration.sex must name 1 to 16 columns");
	IS(FIELD("sex: ''"), "m.yaml:11:8: registration.sex: the name of a column is empty");
	IS(FIELD("sex: {column: X, date: auto}"),
	   "m.yaml:11:26: registration.sex is a code, so 'date' does not go with it");
	IS(FIELD("birth_date: {column: X, date: auto, month: auto}"),
	   "m.yaml:11:46: registration.birth_date: only one of date, month, instant, amount");
	IS(FIELD("birth_date: {column: X, date: YY-MM-DD}"),
	   "m.yaml:11:33: registration.birth_date: the format must use YYYY, MM or M, DD or D, hh or h, mm, "
	   "ss, f");
	IS(FIELD("birth_date: {column: X, date: [MM-DD]}"),
	   "m.yaml:11:34: registration.birth_date: the format has no YYYY; or write auto, or excel");
	IS(FIELD("birth_date: {column: X, empty: {use: never}}"),
	   "m.yaml:11:34: registration.birth_date: 'never' in empty does not fit the field");
	IS(FIELD("birth_date: {column: X, otherwise: keep}"),
	   "m.yaml:11:38: registration.birth_date.otherwise must be error, absent, or {use: TEXT}");
	IS(FIELD("birth_date: {column: X, empty: nothing}"),
	   "m.yaml:11:34: registration.birth_date.empty must be absent, clear, error, or {use: TEXT}");
}

static void codes(void **state)
{
	(void)state;
	IS(FIELD("registration_status: {constant: NORMALL}"),
	   "m.yaml:11:35: registration.registration_status: 'NORMALL' in constant does not fit the field; "
	   "did you mean 'NORMAL'?");
	IS(FIELD("registration_status: {column: X, codes: {'1': NORMAL, '2': CANCELED_DEATH}}"),
	   "m.yaml:11:62: registration.registration_status.codes: 'CANCELED_DEATH' is no value of this "
	   "field; "
	   "did you mean 'CANCELLED_DEATH'?");
	IS(FIELD("registration_status: {column: X, otherwise: {use: X}}"),
	   "m.yaml:11:47: registration.registration_status: 'X' in otherwise does not fit the field");
	IS(FIELD("registration_status: {column: X, codes: states}"),
	   "m.yaml:11:43: registration.registration_status.codes: there is no code list 'states' in "
	   "code_lists");
	IS(FIELD("sex: {column: X, codes: sexe}\ncode_lists: {sexes: {男: '1'}}"),
	   "m.yaml:11:27: registration.sex.codes: there is no code list 'sexe' in code_lists; did you mean "
	   "'sexes'?");
	IS(FIELD("sex: {column: X, codes: {}}"), "m.yaml:11:27: registration.sex.codes has no codes");
	IS(FIELD("sex: {column: X, codes: [a]}"), "m.yaml:11:27: registration.sex.codes must be a mapping of "
	                                          "codes, or the name of one of code_lists");
	IS(FIELD("sex: {column: X, codes: {a: [b]}}"),
	   "m.yaml:11:31: registration.sex.codes: a code becomes a single value");
	IS(FIELD("sex: {column: X, codes: sexes}\ncode_lists: {sexes: {男: '1', 女: '2'}}"), "none");
}

static void transforms(void **state)
{
	(void)state;
	IS(FIELD("sex: {column: X, apply: trim}"), "m.yaml:11:27: registration.sex.apply must be a list");
	IS(FIELD("sex: {column: X, apply: [tirm]}"),
	   "m.yaml:11:28: unknown transform 'tirm'; did you mean 'trim'?");
	IS(FIELD("sex: {column: X, apply: [{trim: 1}]}"), "m.yaml:11:35: trim takes nothing: write it alone");
	IS(FIELD("sex: {column: X, apply: [split]}"), "m.yaml:11:28: split keeps one part: {by: \"-\", part: "
	                                              "2}; parts count from 1, from the end with -1; "
	                                              "a part that is not there is empty");
	IS(FIELD("sex: {column: X, apply: [{split: 2}]}"),
	   "m.yaml:11:36: split keeps one part: {by: \"-\", part: 2}; parts count from 1, from the end with "
	   "-1; "
	   "a part that is not there is empty");
	IS(FIELD("sex: {column: X, apply: [{split: {by: ''}}]}"),
	   "m.yaml:11:36: split needs part\nm.yaml:11:41: split.by must be a text of 1 to 200 bytes");
	IS(FIELD("sex: {column: X, apply: [{split: {by: -, prat: 1, part: 0}}]}"),
	   "m.yaml:11:44: unknown key 'prat' of split; did you mean 'part'?\n"
	   "m.yaml:11:59: split.part must be a whole number from -1000 to 1000, not 0");
	IS(FIELD("sex: {column: X, apply: [{pad: {to: 100}}, {pad: {to: 2, with: ab}}]}"),
	   "m.yaml:11:39: pad.to must be a whole number from 1 to 64\nm.yaml:11:66: pad.with must be one "
	   "digit");
	IS(FIELD("sex: {column: X, apply: [{append: ''}, {a: 1, b: 2}]}"),
	   "m.yaml:11:37: append must be a text of 1 to 200 bytes\n"
	   "m.yaml:11:42: registration.sex: a transform is a name, or one name with what it takes");
}

static void rows(void **state)
{
	(void)state;
	IS(HEAD FIELDS "rows: {}\n",
	   "m.yaml:10:7: rows needs key: Value: the source's own stable key of a row; of several columns the "
	   "parts "
	   "are joined, by / unless `join` says otherwise, and a join inside a part is written as %XX\n"
	   "m.yaml:10:7: rows needs version: Value: what grows with each change of a row: a whole number, or "
	   "with "
	   "`date` or `instant` a time");
	IS(HEAD FIELDS "rows: {key: {constant: x}, version: V}\n",
	   "m.yaml:10:13: rows.key must be made of columns, or all rows are one");
	IS(HEAD FIELDS "rows: {key: K, version: {column: V, amount: yuan}}\n",
	   "m.yaml:10:45: version is a number, so 'amount' does not go with it");
	IS(HEAD FIELDS "rows: {key: K, version: V, operation: {column: O}}\n",
	   "m.yaml:10:39: rows.operation needs assert or void");
	IS(HEAD FIELDS
	   "rows: {key: K, version: V, operation: {column: O, assert: [I, D], void: [D], otherwise: void}}\n",
	   "m.yaml:10:74: rows.operation: 'D' stands in it twice\n"
	   "m.yaml:10:89: rows.operation.otherwise must be error or assert");
	IS(HEAD FIELDS "rows: {key: K, version: V, zone: Beijing, only: {A: x, B: []}, require: [[x]]}\n",
	   "m.yaml:10:34: rows.zone must be an offset such as +08:00\n"
	   "m.yaml:10:53: rows.only.A must be a list of texts\nm.yaml:10:59: rows.only is empty\n"
	   "m.yaml:10:74: rows.require must be a single value");
	IS(HEAD FIELDS "rows: {key: K, version: V, empty_words: [], event_time: {column: T, month: auto}}\n",
	   "m.yaml:10:41: rows.empty_words is empty");
	IS(HEAD FIELDS "rows: {key: K, version: V, optional: [IDD]}\n",
	   "m.yaml:10:39: rows.optional: nothing reads a column 'IDD'; did you mean 'ID'?");
	IS(WHOLE "list: {as_of: D, regions: [33a]}\n",
	   "m.yaml:11:15: list.as_of is of a whole list and cannot be a column; use place: true\n"
	   "m.yaml:11:28: list.regions: a region is 1 to 12 digits");
}

static void lists_of_sections_without_a_region(void **state)
{
	(void)state;
	IS("mapping: 1\ndataset: d\nsection: assistance\nrevision: 1\n"
	   "gateway: {address: 'tcp://g:1', server_key: 'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7', "
	   "key_file: k}\n"
	   "state: s\nconnector: paper\nsource: {folder: in}\nfields: {id_number: {column: ID}, name: "
	   "{column: N}}\n"
	   "rows: {key: K, version: V}\nlist: {regions: ['3303']}\n",
	   "m.yaml:11:17: records of this section have no region, so its lists cover the whole dataset: give "
	   "each district a "
	   "dataset of its own and leave list.regions out");
}

#define OUT(text) WHOLE "outbound: {purpose: p, " text "}\n"

static void outbound(void **state)
{
	(void)state;
	IS(OUT("columns: {A: event_id}"), "none");
	IS(WHOLE "outbound: {purpose: p}\n",
	   "m.yaml:11:11: outbound needs columns: The target's column to how it is made: see `column`");
	IS(OUT("columns: {}"), "m.yaml:11:33: outbound.columns must have 1 to 512 columns");
	IS(OUT("columns: {A: event}"), "m.yaml:11:37: A: an event has no 'event'");
	IS(OUT("columns: {A: persn_ref}"),
	   "m.yaml:11:37: A: an event has no 'persn_ref'; did you mean 'person_ref'?");
	IS(OUT("columns: {A: registration.nam}"), "m.yaml:11:37: A: there is no field 'registration.nam'; "
	                                          "fields are named section.field; did you mean "
	                                          "'registration.name'?");
	IS(OUT("columns: {A: {event: seq, field: registration.name}}"),
	   "m.yaml:11:37: A needs one of event, field, constant");
	IS(OUT("columns: {A: {event: seq, format: YYYY}, B: {event: time, format: x}, C: [x]}"),
	   "m.yaml:11:58: A: format goes with a date or an instant\n"
	   "m.yaml:11:90: B: the format has no YYYY; or write auto, or excel\n"
	   "m.yaml:11:97: outbound.columns.C must be a name, or a mapping");
	IS(OUT("columns: {A: seq}, kinds: [CHANGED], life: [DEAD], changed: [registration.x]"),
	   "m.yaml:11:51: outbound.kinds: 'CHANGED' is not known\n"
	   "m.yaml:11:68: outbound.life: 'DEAD' is not known\n"
	   "m.yaml:11:85: outbound.changed: there is no field 'registration.x'; fields are named "
	   "section.field; did you mean 'registration.sex'?");
	IS(OUT("columns: {A: seq}, connector: deaf"), "m.yaml:11:54: the connector deaf cannot deliver");
	IS(OUT("columns: {A: seq}, target: {x: y}, snapshot: 7"),
	   "m.yaml:11:52: unknown setting outbound.target.x\n"
	   "m.yaml:11:69: outbound.snapshot must be true or false");
}

static void many(void **state)
{
	struct eg_buf b = {0};
	struct eg_mapping *m;
	struct eg_err err;
	struct eg_complaints c;
	(void)state;
	eg_buf_printf(&b, "%s", WHOLE);
	for (int i = 0; i < 40; i++)
		eg_buf_printf(&b, "  field_%d: X\n", i);
	assert_int_equal(eg_mapping_parse(&m, "m.yaml", eg_buf_bytes(&b), connectors, &c, &err), EG_CONFIG);
	assert_int_equal(c.n, EG_COMPLAINTS_MAX);
	assert_int_equal(c.total, 40);
	assert_string_equal(c.items[19].text, "m.yaml:30:3: registration has no field 'field_19'");
	assert_string_equal(err.text, "m.yaml:11:3: registration has no field 'field_0' (and 39 more)");
	eg_buf_free(&b);
	/* too many columns, without going beyond them */
	eg_buf_printf(&b, "%srows: {key: K, version: V, require: [", HEAD FIELDS);
	for (int i = 0; i < 600; i++)
		eg_buf_printf(&b, "c%d,", i);
	eg_buf_printf(&b, "]}\n");
	assert_int_equal(eg_mapping_parse(&m, "m.yaml", eg_buf_bytes(&b), connectors, &c, &err), EG_CONFIG);
	assert_non_null(strstr(err.text, "more than 512 columns"));
	eg_buf_free(&b);
	assert_int_equal(eg_mapping_load(&m, "/nonexistent/m.yaml", connectors, &c, &err), EG_CONFIG);
	assert_string_equal(c.items[0].text, "/nonexistent/m.yaml: No such file or directory");
}

/* A good file with bytes changed: a mapping or complaints with a place, never anything worse. */
static void garbage(void **state)
{
	static const char whole[] =
	        "mapping: 1\ndataset: d\nsection: care\ngateway: {address: 'ipc:///x', server_key: "
	        "'0123456789012345678901234567890123456789', key_file: k}\nstate: s\nconnector: "
	        "paper\nsource: "
	        "{folder: x}\ncode_lists: {s: {a: '1'}}\nrows:\n  key: [A, B]\n  version: {column: V, "
	        "instant: "
	        "auto}\n  operation: {column: O, assert: [I], void: [D]}\n  apply: [trim, {pad: {to: 3}}]\n"
	        "  empty_words: ['-']\n  no_date: [1900-01-01]\n  only: {X: [y]}\nfields:\n  id_number: "
	        "{column: "
	        "ID, apply: [id_number]}\n  name: {columns: [N, M], join: '·'}\n  sex: {column: S, codes: s, "
	        "otherwise: absent}\n  ability_level: {column: L, empty: {use: '0'}}\n  "
	        "occupancy_begin_date: "
	        "{column: T, date: [YYYYMMDD, auto]}\n  tags: {column: G, apply: [{sort: {by: ';'}}]}\nlist: "
	        "{as_of: {place: true, date: auto}, regions: ['3303']}\noutbound:\n  purpose: p\n  kinds: "
	        "[UPDATED]\n  life: [DECEASED]\n  columns: {A: event_id, B: {field: registration.name, "
	        "apply: "
	        "[upper]}, C: {event: time, format: YYYYMMDD}}\n";
	static const char bytes[] = "\n :,-[]{}'#&*!|>%@\"?\\abcKEY019\t\xE5\xFF\0";
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL), good = 0;
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srand(seed);
	IS(whole, "none");
	for (int round = 0; round < 5000; round++) {
		char text[sizeof whole];
		struct eg_mapping *m = NULL;
		struct eg_complaints c;
		struct eg_err err = {0};
		size_t len = sizeof whole - 1;
		memcpy(text, whole, sizeof whole);
		for (int k = rand() % 4; k >= 0; k--)
			text[(size_t)rand() % len] = bytes[(size_t)rand() % (sizeof bytes - 1)];
		if (rand() % 8 == 0)
			len = (size_t)rand() % len;
		struct eg_bytes in = {(const uint8_t *)text, len};
		if (!eg_mapping_parse(&m, "m.yaml", in, connectors, &c, &err)) {
			good++;
			eg_mapping_free(m);
			continue;
		}
		assert_int_equal(err.rc, EG_CONFIG);
		assert_true(c.total > 0);
		for (unsigned i = 0; i < c.n; i++) {
			assert_int_equal(strncmp(c.items[i].text, "m.yaml:", 7), 0);
			/* what YAML cannot read is quoted by nobody, the rest is the file's own text */
			struct eg_bytes t = eg_bytes_of(c.items[i].text);
			assert_true(t.len < EG_COMPLAINT_BYTES);
		}
	}
	assert_true(good > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_it_says),
	                                   cmocka_unit_test(head),
	                                   cmocka_unit_test(fields),
	                                   cmocka_unit_test(codes),
	                                   cmocka_unit_test(transforms),
	                                   cmocka_unit_test(rows),
	                                   cmocka_unit_test(outbound),
	                                   cmocka_unit_test(many),
	                                   cmocka_unit_test(lists_of_sections_without_a_region),
	                                   cmocka_unit_test(garbage)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
