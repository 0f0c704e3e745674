/* demo_mapping: the mapping files of the demo's three adapters, in the form of the shipped ones
 * (adapters/NAME/mapping.yaml).
 */
#include "cli/demo.h"

#include "cli/file.h"

enum {
	BATCH = 200,
	POLICE_BATCH = 10 /* small, to be in the middle of something when a program is killed */
};

/* Everything happens within seconds here: what usually waits for a minute waits for a moment. */
static const char head[] =
        "mapping: 1\n"
        "agency: %s\n"
        "dataset: %s\n"
        "section: %s\n"
        "gateway: {address: \"%s\", server_key: '%s', key_file: \"%s\", heartbeat: 300ms}\n"
        "state: %s.state\n"
        "agent: {batch_records: %d, in_flight: 4, linger: 10ms, status_interval: 20ms, "
        "backoff_least: 20ms, backoff_most: 100ms}\n";

static const char police[] =
        "connector: table\n"
        "source:\n"
        "  connection: \"%s\"\n"
        "  table: T_RK_ELDER\n"
        "  claim: flag                     # rows with EXCH_FLAG 0 are taken, and marked by the gateway's "
        "verdict\n"
        "  key: [ID]\n"
        "  flag: EXCH_FLAG                 # 0 new, 1 taken, 2 error\n"
        "  error_code: ERR_CODE            # why a row was refused\n"
        "  error_text: ERR_MSG             # what to do about it\n"
        "  retry: RETRY\n"
        "  version: [BBH]\n"
        "  poll: 50ms\n"
        "rows:\n"
        "  apply: [trim]\n"
        "  key: RYBH\n"
        "  version: BBH\n"
        "  operation: {column: OP, assert: [I, U], void: [D]}\n"
        "  event_time: {column: BGSJ, instant: auto}\n"
        "  require: [GMSFHM, XM]\n"
        "fields:\n"
        "  id_number: {column: GMSFHM, apply: [id_number]}\n"
        "  id_type: {constant: RESIDENT}\n"
        "  name: XM\n"
        "  sex: XB\n"
        "  ethnic_group: {column: MZ, apply: [{pad: {to: 2}}]}\n"
        "  birth_date: {column: CSRQ, date: YYYYMMDD}\n"
        "  marital_status: HYZK\n"
        "  household_number: HH\n"
        "  relation_to_head: YHZGX\n"
        "  address_region: SSXQ\n"
        "  address_text: {column: HJDZ, apply: [half_width, collapse_spaces]}\n"
        "  police_station_code: PCSBM\n"
        "  registration_status: {column: RYZT, empty: error,\n"
        "    codes: {'1': NORMAL, '2': MOVED_OUT, '3': CANCELLED_DEATH, '4': CANCELLED_OTHER, '5': "
        "RESTORED}}\n"
        "  moved_out_date: {column: QCRQ, date: YYYYMMDD}\n"
        "  death_date: {column: SWRQ, date: YYYYMMDD}\n"
        "  death_cancellation_date: {column: SWZXRQ, date: YYYYMMDD}\n"
        "outbound:                          # deaths that others reported, to verify; and those that were "
        "wrong\n"
        "  purpose: death-verification\n"
        "  kinds: [UPDATED, CORRECTED]\n"
        "  life: [SUSPECTED_DECEASED, DECEASED, ALIVE]\n"
        "  target: {connection: \"%s\", table: T_RK_DEATH_CLUE, event_id: EVENT_ID}\n"
        "  columns:\n"
        "    XSLX: {event: life_after, codes: {SUSPECTED_DECEASED: '1', DECEASED: '2', ALIVE: '9'}}\n"
        "    RYCKH: person_ref\n"
        "    GMSFHM: registration.id_number\n"
        "    XM: registration.name\n"
        "    SWRQ: {field: death_date, format: YYYYMMDD, empty: {use: '00000000'}}\n"
        "    LYJG: source_agency\n"
        "    TSSJ: {event: time, format: 'YYYY-MM-DD hh:mm:ss'}\n"
        "    CLZT: {constant: '0'}\n";

