/* commands: every noun and verb of `eldergate`, once: what it takes, what it does, how it is used. Help is
 * made of this. */
#include "cli/commands.h"

const struct option global_options[] = {
        {"server", "ADDRESS", "The gateway: unix:PATH or HOST:PORT (ELDERGATE_SERVER)", false},
        {"cert", "FILE", "Client certificate, PEM, for HOST:PORT (ELDERGATE_CERT)", false},
        {"key", "FILE", "Its private key, PEM (ELDERGATE_KEY)", false},
        {"ca", "FILE", "Authority of the server's certificate, PEM (ELDERGATE_CA)", false},
        {"server-name", "NAME",
         "The name in the server's certificate, if it is not HOST (ELDERGATE_SERVER_NAME)", false},
        {"purpose", "CODE", "Why data is read: a purpose of your grant (ELDERGATE_PURPOSE)", false},
        {"legal-basis", "TEXT", "Legal basis or case reference of this very read; it goes into the log",
         false},
        {"timeout", "SECONDS", "How long one call may take; 30 if not given", false},
        {"json", NULL, "JSON on standard output, one object a line", false},
        {"utc", NULL, "Show times in UTC instead of Asia/Shanghai", false},
        {"quiet", NULL, "No progress on standard error", false},
};
const unsigned n_global_options = sizeof global_options / sizeof *global_options;

#define DATA                                                                                                 \
	{                                                                                                    \
		"data", "DIR", "The daemon's data directory", true                                           \
	}
#define SELECTORS                                                                                            \
	{"ref", "PERSON", "Your reference of the person, 32 hexadecimal digits", false},                     \
	        {"source", "DATASET/KEY", "A record of your own", false},                                    \
	{                                                                                                    \
		"id-number-stdin", NULL,                                                                     \
		        "Read an ID number, and a name behind a comma if need be, from standard input",      \
		        false                                                                                \
	}
#define FILTERS                                                                                              \
	{"snapshot", NULL, "Begin with every person there is", false},                                       \
	        {"since", "TIME",                                                                            \
	         "Begin with changes committed at this time (2026-03-02T00:00:00Z) or later", false},        \
	        {"cursor", "FILE",                                                                           \
	         "Begin where FILE says, and keep FILE up to date; one that is not there yet is made",       \
	         false},                                                                                     \
	        {"life", "STATUS",                                                                           \
	         "Only persons who are or were ALIVE, SUSPECTED_DECEASED, DECEASED, DISPUTED or UNKNOWN",    \
	         false},                                                                                     \
	        {"region", "DIGITS", "Only persons whose registered address begins with this region code",   \
	         false},                                                                                     \
	        {"kind", "KIND", "Only changes of this kind: CREATED, UPDATED, CORRECTED, ...", false},      \
	{                                                                                                    \
		"field", "FIELD", "Only changes of this field, such as registration.address_region", false   \
	}

