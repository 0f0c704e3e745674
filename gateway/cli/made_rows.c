/* made_rows: what each agency has written down about a made-up person, version by version; see made.h. */
#include "cli/made.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHINA_OFFSET_S 28800
#define DAY_S          86400

enum { STREAM_ROWS = 16 };

static const char *const registration_columns[] = {
        "source_key",          "version",        "operation",      "event_time",
        "id_number",           "id_type",        "name",           "sex",
        "birth_date",          "ethnic_group",   "marital_status", "household_number",
        "relation_to_head",    "address_region", "address_text",   "police_station_code",
        "registration_status", "moved_out_date", "death_date",     "death_cancellation_date"};
static const char *const assistance_columns[] = {"source_key",
                                                 "version",
                                                 "operation",
                                                 "event_time",
                                                 "id_number",
                                                 "id_type",
                                                 "name",
                                                 "sex",
                                                 "birth_date",
                                                 "assistance_case_number",
                                                 "assistance_category",
                                                 "member_relation",
                                                 "care_level",
                                                 "assistance_status",
                                                 "assistance_reason",
                                                 "assistance_begin_month",
                                                 "assistance_end_month",
                                                 "monthly_amount_fen",
                                                 "last_payment_month"};
static const char *const funeral_columns[] = {"source_key",
                                              "version",
                                              "operation",
                                              "event_time",
                                              "id_number",
                                              "id_type",
                                              "name",
                                              "sex",
                                              "stated_age",
                                              "birth_date",
                                              "organisation_code",
                                              "remains_number",
                                              "funeral_certificate_number",
                                              "funeral_certificate_reissue_of",
                                              "death_date",
                                              "death_certificate_number",
                                              "death_certificate_status",
                                              "received_time",
                                              "cremation_time",
                                              "disposal"};
static const char *const care_columns[] = {"source_key",
                                           "version",
                                           "operation",
                                           "event_time",
                                           "id_number",
                                           "id_type",
                                           "name",
                                           "sex",
                                           "birth_date",
                                           "residence_region",
                                           "phone",
                                           "ability_level",
                                           "ability_scale",
                                           "ability_assessed_date",
                                           "tags",
                                           "bed_code",
                                           "institution_code",
                                           "occupancy_begin_date",
                                           "occupancy_end_date"};

const char *const *made_columns(enum eg_section s, unsigned *n)
{
#define SECTION(columns)                                                                                     \
	*n = (unsigned)(sizeof(columns) / sizeof *(columns));                                                \
	return columns
	switch (s) {
	case EG_REGISTRATION:
		SECTION(registration_columns);
	case EG_ASSISTANCE:
		SECTION(assistance_columns);
	case EG_FUNERAL:
		SECTION(funeral_columns);
	default:
		SECTION(care_columns);
	}
#undef SECTION
}

static unsigned place_of(enum eg_section s, const char *column)
{
	unsigned n;
	const char *const *columns = made_columns(s, &n);
	for (unsigned i = 0; i < n; i++)
		if (strcmp(columns[i], column) == 0)
			return i;
	abort(); /* a column that the section does not have: the tables above are wrong */
}

void made_set(enum eg_section s, struct made_row *r, const char *column, const char *value)
{
	snprintf(r->values[place_of(s, column)], MADE_VALUE, "%s", value);
}

const char *made_get(enum eg_section s, const struct made_row *r, const char *column)
{
	return r->values[place_of(s, column)];
}

/* ---- writing values ---- */

struct pen {
	const struct made *m;
	enum eg_section s;
	struct draw d;
	unsigned n;
	struct made_row *rows;
	char key[64];
};

__attribute__((format(printf, 3, 4))) static void put(struct pen *p, const char *column, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(p->rows[p->n - 1].values[place_of(p->s, column)], MADE_VALUE, fmt, args);
	va_end(args);
}

static struct eg_date date_of(int32_t day)
{
	return eg_date_of_instant((int64_t)day * DAY_S * EG_SECOND, 0);
}

static void put_day(struct pen *p, const char *column, int32_t day)
{
	char text[16];
	eg_date_format(date_of(day), text);
	put(p, column, "%s", text);
}

static void put_month(struct pen *p, const char *column, int32_t day)
{
	struct eg_date d = date_of(day);
	put(p, column, "%04d-%02u", d.year, (unsigned)d.month);
}