static const char assistance[] =
        "connector: file\n"
        "source:\n"
        "  inbox: \"%s\"\n"
        "  name: 'DIBAO_{as_of}_{sequence:3}_{kind}.csv'\n"
        "  control: .ctl\n"
        "  encoding: gb18030\n"
        "  settle: 200ms\n"
        "  poll: 50ms\n"
        "rows:\n"
        "  apply: [half_width, trim]\n"
        "  key: [户编号, 成员序号]\n"
        "  version: {column: 变更时间, instant: auto}\n"
        "  event_time: {column: 变更时间, instant: auto}\n"
        "  require: [姓名]\n"
        "fields:\n"
        "  id_number: {column: 身份证号, apply: [id_number]}\n"
        "  name: {column: 姓名, apply: [{replace: {from: '•', to: '·'}}]}\n"
        "  sex: {column: 性别, codes: {男: '1', 女: '2', 未知: '0'}, otherwise: {use: '9'}}\n"
        "  birth_date: {column: 出生日期, date: auto}\n"
        "  assistance_case_number: {column: 户编号, apply: [refuse_scientific]}\n"
        "  assistance_category: {column: 救助类别, otherwise: {use: OTHER},\n"
        "    codes: {城市低保: MINIMUM_LIVING, 低保边缘: MARGINAL, 特困集中供养: EXTREME_INSTITUTION,\n"
        "            特困分散供养: EXTREME_HOME, 刚性支出困难: RIGID_EXPENDITURE}}\n"
        "  assistance_local_category: 救助类别\n"
        "  member_relation: 与户主关系\n"
        "  care_level: {column: 自理能力, codes: {全自理: SELF_CARE, 半护理: HALF_CARE, 全护理: FULL_CARE}}\n"
        "  assistance_status: {column: 救助状态, codes: {在保: ACTIVE, 退保: STOPPED}, empty: error}\n"
        "  assistance_reason: {column: 停发原因, codes: {死亡: DEATH}, otherwise: {use: OTHER}}\n"
        "  assistance_begin_month: {column: 起始年月, month: auto}\n"
        "  assistance_end_month: {column: 终止年月, month: auto}\n"
        "  monthly_amount_fen: {column: 月保障金额, amount: yuan}\n"
        "  last_payment_month: {column: 最近发放年月, month: auto}\n"
        "list:                              # where a full list stands among the rows' versions: its date\n"
        "  as_of: {place: true, apply: [{split: {by: _, part: 2}}], date: YYYYMMDD}\n"
        "outbound:                          # deaths, to suspend payments; and those that were wrong, to "
        "resume\n"
        "  purpose: subsidy-check\n"
        "  kinds: [UPDATED, CORRECTED]\n"
        "  life: [SUSPECTED_DECEASED, DECEASED, ALIVE]\n"
        "  target: {outbox: \"%s\", name: 'SWTZ_{as_of}_{sequence:6}.csv', encoding: gb18030}\n"
        "  columns:\n"
        "    人员标识: person_ref\n"
        "    身份证号: registration.id_number\n"
        "    姓名: registration.name\n"
        "    建议措施: {event: life_after, codes: {SUSPECTED_DECEASED: 核查, DECEASED: 停发, ALIVE: 恢复}}\n"
        "    死亡日期: {field: death_date, empty: {use: 不详}}\n"
        "    来源: source_agency\n";

static const char funeral[] =
        "connector: http\n"
        "source:\n"
        "  url: http://127.0.0.1:%u/remains\n"
        "  plain_http: true                 # on this machine alone\n"
        "  query: ['cursor=${cursor}', 'size=${page_size}']\n"
        "  mode: cursor\n"
        "  paging: cursor\n"
        "  rows_path: /data/list\n"
        "  cursor_path: /data/next\n"
        "  more_path: /data/more\n"
        "  page_size: 200\n"
        "  code_path: /code\n"
        "  every: 50ms\n"
        "  rid: eldergate-demo\n"
        "  sid: remains-changes\n"
        "  sign: hmac-sha256\n"
        "  secret: {file: funeral.secret}\n"
        "rows:\n"
        "  apply: [trim]\n"
        "  key: [orgCode, remainsNo]\n"
        "  version: rowVersion\n"
        "  operation: {column: deleted, assert: ['0'], void: ['1'], otherwise: assert}\n"
        "  event_time: {column: updatedAt, instant: auto}\n"
        "  optional: [deleted, dead.cardType, dead.cardNo, dead.name, dead.sex, dead.birthday, dead.age, "
        "dead.deathTime,\n"
        "             dead.deathCertNo, dead.deathCertState, receivedAt, crematedAt, disposal, cert.no, "
        "cert.reissueOf]\n"
        "fields:\n"
        "  id_number: {column: dead.cardNo, apply: [id_number]}\n"
        "  id_type: {column: dead.cardType, codes: {'01': RESIDENT, '99': NONE}, otherwise: {use: OTHER}}\n"
        "  name: dead.name\n"
        "  sex: dead.sex\n"
        "  birth_date: dead.birthday\n"
        "  stated_age: {column: dead.age, otherwise: absent}\n"
        "  organisation_code: orgCode\n"
        "  remains_number: remainsNo\n"
        "  funeral_certificate_number: cert.no\n"
        "  funeral_certificate_reissue_of: cert.reissueOf\n"
        "  death_date: dead.deathTime\n"
        "  death_certificate_number: dead.deathCertNo\n"
        "  death_certificate_status: {column: dead.deathCertState, codes: {'1': VALID, '2': VOID, '3': "
        "REISSUED}}\n"
        "  received_time: receivedAt\n"
        "  cremation_time: crematedAt\n"
        "  disposal: {column: disposal, otherwise: absent,\n"
        "    codes: {'01': STORAGE, '02': CEMETERY, '03': ECOLOGICAL, '04': COLLECTED, '05': "
        "EARTH_BURIAL}}\n";

enum eg_rc demo_write_mapping(struct demo *d, unsigned agency, const char *path, struct eg_err *err)
{
	const struct demo_agency *a = &d->agencies[agency];
	char connection[DEMO_PATH];
	struct eg_buf text = {0};
	demo_connection(d, connection);
	eg_buf_printf(&text, head, a->name, a->dataset, eg_section_name(a->section), d->bus,
	              a->files.server_key, a->files.bus_key, a->name,
	              agency == POLICE ? POLICE_BATCH : BATCH);
	if (agency == POLICE)
		eg_buf_printf(&text, police, connection, connection);
	else if (agency == ASSISTANCE)
		eg_buf_printf(&text, assistance, d->inbox, d->outbox);
	else
		eg_buf_printf(&text, funeral, demo_peer_port(d->peer));
	enum eg_rc rc = text.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a mapping file")
	                            : file_make(path, eg_buf_bytes(&text), 0600, err);
	eg_buf_free(&text);
	return rc;
}
