"""Loads a strategy class from its file, for each strategy anew; each error is one sentence."""

import importlib.util
import re
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from mats.errors import StrategyError
from mats.model import StrategyName, StrategyRecord
from mats.runtime import describe, text_of
from mats.strategy.host import StrategyHost
from mats.strategy.hosting.runner import StrategyRunner
from mats.strategy.strategy import Strategy

EXAMPLES = Path(__file__).parents[1] / "examples"


def make_runner(record: StrategyRecord, folder: Path, host: StrategyHost) -> StrategyRunner:
    """A runner, not yet started, of the strategy that a record describes. `folder` holds the operator's files.

    Raises StrategyError, whatever the code of the strategy raises.
    """
    try:
        made = load_class(record.file, record.class_name, folder, record.name)
        return StrategyRunner(made, record.name, record.params, host)
    except StrategyError:
        raise
    except Exception as error:
        raise StrategyError(f"strategy {record.name}: its class or parameters raise {describe(error)}") from error


def load_class(file: str, class_name: str, folder: Path, owner: StrategyName = "") -> type[Strategy]:
    """The strategy class `class_name` of a file, read anew into a module of its own for `owner`.

    So strategies of one file share no globals, and one that restarts begins with fresh ones.
    """
    module = _load_module(find_file(file, folder), owner)
    found = getattr(module, class_name, None)
    if isinstance(found, type) and issubclass(found, Strategy) and found is not Strategy:
        return found
    names = ", ".join(strategy_classes(module)) or "no Strategy subclass"
    problem = "has no class" if not isinstance(found, type) else "does not derive from Strategy in its class"
    raise StrategyError(f"strategy file {file} {problem} {class_name!r}; it has {names}, name one of these")


def only_class(file: str, folder: Path) -> str:
    """The name of the strategy class in a file that has just one; raises StrategyError."""
    names = strategy_classes(_load_module(find_file(file, folder), ""))
    if len(names) != 1:
        has = ", ".join(names) or "no Strategy subclass"
        raise StrategyError(f"strategy file {file} has {has}; name one class, as {file}:NAME")
    return names[0]


def find_file(file: str, folder: Path) -> Path:
    """Where a strategy file is: as given if absolute, else in `folder`, else among the packaged examples."""
    path = Path(file)
    candidates = [path] if path.is_absolute() else [folder / path]
    if path.parts[:1] == ("examples",) and not path.is_absolute():
        candidates.append(EXAMPLES.joinpath(*path.parts[1:]))
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    tried = " or ".join(map(str, candidates))
    raise StrategyError(f"strategy file {file} not found at {tried}; check the path")


def strategy_classes(module: ModuleType) -> list[str]:
    """Names of the strategy classes that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]


def _load_module(path: Path, owner: StrategyName) -> ModuleType:
    """The module of a file for one owner. A later one takes its name, under which its classes find their types."""
    stem = re.sub(r"\W", "_", f"{path.with_suffix('')}:{owner}")
    name = f"mats_strategy_file.{stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        raise StrategyError(f"strategy file {path} is not a Python file; give it a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Not through Python's cache of compiled files, which overlooks a change within the second.
        exec(spec.loader.source_to_code(path.read_bytes(), str(path)), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise StrategyError(_import_error(path, error)) from error
    return module


def _import_error(path: Path, error: BaseException) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    place = f" at line {line}" if line else ""
    return f"strategy file {path} does not import: {type(error).__name__}{place}: {text_of(error)}; fix the file"
