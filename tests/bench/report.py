"""report: medians and ratios of the rounds, and the table that shows them beside their goals."""
import collections
import statistics

from goals import RATIO, least, least_ratio, most, most_ratio


class Row(collections.namedtuple("Row", "label path how over goal", defaults=(None, None))):
    """A label, the path of the figure in a round, how it is told, the path of what the ratio divides (None: no ratio),
    the goal. The ratio is the gateway's figure by this row's: over 1 is more records, or more time."""

    def name(self):
        return (".".join(self.over) + " / " if self.over else "") + ".".join(self.path)


CHANGED = ("gateway", "changed", "rate")
UNCHANGED = ("gateway", "unchanged", "rate")
MB = 10**6
FULL = ("full",)
CITY = ("scale", "city")
PROVINCE = ("scale", "province")
TABLE = tuple((title, tuple(Row(*row) for row in rows)) for title, rows in (
    ("changed records/s, durable, {persons:,} persons in random order", (
        ("gateway, gRPC Submit, {streams} streams × {batch}", CHANGED, "count", None),
        ("the same rows into the store alone", ("store", "rate"), "count", CHANGED, least_ratio(0.6)),
        ("the same bytes, fdatasync each {commit} records", ("disk", "rate"), "count", CHANGED),
        ("PostgreSQL, a transaction per record", ("postgres", "record", "rate"), "count", CHANGED, least_ratio(5)),
        ("PostgreSQL, sets of {postgres_batch} by UNNEST", ("postgres", "batch", "rate"), "count", CHANGED))),
    ("new records/s, durable", (
        ("gateway", ("gateway", "new", "rate"), "count", None),
        ("the same rows into the store alone", ("store", "new_rate"), "count", ("gateway", "new", "rate")))),
    ("unchanged records/s (everything resent)", (
        ("gateway", UNCHANGED, "count", None, least(100000)),
        ("PostgreSQL, sets of {postgres_batch} by UNNEST", ("postgres", "batch", "unchanged", "rate"), "count", UNCHANGED))),
    ("records/s of a full list, from its first byte to its report", (
        ("gateway, gRPC Reconcile, nothing changed", ("lists", "none", "rate"), "count", None, least(250000)),
        ("  1 % changed", ("lists", "few", "rate"), "count", None),
        ("  all changed", ("lists", "all", "rate"), "count", None),
        ("  all new", ("lists", "new", "rate"), "count", None))),
    ("a city's full list: rows/s of {list_persons:,}, to the report", (
        ("gateway, gRPC Reconcile, nothing changed", FULL + ("none", "rate"), "count", None, least(250000)),
        ("  1 % changed", FULL + ("few", "rate"), "count", None),
        ("  1 % changed, beside {live_rate} single records/s", FULL + ("few_live", "rate"), "count", None),
        ("  all new", FULL + ("new", "rate"), "count", None),
        ("gateway, GB18030 file by eldergate-police", FULL + ("file", "rate"), "count", None),
        ("PostgreSQL, COPY, upsert, anti-join, 1 % changed", FULL + ("postgres", "few", "rate"), "count",
         FULL + ("few", "rate")),
        ("  its COPY alone", FULL + ("postgres", "few", "copy_rate"), "count", FULL + ("few", "rate")),
        ("  all new", FULL + ("postgres", "new", "rate"), "count", FULL + ("new", "rate")))),
    ("the same list, all changed: rows/s", (
        ("gateway, gRPC Reconcile beside {live_rate} single records/s", FULL + ("all", "rate"), "count", None),
        ("PostgreSQL, COPY, upsert, anti-join", FULL + ("postgres", "all", "rate"), "count", FULL + ("all", "rate")),
        ("PostgreSQL, a transaction per record, {persons:,} persons", FULL + ("postgres", "record", "rate"), "count",
         FULL + ("all", "rate")))),
    ("decoding of the list's file alone, rows/s, best of a few", (
        ("adapters' decoding, cells and all", FULL + ("decoding", "rate"), "count", None),
        ("iconv | wc -l (two processes)", FULL + ("decoding", "iconv_rate"), "count", FULL + ("decoding", "rate")))),
    ("submit → receipt of single records, {live_rate}/s, while the list is under way", (
        ("1 % changed, p50", FULL + ("live_few", "p50_us"), "time", None),
        ("1 % changed, p99", FULL + ("live_few", "p99_us"), "time", None),
        ("all changed, p50", FULL + ("live_all", "p50_us"), "time", None),
        ("all changed, p99", FULL + ("live_all", "p99_us"), "time", None))),
    ("most memory resident over the list", (
        ("gateway, gRPC Reconcile", FULL + ("peak", "resident"), "bytes", None),
        ("  without its store.cache", FULL + ("peak", "beside_cache"), "bytes", None),
        ("gateway, from the adapter", FULL + ("file", "daemon", "resident"), "bytes", None),
        ("  without its store.cache", FULL + ("file", "daemon", "beside_cache"), "bytes", None),
        ("eldergate-police", FULL + ("file", "resident"), "bytes", None))),
    ("cost of a row of the list", (
        ("1 % changed, gRPC Reconcile: CPU-seconds per million rows", FULL + ("few", "cpu_s_per_million"), "real", None),
        ("  its sender", FULL + ("few", "sender_cpu_s_per_million"), "real", None),
        ("1 % changed, from the file: gateway", FULL + ("file", "cpu_s_per_million"), "real", None),
        ("  eldergate-police", FULL + ("file", "adapter_cpu_s_per_million"), "real", None),
        ("1 % changed: PostgreSQL", FULL + ("postgres", "few", "cpu_s_per_million"), "real", FULL + ("few", "cpu_s_per_million")),
        ("all changed: CPU-seconds per million rows", FULL + ("all", "cpu_s_per_million"), "real", None),
        ("  PostgreSQL", FULL + ("postgres", "all", "cpu_s_per_million"), "real", FULL + ("all", "cpu_s_per_million")),
        ("all changed: bytes to files per row, own calls", FULL + ("all", "file_bytes_per_record"), "count", None),
        ("  PostgreSQL", FULL + ("postgres", "all", "file_bytes_per_record"), "count",
         FULL + ("all", "file_bytes_per_record")))),
    ("submit → receipt at {rate} records/s, batches of one", (
        ("gateway, p50", ("gateway", "latency", "p50_us"), "time", None),
        ("gateway, p99", ("gateway", "latency", "p99_us"), "time", None),
        ("bare fdatasync of 4 KiB, p50", ("fsync", "p50_us"), "time", ("gateway", "latency", "p50_us")),
        ("bare fdatasync of 4 KiB, p99", ("fsync", "p99_us"), "time", ("gateway", "latency", "p99_us"),
         most_ratio(5)))),
    ("commit → seen by a read_committed consumer", (
        ("gateway, {slow_rate} records/s, p50", ("kafka", "single", "p50_us"), "time", None),
        ("gateway, {slow_rate} records/s, p99", ("kafka", "single", "p99_us"), "time", None),
        ("a transaction of the mark alone, p50", ("kafka", "mark", "p50_us"), "time", ("kafka", "single", "p50_us"),
         most_ratio(2)),
        ("a transaction of the mark alone, p99", ("kafka", "mark", "p99_us"), "time", ("kafka", "single", "p99_us")),
        ("a bare producer of as many events and states, p50", ("kafka", "single", "bare", "p50_us"), "time",
         ("kafka", "single", "p50_us")),
        ("gateway, {rate} records/s, p50", ("kafka", "loaded", "p50_us"), "time", None),
        ("gateway, {rate} records/s, p99", ("kafka", "loaded", "p99_us"), "time", None),
        ("a transaction of the mark alone, p50", ("kafka", "loaded", "mark", "p50_us"), "time", ("kafka", "loaded", "p50_us"),
         most_ratio(2)),
        ("a bare producer of as many events and states, p50", ("kafka", "loaded", "bare", "p50_us"), "time",
         ("kafka", "loaded", "p50_us")))),
    ("CPU-seconds per million changed records", (
        ("gateway", ("gateway", "changed", "cpu_s_per_million"), "real", None),
        ("  its sender", ("gateway", "changed", "sender_cpu_s_per_million"), "real", None),
        ("  gateway, unchanged records", ("gateway", "unchanged", "cpu_s_per_million"), "real", None),
        ("  gateway, a full list with 1 % changed", ("lists", "few", "cpu_s_per_million"), "real", None),
        ("store alone", ("store", "cpu_s_per_million"), "real", ("gateway", "changed", "cpu_s_per_million")),
        ("PostgreSQL, a transaction per record", ("postgres", "record", "cpu_s_per_million"), "real",
         ("gateway", "changed", "cpu_s_per_million")),
        ("  its sender", ("postgres", "record", "sender_cpu_s_per_million"), "real", None),
        ("PostgreSQL, sets", ("postgres", "batch", "cpu_s_per_million"), "real",
         ("gateway", "changed", "cpu_s_per_million")))),
    ("events/s of a relay that has a backlog of {persons:,}", (
        ("gateway", ("kafka", "backlog", "relay", "rate"), "count", None),
        ("a bare transactional producer, the same messages from memory", ("kafka", "backlog", "bare", "rate"), "count",
         ("kafka", "backlog", "relay", "rate"), least_ratio(0.7)))),
    ("CPU-seconds per million records at {rate}/s with Kafka, by process", (
        ("gateway", ("kafka", "loaded", "cpu_s_per_million"), "real", None),
        ("  the broker", ("kafka", "loaded", "broker_cpu_s_per_million"), "real", None),
        ("  the sender", ("kafka", "loaded", "sender_cpu_s_per_million"), "real", None),
        ("  the consumer", ("kafka", "loaded", "consumer_cpu_s_per_million"), "real", None))),
    ("the same, per million events of a backlog", (
        ("gateway", ("kafka", "backlog", "relay", "cpu_s_per_million"), "real", None),
        ("  the broker", ("kafka", "backlog", "relay", "broker_cpu_s_per_million"), "real", None),
        ("  the consumer", ("kafka", "backlog", "relay", "consumer_cpu_s_per_million"), "real", None),
        ("a bare transactional producer", ("kafka", "backlog", "bare", "cpu_s_per_million"), "real",
         ("kafka", "backlog", "relay", "cpu_s_per_million")))),
    ("changed records/s in a store of {scale_persons:,} persons", (
        ("gateway", CITY + ("changed", "rate"), "count", None),
        ("the same rows into the store alone", CITY + ("store", "rate"), "count", CITY + ("changed", "rate"), least_ratio(0.6)),
        ("PostgreSQL, a transaction per record, {sample_seconds} s of each run", CITY + ("postgres", "rate"), "count",
         CITY + ("changed", "rate"), least_ratio(5)),
        ("gateway, {persons:,} persons", CITY + ("small", "rate"), "count", CITY + ("changed", "rate")))),
    ("the same in a store of {large_persons:,} persons", (
        ("gateway", PROVINCE + ("changed", "rate"), "count", None),
        ("gateway, {scale_persons:,} persons", CITY + ("changed", "rate"), "count", PROVINCE + ("changed", "rate")),
        ("gateway, {persons:,} persons", CITY + ("small", "rate"), "count", PROVINCE + ("changed", "rate"),
         least_ratio(0.7)))),
    ("subscribers by gRPC, {scale_persons:,} persons", (
        ("persons/s of a snapshot, until it is at the head", CITY + ("snapshot", "rate"), "count", None,
         least(200000)),
        ("commit → subscriber at {rate} events/s, p50", CITY + ("one", "feed", "p50_us"), "time", None),
        ("  p99", CITY + ("one", "feed", "p99_us"), "time", None, most(10000)),
        ("  {subscribers} subscribers, p50", CITY + ("many", "feed", "p50_us"), "time", None),
        ("  {subscribers} subscribers, p99", CITY + ("many", "feed", "p99_us"), "time", None),
        ("submit → receipt beside {subscribers} subscribers, p50", CITY + ("many", "p50_us"), "time", None),
        ("  each with a filter of its own, p50", CITY + ("apart", "p50_us"), "time", CITY + ("many", "p50_us")),
        ("  with one, p50", CITY + ("one", "p50_us"), "time", CITY + ("many", "p50_us")),
        ("  with none, p50", CITY + ("alone", "p50_us"), "time", CITY + ("many", "p50_us"), most_ratio(1.2)),
        ("submit → receipt beside {subscribers} subscribers, p99", CITY + ("many", "p99_us"), "time", None),
        ("  with one, p99", CITY + ("one", "p99_us"), "time", CITY + ("many", "p99_us")),
        ("  with none, p99", CITY + ("alone", "p99_us"), "time", CITY + ("many", "p99_us")))),
    ("CPU-seconds per million records at {rate}/s, by process", (
        ("gateway, {subscribers} subscribers", CITY + ("many", "cpu_s_per_million"), "real", None),
        ("  each with a filter of its own", CITY + ("apart", "cpu_s_per_million"), "real", CITY + ("many", "cpu_s_per_million")),
        ("  one subscriber", CITY + ("one", "cpu_s_per_million"), "real", CITY + ("many", "cpu_s_per_million")),
        ("  none", CITY + ("alone", "cpu_s_per_million"), "real", CITY + ("many", "cpu_s_per_million")),
        ("the {subscribers} subscribers themselves", CITY + ("many", "feed", "cpu_s_per_million"), "real", None),
        ("  the one", CITY + ("one", "feed", "cpu_s_per_million"), "real", None),
        ("the sender, {subscribers} subscribers", CITY + ("many", "sender_cpu_s_per_million"), "real", None))),
    ("start, recovery and audit at {large_persons:,} persons", (
        ("start", PROVINCE + ("start_s",), "real", None, most(2)),
        ("recovery after kill -9", PROVINCE + ("recovery_s",), "real", None, most(2)),
        ("log verify, entries/s", PROVINCE + ("verify", "rate"), "count", None, least(300000)),
        ("  entries", PROVINCE + ("verify", "entries"), "count", None))),
    ("bytes of the rows that a changed record makes", (
        ("gateway", ("gateway", "rows", "bytes"), "count", None),)),
    ("bytes written to files per changed record, by the process's own calls", (
        ("gateway", ("gateway", "changed", "file_bytes_per_record"), "count", None),
        ("store alone", ("store", "file_bytes_per_record"), "count", ("gateway", "changed", "file_bytes_per_record")),
        ("PostgreSQL, a transaction per record", ("postgres", "record", "file_bytes_per_record"), "count",
         ("gateway", "changed", "file_bytes_per_record")),
        ("PostgreSQL, sets", ("postgres", "batch", "file_bytes_per_record"), "count",
         ("gateway", "changed", "file_bytes_per_record")))),
    ("bytes that reached the disk per changed record, whoever wrote them", (
        ("gateway", ("gateway", "changed", "disk_bytes_per_record"), "count", None),
        ("store alone", ("store", "disk_bytes_per_record"), "count", ("gateway", "changed", "disk_bytes_per_record")),
        ("PostgreSQL, a transaction per record", ("postgres", "record", "disk_bytes_per_record"), "count",
         ("gateway", "changed", "disk_bytes_per_record")),
        ("PostgreSQL, sets", ("postgres", "batch", "disk_bytes_per_record"), "count",
         ("gateway", "changed", "disk_bytes_per_record")))),
    ("resident memory of the gateway", (
        ("idle", ("gateway", "idle", "resident"), "bytes", None, most(64 * MB)),
        ("after all of the above", ("gateway", "after", "resident"), "bytes", None),
        ("peak over the full lists", ("lists", "peak", "resident"), "bytes", None),
        ("most while {scale_persons:,} persons change, without store.cache", CITY + ("memory", "beside_cache"), "bytes", None,
         most(256 * MB)),
        ("  with snapshots and {subscribers} subscribers", CITY + ("memory_all", "beside_cache"), "bytes", None,
         most(256 * MB)),
        ("at {large_persons:,} persons", PROVINCE + ("resident", "resident"), "bytes", None))),
))


