"""Rules that keep money and people safe, checked where they can be seen: in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[1]
# Where amounts are computed. Faces and charts may draw with floats; these may not know any.
MONEY = (
    "apps/engine/*.py",
    "apps/core/money.py",
    "apps/wallets/**/rules.py",
    "apps/trades/**/rules.py",
)
CLOCKS = {"time", "datetime", "random", "uuid", "secrets", "os", "locale", "socket"}
# Fetching a row by its number alone: where whose it is does not matter, or was asked before.
UNSCOPED = {
    "apps/accounts/actions.py",
    "apps/accounts/keys/actions.py",  # The person himself, locked while his keys are counted.
}
FETCHERS = {
    "apps/core/fetch.py",  # The safe one.
    "apps/core/s3.py",  # Goes to the bucket that the operator has named, and nowhere else.
    "apps/local/supervisor.py",  # Asks our own web process whether it is there.
}


def test_no_float_where_amounts_are_computed() -> None:
    found = [
        f"{_name(path)}:{node.lineno}"
        for pattern in MONEY
        for path in sorted(BASE_DIR.glob(pattern))
        for node in ast.walk(_tree(path))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    ]

    assert found == []


def test_the_engine_has_no_clock_no_chance_and_no_surroundings() -> None:
    found = [
        f"{_name(path)}: {name}"
        for path in sorted((BASE_DIR / "apps/engine").rglob("*.py"))
        for name in _imported(_tree(path))
        if name.partition(".")[0] in CLOCKS
    ]

    assert found == []


def test_the_engine_goes_through_no_set_in_an_order_of_its_own() -> None:
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in sorted((BASE_DIR / "apps/engine").rglob("*.py"))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.For | ast.comprehension)
        and (
            isinstance(node.iter, ast.Set | ast.SetComp)
            or (
                isinstance(node.iter, ast.Call)
                and isinstance(node.iter.func, ast.Name)
                and node.iter.func.id in ("set", "frozenset")
            )
        )
    ]

    assert found == []


def test_no_clock_without_a_zone() -> None:
    found = [
        _place(path, node)
        for path in _code()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("now", "utcnow", "fromtimestamp")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "datetime"
        and (node.func.attr == "utcnow" or not (node.args or node.keywords))
    ]

    assert found == []


def test_no_face_fetches_a_row_by_its_number_alone() -> None:
    """Views, endpoints and queries ask by whose it is, so that a number opens nothing."""
    found = [
        _place(path, node)
        for path in _code()
        if path.name in ("views.py", "api.py", "queries.py", "realtime.py")
        or path.name.endswith("_api.py")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and _is_unscoped(node)
        if _name(path) not in UNSCOPED
    ]

    assert found == []


def _is_unscoped(node: ast.Call) -> bool:
    if isinstance(node.func, ast.Name) and node.func.id == "get_object_or_404":
        return True
    if not (isinstance(node.func, ast.Attribute) and node.func.attr == "get"):
        return False
    manager = node.func.value
    if not (isinstance(manager, ast.Attribute) and manager.attr == "objects"):
        return False
    keys = [keyword for keyword in node.keywords if keyword.arg in ("pk", "id", "public_id")]
    from_outside = [key for key in keys if not _is_fixed(key.value)]
    return bool(from_outside) and len(node.keywords) == len(keys)


def _is_fixed(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id.isupper())


def test_only_the_safe_fetcher_asks_other_machines() -> None:
    clients = {"urllib.request", "http.client", "requests", "httpx", "aiohttp", "urllib3"}

    found = {_name(path) for path in _code() for name in _imported(_tree(path)) if name in clients}

    assert found <= FETCHERS


def test_no_form_or_serializer_takes_every_field_there_is() -> None:
    found = [
        _place(path, node)
        for path in _code()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant) and node.value == "__all__"
    ]

    assert found == []


def test_nothing_is_run_that_came_as_text_and_nothing_is_unpickled() -> None:
    found = [
        f"{_name(path)}: {name}"
        for path in _code()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        for name in [node.func.id]
        if name in ("eval", "exec")
    ] + [
        f"{_name(path)}: {name}"
        for path in _code()
        for name in _imported(_tree(path))
        if name.partition(".")[0] in ("pickle", "marshal", "shelve")
    ]

    assert found == []


def _code() -> Iterator[Path]:
    for top in ("apps", "config"):
        yield from sorted(
            path for path in (BASE_DIR / top).rglob("*.py") if "migrations" not in path.parts
        )


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _name(path: Path) -> str:
    return path.relative_to(BASE_DIR).as_posix()


def _place(path: Path, node: ast.expr) -> str:
    return f"{_name(path)}:{node.lineno}"
