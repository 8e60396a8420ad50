"""Storages of studies by their URLs, and their errors in one line."""

from __future__ import annotations

import contextlib
import random
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import optuna

from archbudget._extras import imported
from archbudget._message import hint, one_line, show
from archbudget.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

LOCKED = 60
"""Seconds that SQLite waits for a database that another process writes to."""

OTHERS = ("grpc://", "journal://")
"""The beginnings of URLs that are not those of a database."""

PROXY_PORT, PROXY_WAIT = 13000, 30
"""The port of a proxy by default, as Optuna has it, and the seconds in which it must answer."""

ATTEMPTS = 10
"""How often to try to open a new database while another process makes its tables."""


def open_storage(storage: str | optuna.storages.BaseStorage | None) -> optuna.storages.BaseStorage | None:
    """The storage of Optuna for a URL.

    Beside the URLs of SQLAlchemy there are `grpc://host:port`, Optuna's proxy in front of a database, and `journal:///file`,
    Optuna's journal for the processes of one host.

    A database in memory, which threads could not share, becomes Optuna's storage in memory. The file of an SQLite
    database stays the same if the process changes its working directory. In SQLite, two processes never take the same
    waiting trial, see `locks_rows`.
    """
    if not isinstance(storage, str):
        behind = getattr(storage, "_backend", storage)  # Behind the cache of Optuna.
        if isinstance(behind, optuna.storages.RDBStorage):
            locks_rows(behind)
        return storage
    if "://" not in storage:
        raise SearchError(f"a storage is given as a URL, such as sqlite:///{storage}, not {show(storage)}")
    if storage.startswith(OTHERS):
        return _proxy(storage) if storage.startswith("grpc://") else _journal(storage)
    if is_in_memory(storage):
        return optuna.storages.InMemoryStorage()
    arguments = {"connect_args": {"timeout": LOCKED}} if storage.startswith("sqlite") else None
    for _ in range(ATTEMPTS):
        try:
            return locks_rows(optuna.storages.RDBStorage(_absolute(storage), engine_kwargs=arguments))
        except Exception as error:
            if not _is_being_made(error):
                raise
            time.sleep(random.random())
    return locks_rows(optuna.storages.RDBStorage(_absolute(storage), engine_kwargs=arguments))


