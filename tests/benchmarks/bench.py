"""CPU per event of driftd, printed: `make bench`, or `python tests/benchmarks/bench.py --help`.

Every figure is CPU time of the process with all its threads, garbage collection off, ways that are compared run in
turns within one run: the least and the median of the repeats, in microseconds an event. The load is 10,000 agents
(Zipf 1.05) at 109,000 events a second of event time, 326 bytes of JSON each; every agent has its reference taken.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import buses, core, memory, others  # noqa: E402  -- a script finds the tree first
from tests.benchmarks.load import Load  # noqa: E402
from tests.benchmarks.mature import mature  # noqa: E402
from tests.benchmarks.table import Table  # noqa: E402
from tests.kafka_broker import Broker, KafkaAbsent  # noqa: E402

#: of free memory for each agent of the crowd: its rows, and pages that are touched around them
CROWD_BYTES = 16_000
RESULTS = Path(__file__).with_name("RESULTS.md")


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    args = _arguments().parse_args(argv)
    table = Table(args)
    for part in args.parts or PARTS.values():
        part(args, table)
    if args.record:
        table.record(RESULTS)


def _main_load(args: argparse.Namespace) -> Load:
    return Load(agents=args.agents, a_second=10.9 * args.agents)


def _core(args: argparse.Namespace, table: Table) -> None:
    costs, pipeline, findings = core.measure(_main_load(args), args.events, args.repeats)
    table.costs("bytes to findings", costs)
    table.say(f"  {findings} findings in {args.events * (1 + args.repeats)} events; goal: {core.FILE} <= 4")
    memory.report(pipeline, table)


def _kafka(args: argparse.Namespace, table: Table) -> None:
    try:
        broker = Broker(args.kafka).start()
    except KafkaAbsent as absent:
        table.say(f"no Kafka here, so nothing is measured against it: {absent}")
        return
    load = _main_load(args)
    try:
        costs = buses.measure(broker, load, mature(load), args.events, args.repeats)
    finally:
        broker.stop()
    table.costs("Kafka to decisions", costs)
    table.ratio(costs, buses.OURS, buses.BARE, "goal: <= 1.5")
    table.ratio(costs, buses.RIVER, buses.OURS, "goal: >= 2")


def _others(args: argparse.Namespace, table: Table) -> None:
    table.costs("a quiet fleet", others.quiet(args.repeats))
    needed = args.crowd * CROWD_BYTES
    if os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < needed:
        table.say(f"a crowd of {args.crowd:,} agents needs {needed / 1e9:.0f} GB of free memory; take a smaller --crowd")
        return
    table.costs("a crowd", others.crowd(args.crowd, args.crowd // 100, args.events, args.repeats))


def _length(args: argparse.Namespace, table: Table) -> None:
    load = _main_load(args)
    table.lengths(others.length(load, mature(load), args.length))


Part = Callable[[argparse.Namespace, Table], None]
PARTS: dict[str, Part] = {"core": _core, "kafka": _kafka, "others": _others, "length": _length}


def _part(name: str) -> Part:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PARTS)}")
    return PARTS[name]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("parts", nargs="*", type=_part, metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    add("--agents", type=int, default=10_000, help="agents of the main load")
    add("--events", type=int, default=10 * core.BATCH, help="events of one repeat")
    add("--repeats", type=int, default=7)
    add("--crowd", type=int, default=1_000_000, help="agents of the crowd, of which 1 %% are active")
    add("--length", type=int, nargs="+", default=[1_000_000, 5_000_000], help="lengths of log that are compared")
    add("--kafka", metavar="HOST:PORT", default=os.environ.get("DRIFTD_TEST_KAFKA"), help="a broker that runs already")
    add("--record", action="store_true", help=f"write {RESULTS.name} beside this file")
    return parser


if __name__ == "__main__":
    main()
