# SPDX-License-Identifier: Apache-2.0
"""A file that a user named to be written: whole or not at all, and as what it is.

Every door writes through here: `-o`, `.once`, `.export`, `--receipt`, `ttapi export`.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.errors import DiskFullError, TtapiError, UsageError
from ttapi.home import refuse_home_path
from ttapi.store.files import sync_file, sync_folder, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_SYSTEM = ("/dev/", "/proc/")
_IN_MEMORY = "/dev/shm/"  # noqa: S108 - a folder like any other


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Give the path to write: what lies there when the block ends well is what `target` holds.

    A link is followed; a file that is there keeps its mode and owner. A device, a pipe and a
    descriptor of this process are written into.

    *Raises* UsageError for a place of ttapi's own, and for one that cannot be written; DiskFullError.
    `target` then holds what it held.
    """
    refuse_home_path(target)
    try:
        with _poured(target) if takes_a_stream(target) else _replaced(target) as building:
            yield building
    except BrokenPipeError:
        # Whoever reads has read enough: told by the command, as of standard output.
        raise
    except OSError as exc:
        raise refusal(target, exc) from exc


def takes_a_stream(target: Path) -> bool:
    """Whether `target` is no file that another could take the place of."""
    place = os.path.normpath(target.absolute())
    if place.startswith(_SYSTEM) and not place.startswith(_IN_MEMORY):
        return True
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except OSError:
        return False


@contextmanager
def _poured(target: Path) -> Iterator[Path]:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with tempfile.TemporaryDirectory(prefix="ttapi-") as folder:
        building = Path(folder) / target.name
        yield building
        with building.open("rb") as written, target.open("wb") as stream:
            shutil.copyfileobj(written, stream)


@contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    place = Path(os.path.realpath(target))
    building = temporary_name(place)
    # Made first, so that a place that cannot be written is told before anything is done.
    building.unlink(missing_ok=True)
    building.open("xb").close()
    try:
        yield building
        _keep_mode(place, building)
        sync_file(building)
        building.replace(place)
        sync_folder(place.parent)
    finally:
        building.unlink(missing_ok=True)


def _keep_mode(place: Path, building: Path) -> None:
    """Have `building` be whose, and for whom, the file at `place` is; nothing where there is none."""
    try:
        before = place.stat()
    except FileNotFoundError:
        return
    # Only a privileged user may give a file away; anybody else's is his own.
    with suppress(PermissionError):
        os.chown(building, before.st_uid, before.st_gid)
    building.chmod(stat.S_IMODE(before.st_mode))


def refusal(target: Path, error: OSError) -> TtapiError:
    """What `error` says of writing to `target`."""
    text = error.strerror or str(error)
    if error.errno in _NO_ROOM:
        return DiskFullError(
            f"{target} could not be written: {text}", hint="nothing was left behind"
        )
    return UsageError(f"{target} cannot be written: {text}")
