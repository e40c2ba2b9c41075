"""The engine compiled to machine code by mypyc, and how a process comes to use it.

``python -m apps.matching.compiled build [FOLDER]`` compiles the same sources that are otherwise
interpreted; ``use`` puts the result in their place, before anything of the engine is loaded. The
interpreted source stays the product: nothing is compiled, or used compiled, unless asked for.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ROOT / "apps" / "engine"
FOLDER: Final = ROOT / "build" / "engine"
MANIFEST: Final = "manifest.json"
ORDERS: Final = "book.py"

# Messages stay msgspec's own classes, which are C already: mypyc cannot make such classes, so the
# modules that declare some stay interpreted, but for the one of live orders. A live order is never
# encoded: compiled, it is a class of mypyc's own, which is quicker there and slower interpreted.
# Nothing else differs from the source.
_ORDER: Final = "class Order(msgspec.Struct, eq=False, gc=False):"
_ORDER_COMPILED: Final = "@dataclass(eq=False)\nclass Order:"

_SCRIPT: Final = """
import sys
from mypyc.build import mypycify
from setuptools import setup

options = ["--config-file=", "--follow-imports=silent", *sys.argv[1:]]
extensions = mypycify(options, opt_level="3", debug_level="0")
setup(name="engine", ext_modules=extensions, packages=[], script_args=["build_ext", "--inplace"])
"""


class CannotCompile(Exception):
    """There is no compiler, or it refused; the message says which."""


class NotUsable(Exception):
    """There is no compiled engine where it was asked for, or it is not this source's."""


def build(folder: Path = FOLDER) -> int:
    """Compile the engine into a folder; return how many modules were compiled."""
    compiler = _compiler()
    with tempfile.TemporaryDirectory(prefix="sum1-compile-") as name:
        work = Path(name)
        modules = _copy_sources(work)
        said = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *modules],
            cwd=work,
            check=False,
            capture_output=True,
            text=True,
        )
        if said.returncode:
            words = (said.stdout + said.stderr)[-3000:]
            raise CannotCompile(f"{compiler} or mypyc refused:\n{words}")
        remove(folder)
        for built in sorted([*work.glob("*.so"), *work.glob("apps/engine/*.so")]):
            target = folder / built.relative_to(work)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(built, target)
    (folder / MANIFEST).write_text(json.dumps(_fingerprint()))
    return len(modules)


def use(folder: Path) -> None:
    """Let this process, and what it imports from now on, run the compiled engine."""
    problem = why_not(folder)
    if problem:
        raise NotUsable(f"{problem} `make compile` makes it; unset COMPILED_ENGINE to do without.")
    package = importlib.import_module("apps.engine")
    first = str(folder / "apps" / "engine")
    if first in package.__path__:
        return
    loaded = [name for name in _compiled_names() if name in sys.modules]
    if loaded:
        raise NotUsable(f"{', '.join(loaded)} was loaded before the compiled engine was asked for.")
    sys.path.append(str(folder))
    package.__path__.insert(0, first)


def why_not(folder: Path) -> str:
    """Say why the engine in a folder cannot be used, or nothing."""
    try:
        made_of = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return f"There is no compiled engine in {folder}."
    if made_of != _fingerprint():
        return f"The engine in {folder} was compiled from another source or for another Python."
    return ""


def remove(folder: Path = FOLDER) -> None:
    """Delete what ``build`` made; the interpreted source is all that is left."""
    if (folder / MANIFEST).exists():
        shutil.rmtree(folder)


def _compiler() -> str:
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return name
    raise CannotCompile(
        "There is no C compiler here (cc, gcc or clang). On Debian: apt install gcc. The engine"
        " runs interpreted without one."
    )


def _copy_sources(work: Path) -> list[str]:
    """Copy the engine for the compiler; return the modules that it is to compile."""
    package = work / "apps" / "engine"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    (work / "apps" / "__init__.py").touch()
    modules = [path for path in sorted(package.glob("*.py")) if _is_hot(path)]
    book = package / ORDERS
    source = book.read_text()
    if source.count(_ORDER) != 1:
        raise CannotCompile("book.py declares Order in another way than the compiler expects.")
    source = source.replace(_ORDER, _ORDER_COMPILED)
    book.write_text(source.replace("import msgspec\n", "from dataclasses import dataclass\n", 1))
    return [str(path.relative_to(work)) for path in modules]


def _is_hot(path: Path) -> bool:
    declares = "(msgspec.Struct" in path.read_text()
    return path.name not in ("__init__.py", "messages.py") and (not declares or path.name == ORDERS)


def _compiled_names() -> list[str]:
    return [f"apps.engine.{path.stem}" for path in sorted(SOURCES.glob("*.py")) if _is_hot(path)]


def _fingerprint() -> dict[str, str]:
    """What a compiled engine belongs to: the sources, this file, and the Python that loads it."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(SOURCES.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return {"sources": digest.hexdigest(), "python": sys.version}


def main(arguments: list[str]) -> int:
    """Build into, or remove from, the folder that is named, or the usual one."""
    verb = arguments[0] if arguments else "build"
    folder = Path(arguments[1]).resolve() if len(arguments) > 1 else FOLDER
    if verb == "remove":
        remove(folder)
        return 0
    try:
        modules = build(folder)
    except CannotCompile as error:
        sys.stderr.write(f"The engine was not compiled. {error}\n")
        return 1
    sys.stdout.write(f"{modules} modules compiled; used where COMPILED_ENGINE={folder} is set.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
