"""The tables, as numbered migrations: what each is for, and how a file is brought up to date.

A file's ``user_version`` counts the migrations it has had. A newer file is refused and left as it is; an older one is
copied, then migrated in one transaction.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from engine.errors import StoreCorrupt, StoreError, StoreNewer
from engine.stores.sqlite.files import make_private

APPLICATION_ID = 0x41474E54
"""Marks a SQLite file as ours, so that nobody else's gets our tables."""

CHECKED_BYTES = 16 * 2**20
"""Files up to this size are checked for damage whenever they are opened."""

MIGRATIONS: list[str] = [
    """
    -- One row a run: a fold of its events, but for owner, epoch and hooked.
    CREATE TABLE runs (
        key INTEGER PRIMARY KEY AUTOINCREMENT,   -- short name of the run in all tables; never used twice
        run_id TEXT NOT NULL UNIQUE,
        workflow_id TEXT NOT NULL,
        status TEXT NOT NULL,
        ended INTEGER NOT NULL DEFAULT 0,
        blocked TEXT,
        resource_id TEXT,
        tags TEXT NOT NULL DEFAULT '[]',         -- JSON
        parent_run_id TEXT,
        version TEXT,                            -- of its definition
        created_at REAL NOT NULL,
        changed_at REAL NOT NULL,                -- of its status
        owner TEXT,                              -- the process that may write it
        epoch INTEGER NOT NULL DEFAULT 1,        -- counts owners; every append names it
        hooked INTEGER NOT NULL DEFAULT 0        -- whether the hooks of its end have been called
    );
    CREATE INDEX runs_by_workflow ON runs (workflow_id);
    CREATE INDEX runs_by_status ON runs (status);
    CREATE INDEX runs_by_resource ON runs (resource_id) WHERE resource_id IS NOT NULL;
    CREATE INDEX runs_by_time ON runs (created_at);
    CREATE INDEX runs_by_owner ON runs (owner) WHERE owner IS NOT NULL;
    CREATE INDEX runs_alive ON runs (workflow_id) WHERE ended = 0;
    CREATE INDEX runs_unhooked ON runs (workflow_id) WHERE ended = 1 AND hooked = 0;
    CREATE TABLE tags (
        tag TEXT NOT NULL,
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        PRIMARY KEY (tag, run)
    ) WITHOUT ROWID;
    CREATE INDEX tags_by_run ON tags (run);

    -- The truth: every fact of every run. A payload is inline, or in blobs, or a reference to an earlier one.
    CREATE TABLE events (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        at REAL NOT NULL,
        type TEXT NOT NULL,
        path TEXT,
        attempt INTEGER,
        data TEXT,                               -- JSON, small
        value BLOB,                              -- JSON, the payload
        blob TEXT,                               -- the payload's hash, if it is large
        ref TEXT,                                -- JSON: where in this run the payload is
        holes TEXT,                              -- JSON: where secrets were
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE INDEX events_by_blob ON events (blob) WHERE blob IS NOT NULL;
    CREATE TABLE blobs (hash TEXT PRIMARY KEY, body BLOB NOT NULL);

    -- Questions; all but the state is in the event.
    CREATE TABLE suspensions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL,
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        path TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'open',
        UNIQUE (run, token)
    );
    CREATE INDEX suspensions_by_token ON suspensions (token);
    CREATE INDEX suspensions_open ON suspensions (id) WHERE state = 'open';

    -- Processes that have the file open, or died with it. The lock on <file>.owners/<id>.lock says which.
    CREATE TABLE owners (
        id TEXT PRIMARY KEY,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        started_at REAL NOT NULL,
        mark INTEGER NOT NULL DEFAULT 0          -- of its last transaction, to know whether a failed commit took place
    ) WITHOUT ROWID;

    -- Calls for a run from a process that does not own it.
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        sender TEXT NOT NULL,
        verb TEXT NOT NULL,
        body TEXT NOT NULL,
        reply TEXT
    );
    CREATE INDEX requests_by_run ON requests (run);

    CREATE TABLE definitions (version TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    -- How many runs of each status: a fold of the table of runs, so that counting a million costs nothing.
    CREATE TABLE counts (
        workflow_id TEXT NOT NULL,
        status TEXT NOT NULL,
        runs INTEGER NOT NULL,
        PRIMARY KEY (workflow_id, status)
    ) WITHOUT ROWID;
    INSERT INTO counts SELECT workflow_id, status, count(*) FROM runs GROUP BY workflow_id, status;
    CREATE TRIGGER run_made AFTER INSERT ON runs BEGIN
        INSERT INTO counts VALUES (new.workflow_id, new.status, 1) ON CONFLICT DO UPDATE SET runs = runs + 1;
    END;
    CREATE TRIGGER run_changed AFTER UPDATE OF status ON runs WHEN old.status <> new.status BEGIN
        UPDATE counts SET runs = runs - 1 WHERE workflow_id = old.workflow_id AND status = old.status;
        INSERT INTO counts VALUES (new.workflow_id, new.status, 1) ON CONFLICT DO UPDATE SET runs = runs + 1;
    END;
    CREATE TRIGGER run_gone AFTER DELETE ON runs BEGIN
        UPDATE counts SET runs = runs - 1 WHERE workflow_id = old.workflow_id AND status = old.status;
    END;
    """,
    """
    -- Runs of a workflow and a status, newest first, without looking at the workflow's others.
    DROP INDEX runs_by_workflow;
    CREATE INDEX runs_by_workflow ON runs (workflow_id, status);
    """,
]