const struct command commands[] = {
        {
                .noun = "agency",
                .verb = "add",
                .arguments = "NAME",
                .at_least = 1,
                .at_most = 1,
                .brief = "give an agency, subscriber or operator its identity",
                .text = "Issues a key and a certificate from the gateway's own authority (made in DIR/ca at "
                        "the first use) and writes\n"
                        "the identity file NAME.yaml into identities.d, where the daemon finds what NAME may "
                        "do. What is not named\n"
                        "there is not permitted. Give the agency its key, its certificate and the "
                        "authority's certificate; the daemon\n"
                        "takes the new identity at its next start or SIGHUP.\n"
                        "With --bus it also gets a key for its adapter (NAME.curve), and the adapter's "
                        "gateway section is printed.\n"
                        "With --uid the identity is a local user over the Unix socket, and no certificate is "
                        "issued.",
                .examples = "eldergate agency add police-wenzhou --data /var/lib/eldergate --dataset "
                            "registration:registration \\\n"
                            "    --bus tcp://gateway.example:7444\n"
                            "eldergate agency add platform --data /var/lib/eldergate --role subscriber \\\n"
                            "    --read care=registration.name,registration.address_region --basis 'Elder "
                            "care service, art. 7'\n"
                            "eldergate agency add auditor --data /var/lib/eldergate --role auditor --uid "
                            "$(id -u audit)",
                .run = agency_add,
                .options =
                        {DATA,
                         {"config-dir", "DIR", "Where identities.d is; the data directory if not given",
                          false},
                         {"out", "DIR", "Where key and certificate go; DATA/agencies if not given", false},
                         {"dataset", "NAME:SECTION",
                          "A dataset it may submit (repeat): registration, assistance, funeral, care", false},
                         {"role", "ROLE",
                          "agency, subscriber, operator, auditor or admin (repeat); agency if it submits "
                          "datasets",
                          false},
                         {"read", "PURPOSE[=FIELD,...]",
                          "What it may read for a purpose (repeat); life status is always given; "
                          "`entries`: log entries, whole",
                          false},
                         {"basis", "TEXT", "Legal basis of the purposes", false},
                         {"until", "DATE", "Last day of the purposes", false},
                         {"rhythm", "TIME", "The datasets are expected this often, such as 1d", false},
                         {"deaths-first", NULL, "The datasets ride the lane of deaths", false},
                         {"bus", "ADDRESS",
                          "Also a key for its adapter, which finds the gateway's bus at tcp://HOST:PORT or "
                          "ipc:///PATH",
                          false},
                         {"uid", "NUMBER", "A local user instead of a certificate", false},
                         {"days", "DAYS", "How long the certificate is good; 730 if not given", false}},
        },
        {
                .noun = "agency",
                .verb = "test",
                .arguments = "",
                .brief = "try an agency's way to the gateway with a record of which nothing is kept",
                .text = "Tries address, connection, identity, dataset and, with --purpose, the right to "
                        "read, in "
                        "this order, and says of the\n"
                        "first that fails why, and what to do. The record is made up, and the gateway only "
                        "tells "
                        "what it would do with it:\n"
                        "no person, no log entry, no event comes of it (a refusal, and the read of "
                        "--purpose, are "
                        "logged as always).\n"
                        "With --bus it goes the way of an adapter.",
                .examples =
                        "eldergate agency test --dataset registration\n"
                        "eldergate agency test --dataset household --section registration --purpose "
                        "subsidy-check\n"
                        "eldergate agency test --dataset registration --bus tcp://gateway.example:7444 \\\n"
                        "    --server-key 'rq:rM>}U?@Lns47E...' --key-file police.curve",
                .run = agency_test,
                .options = {{"dataset", "NAME", "The dataset that is tried", true},
                            {"section", "SECTION",
                             "registration, assistance, funeral or care, if the dataset is not named so",
                             false},
                            {"bus", "ADDRESS", "Over the bus: tcp://HOST:PORT or ipc:///PATH", false},
                            {"server-key", "KEY", "The gateway's public key on the bus", false},
                            {"key-file", "FILE", "The adapter's own key pair", false}},
        },
        {
                .noun = "server",
                .verb = "certificate",
                .arguments = "[NAME,...]",
                .at_most = 1,
                .brief = "issue the daemon's own certificate",
                .text = "Issues a key and a certificate for the daemon from its own authority in DIR/ca. "
                        "NAME,... are the DNS names and\n"
                        "IP addresses under which agencies reach it; localhost,127.0.0.1 if not given. "
                        "Prints the settings to copy.",
                .examples = "eldergate server certificate gateway.example,10.0.0.5 --data /var/lib/eldergate",
                .run = server_certificate,
                .options = {DATA,
                            {"out", "DIR", "Where key and certificate go; DATA/server if not given", false},
                            {"days", "DAYS", "How long the certificate is good; 730 if not given", false}},
        },
        {
                .noun = "server",
                .verb = "key",
                .arguments = "",
                .brief = "print the daemon's public key on the bus",
                .text = "What adapters need as server_key. Its pair is DIR/bus.key, made at the first start "
                        "of "
                        "the daemon or here.",
                .examples = "eldergate server key --data /var/lib/eldergate",
                .run = server_key,
                .options = {DATA},
        },
        {
                .noun = "population",
                .verb = "generate",
                .arguments = "",
                .brief = "make up elders with all the faults of real data",
                .text = "Writes one CSV file per dataset, in the form that `eldergate submit` takes, and "
                        "ground-truth.json, which says\n"
                        "what a gateway should make of them. The same seed gives the same files. Nobody in "
                        "them is real: names are\n"
                        "drawn from lists of common and rare characters, numbers are valid in form only.",
                .examples = "eldergate population generate --persons 10000 --seed 7 --out /tmp/elders",
                .run = population_generate,
                .options = {{"persons", "N",
                             "How many elders; the police know all, other agencies their real shares", false},
                            {"each", "N", "Instead: every agency knows N elders, in part the same ones",
                             false},
                            {"seed", "NUMBER", "Where the random numbers begin; 1 if not given", false},
                            {"faults", "FACTOR",
                             "So many times as many faults as real data has; 1 if not given", false},
                            {"out", "DIR", "Where the files go; made if it is not there", true}},
        },
        {
                .noun = "submit",
                .verb = "",
                .arguments = "FILE...",
                .at_least = 1,
                .at_most = ARGUMENTS_MAX,
                .brief = "send records of a dataset from CSV files",
                .text = "The first line of a file names its columns: source_key and version; "
                        "mapping_revision, operation (ASSERT or\n"
                        "VOID), event_time, valid_from, valid_to, cleared_fields (names with spaces "
                        "between); and fields of the\n"
                        "dataset's section, such as id_number. `eldergate fields SECTION` lists those. "
                        "Quoting is RFC 4180, the\n"
                        "character set UTF-8, with or without a byte order mark. An empty cell asserts "
                        "nothing. Times without a zone are\n"
                        "Asia/Shanghai. Files are read through before anything is sent: a fault names "
                        "file:line:column. - is standard\n"
                        "input, which is sent as it is read.\n"
                        "Sending again is safe at any time: what the gateway has is UNCHANGED. When the "
                        "connection breaks, what has no\n"
                        "receipt is sent again.",
                .examples =
                        "eldergate submit registration.csv --dataset registration --section registration\n"
                        "eldergate submit deaths.csv --dataset remains --section funeral --lane urgent",
                .run = submit,
                .options = {{"dataset", "NAME", "The dataset, one that you may submit", true},
                            {"section", "SECTION",
                             "registration, assistance, funeral or care; if not given, the dataset's name "
                             "says it",
                             false},
                            {"batch", "RECORDS", "Records of a batch, 1 to 1000; 200 if not given", false},
                            {"in-flight", "BATCHES", "Batches without a receipt, 1 to 256; 8 if not given",
                             false},
                            {"lane", "LANE", "urgent, live or bulk; the gateway decides if not given", false},
                            {"batch-id", "TEXT",
                             "What batch names begin with, so that the log shows it; the file's name if not "
                             "given",
                             false},
                            {"strict", NULL, "Exit 65 if a record was quarantined", false}},
        },
        {
                .noun = "reconcile",
                .verb = "",
                .arguments = "FILE...",
                .at_least = 1,
                .at_most = ARGUMENTS_MAX,
                .brief = "send a full list of a dataset: what is new applies, what it lacks is withdrawn",
                .text = "The files together are one list: what the source holds at the position --as-of of "
                        "its order, the order of its\n"
                        "versions. They are as `eldergate submit` takes them, but the column version may be "
                        "left out: then the list's\n"
                        "position is the version. Keys of the dataset that the list covers and does not hold "
                        "are withdrawn, if what stands\n"
                        "of them is older. More than a few percent of them wait for a reviewer: `eldergate "
                        "case list --kind list_shrink`.\n"
                        "Sending a list again is safe. A list that breaks off has no effect at all. Once it "
                        "was received it goes on by\n"
                        "itself, whatever becomes of this command; `eldergate status` shows how far it is.",
                .examples =
                        "eldergate reconcile registration.csv --dataset registration --as-of 20260301 "
                        "--dry-run\n"
                        "eldergate reconcile lucheng.csv --dataset registration --as-of 20260301 --region "
                        "330302",
                .run = reconcile,
                .options =
                        {{"dataset", "NAME", "The dataset, one that you may submit", true},
                         {"section", "SECTION",
                          "registration, assistance, funeral or care; if not given, the dataset's name "
                          "says it",
                          false},
                         {"as-of", "POSITION", "Where in its order the list was taken", true},
                         {"taken-at", "TIME",
                          "When it was taken at the source, such as 2026-03-02T08:00:00+08:00: for the lag "
                          "of the dataset alone",
                          false},
                         {"region", "DIGITS",
                          "The list covers only regions that begin so (repeat); all if not given", false},
                         {"mapping-revision", "NUMBER", "Of rows that state none", false},
                         {"list-id", "TEXT",
                          "The list's name, so that the log shows it; the file's name and the position if "
                          "not given",
                          false},
                         {"dry-run", NULL, "Only tell what it would do", false},
                         {"strict", NULL, "Exit 65 if a record was quarantined", false}},
        },
        {
                .noun = "fields",
                .verb = "",
                .arguments = "[SECTION]",
                .at_most = 1,
                .brief = "list the columns that a CSV file of a section may have",
                .text = "Codes are those of the national standards; names of enumerations are written "
                        "without their prefix, such as\n"
                        "CANCELLED_DEATH. Dates may be imprecise: 1949, 1949-10, 1949-10-01.",
                .examples = "eldergate fields funeral",
                .run = fields,
        },
        {
                .noun = "rejects",
                .verb = "list",
                .arguments = "",
                .brief = "list your records that were quarantined",
                .text = "Which record, which field, why, and what to do about it.",
                .examples = "eldergate rejects list --dataset registration\neldergate rejects list --state "
                            "corrected --json",
                .run = rejects_list,
                .options = {{"dataset", "NAME", "Only this dataset", false},
                            {"state", "STATE", "open, corrected or decided; open if not given", false},
                            {"max", "N", "At most this many; all if not given", false}},
        },
        {
                .noun = "rejects",
                .verb = "show",
                .arguments = "SEQ",
                .at_least = 1,
                .at_most = 1,
                .brief = "show one of them",
                .text = "SEQ is the number that `rejects list` and the receipt show.",
                .examples = "eldergate rejects show 1047",
                .run = rejects_show,
        },
        {
                .noun = "rejects",
                .verb = "correct",
                .arguments = "FILE",
                .at_least = 1,
                .at_most = 1,
                .brief = "send corrected rows in place of quarantined ones",
                .text = "FILE is CSV as for `submit`. Each row closes the newest open reject of its "
                        "source_key that has this version or\n"
                        "an older one. Simply submitting a newer version does the same; this also replaces "
                        "the content of the very\n"
                        "version that was quarantined.",
                .examples = "eldergate rejects correct corrected.csv --dataset registration",
                .run = rejects_correct,
                .options = {{"dataset", "NAME", "The dataset", true},
                            {"section", "SECTION",
                             "registration, assistance, funeral or care; if not given, the dataset's name "
                             "says it",
                             false}},
        },
        {
                .noun = "elder",
                .verb = "get",
                .arguments = "",
                .brief = "show one elder, as far as your purpose allows",
                .text = "Each field comes with who said so, when that happened there, and why it was chosen "
                        "over others. The read is in\n"
                        "the log before the answer is here. An ID number is never given on the command line, "
                        "which other users and the\n"
                        "shell's history see: it is read from standard input.",
                .examples = "eldergate elder get --source registration/A-1047 --purpose subsidy-check "
                            "--legal-basis 'case 2026-17'\n"
                            "eldergate elder get --id-number-stdin --purpose subsidy-check <question.txt",
                .run = elder_get,
                .options = {SELECTORS,
                            {"field", "FIELD",
                             "Only this field (repeat); one that your purpose does not allow is an error",
                             false}},
        },
        {
                .noun = "life-status",
                .verb = "check",
                .arguments = "",
                .brief = "ask whether persons live, and nothing else",
                .text = "Each line of FILE is a person's reference, or DATASET/KEY of a record of your own; "
                        "with --id-numbers each line\n"
                        "is an ID number, and a name behind a comma where need be. - is standard input.",
                .examples = "eldergate life-status check --file refs.txt --purpose subsidy-check",
                .run = life_status_check,
                .options = {{"file", "FILE", "Whom to ask about, one a line", true},
                            {"id-numbers", NULL, "The lines are ID numbers", false}},
        },
        {
                .noun = "subscribe",
                .verb = "",
                .arguments = "",
                .brief = "follow the changes, decoded, as they happen",
                .text = "One line per change. With --cursor FILE it goes on where it stopped, and FILE is "
                        "written after the changes it\n"
                        "covers, so a consumer of --json loses nothing. A connection that breaks is made "
                        "anew.",
                .examples = "eldergate subscribe --snapshot --purpose care --cursor care.cursor --json\n"
                            "eldergate subscribe --purpose care --life SUSPECTED_DECEASED --region 3303",
                .run = subscribe,
                .options = {FILTERS,
                            {"count", "N", "End after this many changes and persons", false},
                            {"until-live", NULL, "End when there is nothing more for now", false},
                            {"progress", NULL, "Show how far the feed is, too", false}},
        },
        {
                .noun = "changes",
                .verb = "list",
                .arguments = "",
                .brief = "the same, page by page, for callers that poll",
                .text = "Lists changes and ends at the newest one. With --cursor FILE the next call goes on "
                        "there.",
                .examples = "eldergate changes list --since 2026-03-02T00:00:00Z --purpose care",
                .run = changes_list,
                .options = {FILTERS, {"max", "N", "At most this many; all if not given", false}},
        },
        {
                .noun = "log",
                .verb = "search",
                .arguments = "",
                .brief = "find entries of the exchange log by their headers",
                .text = "Headers say who did what, when, why and with which outcome, and hold no personal "
                        "data.",
                .examples = "eldergate log search --agency police-wenzhou --outcome QUARANTINED\n"
                            "eldergate log search --kind QUERY --from 2026-03-01T00:00:00Z",
                .run = log_search,
                .options =
                        {{"after", "SEQ", "Entries after this one", false},
                         {"to", "SEQ", "Entries up to this one", false},
                         {"from", "TIME", "Committed at this time or later", false},
                         {"before", "TIME", "Committed before this time", false},
                         {"kind", "KIND",
                          "START, CHANGE, EFFECT, UNCHANGED, STALE, QUARANTINE, REFUSAL, QUERY, ... (repeat)",
                          false},
                         {"agency", "NAME", "Of this agency or subscriber", false},
                         {"operator", "NAME", "By this identity", false},
                         {"dataset", "NAME", "Of this dataset", false},
                         {"batch", "TEXT", "Of this batch", false},
                         {"outcome", "OUTCOME",
                          "APPLIED, UNCHANGED, STALE, QUARANTINED, REFUSED, ANSWERED or DECIDED", false},
                         {"reason", "REASON", "With this reason, such as ID_CHECK_DIGIT", false},
                         {"for-purpose", "CODE", "Reads for this purpose", false},
                         {"max", "N", "At most this many; 100 if not given", false}},
        },
        {
                .noun = "log",
                .verb = "show",
                .arguments = "SEQ",
                .at_least = 1,
                .at_most = 1,
                .brief = "show one entry, and what its leaf is made of",
                .text = "With --open the sealed parts are opened, which holds personal data: it needs a "
                        "purpose, and is logged.",
                .examples = "eldergate log show 1234\neldergate log show 1234 --open --purpose audit "
                            "--legal-basis 'audit 2026-3'",
                .run = log_show,
                .options = {{"open", NULL, "Open the sealed parts", false}},
        },
        {
                .noun = "log",
                .verb = "proof",
                .arguments = "SEQ",
                .at_least = 1,
                .at_most = 1,
                .brief = "fetch and check the proof that an entry is in the log",
                .text = "Checks the audit path and, with --vkey, the checkpoint's signature. --out keeps the "
                        "C2SP tlog-proof file, which\n"
                        "tools of others verify, too.",
                .examples = "eldergate log proof 1234 --vkey \"$(cat log.vkey)\" --out 1234.tlog-proof",
                .run = log_proof,
                .options = {{"size", "SIZE", "Of the tree: that of a checkpoint; the newest if not given",
                             false},
                            {"vkey", "KEY", "The log's verifier key", false},
                            {"out", "FILE", "Where the proof goes", false}},
        },
        {
                .noun = "log",
                .verb = "consistency",
                .arguments = "FILE",
                .at_least = 1,
                .at_most = 1,
                .brief = "check that the log still begins with a checkpoint you kept",
                .text = "FILE is a checkpoint that `log checkpoint` wrote once. Nothing before it was "
                        "rewritten if this ends well.",
                .examples = "eldergate log consistency kept.checkpoint --vkey KEY",
                .run = log_consistency,
                .options = {{"vkey", "KEY", "The log's verifier key", false}},
        },
        {
                .noun = "log",
                .verb = "checkpoint",
                .arguments = "",
                .brief = "fetch the newest checkpoint: a signed statement of size and root",
                .text = "Keep checkpoints where the gateway's operators can't reach them: later ones must be "
                        "consistent with them.",
                .examples = "eldergate log checkpoint --vkey KEY --out $(date +%F).checkpoint",
                .run = log_checkpoint,
                .options = {{"vkey", "KEY", "The log's verifier key", false},
                            {"out", "FILE", "Where the checkpoint goes", false}},
        },
        {
                .noun = "log",
                .verb = "verify",
                .arguments = "",
                .brief = "recompute the whole log from a data directory, offline",
                .text = "Reads the data directory without changing a byte of it: every leaf, tile, root and "
                        "signature, every sealed part\n"
                        "against its commitment, the chain of each person, the effective claims against the "
                        "log, and each view computed\n"
                        "from its claims. Stop the daemon first, or verify a backup. The first wrong entry "
                        "is named; exit status 70.",
                .examples = "eldergate log verify --data /backup/eldergate\n"
                            "eldergate log verify --data /backup/eldergate --checkpoint kept.checkpoint "
                            "--vkey KEY",
                .run = log_verify,
                .options = {DATA,
                            {"root-key", "FILE", "The root key; DIR/root.key if not given", false},
                            {"vkey", "KEY",
                             "The verifier key that checkpoints must fit; the data's own if not given",
                             false},
                            {"checkpoint", "FILE",
                             "A checkpoint that was kept: the log must still begin with it", false}},
        },
        {
                .noun = "log",
                .verb = "key",
                .arguments = "",
                .brief = "print the log's verifier key from a data directory",
                .text = "The public key that checkpoints are signed with, in the form of C2SP signed notes. "
                        "Hand it to auditors once. Stop the daemon first, or ask a backup.",
                .examples = "eldergate log key --data /var/lib/eldergate >log.vkey",
                .run = log_key,
                .options = {DATA,
                            {"root-key", "FILE", "The root key; DIR/root.key if not given", false},
                            {"origin", "TEXT", "The daemon's writer.origin, if that was set", false}},
        },
        {
                .noun = "case",
                .verb = "list",
                .arguments = "",
                .brief = "list what the gateway can't decide by itself",
                .text = "Oldest first.",
                .examples = "eldergate case list --kind LIFE_DISPUTED",
                .run = case_list,
                .options =
                        {{"kind", "KIND",
                          "VERSION_CONFLICT, DOUBLE_REGISTRATION, NUMBER_SHARED, AMBIGUOUS_KEY, ... (repeat)",
                          false},
                         {"state", "STATE", "open or closed; open if not given", false},
                         {"max", "N", "At most this many; all if not given", false}},
        },
        {
                .noun = "case",
                .verb = "show",
                .arguments = "CASE",
                .at_least = 1,
                .at_most = 1,
                .brief = "show a case with its parties",
                .text = "With a purpose the parties' fields are shown as far as it allows. The read is "
                        "logged.",
                .examples = "eldergate case show 9f86d081884c7d659a2feaa0c55ad015 --purpose review",
                .run = case_show,
        },
        {
                .noun = "case",
                .verb = "resolve",
                .arguments = "CASE",
                .at_least = 1,
                .at_most = 1,
                .brief = "decide a case",
                .text = "Exactly one of --link, --apart, --uphold, --approve and --refuse. A decision is a "
                        "claim like any other: "
                        "it is logged, and a later one\n"
                        "may revise it.",
                .examples =
                        "eldergate case resolve 9f86d081884c7d659a2feaa0c55ad015 --apart --note 'two men, "
                        "papers seen'\n"
                        "eldergate case resolve 9f86d081884c7d659a2feaa0c55ad015 --link --party 1 --party 2\n"
                        "eldergate case resolve 9f86d081884c7d659a2feaa0c55ad015 --uphold "
                        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
                .run = case_resolve,
                .options = {{"link", NULL, "The parties are one person", false},
                            {"apart", NULL, "The parties are different persons", false},
                            {"uphold", "DIGEST", "This one of two contents stands", false},
                            {"approve", NULL, "What a full list lacks is withdrawn", false},
                            {"refuse", NULL, "What a full list lacks stays as it is", false},
                            {"party", "NUMBER", "A party that is meant (repeat); all if not given", false},
                            {"person", "PERSON", "Whom the parties are, too: your reference", false},
                            {"note", "TEXT", "Why; kept sealed", false}},
        },
        {
                .noun = "status",
                .verb = "",
                .arguments = "",
                .brief = "show how the gateway, its datasets and its readers stand",
                .text = "Head and checkpoint of the log, lag of each dataset against its rhythm, how far "
                        "Kafka is, what waits.",
                .examples = "eldergate status\neldergate status --json",
                .run = status,
        },
        {
                .noun = "demo",
                .verb = "",
                .arguments = "",
                .brief = "see it all work, on this machine, in a few seconds",
                .text = "Starts a gateway and a development broker in a temporary directory and tells a "
                        "story: three agencies with\n"
                        "adapters on their table, files and interface, faulty data, a subscriber, a death, a "
                        "correction, full lists,\n"
                        "kill -9, Kafka, proofs. Every number that it prints was measured and checked; the "
                        "last line is `demo: ok`, or the exit status is 1.",
                .examples = "eldergate demo\neldergate demo --keep /tmp/demo",
                .run = demo,
                .options = {{"keep", "DIR", "Work in DIR, and leave it there", false},
                            {"elders", "N", "Elders that each agency knows; 1000 if not given", false},
                            {"seed", "NUMBER", "Of the population; 20260302 if not given", false}},
        },
        {
                .noun = "completion",
                .verb = "",
                .arguments = "bash",
                .at_least = 1,
                .at_most = 1,
                .brief = "print what makes the shell complete these commands",
                .text = "`make install` puts it where bash looks for it. Anybody else loads it from "
                        "~/.bashrc. It is for bash alone: zsh's bashcompinit does not run it.",
                .examples = "eldergate completion bash >~/.eldergate-completion\n"
                            "echo '. ~/.eldergate-completion' >>~/.bashrc",
                .run = shell_completion,
        },
};
const unsigned n_commands = sizeof commands / sizeof *commands;
