# SPDX-License-Identifier: Apache-2.0
"""Files beside the database: made under a temporary name, synced, moved in, or swept away.

A temporary name is `<name>.tmp-<pid>`, so whoever finds one can tell whether its maker still lives.
Nothing here may open the live file: closing any descriptor of it would drop the engine's lock.

Documents beside the live file: `live/state.json`, which `ttapi status` shows without opening it,
and what a recorder says of itself.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, TextIO

from ttapi.errors import DiskFullError, StoreError
from ttapi.home import read_file
from ttapi.store.lock import is_alive, read_daemon, read_lock_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ttapi.errors import LockOwner
    from ttapi.home import Home

_TEMPORARY = re.compile(r"\.tmp-(\d+)(\.wal)?$")


def temporary_name(target: Path) -> Path:
    """The name under which this process builds what will become `target`, in the same folder."""
    return target.with_name(f"{target.name}.tmp-{os.getpid()}")


def sync_file(file: Path) -> None:
    """Have the disk keep the content of `file`."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in `folder`."""
    sync_file(folder)


def remove(path: Path) -> None:
    """Remove a file, link or folder that may be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def leftovers(folder: Path) -> list[Path]:
    """The temporary files in `folder` whose makers are dead; a folder that is missing has none."""
    found = []
    for path in sorted(folder.glob("*.tmp-*")):
        match = _TEMPORARY.search(path.name)
        if match and not is_alive(int(match[1])):
            found.append(path)
    return found


def remove_leftovers(home: Home) -> tuple[Path, ...]:
    """Remove the temporary files of dead processes and say which they were; the owner calls it.

    In the folders only the owner writes to, a file of this process's own number is an earlier
    process's too. Copies for viewers that nobody has open go with them.
    """
    removed = []
    for folder in (home.root, home.live, home.snapshots, home.exports, home.backups):
        is_owners = folder in (home.live, home.snapshots)
        for path in sorted(folder.glob("*.tmp-*")):
            match = _TEMPORARY.search(path.name)
            if match and _is_left_over(int(match[1]), is_owners=is_owners):
                remove(path)
                removed.append(path)
    remove_unused_copies(home)
    return tuple(removed)


def unused_copies(home: Home) -> list[Path]:
    """Copies of published files for who may not see all of them, which nobody has open or keeps."""
    found = home.live.glob("shared[.-]*.duckdb")
    return [file for file in sorted(found) if not _is_in_use(file)]


def remove_unused_copies(home: Home) -> None:
    """Nothing; the unused copies are gone."""
    for file in unused_copies(home):
        remove(file)


def kept_copy(file: Path) -> int:
    """A descriptor that says that this process wants the copy again, until it is closed."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor


def _is_in_use(file: Path) -> bool:
    """Whether somebody keeps the copy or has it open: a reader of any version of the engine holds a lock on it."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return file.exists()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_left_over(pid: int, *, is_owners: bool) -> bool:
    return is_owners if pid == os.getpid() else not is_alive(pid)


DAMAGED = "is_damaged"
"""The key that is true in the answer where the file could not be understood."""


def write_state(home: Home, state: Mapping[str, Any]) -> None:
    """Put `state` in place of the last one, whole or not at all.

    *Raises* StoreError naming the file; then the last one stands.
    """
    write_document(home.state_file, state)


def read_state(home: Home) -> dict[str, Any]:
    """The last state written; empty when none was, {DAMAGED: True} when the file makes no sense."""
    return read_document(home.state_file)


def write_document(file: Path, document: Mapping[str, Any]) -> None:
    """Put `document` as JSON in place of `file`, whole or not at all.

    *Raises* StoreError naming the file; then what was there stands.
    """
    building = temporary_name(file)
    try:
        with _private(building) as stream:
            stream.write(_lines(document))
            stream.flush()
            os.fsync(stream.fileno())
        building.replace(file)
        sync_folder(file.parent)
    except OSError as exc:
        is_full = exc.errno in {errno.ENOSPC, errno.EDQUOT}
        kind = DiskFullError if is_full else StoreError
        raise kind(f"{file} cannot be written: {exc.strerror}") from exc
    finally:
        remove(building)


def note_document(file: Path, document: Mapping[str, Any]) -> None:
    """The same of what can be told again: nothing waits for the disk, and where it cannot be written it is not."""
    building = temporary_name(file)
    with suppress(OSError):
        try:
            with _private(building) as stream:
                stream.write(_lines(document))
            building.replace(file)
        finally:
            remove(building)


def _private(file: Path) -> TextIO:
    """`file`, emptied, for its owner alone."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _lines(document: Mapping[str, Any]) -> str:
    """`document` as JSON, a line for each of its parts: to look at, and to be compared."""
    # With `indent` the standard library writes in Python: 0.1 s of a refresh that has nothing to do.
    parts = (
        f"{json.dumps(name)}: {json.dumps(document[name], sort_keys=True)}"
        for name in sorted(document)
    )
    return "{" + ",\n".join(parts) + "}\n"


