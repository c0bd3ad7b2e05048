# SPDX-License-Identifier: Apache-2.0
"""A backup of which any byte changed is refused before the live file is touched."""

from __future__ import annotations

import json
import random
import shutil

import pytest
from draws import draws

from ttapi.clock import FixedClock
from ttapi.errors import StoreError, TtapiError
from ttapi.refresh.environment import environment_of
from ttapi.refresh.installation import load_installation
from ttapi.refresh.maintenance import BackupRequest, RestoreRequest, back_up, restore
from ttapi.store.backup import MANIFEST, check_backup, inspect_backup, read_manifest

DAMAGES = draws(60, 10_000)


@pytest.fixture(scope="module")
def sealed(template_home, tmp_path_factory):
    """A environment and the folder of its one backup."""
    folder = tmp_path_factory.mktemp("sealed")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    home = type(template_home)(folder / "home")
    (home.sql / "mine.sql").write_text("-- kind: view\nselect 1::integer as a -- one\n")
    from datetime import UTC, datetime

    clock = FixedClock(datetime(2024, 6, 14, 22, tzinfo=UTC))
    environment = environment_of(load_installation(home, {}), clock)
    return environment, back_up(environment, BackupRequest()).backup.folder


def damaged(content, dice):
    """`content` with a bit flipped, a run zeroed, a piece cut off, or one written twice."""
    content = bytearray(content)
    position = dice.randrange(len(content))
    way = dice.choice(["flip", "zero", "cut", "twice", "grow"])
    if way == "flip":
        content[position] ^= 1 << dice.randrange(8)
    elif way == "zero":
        length = dice.randint(1, 4096)
        hole = content[position : position + length]
        content[position : position + length] = bytes(
            b ^ 0xFF if not any(hole) else 0 for b in hole
        )
    elif way == "cut":
        del content[position:]
    elif way == "twice":
        content[position:position] = content[position : position + 512] or b"x"
    else:
        content += bytes(dice.randint(1, 4096))
    return bytes(content)


@pytest.mark.campaign
@pytest.mark.drawn
def test_every_damaged_backup_is_refused_and_nothing_is_touched(sealed, tmp_path):
    environment, folder = sealed
    live = {
        path.name: path.read_bytes() for path in environment.home.live.iterdir() if path.is_file()
    }
    dice = random.Random(20240614)
    copy = tmp_path / "backup"
    shutil.copytree(folder, copy)
    names = [MANIFEST, MANIFEST, "market.duckdb", "sql/mine.sql"]
    for number in range(DAMAGES):
        file = copy / dice.choice(names)
        file.chmod(0o600)
        whole = file.read_bytes()
        file.write_bytes(damaged(whole, dice))
        with pytest.raises(StoreError):
            check_backup(copy)
        if number % 10 == 0:
            with pytest.raises(TtapiError):
                restore(environment, RestoreRequest(str(copy), is_confirmed=True, wait_s=0))
            now = {path.name: path.read_bytes() for path in environment.home.live.iterdir()}
            assert {name: now[name] for name in now if now[name] or name in live} == live
        file.write_bytes(whole)
    check_backup(copy)


def test_every_bit_of_the_manifest_counts(sealed, tmp_path):
    content = (sealed[1] / MANIFEST).read_bytes()
    file = tmp_path / MANIFEST
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << (position % 8)
        file.write_bytes(changed)
        with pytest.raises(StoreError):
            read_manifest(tmp_path)


def rewritten(folder, **changes):
    """The manifest with other values, sealed anew, as one who knows how could."""
    from ttapi.store import backup

    file = folder / MANIFEST
    file.chmod(0o600)
    body = {k: v for k, v in json.loads(file.read_bytes()).items() if k != "seal"} | changes
    file.write_bytes(backup._canonical({**body, "seal": backup._seal_of(body)}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "format"),
        ({"generation": 7}, "another generation"),
        ({"tables": {}}, "one too many"),
        (
            {"files": [{"path": "../../etc/passwd", "size": 1, "sha256": "0" * 64}]},
            "cannot be a file",
        ),
        ({"files": [{"path": "/etc/passwd", "size": 1, "sha256": "0" * 64}]}, "cannot be a file"),
        ({"database": {"path": "market.duckdb", "size": 3, "sha256": "0" * 64}}, "sealed with 3"),
        ({"created_at": "yesterday"}, "Invalid isoformat"),
        ({"created_at": "2024-06-14T22:00:00"}, "no zone"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(sealed, tmp_path, changes, said):
    shutil.copytree(sealed[1], tmp_path / "backup")
    rewritten(tmp_path / "backup", **changes)
    with pytest.raises(StoreError, match=said):
        check_backup(tmp_path / "backup")


def test_a_manifest_written_another_way_is_refused(sealed, tmp_path):
    shutil.copytree(sealed[1], tmp_path / "backup")
    file = tmp_path / "backup" / MANIFEST
    file.chmod(0o600)
    file.write_text(json.dumps(json.loads(file.read_text())))
    found = inspect_backup(tmp_path / "backup")
    assert found.manifest is None
    assert "seal does not fit" in str(found.error)


def test_a_backup_of_a_newer_ttapi_is_refused(sealed, tmp_path):
    import duckdb

    from ttapi.store.backup import seal_file

    shutil.copytree(sealed[1], tmp_path / "backup")
    file = tmp_path / "backup" / "market.duckdb"
    file.chmod(0o600)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "insert into catalog.migrations values (9000, 'of_tomorrow', 'x', '2030-01-01')"
        )
    rewritten(tmp_path / "backup", database=vars(seal_file(file, "market.duckdb")))
    with pytest.raises(StoreError, match="upgrade ttapi"):
        check_backup(tmp_path / "backup")
