"""A PostgreSQL server of a test, on loopback, as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("initdb", "postgres", "pg_isready")
"""The programs that a test calls."""

SECONDS = 60
"""How long a server may take to start."""


def binaries() -> Path | None:
    """The folder of the programs of a server; Debian has them in a folder of the version, outside of the path."""
    found = shutil.which("initdb")
    folders = [*([Path(found).parent] if found else []), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    return next((folder for folder in reversed(folders) if all((folder / name).exists() for name in PROGRAMS)), None)


def missing() -> str | None:
    """Why no server can be started here."""
    if binaries() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if _is_root() and _user() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return None


def _is_root() -> bool:
    return os.getuid() == 0


def _user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def server() -> Iterator[str]:
    """A server that is running; the URL of its database, without a driver."""
    programs = binaries()
    assert programs is not None
    user = _user() if _is_root() else None
    # Not below the folder of the tests, which other users cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="archbudget-postgres-"))
    options: dict[str, Any] = {"cwd": folder, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data, port = folder / "data", free_port()
    made = subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", "tester", "--no-sync"], **options)
    assert made.returncode == 0, made.stdout
    settings = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", "fsync=off")
    command = [programs / "postgres", "-D", data, *(part for setting in settings for part in ("-c", setting))]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, **{**options, "stdout": log})
    try:
        until = time.monotonic() + SECONDS
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, **options).returncode:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()  # Waits for its clients.
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