def read_document(file: Path) -> dict[str, Any]:
    """What `file` holds; empty where there is none, {DAMAGED: True} where it makes no sense."""
    try:
        document = json.loads(read_file(file))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {DAMAGED: True}
    return document if isinstance(document, dict) else {DAMAGED: True}


def is_as_published(home: Home) -> bool:
    """Whether the published file has the size and the time that it was published with.

    Its mode keeps clients from writing it, but not those who may do everything. Where nothing is known,
    whoever opens the file tells more.
    """
    note = read_document(home.published_note)
    try:
        is_same_file = home.public_file.readlink().name == note.get("file")
        facts = home.public_file.stat()
    except OSError:
        return True
    return not is_same_file or [facts.st_size, facts.st_mtime_ns] == note.get("facts")


def recorder_owner(home: Home) -> LockOwner | None:
    """The recorder that has the journal of `home` at this moment; None: nobody records."""
    note = read_lock_file(home.recorder_file)
    return note.owner if note.is_held else None


def recorder_state(home: Home) -> dict[str, Any] | None:
    """What the recorder of `home` said at its last publication; None: there is none, or it begins."""
    owner = recorder_owner(home)
    document = read_document(home.stream_file) if owner else {}
    return document if owner and document.get("pid") == owner.pid else None


def recorder_text(home: Home) -> str | None:
    """What the recorder of `home` says of itself, and why a daemon's does not run, in words; None: neither."""
    owner, trouble = recorder_owner(home), stream_trouble(home)
    texts = [_recorder_text(home, owner)] if owner else []
    if trouble:
        texts.append(
            f"ttapi serve (process {trouble['pid']}): its stream does not run since {trouble['since']}:"
            f" {trouble['reason']}; tried again at {trouble['again_at']}"
        )
    return "\n".join(texts) or None


def stream_trouble(home: Home) -> dict[str, Any] | None:
    """Why the stream of the daemon of `home` does not run, since when, when it is tried again; None: it does."""
    document, note = read_document(home.stream_trouble_file), read_daemon(home)
    is_said = {"pid", "since", "reason", "again_at"} <= document.keys()
    is_its = note is not None and note.is_held and note.pid == document.get("pid")
    return document if is_said and is_its else None


def note_stream_trouble(home: Home, trouble: Mapping[str, Any]) -> None:
    """Have `stream_trouble` say so from now on."""
    note_document(home.stream_trouble_file, trouble)


def forget_stream_trouble(home: Home) -> None:
    """Have it say no more that a stream does not run."""
    home.stream_trouble_file.unlink(missing_ok=True)


def _recorder_text(home: Home, owner: LockOwner) -> str:
    document = recorder_state(home) or {}
    who = f"{owner.command} (process {owner.pid})"
    silent = document.get("silent")
    nothing = f"; nothing has come of {', '.join(silent)}" if silent else ""
    try:
        feeds = [f"{one['source']} {one['phase']}" for one in document["sources"]]
        published_at = datetime.fromisoformat(document["published_at"])
        stored = f"{document['counts']['stored']:,} events stored"
    except (KeyError, TypeError, ValueError):
        return f"{who} begins{nothing}"
    age_s = max(0.0, (datetime.now(UTC) - published_at).total_seconds())
    text = f"{', '.join(feeds)}; {stored}, the last published {age_s:.0f} s ago"
    return f"{who}: {text}{nothing}"


_openings = count(1)


def second_name(home: Home, file: Path, number: int) -> Path | None:
    """Another name of `file`; None where the home takes none.

    *Raises* FileNotFoundError where `file` is there no more.
    """
    try:
        home.pinned.mkdir(mode=0o700, exist_ok=True)
        # Never one that was used before: who closes the same generation takes its own name away.
        name = home.pinned / f"market.{number:06d}.{next(_openings)}.{os.getpid()}.duckdb"
        name.unlink(missing_ok=True)
        name.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    return name


def remove_names_of_the_dead(home: Home) -> None:
    """Nothing; second names of processes that are gone are gone, too."""
    for name in home.pinned.glob("market.*.*.duckdb"):
        owner = name.suffixes[-2].lstrip(".")
        if owner.isdecimal() and not is_alive(int(owner)):
            with suppress(OSError):
                name.unlink()


def has_second_name(file: Path) -> bool:
    """Whether a server holds it by a second name."""
    try:
        return file.stat().st_nlink > 1
    except OSError:
        return False


def publication_error(error: OSError | StoreError, building: Path) -> StoreError:
    """What a publication that could not be built ends with; the older one stands."""
    if isinstance(error, DiskFullError):
        return error
    full = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
    texts = [os.strerror(code) for code in full]
    if (isinstance(error, OSError) and error.errno in full) or any(
        text in str(error) for text in texts
    ):
        return DiskFullError(
            f"{building.parent}: no room for a snapshot: {error}",
            hint="free some space; the older one stands",
        )
    if isinstance(error, StoreError):
        return error
    return StoreError(f"publication failed at {error.filename or building}: {error.strerror}")