/* A second of the day, the same for a person's whole history, so that event times ascend with days. */
static void put_time(struct pen *p, const char *column, int32_t day, unsigned second)
{
	struct eg_date d = date_of(day);
	put(p, column, "%04d-%02u-%02u %02u:%02u:%02u", d.year, (unsigned)d.month, (unsigned)d.day,
	    second / 3600, second / 60 % 60, second % 60);
}

static int64_t version_of(int32_t day, unsigned second)
{
	struct eg_date d = date_of(day);
	return (((int64_t)d.year * 100 + d.month) * 100 + d.day) * 1000000 + second / 3600 * 10000 +
	       second / 60 % 60 * 100 + second % 60;
}

/* ---- the person as this agency knows them ---- */

static bool fault(const struct pen *p, enum population_fault f)
{
	return p->m->fault == f && p->m->fault_in == p->s;
}

bool made_quarantined(const struct made *m, enum eg_section s)
{
	return m->fault_in == s && (m->fault == FAULT_id_check_digit || m->fault == FAULT_excel_number);
}

static void put_number(struct pen *p)
{
	static const char *const forms[] = {"x", "\uff38", "\u00d7"};
	const char *id = p->m->id18;
	if (fault(p, FAULT_id_15_digits))
		put(p, "id_number", "%.6s%.9s", id, id + 8);
	else if (fault(p, FAULT_id_x_form))
		put(p, "id_number", "%.17s%s", id, forms[p->m->index % 3]);
	else if (fault(p, FAULT_id_check_digit))
		put(p, "id_number", "%.17s%c", id, id[17] == '1' ? '2' : '1');
	else if (fault(p, FAULT_excel_number))
		put(p, "id_number", "%c.%.5sE+17", id[0], id + 1);
	else
		put(p, "id_number", "%s", id);
}

static void put_person(struct pen *p)
{
	const struct made *m = p->m;
	bool renamed = fault(p, FAULT_name_form) || fault(p, FAULT_name_variant) || fault(p, FAULT_mojibake);
	if (p->s == EG_FUNERAL && m->unidentified) {
		put(p, "id_type", "NONE");
		put(p, "sex", "%u", m->sex);
		return;
	}
	put_number(p);
	put(p, "id_type", "RESIDENT");
	put(p, "name", "%s", renamed ? m->other_name : m->name);
	put(p, "sex", "%u", m->sex);
	if (fault(p, FAULT_birth_date))
		put_day(p, "birth_date", m->birth + 1);
	else if (fault(p, FAULT_excel_date))
		put(p, "birth_date", "1900-01-01");
	else
		put_day(p, "birth_date", m->birth);
}

static void begin_row(struct pen *p, int32_t day, unsigned second)
{
	struct made_row *r = &p->rows[p->n++];
	memset(r, 0, sizeof *r);
	r->event_time = ((int64_t)day * DAY_S + second - CHINA_OFFSET_S) * EG_SECOND;
	r->quarantined = made_quarantined(p->m, p->s);
	put(p, "source_key", "%s", p->key);
	put(p, "version", "%" PRId64, version_of(day, second));
	put(p, "operation", "ASSERT");
	put_time(p, "event_time", day, second);
	put_person(p);
}

/* ---- registration ---- */

static void registration_row(struct pen *p, int32_t day, unsigned second, const char *status,
                             const char *region, unsigned house)
{
	static const char *const marital[] = {"10", "21", "21", "21", "22", "30", "30", "40"};
	struct draw d = draw_of(p->m->index, STREAM_ROWS + 1, p->m->index); /* traits that stay */
	begin_row(p, day, second);
	put(p, "ethnic_group", "%s", draw_below(&d, 100) < 92 ? "01" : draw_below(&d, 2) ? "10" : "97");
	put(p, "marital_status", "%s", marital[draw_below(&d, 8)]);
	put(p, "household_number", "%.6s%09" PRIu64, region, p->m->index / 2);
	put(p, "relation_to_head", "%s", draw_below(&d, 2) ? "01" : "10");
	put(p, "address_region", "%s", region);
	put(p, "address_text", "\u6837\u4f8b\u8def%u\u53f7, %u\u5ba4", house, house % 40 + 101);
	put(p, "police_station_code", "%.6s%02u", region, house % 20);
	put(p, "registration_status", "%s", status);
}

