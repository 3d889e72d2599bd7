"""The pages keep their word: commands run, settings are all there with their defaults, links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from actors.cli import Commands
from mats.settings import Settings, load_settings
from tests.command.command import PATIENCE, ROOT

PAGES = (ROOT / "README.md", ROOT / "docs/README.md", ROOT / "docs/operations.md")
DOCS = tuple((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [(page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text())]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as a user has it, with its environment made."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("run.py", "Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in ("mats", "actors", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    binaries = folder / ".venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (binaries / "mats").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/run.py" "$@"\n')
    for program in binaries.iterdir():
        program.chmod(0o755)
    (folder / ".venv/.ready").touch()
    return folder


def test_every_command_of_the_pages_runs(checkout: Path) -> None:
    assert len(BLOCKS) >= 5
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MATS_")}
    for page, block in BLOCKS:
        done = subprocess.run(
            ["sh", "-euc", block],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, (page, block, done.stderr[-2000:])


def test_the_page_of_settings_lists_exactly_what_there_is_with_its_default() -> None:
    page = (ROOT / "docs/operations.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([a-z_.]+)` \| `(.*?)` \| (.*) \|$", page, re.MULTILINE)
    assert listed == list(_settings(Settings))


def test_the_settings_file_names_every_setting_and_changes_no_default() -> None:
    path = ROOT / "config/mats.toml"
    shipped, default = load_settings(path, {}), Settings()
    beside = {"strategies", "instruments"}  # paths beside the file
    assert shipped.model_dump(exclude=beside) == default.model_dump(exclude=beside)
    assert shipped.strategies.host == default.strategies.host
    for found, usual in (
        (shipped.strategies.seed_file, default.strategies.seed_file),
        (shipped.strategies.folder, default.strategies.folder),
        (shipped.instruments.file, default.instruments.file),
    ):
        assert found == path.parent / usual
    text = path.read_text()
    for name, _, _ in _settings(Settings):
        assert re.search(rf"^(# )?{name.rpartition('.')[2]} = ", text, re.MULTILINE), name


def test_every_command_that_a_page_or_a_sentence_of_the_program_names_exists() -> None:
    texts = [*PAGES, *DOCS, *(ROOT / "mats").rglob("*.py"), *(ROOT / "actors").rglob("*.py")]
    named = {name for path in texts for name in re.findall(r"`mats ([a-z]+)", path.read_text())}
    assert len(named) > 10
    assert named - _commands() == set()


def test_the_pages_show_every_command() -> None:
    shown = {name for page in (*PAGES, *DOCS) for name in re.findall(r"\bmats ([a-z]+)", page.read_text())}
    assert _commands() - shown == set()


def test_the_index_of_the_pages_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", (ROOT / "docs/README.md").read_text()))
    assert linked == {str(page.relative_to(ROOT / "docs")) for page in DOCS} - {"README.md"}


def test_a_page_that_begins_with_its_sections_names_all_of_them() -> None:
    listing = 0
    for page in DOCS:
        if listed := re.findall(r"^- \[(.+)\]\(#.+\)$", page.read_text(), re.MULTILINE):
            listing += 1
            assert listed == re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE), page.name
    assert listing >= 2


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS):
        for target in re.findall(r"\]\((?!https:)([^)]+)\)", page.read_text()):
            path, _, anchor = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.is_file(), (page.name, target)
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert not anchor or anchor in {re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings}


def _commands() -> set[str]:
    return set(Commands().list_commands(None))


def _settings(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of each setting, as the page has them."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from _settings(type(field.default), f"{name}.")
        else:
            yield section + name, _shown(field.default), field.description or ""


def _shown(default: object) -> str:
    match default:
        case None:
            return "none"
        case bool():
            return str(default).lower()
        case tuple():
            return "[" + ", ".join(f'"{item}"' for item in default) + "]"
        case int() | float() | Decimal():
            return f"{Decimal(str(default)).normalize():f}"
        case _:
            return f'"{default}"'
