/* people: see people.h. */
#include "people.h"

#include "bench.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "model/id_number.h"

#include <string.h>

enum {
	SEQUENCES = 999,    /* persons of one region and day */
	FIRST_DAY = -14610, /* 1930-01-01, in days since 1970 */
	DAYS = 12784,       /* to 1964 */
	DAYS_STEP = 7919,   /* prime to DAYS: neighbours are not born on neighbouring days */
	FIRST_EVENT = 1750000000,
	RECORDS_MAX = 1000
};

static const char *const regions[] = {"330302", "330304", "330321", "330383", "530112", "530122"};
static const char *const surnames[] = {"王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周"};
static const char *const given[] = {"伟", "芳", "娜", "敏", "静", "丽", "强",
                                    "磊", "军", "洋", "勇", "艳", "杰"};
static const char *const marital[] = {"10", "20", "30", "40"};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* A record with all that it points to. */
struct filled {
	Eldergate__V1__Record record;
	Eldergate__V1__Registration registration;
	Eldergate__V1__CivilDate birth, moved_in;
	Google__Protobuf__Timestamp event_time;
	char key[16], id[19], name[16], sex[2], household[24], address[64], station[64], station_code[16];
};

#define TEXT(s) ((char *)(uintptr_t)(s)) /* protobuf-c's strings are not const */

void people_key(uint32_t person, char out[16])
{
	snprintf(out, 16, "r-%08u", person);
}

int64_t people_content(uint32_t person, int64_t content, long every, int64_t step)
{
	return every && person % (unsigned long)every == 0 ? content + step : content;
}

static void identity(struct filled *f, uint32_t person, const char *region)
{
	uint32_t slot = person / COUNT(regions), day = slot / SEQUENCES * DAYS_STEP % DAYS;
	struct eg_date born = eg_date_of_instant((int64_t)(FIRST_DAY + (int64_t)day) * 86400 * EG_SECOND, 0);
	uint32_t sequence = slot % SEQUENCES + 1;
	snprintf(f->id, sizeof f->id, "%s%04u%02u%02u%03u", region, (unsigned)born.year % 10000,
	         born.month % 100u, born.day % 100u, sequence % 1000);
	f->id[17] = eg_id_check_digit(f->id);
	f->id[18] = 0;
	f->birth.year = born.year;
	f->birth.month = born.month;
	f->birth.day = born.day;
	snprintf(f->sex, sizeof f->sex, "%s", sequence % 2 ? "1" : "2");
}

static void fill(struct filled *f, uint32_t person, int64_t version)
{
	uint64_t state = person;
	const char *region = regions[person % COUNT(regions)];
	memset(f, 0, sizeof *f);
	eldergate__v1__record__init(&f->record);
	eldergate__v1__registration__init(&f->registration);
	eldergate__v1__civil_date__init(&f->birth);
	eldergate__v1__civil_date__init(&f->moved_in);
	google__protobuf__timestamp__init(&f->event_time);

	people_key(person, f->key);
	identity(f, person, region);
	snprintf(f->name, sizeof f->name, "%s%s%s", surnames[bench_random(&state) % COUNT(surnames)],
	         given[bench_random(&state) % COUNT(given)], given[bench_random(&state) % COUNT(given)]);
	unsigned house = (unsigned)(bench_random(&state) % 900 + 1),
	         station = (unsigned)(bench_random(&state) % 90 + 1);
	snprintf(f->household, sizeof f->household, "H%s%09u", region, person / 3);
	/* What changes from version to version. */
	snprintf(f->address, sizeof f->address, "测试街道样例路%u号%u室", house,
	         (unsigned)(version % 9000) + 1);
	snprintf(f->station_code, sizeof f->station_code, "%s%06u", region, station);
	snprintf(f->station, sizeof f->station, "样例第%u派出所", station);

	Eldergate__V1__Registration *s = &f->registration;
	s->id_number = f->id;
	s->id_type = ELDERGATE__V1__ID_TYPE__ID_TYPE_RESIDENT;
	s->name = f->name;
	s->sex = f->sex;
	s->birth_date = &f->birth;
	s->ethnic_group = TEXT("01");
	s->marital_status = TEXT(marital[bench_random(&state) % COUNT(marital)]);
	s->household_number = f->household;
	s->relation_to_head = TEXT("02");
	s->address_region = TEXT(region);
	s->address_text = f->address;
	s->police_station_code = f->station_code;
	s->police_station = f->station;
	s->registration_status = ELDERGATE__V1__REGISTRATION_STATUS__REGISTRATION_STATUS_NORMAL;
	f->moved_in.year = (int32_t)(1985 + bench_random(&state) % 30);
	f->moved_in.month = (int32_t)(1 + bench_random(&state) % 12);
	f->moved_in.day = 1;
	s->moved_in_date = &f->moved_in;

	f->event_time.seconds = FIRST_EVENT + version * 60;
	f->record.source_key = f->key;
	f->record.version = version;
	f->record.operation = ELDERGATE__V1__OPERATION__OPERATION_ASSERT;
	f->record.event_time = &f->event_time;
	f->record.section_case = ELDERGATE__V1__RECORD__SECTION_REGISTRATION;
	f->record.registration = s;
}

