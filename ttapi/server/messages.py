# SPDX-License-Identifier: Apache-2.0
"""What is asked and answered, as models: OpenAPI is made of them, and what does not fit is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_ROWS = 999_999
"""Of one answer, whatever the settings allow."""
_TEXT = 8_192
_NAME = 200

_Name = Annotated[str, Field(min_length=1, max_length=_NAME)]
_Limit = Annotated[int, Field(ge=1, le=MAX_ROWS, description="Rows of one answer.")]
_Offset = Annotated[int, Field(ge=0, le=10**12, description="Rows to pass over.")]
_Cursor = Annotated[
    str | None,
    Field(max_length=_NAME, description="`next` of the answer before: goes on where it ended."),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class NothingAsked(_Asked):
    """No parameters."""


class ListQuery(_Asked):
    """A piece of a list."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: _Cursor = None


class RelationsQuery(ListQuery):
    """A piece of the list of relations."""

    scope: Annotated[
        Literal["public", "all"], Field(description="`all`: those of the inner schemas, too.")
    ] = "public"


class RelationQuery(_Asked):
    """Which generation's."""

    generation: Annotated[int | None, Field(ge=1, le=2**53)] = None


class RowsQuery(_Asked):
    """Which rows of a relation."""

    columns: Annotated[
        str | None, Field(max_length=_TEXT, description="Names with commas between; none: all.")
    ] = None
    where: Annotated[
        list[Annotated[str, Field(max_length=_TEXT)]],
        Field(
            max_length=100,
            description="`column:operator:value`, with `;` between or given again, all of which hold. Operators:"
            " eq ne lt le gt ge in contains starts null notnull. In a value a backslash stands before `;` and"
            " itself.",
            examples=[["symbol:eq:SPY;date:ge:2024-01-01"]],
        ),
    ] = []
    order: Annotated[
        str | None,
        Field(
            max_length=_TEXT,
            description="Columns with commas between, `-` before one that descends; missing values"
            " come last, and the relation's grain decides between equals.",
        ),
    ] = None
    offset: _Offset = 0
    limit: _Limit = 100
    generation: Annotated[
        int | None, Field(ge=1, le=2**53, description="The published generation to read.")
    ] = None
    cursor: _Cursor = None
    refresh: Annotated[
        bool, Field(description="Have what is read refreshed first; needs role analyst.")
    ] = False


class SeriesQuery(RowsQuery):
    """Which rows of one symbol."""

    symbol: Annotated[_Name, Field(description="The symbol; of a chain, its underlying.")]
    start: Annotated[str | None, Field(alias="from", max_length=40, description="First date.")] = (
        None
    )
    end: Annotated[
        str | None, Field(alias="to", max_length=40, description="First date not wanted.")
    ] = None


class ExpirationsQuery(RowsQuery):
    """Which expirations are listed."""

    symbol: Annotated[_Name, Field(description="A root, or a stock, which has those of EQUITY.")]
    as_of: Annotated[
        str | None, Field(max_length=10, description="The day on which they are listed; today.")
    ] = None


class PlanQuery(_Asked):
    """What would be refreshed."""

    dataset: Annotated[list[_Name], Field(max_length=100)] = []
    force: bool = False


class RefreshBody(_Asked):
    """What to refresh."""

    datasets: Annotated[list[_Name], Field(max_length=100, description="None: everything.")] = []
    symbols: Annotated[
        list[_Name], Field(max_length=1000, description="Only these; none: all that is wanted.")
    ] = []
    force: Annotated[bool, Field(description="Ask again even where fresh.")] = False


class SqlBody(_Asked):
    """One SELECT."""

    sql: Annotated[str, Field(min_length=1, max_length=50_000)]
    parameters: Annotated[
        list[Any] | dict[str, Any],
        Field(description="Values of `?` in order, or of `$name` by name.", max_length=1000),
    ] = []
    max_rows: Annotated[int | None, Field(ge=1, description="Rows of the answer at most.")] = None
    timeout_s: Annotated[float | None, Field(gt=0, description="Seconds it may run.")] = None
    max_age: Annotated[
        str | None, Field(max_length=40, description="Refuse older data: 5m, 2h, 1d.")
    ] = None
    refresh: Annotated[
        bool, Field(description="Refresh what it reads first, where the role allows it.")
    ] = True