def at(tree, path):
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return None
        tree = tree[name]
    return tree


def rows(table=TABLE):
    for _, each in table:
        yield from each


def figures(rounds, table=TABLE):
    """Every figure of the table: its median, least and greatest over the rounds, and the median of the rounds' ratios."""
    out = {}
    for row in rows(table):
        values = [v for r in rounds if (v := at(r, row.path)) is not None]
        if not values:
            continue
        figure = {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": len(values)}
        ratios = [mine / v for r in rounds if row.over and (v := at(r, row.path)) and (mine := at(r, row.over)) is not None]
        if ratios:
            figure["gateway_by_this"] = statistics.median(ratios)
        out[row.name()] = figure
    return out


def judge(found, table=TABLE, sized=True):
    """By row, its goal and the verdict; a goal whose figures are missing stands there too. sized: of the sizes that the goals
    are for; no verdict goes by others."""
    return {row.name(): {"of": row.goal.of, "goal": f"{row.goal.sign()} {row.goal.bound()}",
                         "verdict": row.goal.judge(found.get(row.name())) if sized else "other sizes"}
            for row in rows(table) if row.goal}


def told(value, how):
    if how == "time":
        return f"{value / 1000:,.2f} ms"
    if how == "real":
        return f"{value:,.1f} s"
    if how == "bytes":
        return f"{value / 2**20:,.1f} MiB"
    return f"{value:,.0f}"


def goal_told(row):
    bound = f"{row.goal.bound():.2f} ×" if row.goal.of == RATIO else told(row.goal.bound(), row.how)
    return f"{row.goal.sign()} {bound}"


def line(row, figure, judged, settings):
    name = "  " + row.label.format(**settings)
    if figure is None:
        shown = f"{name:<66} {'–':>12} {'':>10}  {'not measured':<36}"
    else:
        ratio = f"{figure['gateway_by_this']:8.2f} ×" if "gateway_by_this" in figure else ""
        spread = f"({told(figure['min'], row.how)} … {told(figure['max'], row.how)}) of {figure['rounds']}"
        spread = spread if figure["rounds"] > 1 else "once"
        shown = f"{name:<66} {told(figure['median'], row.how):>12} {ratio:>10}  {spread:<36}"
    return (shown + f" {goal_told(row):<15} {judged['verdict']}" if row.goal else shown).rstrip()


def table(result):
    settings, found, judged = result["settings"], result["figures"], result["goals"]
    print("\nmedian (least … greatest) of so many interleaved runs, if not measured once; × is the gateway's figure by the row's; then the goal and the verdict")
    for title, each in TABLE:
        if not settings["rounds"] and not any(row.name() in found for row in each):
            continue
        print("\n" + title.format(**settings))
        for row in each:
            print(line(row, found.get(row.name()), judged.get(row.name()), settings))
    verdicts = collections.Counter(j["verdict"].split(" by ")[0] for j in judged.values())
    print("\ngoals: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common()))
    for name, why in result["skipped"].items():
        print(f"\nSKIPPED: {name}: {why}")
    print("\n" + "\n".join(f"{k:<11} {v}" for k, v in result["versions"].items()))


def plausible(result):
    """How many figures of the table stand within what any machine could show, and how many do not."""
    good = bad = 0
    for row in rows():
        path, figure = row.path, result["figures"].get(row.name())
        if figure is None:
            missing = ("postgres" in path and "PostgreSQL" in result["skipped"]) or \
                      (path[0] == "kafka" and "Kafka" in result["skipped"]) or path[-1].endswith("_bytes_per_record")
            bad += not missing
            if not missing:
                print(f"bench: no figure {row.name()}")
        elif 0 <= figure["median"] < 1e12:
            good += 1
        else:
            bad += 1
            print(f"bench: {row.name()} is {figure['median']}")
    return good, bad
