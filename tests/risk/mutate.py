"""Drops one condition at a time and asks the near tests whether they notice: `python tests/risk/mutate.py [FILE ...]`.

A mutant has one operand of an `and` or `or` less, a comparison flipped at its boundary, an `if` that never holds, a
choice turned around, or one check less in a list. It is written to a copy of the sources and the tests run against
that. What survives is a condition without a test, or one that changes nothing and should go.
"""

import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "mats/risk/checks.py",
    "mats/risk/sizing.py",
    "mats/risk/exposure.py",
    "mats/risk/market_state.py",
    "mats/orders/pretrade.py",
    "mats/orders/flow.py",
)
TESTS = ("tests/risk", "tests/orders/test_pretrade.py", "tests/orders/test_flow.py")
BOUNDARY = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
WORKERS = 2
TIMEOUT = 120.0


def mutations(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What can be changed at a node, and the node that takes its place."""
    match node:
        case ast.BoolOp(values=values):
            for number, dropped in enumerate(values):
                rest = [value for other, value in enumerate(values) if other != number]
                left = rest[0] if len(rest) == 1 else ast.BoolOp(op=node.op, values=rest)
                yield f"without {ast.unparse(dropped)}", left
        case ast.Compare(ops=ops):
            for number, operator in enumerate(ops):
                flipped = [*ops[:number], BOUNDARY[type(operator)](), *ops[number + 1 :]]
                yield f"flipped {ast.unparse(node)}", ast.Compare(node.left, flipped, node.comparators)
        case ast.If():
            yield f"never if {ast.unparse(node.test)}", ast.If(ast.Constant(value=False), node.body, node.orelse)
        case ast.IfExp():
            yield f"turned {ast.unparse(node)}", ast.IfExp(node.test, node.orelse, node.body)
        case ast.AnnAssign(target=ast.Name(id="SOUNDNESS" | "RISK_TAKING"), value=ast.Tuple(elts=checks)):
            for number, dropped in enumerate(checks):
                rest = ast.Tuple([*checks[:number], *checks[number + 1 :]], ast.Load())
                yield f"without {ast.unparse(dropped)}", ast.AnnAssign(node.target, node.annotation, rest, node.simple)


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, what was changed, and the whole source with it."""
    tree = ast.parse(source)
    nodes = [node for node in ast.walk(tree) if not isinstance(node, ast.Assert)]
    for number, node in enumerate(ast.walk(tree)):
        if node not in nodes:
            continue
        for what, changed in mutations(node):
            other = copy.deepcopy(tree)
            target = next(found for at, found in enumerate(ast.walk(other)) if at == number)
            replaced = _Replace(target, changed).visit(other)
            yield node.lineno, what, ast.unparse(ast.fix_missing_locations(replaced))


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, changed: ast.AST) -> None:
        self._target, self._changed = target, changed

    def visit(self, node: ast.AST) -> ast.AST:
        return copy.deepcopy(self._changed) if node is self._target else self.generic_visit(node)


def passes(copied: Path) -> bool:
    """Whether the near tests pass in a copy."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *TESTS]
    try:
        done = subprocess.run(
            command, cwd=copied, capture_output=True, timeout=TIMEOUT, check=False,
            env={**os.environ, "PYTHONPATH": str(copied), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def copied(scratch: Path, name: str) -> Path:
    """A copy of the sources and their near tests."""
    place = scratch / name
    for part in ("mats", "tests/risk", "tests/orders", "tests/ledger"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def main() -> None:
    """Try every mutant, and print which the tests missed."""
    files = sys.argv[1:] or FILES
    killed: Counter[str] = Counter()
    missed: list[tuple[str, int, str]] = []
    with tempfile.TemporaryDirectory(prefix="mats-mutants-") as folder:
        places = [copied(Path(folder), f"copy-{number}") for number in range(WORKERS)]
        if not passes(places[0]):
            sys.exit("the near tests fail without any mutant; make them pass first")

        def survives(work: tuple[str, int, str, str]) -> bool:
            file, _, _, source = work
            place = places.pop()
            try:
                (place / file).write_text(source)
                return passes(place)
            finally:
                shutil.copy(ROOT / file, place / file)
                places.append(place)

        work = [(file, *mutant) for file in files for mutant in mutants((ROOT / file).read_text())]
        with ThreadPoolExecutor(WORKERS) as pool:
            for (file, line, what, _), alive in zip(work, pool.map(survives, work), strict=True):
                if alive:
                    missed.append((file, line, what))
                    print(f"survived  {file}:{line}  {what}", flush=True)
                else:
                    killed[file] += 1
    print(f"\n{'file':32} killed survived")
    for file in files:
        print(f"{file:32} {killed[file]:6} {sum(name == file for name, _, _ in missed):8}")


if __name__ == "__main__":
    main()