def connect(path: Path) -> apsw.Connection:
    """A connection that may write. Raises ``apsw.Error``."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(0)
    for pragma in ("trusted_schema=OFF", "mmap_size=0", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def set_up_writer(connection: apsw.Connection) -> None:
    """The pragmas of the one connection that writes. Raises ``apsw.Error``."""
    for pragma in ("foreign_keys=ON", "synchronous=NORMAL", "journal_size_limit=67108864", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def connect_reader(path: Path) -> apsw.Connection:
    """A connection that reads only. Raises ``apsw.Error``."""
    connection = connect(path)
    connection.set_busy_timeout(1000)
    connection.execute("PRAGMA query_only=ON").fetchall()
    connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
    return connection


def bring_up_to_date(connection: apsw.Connection, path: Path) -> None:
    """Check that the file is ours, whole, and of a version that this code knows; create or migrate the tables.

    Raises ``StoreNewer``, ``StoreCorrupt``, ``StoreError`` (somebody else's database) and ``apsw.Error``. The file is
    untouched then.
    """
    # Closing must not checkpoint into a file that is to be left alone.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    version = _version(connection, path)
    _check(connection, path)
    if version == 0 or connection.pragma("journal_mode") != "wal":
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
    if version < len(MIGRATIONS):
        if version:
            _keep_copy(connection, path, version)
        _migrate(connection, path)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)


def _version(connection: apsw.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").get)
    application = connection.execute("PRAGMA application_id").get
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreError(f"{path} is a SQLite database of something else; give the engine a file of its own")
    if version > len(MIGRATIONS):
        raise StoreNewer(
            f"{path} was written by a newer version of this package (format {version}, this one knows up to"
            f" {len(MIGRATIONS)}); update the package, or use another file; this one was left untouched"
        )
    return version


def _check(connection: apsw.Connection, path: Path) -> None:
    size = connection.execute("PRAGMA page_count").get * connection.execute("PRAGMA page_size").get
    if size > CHECKED_BYTES:
        return
    found = connection.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        raise damaged(path, str(found))


def _keep_copy(connection: apsw.Connection, path: Path, version: int) -> None:
    """A copy of the file as it was before its migration, beside it."""
    target = path.with_name(f"{path.name}.bak-v{version}")
    target.unlink(missing_ok=True)
    make_private(target)
    copy = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with copy.backup("main", connection, "main") as backup:
            backup.step()
    finally:
        copy.close()


def _migrate(connection: apsw.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").get)  # somebody else may have been faster
        for migration in MIGRATIONS[version:]:
            connection.execute(migration).fetchall()
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("COMMIT")
    except apsw.SQLError as error:
        connection.execute("ROLLBACK")
        raise StoreError(f"{path} could not be brought up to date: {error}; the file is as it was") from error
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def damaged(path: Path, what: str) -> StoreCorrupt:
    """The error for a damaged file."""
    detail = " ".join(what.split())[:200]
    return StoreCorrupt(
        f"{path} is damaged ({detail}); it was left untouched. Put back a copy of it (and of its -wal, if any), or"
        f" save what can be read: python -m engine verify {path} --repair NEW_FILE"
    )