def _proxy(url: str) -> optuna.storages.BaseStorage:
    """The storage behind a proxy.

    Raises:
        SearchError: If it does not answer, or the URL has something else in it than a host and a port.
        MissingPackageError: If gRPC is not installed.
    """
    imported("grpc", f"the storage {url}")
    imported("google.protobuf", f"the storage {url}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PROXY_PORT
    except ValueError:
        host = None
    if host is None or parts.path or parts.query or parts.username is not None:
        raise SearchError(f"a proxy is given as grpc://host:port, not {show(url)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        proxy = optuna.storages.GrpcStorageProxy(host=host, port=port)
    try:
        proxy.wait_server_ready(PROXY_WAIT)
    except ConnectionError:
        raise SearchError(f"the storage {url}: no proxy answers within {PROXY_WAIT} s") from None
    return proxy


def _journal(url: str) -> optuna.storages.BaseStorage:
    """The storage in a file of Optuna's journal.

    Raises:
        SearchError: If the URL names no file, or it cannot be opened.
    """
    from optuna.storages.journal import JournalFileBackend

    host, slash, file = url.removeprefix("journal://").partition("/")
    if host or not slash or not file:
        raise SearchError(f"a journal is given as journal:///file.log, or journal:////folder/file.log, not {show(url)}")
    try:
        return optuna.storages.JournalStorage(JournalFileBackend(str(Path(file).absolute())))
    except OSError as error:
        raise SearchError(f"the storage {url}: {one_line(error)}") from None


def locks_rows(storage: optuna.storages.RDBStorage) -> optuna.storages.RDBStorage:
    """The storage, whose `SELECT ... FOR UPDATE` keeps other writers away in SQLite as in other databases.

    Optuna takes a waiting trial by such a SELECT and an UPDATE. SQLite leaves `FOR UPDATE` out, so that two processes
    could both take the trial, each with values of its own, and the result of one would be stored with the values of the
    other. Here the transaction takes the lock of the writer before it reads.
    """
    from sqlalchemy import event

    if storage.engine.dialect.name == "sqlite" and not event.contains(storage.engine, EXECUTE, _lock_first):
        event.listen(storage.engine, EXECUTE, _lock_first)
    return storage


EXECUTE = "before_cursor_execute"
"""The event of SQLAlchemy before each statement."""


def _lock_first(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    del statement, parameters, executemany
    asked = getattr(getattr(context, "compiled", None), "statement", None)
    locks = getattr(asked, "_for_update_arg", None) is not None
    if locks and not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        cursor.execute("BEGIN IMMEDIATE")


def _is_being_made(error: Exception) -> bool:
    """Whether another process is making the tables of a new database; Optuna does not synchronize that."""
    from sqlalchemy.exc import DBAPIError, IntegrityError

    return isinstance(error, IntegrityError) or (isinstance(error, DBAPIError) and "already exists" in str(error.orig))


def _absolute(url: str) -> str:
    """A URL whose file does not depend on the working directory, and whose driver is installed.

    SQLAlchemy takes psycopg 2 for `postgresql://`; psycopg 3 does as well.

    Raises:
        MissingPackageError: If neither is installed.
    """
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.drivername == "postgresql" and find_spec("psycopg2") is None:
        imported("psycopg", f"the storage {without_password(url)}")
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    file = parsed.database
    if parsed.get_backend_name() != "sqlite" or file is None or file.startswith("file:"):
        return url
    return parsed.set(database=str(Path(file).absolute())).render_as_string(hide_password=False)


def load_study(storage: str, name: str) -> optuna.Study:
    """A study that there is; nothing is made.

    Raises:
        SearchError: If the storage is none, its file does not exist, or it has no such study.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(storage)
    except (ArgumentError, ValueError) as error:
        raise SearchError(f"a storage is given as a URL, such as sqlite:///search.db, not {show(storage)}") from error
    file = parsed.database
    if parsed.get_backend_name() == "sqlite" and (is_in_memory(storage) or not Path(str(file)).exists()):
        raise SearchError(f"the storage {storage}: there is no file {file}")
    with storage_errors(storage):
        opened = open_storage(storage)
        assert opened is not None
        known = optuna.get_all_study_names(opened)
        if name not in known:
            raise SearchError(f"the storage {without_password(storage)} has no study {show(name)}{hint(name, known)}")
        return optuna.load_study(study_name=name, storage=opened)


def is_in_memory(url: str) -> bool:
    """Whether a URL names a database of SQLite that other processes cannot see."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # A port may be no number.
        return False
    if parsed.get_backend_name() != "sqlite":
        return False
    return parsed.database in (None, "", ":memory:", "file::memory:") or parsed.query.get("mode") == "memory"


def sqlite_url(file: Path) -> str:
    """The URL of a database file, with any characters in its path.

    Raises:
        SearchError: If this version of SQLAlchemy cannot express it.
    """
    from sqlalchemy.engine import URL, make_url

    url = URL.create("sqlite", database=str(file)).render_as_string()
    if make_url(url).database != str(file) or "{" in url:
        raise SearchError(f"{file}: the path of a database cannot have such characters with this SQLAlchemy")
    return url


def without_password(storage: str | optuna.storages.BaseStorage | None) -> str:
    """The name of a storage in messages, without the password of its URL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if not isinstance(storage, str):
        return type(storage).__name__
    try:
        return make_url(storage).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return storage


@contextlib.contextmanager
def storage_errors(storage: str | optuna.storages.BaseStorage | None) -> Iterator[None]:
    """Turns an error of a database into one line that names it and the cause.

    Raises:
        SearchError: Instead of the error of SQLAlchemy or Optuna.
    """
    try:
        yield
    except Exception as error:
        cause = _database_error(error)
        if cause is None:
            raise
        raise SearchError(f"the storage {without_password(storage)}: {cause}") from error


def _database_error(error: BaseException) -> str | None:
    """The message of the database, if it caused an error."""
    from sqlalchemy.exc import SQLAlchemyError

    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, SQLAlchemyError):
            said = getattr(behind, "orig", None) or str(behind).partition("\n")[0]
            return one_line(said) if isinstance(said, Exception) else str(said)
        if type(behind).__module__.partition(".")[0] == "grpc" and hasattr(behind, "details"):
            return one_line(Exception(behind.details()))
        behind = behind.__cause__ or behind.__context__
    return one_line(error) if isinstance(error, optuna.exceptions.StorageInternalError) else None