static void registration(struct pen *p, bool second_one)
{
	const struct made *m = p->m;
	unsigned second = 28800 + draw_below(&p->d, 28800), house = 1 + draw_below(&p->d, 400);
	struct eg_date begin = {2016, 1, 1};
	int32_t day = eg_date_days(begin) + (int32_t)draw_below(&p->d, 2500);
	const char *region = m->region;
	snprintf(p->key, sizeof p->key, "%s%09" PRIu64, second_one ? "J" : "H", m->index + 1);
	registration_row(p, day, second, "NORMAL", region, house);
	if (draw_below(&p->d, 100) < 15) { /* moved within the city */
		day += 30 + (int32_t)draw_below(&p->d, 300);
		region = made_region(&p->d, true);
		registration_row(p, day, second, "NORMAL", region, house + 7);
	}
	if (m->fate == FATE_MOVED_OUT) {
		day += 30 + (int32_t)draw_below(&p->d, 300);
		registration_row(p, day, second, "MOVED_OUT", region, house);
		put_day(p, "moved_out_date", day);
	} else if (m->fate == FATE_CANCELLED || m->fate == FATE_CANCELLED_ONLY) {
		int32_t cancelled = m->died + 7 + (int32_t)draw_below(&p->d, 12); /* still before today */
		registration_row(p, cancelled, second, "CANCELLED_DEATH", region, house);
		put_day(p, "death_date", m->died);
		put_day(p, "death_cancellation_date", cancelled);
	}
}

/* ---- assistance ---- */

static void assistance_row(struct pen *p, int32_t begin, int32_t day, unsigned second, unsigned yuan,
                           const char *status)
{
	static const char *const categories[] = {
	        "MINIMUM_LIVING", "MINIMUM_LIVING",      "MARGINAL",
	        "EXTREME_HOME",   "EXTREME_INSTITUTION", "RIGID_EXPENDITURE"};
	static const char *const levels[] = {"SELF_CARE", "SELF_CARE", "HALF_CARE", "FULL_CARE"};
	struct draw d = draw_of(p->m->index, STREAM_ROWS + 2, p->m->index);
	begin_row(p, day, second);
	put(p, "assistance_case_number", "DB%08" PRIu64, p->m->index / 3);
	put(p, "assistance_category", "%s", categories[draw_below(&d, 6)]);
	put(p, "member_relation", "%s", draw_below(&d, 3) ? "\u672c\u4eba" : "\u914d\u5076");
	put(p, "care_level", "%s", levels[draw_below(&d, 4)]);
	put(p, "assistance_status", "%s", status);
	put_month(p, "assistance_begin_month", begin);
	put(p, "monthly_amount_fen", "%u", yuan * 100);
	put_month(p, "last_payment_month", day);
}

static void assistance(struct pen *p)
{
	const struct made *m = p->m;
	unsigned second = 28800 + draw_below(&p->d, 28800), yuan = 300 + draw_below(&p->d, 900);
	struct eg_date first = {2021, 1, 1};
	int32_t begin = eg_date_days(first) + (int32_t)draw_below(&p->d, 700), day = begin;
	bool dead = m->fate >= FATE_CANCELLED_ONLY && m->fate != FATE_RESURRECTED;
	snprintf(p->key, sizeof p->key, "DB%08" PRIu64 "-%" PRIu64, m->index / 3, m->index % 3 + 1);
	assistance_row(p, begin, day, second, yuan, "ACTIVE");
	if (draw_below(&p->d, 100) < 30) { /* the amount was raised */
		day += 90 + (int32_t)draw_below(&p->d, 90);
		assistance_row(p, begin, day, second, yuan + 60, "ACTIVE");
	}
	if (dead && draw_below(&p->d, 100) < 80) { /* the others still draw pay */
		assistance_row(p, begin, m->died + 15, second, yuan, "STOPPED");
		put(p, "assistance_reason", "DEATH");
		put_month(p, "assistance_end_month", m->died);
	}
}

/* ---- funeral ---- */

static void funeral_row(struct pen *p, int32_t day, unsigned second, const char *organisation,
                        unsigned received)
{
	begin_row(p, day, second);
	put(p, "organisation_code", "%s", organisation);
	put(p, "remains_number", "%d-%07" PRIu64, date_of(p->m->died).year, p->m->index);
	put(p, "stated_age", "%d", (p->m->died - p->m->birth) / 365);
	put_day(p, "death_date", p->m->died);
	put_time(p, "received_time", p->m->died + 1, received);
}

