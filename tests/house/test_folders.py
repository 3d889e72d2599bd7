"""The house: folders that can be overlooked, each with a face, and nobody reaches past a face."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_MODULES = 15
LARGER_FOLDERS: dict[str, str] = {}
"""Folders that may hold more modules, with the reason."""

PUBLIC_FOLDERS = {
    "actors": "each file is one actor",
    "actors/messages": "each file is the face of one actor",
    "mats": "its modules are settings, errors and logging",
    "mats/cli": "each file is one command, found by its name",
    "mats/cli/history": "each file is one command, found by its name",
    "mats/cli/operator": "each file is one command, found by its name",
    "mats/cli/research": "each file is one command, found by its name",
    "mats/strategy/examples": "each file is a strategy, loaded by its path",
}
"""Folders whose modules are imported one by one, with the reason."""

DIRECT_MODULES = {
    "mats.backtest.result.metrics": "it loads scipy, which few commands need",
    "mats.data.importer": "it loads the store, which a strategy in a process of its own does not need",
    "mats.model.bar_columns": "it loads numpy, which an operator's command does not need",
    "mats.report.html_page": "it loads plotly and jinja2",
    "mats.report.png": "it loads matplotlib",
    "mats.report.sweeps.png": "it loads matplotlib",
    "mats.sweep.ray_pool": "it loads Ray, which is an extra",
}
"""Modules that no face exports, with the reason: whoever needs one imports it by its own name."""

SOURCES = sorted(path for folder in ("actors", "mats") for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each module of ours that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in MODULES)


def test_no_folder_holds_more_modules_than_can_be_overlooked() -> None:
    sizes = Counter(str(path.parent.relative_to(ROOT)) for path in SOURCES if path.name != "__init__.py")
    too_large = {folder: size for folder, size in sizes.items() if size > MAX_MODULES}
    assert too_large.keys() == LARGER_FOLDERS.keys(), too_large


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES}), ids=lambda f: str(f.relative_to(ROOT)))
def test_every_folder_says_what_it_is(folder: Path) -> None:
    face = folder / "__init__.py"
    assert face.exists()
    assert ast.get_docstring(ast.parse(face.read_text()))


def test_code_outside_a_folder_imports_from_its_face() -> None:
    reached_past = []
    for path in SOURCES:
        for line, module in imports_of(path):
            source = MODULES[module]
            folder = source.parent
            inside = path.is_relative_to(folder) or (path.name == "__init__.py" and folder.is_relative_to(path.parent))
            public = str(folder.relative_to(ROOT)) in PUBLIC_FOLDERS or module in DIRECT_MODULES
            if source.name != "__init__.py" and not inside and not public:
                reached_past.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not reached_past, "\n".join(reached_past)


@pytest.mark.parametrize("face", [path for path in SOURCES if path.name == "__init__.py"], ids=module_name)
def test_a_face_exports_what_it_imports(face: Path) -> None:
    tree = ast.parse(face.read_text())
    bound = {alias.asname or alias.name for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    declared = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    assert [set(ast.literal_eval(value)) for value in declared] == ([bound] if bound else [])