static void encode(const struct filled *f, struct eg_buf *out)
{
	uint8_t *p = eg_buf_grow(out, eldergate__v1__record__get_packed_size(&f->record));
	if (!p)
		bench_die("no memory for a record");
	eldergate__v1__record__pack(&f->record, p);
}

void people_record(uint32_t person, int64_t version, struct eg_buf *out)
{
	struct filled f;
	fill(&f, person, version);
	encode(&f, out);
}

void people_row(uint32_t person, int64_t content, struct eg_buf *out)
{
	struct filled f;
	fill(&f, person, content);
	f.record.version = 0;
	encode(&f, out);
}

const char people_cells_header[] = "RYBH,GMSFHM,XM,XB,MZ,CSRQ,HYZK,HH,YHZGX,SSXQ,HJDZ,PCSBM,PCSMC,RYZT,QRRQ,"
                                   "BGSJ\r\n";

void people_cells(uint32_t person, int64_t content, struct eg_buf *out)
{
	struct filled f;
	fill(&f, person, content);
	const Eldergate__V1__Registration *s = &f.registration;
	int64_t local = f.event_time.seconds + 8 * 3600; /* as the registry's clock shows it */
	struct eg_date day = eg_date_of_instant(local * EG_SECOND, 0);
	unsigned second = (unsigned)(local % 86400);
	eg_buf_printf(out,
	              "%s,%s,%s,%s,%s,%04d%02d%02d,%s,%s,%s,%s,%s,%s,%s,1,%04d%02d%02d,%04d-%02u-%02u "
	              "%02u:%02u:%02u\r\n",
	              f.key, f.id, f.name, f.sex, s->ethnic_group, f.birth.year, f.birth.month, f.birth.day,
	              s->marital_status, f.household, s->relation_to_head, s->address_region, f.address,
	              f.station_code, f.station, f.moved_in.year, f.moved_in.month, f.moved_in.day, day.year,
	              day.month, day.day, second / 3600, second / 60 % 60, second % 60);
	if (out->failed)
		bench_die("no memory for a row");
}

void people_batch(const char *batch_id, const char *dataset, const uint32_t *persons, uint32_t n,
                  int64_t version, struct eg_buf *out)
{
	static struct filled f[RECORDS_MAX];
	static Eldergate__V1__Record *records[RECORDS_MAX];
	Eldergate__V1__SubmitRequest r = ELDERGATE__V1__SUBMIT_REQUEST__INIT;
	if (n > RECORDS_MAX)
		bench_die("at most %d records in a batch", RECORDS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		if (persons[i] >= PEOPLE_MAX)
			bench_die("at most %u persons", PEOPLE_MAX);
		fill(&f[i], persons[i], version);
		records[i] = &f[i].record;
	}
	r.batch_id = TEXT(batch_id);
	r.dataset = TEXT(dataset);
	r.lane = ELDERGATE__V1__LANE__LANE_LIVE;
	r.n_records = n;
	r.records = records;
	uint8_t *p = eg_buf_grow(out, eldergate__v1__submit_request__get_packed_size(&r));
	if (!p)
		bench_die("no memory for a batch");
	eldergate__v1__submit_request__pack(&r, p);
}