static void funeral(struct pen *p)
{
	static const char *const organisations[] = {"BYG-330302", "BYG-330326", "BYG-530112"};
	static const char *const disposals[] = {"STORAGE", "CEMETERY", "ECOLOGICAL", "COLLECTED"};
	const struct made *m = p->m;
	unsigned received = 25200 + draw_below(&p->d, 18000), second = received + 600,
	         disposal = draw_below(&p->d, 4);
	const char *organisation = organisations[draw_below(&p->d, 3)];
	bool certificate = m->fate != FATE_CREMATED;
	snprintf(p->key, sizeof p->key, "%s/%d-%07" PRIu64, organisation, date_of(m->died).year, m->index);
	funeral_row(p, m->died + 1, second, organisation, received);
	if (m->fate == FATE_RESURRECTED) { /* somebody else's certificate, taken back later */
		funeral_row(p, m->died + 2, second, organisation, received);
		put(p, "death_certificate_number", "RD%010" PRIu64, m->index);
		int64_t version = version_of(m->died + 2, second);
		begin_row(p, m->died + 12, second);
		struct made_row *r = &p->rows[p->n - 1];
		memset(r->values, 0, sizeof r->values);
		r->is_void = true;
		put(p, "source_key", "%s", p->key);
		put(p, "version", "%" PRId64, version);
		put(p, "operation", "VOID");
		put_time(p, "event_time", m->died + 12, second);
		return;
	}
	for (unsigned issue = 0; issue < 2; issue++) {
		if (issue && draw_below(&p->d, 100) >= 2)
			break; /* 2 % of the certificates are issued again */
		funeral_row(p, m->died + 3 + (int32_t)issue * 9, second, organisation, received);
		if (certificate) {
			put(p, "death_certificate_number", "RD%010" PRIu64, m->index);
			put(p, "death_certificate_status", "VALID");
		}
		put(p, "funeral_certificate_number", "HH%09" PRIu64 "%u", m->index, issue);
		if (issue)
			put(p, "funeral_certificate_reissue_of", "HH%09" PRIu64 "0", m->index);
		put_time(p, "cremation_time", m->died + 3, received);
		put(p, "disposal", "%s", disposals[disposal]);
	}
}

/* ---- care ---- */

static void care_row(struct pen *p, int32_t day, unsigned second)
{
	struct draw d = draw_of(p->m->index, STREAM_ROWS + 3, p->m->index);
	begin_row(p, day, second);
	put(p, "residence_region", "%s", p->m->region);
	put(p, "phone", "000%08u", draw_below(&d, 100000000)); /* no such prefix is in use */
	put(p, "tags", "%s", draw_below(&d, 3) ? "" : "\u72ec\u5c45,\u9ad8\u9f84");
}

static void care(struct pen *p)
{
	const struct made *m = p->m;
	unsigned second = 28800 + draw_below(&p->d, 28800), level = draw_below(&p->d, 5);
	struct eg_date first = {2022, 1, 1};
	int32_t day = eg_date_days(first) + (int32_t)draw_below(&p->d, 500), assessed = day + 20;
	snprintf(p->key, sizeof p->key, "C%09" PRIu64, m->index + 1);
	care_row(p, day, second);
	care_row(p, assessed + 5, second);
	put(p, "ability_level", "%u", level);
	put(p, "ability_scale", "GB/T 42195-2022");
	put_day(p, "ability_assessed_date", assessed);
	if (draw_below(&p->d, 100) < 30) {
		care_row(p, assessed + 60, second);
		put(p, "ability_level", "%u", level);
		put(p, "ability_scale", "GB/T 42195-2022");
		put_day(p, "ability_assessed_date", assessed);
		put(p, "institution_code", "YL%03u", draw_below(&p->d, 29));
		put(p, "bed_code", "YL-%06" PRIu64, m->index % 1000000);
		put_day(p, "occupancy_begin_date", assessed + 58);
	}
}

unsigned made_rows(const struct population_options *o, const struct made *m, enum eg_section s,
                   struct made_row rows[MADE_ROWS])
{
	struct pen p = {
	        .m = m, .s = s, .rows = rows, .d = draw_of(o->seed, STREAM_ROWS + 8 + (uint64_t)s, m->index)};
	if (!m->in[s])
		return 0;
	switch (s) {
	case EG_REGISTRATION:
		registration(&p, false);
		if (m->fault == FAULT_double_registration)
			registration(&p, true);
		break;
	case EG_ASSISTANCE:
		assistance(&p);
		break;
	case EG_FUNERAL:
		funeral(&p);
		break;
	default:
		care(&p);
	}
	return p.n;
}
