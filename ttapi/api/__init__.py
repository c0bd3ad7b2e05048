# SPDX-License-Identifier: Apache-2.0
"""What every door offers: a home as an object whose SQL is made fresh, and its operations.

Names load on first use, so that a door pays for what it does: `--help` and `status` bring no engine.
A door imports nothing of the rooms below; the types it writes of, and the few pure functions it
needs of them, are here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttapi.api.answer import Answer, Status, Watchers
    from ttapi.api.database import Database, open_database
    from ttapi.api.operations import ExportFiles
    from ttapi.api.plugins import ConfiguredResource
    from ttapi.api.published import connect_published
    from ttapi.api.relations import (
        PublishedRelation,
        PublishedRelations,
        RelationColumn,
        RelationRows,
        RowCondition,
        RowsRequest,
    )
    from ttapi.api.sandboxed import (
        DescribedRelation,
        SandboxedAnswer,
        SandboxedDatabase,
    )
    from ttapi.api.saving import SaveRequest, save_query
    from ttapi.audit.doctor import Diagnosis
    from ttapi.audit.home_findings import audit_hash
    from ttapi.audit.implied import ImpliedExplanation
    from ttapi.audit.lookahead import EarlyRow, LateInput, LookAhead
    from ttapi.audit.receipt import Receipt, read_receipt
    from ttapi.audit.replay import Replay, filler_of, find_node
    from ttapi.audit.row_inputs import InputRows
    from ttapi.audit.why import Explanation, SourceCall
    from ttapi.live.hub import Hub, Missed
    from ttapi.live.recorder import RecorderCounts
    from ttapi.live.streaming import RecordOutcome, RecordRequest, check_stream, record
    from ttapi.live.watch import (
        InputVersions,
        RowDifference,
        WatchedAnswer,
        WatchedQuery,
        difference_rows,
        input_versions,
        picked_rows,
        publication_mark,
    )
    from ttapi.market.calendar import options_close, parse_duration
    from ttapi.models.as_of import parse_as_of
    from ttapi.models.lineage import LineageGraph, Node, TreeLine
    from ttapi.refresh.daemon_client import (
        ALIVE_S,
        Channel,
        DaemonGreeting,
        error_to_json,
        home_id,
        outcome_to_json,
        peer_uid,
        request_from_json,
        schema_version,
        setup_digest,
        socket_path,
    )
    from ttapi.refresh.datasets import Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.freshness import Freshness, StatusRow
    from ttapi.refresh.maintenance import (
        BackupRequest,
        RestoreOutcome,
        RestoreRequest,
        export_formats,
    )
    from ttapi.refresh.plan import RefreshRequest
    from ttapi.refresh.query import PreparedQuery
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.refresh.writer import NoProgress, Progress
    from ttapi.sources.contract import LoginSource
    from ttapi.sources.discovery import InstalledSource
    from ttapi.sources.in_thread import allow_reading, interrupt_reading, no_reading
    from ttapi.store.backup import Backup, list_backups
    from ttapi.store.catalog import DatasetOutcome
    from ttapi.store.files import (
        forget_stream_trouble,
        note_stream_trouble,
        recorder_owner,
        remove_unused_copies,
        stream_trouble,
    )
    from ttapi.store.lock import current_owner
    from ttapi.store.publish import published_generation
    from ttapi.store.rows import ResultColumn, Rows
    from ttapi.store.sandbox_protocol import SandboxLimits

_HOMES = {
    "Answer": "api.answer",
    "Backup": "store.backup",
    "BackupRequest": "refresh.maintenance",
    "ConfiguredResource": "api.plugins",
    "Database": "api.database",
    "DatasetOutcome": "store.catalog",
    "DescribedRelation": "api.sandboxed",
    "Diagnosis": "audit.doctor",
    "EarlyRow": "audit.lookahead",
    "Environment": "refresh.environment",
    "Explanation": "audit.why",
    "ExportFiles": "api.operations",
    "Freshness": "refresh.freshness",
    "Hub": "live.hub",
    "ImpliedExplanation": "audit.implied",
    "InputRows": "audit.row_inputs",
    "InputVersions": "live.watch",
    "InstalledSource": "sources.discovery",
    "LateInput": "audit.lookahead",
    "LineageGraph": "models.lineage",
    "LoginSource": "sources.contract",
    "LookAhead": "audit.lookahead",
    "Missed": "live.hub",
    "NoProgress": "refresh.writer",
    "Node": "models.lineage",
    "PreparedQuery": "refresh.query",
    "Progress": "refresh.writer",
    "PublishedRelation": "api.relations",
    "PublishedRelations": "api.relations",
    "Receipt": "audit.receipt",
    "RecordOutcome": "live.streaming",
    "RecordRequest": "live.streaming",
    "RecorderCounts": "live.recorder",
    "RefreshOutcome": "refresh.runner",
    "RefreshRequest": "refresh.plan",
    "RelationColumn": "api.relations",
    "RelationRows": "api.relations",
    "Replay": "audit.replay",
    "RestoreOutcome": "refresh.maintenance",
    "RestoreRequest": "refresh.maintenance",
    "ResultColumn": "store.rows",
    "RowCondition": "api.relations",
    "RowDifference": "live.watch",
    "Rows": "store.rows",
    "RowsRequest": "api.relations",
    "SandboxLimits": "store.sandbox_protocol",
    "SandboxedAnswer": "api.sandboxed",
    "SandboxedDatabase": "api.sandboxed",
    "SaveRequest": "api.saving",
    "SourceCall": "audit.why",
    "Status": "api.answer",
    "StatusRow": "refresh.freshness",
    "Step": "refresh.datasets",
    "TreeLine": "models.lineage",
    "WatchedAnswer": "live.watch",
    "WatchedQuery": "live.watch",
    "Watchers": "api.answer",
    "audit_hash": "audit.home_findings",
    "connect_published": "api.published",
    "difference_rows": "live.watch",
    "export_formats": "refresh.maintenance",
    "filler_of": "audit.replay",
    "find_node": "audit.replay",
    "input_versions": "live.watch",
    "list_backups": "store.backup",
    "open_database": "api.database",
    "parse_as_of": "models.as_of",
    "options_close": "market.calendar",
    "parse_duration": "market.calendar",
    "picked_rows": "live.watch",
    "publication_mark": "live.watch",
    "read_receipt": "audit.receipt",
    "record": "live.streaming",
    "save_query": "api.saving",
    "ALIVE_S": "refresh.daemon_client",
    "Channel": "refresh.daemon_client",
    "DaemonGreeting": "refresh.daemon_client",
    "error_to_json": "refresh.daemon_client",
    "home_id": "refresh.daemon_client",
    "outcome_to_json": "refresh.daemon_client",
    "peer_uid": "refresh.daemon_client",
    "published_generation": "store.publish",
    "remove_unused_copies": "store.files",
    "request_from_json": "refresh.daemon_client",
    "schema_version": "refresh.daemon_client",
    "setup_digest": "refresh.daemon_client",
    "socket_path": "refresh.daemon_client",
    "allow_reading": "sources.in_thread",
    "interrupt_reading": "sources.in_thread",
    "no_reading": "sources.in_thread",
    "current_owner": "store.lock",
    "check_stream": "live.streaming",
    "forget_stream_trouble": "store.files",
    "note_stream_trouble": "store.files",
    "stream_trouble": "store.files",
    "recorder_owner": "store.files",
}

__all__ = [
    "ALIVE_S",
    "Answer",
    "Backup",
    "BackupRequest",
    "Channel",
    "ConfiguredResource",
    "DaemonGreeting",
    "Database",
    "DatasetOutcome",
    "DescribedRelation",
    "Diagnosis",
    "EarlyRow",
    "Environment",
    "Explanation",
    "ExportFiles",
    "Freshness",
    "Hub",
    "ImpliedExplanation",
    "InputRows",
    "InputVersions",
    "InstalledSource",
    "LateInput",
    "LineageGraph",
    "LoginSource",
    "LookAhead",
    "Missed",
    "NoProgress",
    "Node",
    "PreparedQuery",
    "Progress",
    "PublishedRelation",
    "PublishedRelations",
    "Receipt",
    "RecordOutcome",
    "RecordRequest",
    "RecorderCounts",
    "RefreshOutcome",
    "RefreshRequest",
    "RelationColumn",
    "RelationRows",
    "Replay",
    "RestoreOutcome",
    "RestoreRequest",
    "ResultColumn",
    "RowCondition",
    "RowDifference",
    "Rows",
    "RowsRequest",
    "SandboxLimits",
    "SandboxedAnswer",
    "SandboxedDatabase",
    "SaveRequest",
    "SourceCall",
    "Status",
    "StatusRow",
    "Step",
    "TreeLine",
    "WatchedAnswer",
    "WatchedQuery",
    "Watchers",
    "allow_reading",
    "audit_hash",
    "check_stream",
    "connect_published",
    "current_owner",
    "difference_rows",
    "error_to_json",
    "export_formats",
    "filler_of",
    "find_node",
    "forget_stream_trouble",
    "home_id",
    "input_versions",
    "interrupt_reading",
    "list_backups",
    "no_reading",
    "note_stream_trouble",
    "open_database",
    "options_close",
    "outcome_to_json",
    "parse_as_of",
    "parse_duration",
    "peer_uid",
    "picked_rows",
    "publication_mark",
    "published_generation",
    "read_receipt",
    "record",
    "recorder_owner",
    "remove_unused_copies",
    "request_from_json",
    "save_query",
    "schema_version",
    "setup_digest",
    "socket_path",
    "stream_trouble",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ttapi.{_HOMES[name]}"), name)
