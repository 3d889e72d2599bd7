"""Look for seeds that fail: python tests/simulation/search.py --seeds 10000

Each seed draws a plan of faults and runs the whole daemon under it. A seed that fails is run again and again with fewer
of its faults; what is left is printed, with the command that runs it. `--from` continues where another search ended,
`--faults` runs only these faults of the seeds, by their numbers.
"""

import argparse
import gc
import logging
import multiprocessing
import resource
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import structlog

SHOWN = 100
"""Seeds between two lines of progress."""


def _find_tests() -> None:
    """Make `tests` the folder of this repository, whatever else is installed under that name."""
    root = Path(__file__).parents[2]
    package = ModuleType("tests")
    package.__path__ = [str(root / "tests")]
    sys.path.insert(0, str(root))
    sys.modules["tests"] = package
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class Task(NamedTuple):
    """A seed, and which of its faults strike; None is all of them."""

    seed: int
    kept: tuple[int, ...] | None


class Outcome(NamedTuple):
    """What became of it; `figures` are orders, executions, failures and boots."""

    seed: int
    complaints: list[str]
    figures: tuple[int, int, int, int]


def run(task: Task) -> Outcome:
    """Run one seed; in a process of the pool, where there is one."""
    from tests.simulation.checks import verdict
    from tests.simulation.plan import drawn
    from tests.simulation.shrink import only

    plan = drawn(task.seed)
    found = verdict(task.seed, plan if task.kept is None else only(plan, list(task.kept)))
    return Outcome(task.seed, found.complaints, found.figures)


def outcomes(tasks: list[Task], processes: int) -> Iterator[Outcome]:
    """As they come."""
    if processes == 1:
        yield from map(run, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(processes, _find_tests, maxtasksperchild=500) as pool:
        yield from pool.imap_unordered(run, tasks)


def explain(seed: int) -> None:
    """Print the faults that a failing seed needs, and how to run it with them."""
    from tests.simulation.plan import drawn
    from tests.simulation.shrink import shrunk

    plan = drawn(seed)
    needed = shrunk(seed, plan)
    print(f"    {len(needed)} of its {len(plan.faults)} faults are needed:")
    for number in needed:
        print(f"    {number}: {plan.faults[number]}")
    numbers = f" --faults {','.join(map(str, needed))}" if needed else " --faults none"
    print(f"    python tests/simulation/search.py --seeds 1 --from {seed}{numbers}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first one")
    parser.add_argument("--processes", type=int, default=1, help="how many seeds run at a time")
    parser.add_argument("--faults", help="numbers of the faults that strike, as 3,7; or none")
    parser.add_argument("--digest", action="store_true", help="print the hash of each seed's trace, and nothing else")
    chosen = parser.parse_args()
    kept = None
    if chosen.faults:
        kept = () if chosen.faults == "none" else tuple(map(int, chosen.faults.split(",")))
    tasks = [Task(seed, kept) for seed in range(chosen.first, chosen.first + chosen.seeds)]
    gc.freeze()
    if chosen.digest:
        from tests.simulation.checks import digest_of

        print(*map(digest_of, range(chosen.first, chosen.first + chosen.seeds)), sep="\n")
        return
    sys.exit(1 if search(tasks, chosen.processes) else 0)


def search(tasks: list[Task], processes: int) -> list[int]:
    """The seeds that fail; progress and findings are printed on the way."""
    from mats.runtime.clock import SystemClock

    failed: list[int] = []
    totals, began = (0, 0, 0, 0), SystemClock.monotonic()
    with closing(outcomes(tasks, processes)) as found:
        for done, outcome in enumerate(found, 1):
            totals = tuple(map(sum, zip(totals, outcome.figures, strict=True)))  # type: ignore[assignment]
            if outcome.complaints:
                failed.append(outcome.seed)
                print(f"seed {outcome.seed}:", *outcome.complaints[:5], sep="\n    ", flush=True)
                if outcome_is_of_whole_plan(tasks):
                    explain(outcome.seed)
            if done % SHOWN == 0 or done == len(tasks):
                _show_progress(done, len(tasks), len(failed), SystemClock.monotonic() - began)
    orders, executions, crashes, boots = totals
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(
        f"{len(tasks)} seeds, {len(failed)} fail; {orders} orders, {executions} executions, {crashes} failures of "
        f"actors, {boots} boots; at most {limit} descriptors"
    )
    if failed:
        print(f"failing seeds: {sorted(failed)}")
    return failed


def outcome_is_of_whole_plan(tasks: list[Task]) -> bool:
    """A plan that was cut down by hand is not cut down further."""
    return tasks[0].kept is None


def _show_progress(done: int, of: int, failed: int, seconds: float) -> None:
    print(f"{done} of {of} seeds, {failed} fail, {done / seconds:.2f} seeds/s", flush=True)


if __name__ == "__main__":
    _find_tests()
    main()