class LoginBody(_Asked):
    """Who one is."""

    name: _Name
    password: Annotated[str, Field(min_length=1, max_length=1024)]


class RenewalBody(_Asked):
    """What the next pair of tokens is given for."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=2048)]


class CodeBody(_Asked):
    """What a browser was given, once."""

    code: _Name


class WhyQuery(_Asked):
    """Which row."""

    key: Annotated[
        list[_Name],
        Field(max_length=20, description="Values of its grain in order, or column=value."),
    ] = []


class ProblemReply(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


class TokensReply(BaseModel):
    """What a login is answered with (names of RFC 6749)."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Field(description="Seconds until the access token ends.")]
    refresh_token: Annotated[
        str, Field(description="Good once, for the next pair; used again, it ends the login.")
    ]
    user: str
    role: str


class CodeReply(BaseModel):
    """A code that gives one login."""

    code: str
    expires_in: int


class LogoutReply(BaseModel):
    """Whether a login ended; the token that a daemon was started with is of none."""

    ended: bool


class ColumnReply(BaseModel):
    """One column: its engine's type, and its unit, sign and what null means as the comment."""

    name: str
    type: str
    comment: str | None


class RelationReply(BaseModel):
    """One relation."""

    name: str
    kind: Literal["raw", "table", "view", "macro"]
    about: str | None
    grain: list[str]
    parameters: list[str]
    columns: list[ColumnReply]
    source: str | None
    ttl: str | None
    is_private: bool


class RelationsReply(BaseModel):
    """A piece of the list of relations."""

    generation: int
    relations: list[RelationReply]
    next: str | None


class RowsReply(BaseModel):
    """Rows of a relation, as objects."""

    total: int
    generation: int
    notes: Annotated[list[str], Field(description="Why there are no rows: what was never loaded.")]
    columns: list[ColumnReply]
    rows: list[dict[str, Any]]
    next: str | None


class SqlColumnReply(BaseModel):
    """One column of an answer."""

    name: str
    type: str


class SqlReply(BaseModel):
    """Rows of a query, as objects, and how old what it read was."""

    generation: int
    row_count: int
    is_truncated: bool
    columns: list[SqlColumnReply]
    ages_s: dict[str, float | None]
    notes: list[str]
    rows: list[dict[str, Any]]


class StatusReply(BaseModel):
    """How fresh one dataset is."""

    dataset: str
    verdict: str
    reasons: list[str]
    age_s: float | None
    ttl_s: float | None
    last_load_at: str | None
    due_at: str | None


class StatusesReply(BaseModel):
    """How fresh every dataset is."""

    generation: int
    now: str
    datasets: list[StatusReply]


class DatasetReply(BaseModel):
    """One dataset as it is declared."""

    dataset: str
    kind: str
    about: str | None
    source: str | None
    ttl: str | None
    grain: list[str]
    is_private: bool
    licence: Literal["personal", "shared"]


class DatasetsReply(BaseModel):
    """A piece of the list of datasets."""

    generation: int
    datasets: list[DatasetReply]
    next: str | None


class StepReply(BaseModel):
    """One entry of a plan."""

    dataset: str
    slice: str | None
    reasons: list[str]
    calls: int


class PlanReply(BaseModel):
    """What a refresh would do."""

    steps: list[StepReply]


class TaskReply(BaseModel):
    """One refresh: asked for, under way, or over."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    datasets: list[str]
    symbols: list[str]
    force: bool
    asked_by: str
    asked_at: str
    started_at: str | None
    finished_at: str | None
    progress: dict[str, list[int]]
    outcome: dict[str, Any] | None
    error: str | None


class TasksReply(BaseModel):
    """A piece of the list of tasks, the newest first."""

    tasks: list[TaskReply]
    next: str | None


class DocumentReply(BaseModel):
    """A document as the command line gives it."""

    model_config = ConfigDict(extra="allow")
