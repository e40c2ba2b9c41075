"""The house style as tests: who may import whom, how long things are, what is never written."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE_DIR = Path(__file__).resolve().parents[1]
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_CHARACTERS_MAX = 100
# Modules that are named after nothing, and so hold everything.
NAMES_REFUSED = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
ENVIRONMENT_READERS = {"text", "required", "flag", "number", "words", "given", "path", "paths"}


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")

    checked = subprocess.run(
        [program, "--no-cache"], cwd=BASE_DIR, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout


def test_functions_are_short() -> None:
    long = [
        f"{_place(path, node)} {node.name}: {_lines(node)} lines"
        for path, node in _functions()
        if _lines(node) > FUNCTION_LINES_MAX
    ]

    assert not long, "\n".join(long)


def test_files_are_short() -> None:
    long = [
        f"{_name(path)}: {count} lines"
        for path in _python_files()
        if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX
    ]

    assert not long, "\n".join(long)


def test_lines_are_short() -> None:
    long = [
        f"{_name(path)}:{number}"
        for path in _python_files()
        if "migrations" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LINE_CHARACTERS_MAX
    ]

    assert not long, "\n".join(long)


def test_no_module_is_a_drawer() -> None:
    drawers = [_name(path) for path in _python_files() if path.stem in NAMES_REFUSED]

    assert not drawers, "\n".join(drawers)


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"#.*\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    left = [
        f"{_name(path)}:{number}"
        for path in _python_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if later.search(line)
    ]

    assert not left, "\n".join(left)


def test_no_failure_is_swallowed() -> None:
    swallowed = [
        _place(path, node)
        for path in _python_files()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and _does_nothing(node)
    ]

    assert not swallowed, "\n".join(swallowed)


def test_engine_needs_nothing_but_the_standard_library_and_msgspec() -> None:
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import msgspec\n"
        "known = set(sys.modules)\n"
        "import apps.engine.engine\n"
        "found = {n.partition('.')[0] for n in set(sys.modules) - known}\n"
        "print(*sorted(found - set(sys.stdlib_module_names) - {'apps', 'msgspec'}))\n"
        "print(*sorted(n for n in sys.modules if n.startswith('apps.')"
        " and not n.startswith('apps.engine')))\n"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=BASE_DIR, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []


def test_only_one_module_reads_the_environment() -> None:
    readers = {
        _name(path)
        for path in _python_files()
        if path.parts[len(BASE_DIR.parts)] in {"apps", "config"}
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    # These name the settings module before there are settings.
    beginnings = {"config/asgi.py", "config/wsgi.py", "config/celery.py"}

    assert readers - beginnings == {"config/env.py"}


def test_every_environment_variable_is_documented() -> None:
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", _operations()))
    read = set(_variables_read())

    assert read - documented == set()
    assert "DATABASE_URL" in read


def test_every_app_is_described() -> None:
    described = (BASE_DIR / "docs" / "architecture.md").read_text()
    apps = sorted(path.parent.name for path in (BASE_DIR / "apps").glob("*/__init__.py"))

    assert [app for app in apps if f"`{app}`" not in described] == []


def test_migrations_are_named() -> None:
    unnamed = [
        _name(path)
        for path in (BASE_DIR / "apps").glob("*/migrations/*.py")
        if path.stem != "__init__"
        and (not re.fullmatch(r"\d{4}_[a-z][a-z0-9_]+", path.stem) or "_auto_" in path.stem)
    ]

    assert not unnamed, "\n".join(unnamed)


@pytest.mark.django_db
def test_migrations_are_complete() -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def _python_files() -> Iterator[Path]:
    for top in ("apps", "config", "bench", "tests"):
        yield from sorted((BASE_DIR / top).rglob("*.py"))
    yield BASE_DIR / "manage.py"


def _functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in _python_files():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_broad(node: ast.ExceptHandler) -> bool:
    broad = {"Exception", "BaseException"}
    return node.type is None or (isinstance(node.type, ast.Name) and node.type.id in broad)


def _does_nothing(node: ast.ExceptHandler) -> bool:
    return all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)


def _variables_read() -> Iterator[str]:
    for path in sorted((BASE_DIR / "config").rglob("*.py")):
        for node in ast.walk(_tree(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute | ast.Name)
                and _called(node.func) in ENVIRONMENT_READERS
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(node.args[0].value))
            ):
                yield str(node.args[0].value)


def _called(function: ast.Attribute | ast.Name) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id


def _operations() -> str:
    return (BASE_DIR / "docs" / "operations.md").read_text()


def _name(path: Path) -> str:
    return path.relative_to(BASE_DIR).as_posix()


def _place(path: Path, node: ast.stmt | ast.ExceptHandler) -> str:
    return f"{_name(path)}:{node.lineno}"
