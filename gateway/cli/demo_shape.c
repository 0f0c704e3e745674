/* demo_shape: see demo_shape.h. */
#include "cli/demo_shape.h"

#include <stdio.h>
#include <string.h>

/* A table of the police's front-end database. */
static const struct demo_column police[] = {
        {.name = "OP", .field = "operation", .codes = {{"ASSERT", "U"}, {"VOID", "D"}}},
        {.name = "RYBH", .field = "source_key"},
        {.name = "BBH", .field = "version"},
        {.name = "BGSJ", .field = "event_time"},
        {.name = "GMSFHM", .field = "id_number"},
        {.name = "XM", .field = "name"},
        {.name = "XB", .field = "sex"},
        {.name = "CSRQ", .field = "birth_date", .form = DEMO_COMPACT},
        {.name = "MZ", .field = "ethnic_group"},
        {.name = "HYZK", .field = "marital_status"},
        {.name = "HH", .field = "household_number"},
        {.name = "YHZGX", .field = "relation_to_head"},
        {.name = "SSXQ", .field = "address_region"},
        {.name = "HJDZ", .field = "address_text"},
        {.name = "PCSBM", .field = "police_station_code"},
        {.name = "RYZT",
         .field = "registration_status",
         .codes = {{"NORMAL", "1"}, {"MOVED_OUT", "2"}, {"CANCELLED_DEATH", "3"}}},
        {.name = "QCRQ", .field = "moved_out_date", .form = DEMO_COMPACT},
        {.name = "SWRQ", .field = "death_date", .form = DEMO_COMPACT},
        {.name = "SWZXRQ", .field = "death_cancellation_date", .form = DEMO_COMPACT},
};

/* A file of the assistance bureau. */
static const struct demo_column assistance[] = {
        {.name = "户编号", .field = "source_key", .form = DEMO_BEFORE, .mark = "-"},
        {.name = "成员序号", .field = "source_key", .form = DEMO_AFTER, .mark = "-"},
        {.name = "变更时间", .field = "event_time"},
        {.name = "身份证号", .field = "id_number"},
        {.name = "姓名", .field = "name"},
        {.name = "性别", .field = "sex", .codes = {{"1", "男"}, {"2", "女"}}},
        {.name = "出生日期", .field = "birth_date"},
        {.name = "救助类别",
         .field = "assistance_category",
         .codes = {{"MINIMUM_LIVING", "城市低保"},
                   {"MARGINAL", "低保边缘"},
                   {"EXTREME_HOME", "特困分散供养"},
                   {"EXTREME_INSTITUTION", "特困集中供养"},
                   {"RIGID_EXPENDITURE", "刚性支出困难"}}},
        {.name = "与户主关系", .field = "member_relation"},
        {.name = "自理能力",
         .field = "care_level",
         .codes = {{"SELF_CARE", "全自理"}, {"HALF_CARE", "半护理"}, {"FULL_CARE", "全护理"}}},
        {.name = "救助状态",
         .field = "assistance_status",
         .codes = {{"ACTIVE", "在保"}, {"STOPPED", "退保"}}},
        {.name = "停发原因", .field = "assistance_reason", .codes = {{"DEATH", "死亡"}}},
        {.name = "起始年月", .field = "assistance_begin_month"},
        {.name = "终止年月", .field = "assistance_end_month"},
        {.name = "月保障金额", .field = "monthly_amount_fen", .form = DEMO_YUAN},
        {.name = "最近发放年月", .field = "last_payment_month"},
};

/* The JSON of the funeral homes' interface. */
static const struct demo_column funeral[] = {
        {.name = "orgCode", .field = "source_key", .form = DEMO_BEFORE, .mark = "/"},
        {.name = "remainsNo", .field = "source_key", .form = DEMO_AFTER, .mark = "/"},
        {.name = "rowVersion", .field = "version"},
        {.name = "updatedAt", .field = "event_time"},
        {.name = "deleted", .field = "operation", .codes = {{"ASSERT", "0"}, {"VOID", "1"}}},
        {.name = "dead.cardType", .field = "id_type", .codes = {{"RESIDENT", "01"}, {"NONE", "99"}}},
        {.name = "dead.cardNo", .field = "id_number"},
        {.name = "dead.name", .field = "name"},
        {.name = "dead.sex", .field = "sex"},
        {.name = "dead.birthday", .field = "birth_date"},
        {.name = "dead.age", .field = "stated_age"},
        {.name = "dead.deathTime", .field = "death_date"},
        {.name = "dead.deathCertNo", .field = "death_certificate_number"},
        {.name = "dead.deathCertState",
         .field = "death_certificate_status",
         .codes = {{"VALID", "1"}, {"VOID", "2"}}},
        {.name = "receivedAt", .field = "received_time"},
        {.name = "crematedAt", .field = "cremation_time"},
        {.name = "disposal",
         .field = "disposal",
         .codes = {{"STORAGE", "01"}, {"CEMETERY", "02"}, {"ECOLOGICAL", "03"}, {"COLLECTED", "04"}}},
        {.name = "cert.no", .field = "funeral_certificate_number"},
        {.name = "cert.reissueOf", .field = "funeral_certificate_reissue_of"},
};

const struct demo_column *demo_columns(enum eg_section s, unsigned *n)
{
#define COLUMNS(table)                                                                                       \
	*n = (unsigned)(sizeof(table) / sizeof *(table));                                                    \
	return table
	if (s == EG_REGISTRATION) {
		COLUMNS(police);
	}
	if (s == EG_ASSISTANCE) {
		COLUMNS(assistance);
	}
	COLUMNS(funeral);
#undef COLUMNS
}

static const char *coded(const struct demo_column *c, const char *text)
{
	for (unsigned i = 0; i < sizeof c->codes / sizeof *c->codes && c->codes[i][0]; i++)
		if (strcmp(c->codes[i][0], text) == 0)
			return c->codes[i][1];
	return text;
}

void demo_value(enum eg_section s, const struct demo_column *c, const struct made_row *r,
                char out[MADE_VALUE])
{
	const char *text = made_get(s, r, c->field);
	const char *mark = c->mark ? strstr(text, c->mark) : NULL;
	size_t len = strlen(text), n = 0;
	switch (c->form) {
	case DEMO_AS_IT_IS:
		snprintf(out, MADE_VALUE, "%s", coded(c, text));
		break;
	case DEMO_COMPACT:
		for (const char *p = text; *p; p++)
			if (*p != '-')
				out[n++] = *p;
		out[n] = 0;
		break;
	case DEMO_YUAN: /* amounts are whole ones */
		snprintf(out, MADE_VALUE, "%.*s", (int)(len > 2 ? len - 2 : 0), text);
		break;
	case DEMO_BEFORE:
		snprintf(out, MADE_VALUE, "%.*s", mark ? (int)(mark - text) : (int)len, text);
		break;
	case DEMO_AFTER:
		snprintf(out, MADE_VALUE, "%s", mark ? mark + strlen(c->mark) : "");
		break;
	}
}
