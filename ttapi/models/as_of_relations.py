# SPDX-License-Identifier: Apache-2.0
"""Relations as of a point in time, each a common table expression over those it reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from ttapi.errors import QueryError
from ttapi.models.as_of import key_of, raw_rows_as_of
from ttapi.models.limits import FILE, NO_LIMIT, NameScope, RelationRead, ValueSet, values_of
from ttapi.models.model import macro_parts
from ttapi.models.portability import volatile_parts
from ttapi.models.references import is_cte, looks_like_file, parse_statements
from ttapi.models.sql_edit import (
    call_of,
    called_names,
    name_span,
    parameter_places,
    qualifier_place,
    replace_spans,
    tokens_of,
)
from ttapi.sqltext import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttapi.models.as_of import AsOf, AsOfParameter
    from ttapi.models.graph import ModelGraph
    from ttapi.models.model import Model
    from ttapi.models.model_cache import PushdownInfo
    from ttapi.models.sql_edit import Argument, TextSpan
    from ttapi.sources.contract import Column, Resource

_OWN = "_asof"
_MOST = 32
"""Key values a macro is called for; more are answered by the definition, in one pass."""
_LAYERS = {"raw", "staged", "derived", "catalog"}
_SELECT = "select "
_COMPUTED = {"query", "query_table"}


@dataclass(frozen=True)
class AsOfCatalog:
    """What there is to read."""

    graph: ModelGraph
    names: NameScope
    flows: Mapping[str, PushdownInfo]
    """By dataset name."""
    resources: Mapping[str, Resource]
    """By dataset name."""
    former: Mapping[str, FormerResource] = field(default_factory=dict)
    """Raw datasets that had other columns at the point in time, by name."""


@dataclass(frozen=True)
class FormerResource:
    """A resource as its raw table was before its columns changed."""

    resource: Resource
    """Of the kept table, its name and its columns."""
    lacking: tuple[Column, ...]
    """What it got later: null then."""
    lost: tuple[str, ...]
    """What the kept table has and the one of today has not, or with another type."""

    @property
    def text(self) -> str:
        """For a person: which table is read, and how it differs."""
        said = [f"raw.{self.resource.table}"]
        if self.lost:
            said.append(f"with {', '.join(self.lost)} as then declared")
        if self.lacking:
            said.append(f"without {', '.join(column.name for column in self.lacking)}: null")
        return "rows known then, of " + ", ".join(said)


class NoAsOfFormError(Exception):
    """A relation cannot be answered as of a point in time; the text says why."""

    def __init__(self, text: str, hint: str | None = None) -> None:
        """`hint`: what would have worked; None: nothing of this relation."""
        super().__init__(text)
        self.hint = hint


def is_timeless(name: str, installed: AsOfCatalog) -> bool:
    """Whether nothing behind `name` depends on what was known when."""
    if (resource := installed.resources.get(name)) is not None:
        return resource.is_timeless
    upstreams = installed.graph.upstreams.get(name)
    return upstreams is not None and all(is_timeless(u, installed) for u in upstreams)


@dataclass
class AsOfRewriter:
    """The common table expressions a rewritten query needs, upstreams first."""

    installed: AsOfCatalog
    as_of: AsOf | AsOfParameter
    reads: Mapping[str, list[RelationRead]]
    """Every way each relation is read."""
    tables: dict[str, str] = field(default_factory=dict)
    """What follows `as`, by quoted name."""
    texts: dict[str, str] = field(default_factory=dict)
    """How what the query itself names is read."""
    ends: list[RelationRead] = field(default_factory=list)
    """Where reading ends: raw tables, macros, what is read as it is."""
    form_of: str | None = None
    """The relation whose own macro is being made, which cannot answer for it; None: of no one."""

    def text(self, sql: str, names: NameScope, model: Model | None = None) -> str:
        """`sql` reading what was known; `model`: whose definition it is, None: the query's."""
        try:
            parsed = parse_statements(sql)
        except QueryError as exc:
            raise NoAsOfFormError(exc.message) from exc
        places = [one for s in parsed for one in self._places(sql, s, names, model)]
        # What stands within a macro's arguments is part of the macro.
        outer = [a for a in places if not any(a != b and a[0].is_within(b[0]) for b in places)]
        return replace_spans(sql, outer)

    def relation(self, name: str) -> str | None:
        """What stands for `name`, a dataset; None: itself."""
        if is_timeless(name, self.installed):
            self.ends += self.reads.get(name, [RelationRead(name)])
            return None
        quoted = f'"{name} as of"'
        if quoted not in self.tables:
            model = self.installed.graph.models.get(name)
            # A view is read anew by every reader, so that its conditions reach what it reads; a
            # table is there for being read often, and the engine decides.
            how = "" if model is not None and model.kind == "table" else "not materialized "
            self.tables[quoted] = f"{how}(\n{self._select_of(name)})"
        return quoted

    def _select_of(self, name: str) -> str:
        resource = self.installed.resources.get(name)
        if resource is not None:
            self.ends += self.reads.get(name, [RelationRead(name)])
            former = self.installed.former.get(name)
            lacking = former.lacking if former else ()
            resource = former.resource if former else resource
            keys = self._values(name, key_of(resource))
            return raw_rows_as_of(resource, self.as_of, keys, lacking)
        model = self.installed.graph.models.get(name)
        if model is None:
            for broken, error in self.installed.graph.broken.items():
                if name in {broken, broken.rpartition(".")[2]}:
                    raise error
            raise NoAsOfFormError(_refused(name, None))
        macro, key = self._own_macro(name)
        values = self._values(name, key)
        if macro is not None and values is not None and len(values) <= _MOST:
            return self._through(macro, name, str(key), values)
        try:
            return self._definition(model, model.body)
        except NoAsOfFormError as exc:
            if macro is None:
                raise
            raise NoAsOfFormError(
                f"{name} is answered for its {key} alone",
                hint=f"where {key} = ..., or {key} in (...) of {_MOST} at most",
            ) from exc

    def _definition(self, model: Model, sql: str) -> str:
        if moving := volatile_parts(sql):
            raise NoAsOfFormError(
                f"{model.name} has no as-of form: {model.file} asks for {moving[0]},"
                " which is of this moment"
            )
        names = self.installed.names
        return self.text(
            sql, NameScope(names.relations, names.macros, row_wise=names.row_wise), model
        )

    def _own_macro(self, name: str) -> tuple[Model | None, str | None]:
        """The macro `R_asof` of a relation R, and the parameter that is its key."""
        macro = self.installed.graph.models.get(f"{name}{_OWN}")
        if macro is None or macro.kind != "macro" or name == self.form_of:
            return None, None
        others = [p for p in macro_parts(macro).parameters if p != "as_of"]
        columns = self.installed.flows[name].columns or ()
        has_form = len(others) == 1 and others[0] in columns
        same = set(columns) <= set(self.installed.flows[macro.name].columns or ())
        return (macro, others[0]) if has_form and same else (None, None)

    def _values(self, name: str, column: str | None) -> frozenset[str] | None:
        """The values of `column` that matter, however `name` is read; None: any may."""
        if column is None:
            return None
        ways = self.reads.get(name, ())
        each = [values_of(read.limits.get(column, NO_LIMIT)) for read in ways]
        known = [values for values in each if values is not None]
        return frozenset().union(*known) if known and len(known) == len(each) else None

    def _through(self, macro: Model, name: str, key: str, values: frozenset[str]) -> str:
        """The macro's rows of each value; the condition keeps a value to its own rows."""
        columns = ", ".join(f'v."{column}"' for column in self.installed.flows[name].columns or ())
        order = macro_parts(macro).parameters
        self.ends.append(RelationRead(macro.name, {}, {key: frozenset([ValueSet(values)])}))
        selects = []
        for value in sorted(values) or [""]:
            given = [self.as_of.argument if p == "as_of" else literal(value) for p in order]
            selects.append(
                f"select {columns} from {macro.qualified}({', '.join(given)}) as v"
                f' where v."{key}" = {literal(value)}'
            )
        return "\nunion all\n".join(selects) + "\n"

    def _places(
        self, sql: str, statement: exp.Expr, names: NameScope, model: Model | None
    ) -> Iterator[tuple[TextSpan, str]]:
        calls = set()
        for table in statement.find_all(exp.Table):
            if isinstance(table.this, exp.Anonymous):
                calls.add(table.this.meta["start"])
                text = self._called(sql, table, names, model)
                place = call_of(sql, table).place if text else None
            elif isinstance(table.this, exp.Identifier):
                text = self._named(table, names, model)
                place = name_span(table)
            else:
                continue
            if text and place:
                is_named = bool(table.alias) or _follows(sql, place, "table")
                yield place, text if is_named else f"{text} as {_bare(table.this)}"
        for name, start in called_names(sql):
            if start not in calls:
                self._require_no_rows(names.macros.get(name, ""))
        yield from _unqualified(statement, names)

    def _named(self, table: exp.Table, names: NameScope, model: Model | None) -> str | None:
        """What takes the place of a relation's name; None: nothing does."""
        schema, name = table.db.lower(), table.name.lower()
        if is_cte(table) or table.catalog.lower() not in {"", FILE}:
            return None
        if not schema and name in names.views:
            return self._view(name, names)
        if looks_like_file(table):
            return None
        if not schema and name in names.temporary:
            return self._note(table.name, f"{table.name} as it is", None)
        dataset = names.dataset(schema, name)
        if dataset is None:
            if schema in _LAYERS:
                raise NoAsOfFormError(_refused(f"{schema}.{name}", model))
            return None
        found = self.relation(dataset)
        return found if model is not None else self._note(dataset, self._how(dataset, found), found)

    def _note(self, name: str, text: str, found: str | None) -> str | None:
        self.texts.setdefault(name, text)
        return found

    def _how(self, name: str, found: str | None) -> str:
        if found is None:
            return f"{name} as it is"
        macro, _ = self._own_macro(name)
        is_through = macro is not None and f"{macro.qualified}(" in self.tables[found]
        if is_through and macro is not None:
            return f"{name} -> {macro.name}"
        if (former := self.installed.former.get(name)) is not None:
            return f"{name} -> {former.text}"
        return f"{name} -> {'rows known then' if name.startswith('raw.') else 'its definition'}"

    def _view(self, name: str, names: NameScope) -> str:
        """A temporary view of the session, by its SELECT; it may build on those before it."""
        quoted = f'"{name} as of"'
        if quoted not in self.tables:
            before = dict(names.views)
            sql = before.pop(name)
            inner = replace(names, views=before)
            self.tables[quoted] = f"not materialized (\n{self.text(sql, inner)}\n)"
        return quoted

    def _called(
        self, sql: str, table: exp.Table, names: NameScope, model: Model | None
    ) -> str | None:
        """What takes the place of a table function; None: nothing does."""
        name = table.this.name.lower()
        if name in _COMPUTED:
            raise NoAsOfFormError(f"{name}() computes what it reads: name it instead")
        macro = self.installed.graph.models.get(names.macros.get(name, ""))
        if macro is None:
            return None
        self._refuse_own(macro)
        found = None
        if not is_timeless(macro.name, self.installed):
            call = call_of(sql, table)
            arguments = [
                replace(a, text=self._argument(a.text, names, model)) for a in call.arguments
            ]
            found = f"(\n{self._inlined(macro, arguments)})"
        if model is None:
            self._note(macro.name, f"{macro.name} -> its definition" if found else name, found)
        return found

    def _argument(self, sql: str, names: NameScope, model: Model | None) -> str:
        """An argument of a macro; a query within it reads what was known as well."""
        return self.text(f"{_SELECT}{sql}", names, model).removeprefix(_SELECT)

    def _inlined(self, macro: Model, arguments: Sequence[Argument]) -> str:
        """The body of `macro` with `arguments` in it, reading what was known."""
        parts = macro_parts(macro)
        given = dict(parts.defaults)
        for i, argument in enumerate(arguments):
            name = argument.name or (parts.parameters[i] if i < len(parts.parameters) else "")
            given[name] = argument.text
        if missing := [p for p in parts.parameters if p not in given]:
            raise NoAsOfFormError(f"{macro.name} is called without {missing[0]}")
        (body,) = parse_statements(parts.body)
        places = [(at, f"({given[name]})") for at, name in parameter_places(body, parts.parameters)]
        return self._definition(macro, replace_spans(parts.body, places))

    def _refuse_own(self, macro: Model) -> None:
        base = macro.name.removesuffix(_OWN)
        if base != macro.name and base in self.installed.names.relations:
            raise NoAsOfFormError(f"{macro.name} takes its own instant: read {base} instead")

    def _require_no_rows(self, name: str) -> None:
        """*Raises* NoFormError for a macro that reads rows, where none is taken apart."""
        if name in self.installed.graph.models and not is_timeless(name, self.installed):
            read = min(self.installed.graph.upstreams[name])
            raise NoAsOfFormError(
                f"{name} has no as-of form: it is called within a row, and reads {read}"
            )


def _unqualified(statement: exp.Expr, names: NameScope) -> Iterator[tuple[TextSpan, str]]:
    """Where columns are written with a schema (`main.eod.symbol`), which an alias has none of."""
    for column in statement.find_all(exp.Column):
        if column.db and names.dataset(column.db.lower(), column.table.lower()) is not None:
            yield qualifier_place(column), _bare(column.args["table"])


def _follows(sql: str, place: TextSpan, word: str) -> bool:
    """Whether `word` stands before a place: behind TABLE there is no alias."""
    before = [token for token in tokens_of(sql) if token.end < place.start]
    return bool(before) and before[-1].text.lower() == word


def _bare(named: exp.Expr) -> str:
    return identifier(str(named.name))


def _refused(name: str, model: Model | None) -> str:
    why = "does not say when its rows were known"
    if name.startswith("catalog."):
        why = "holds the present only"
    if model is None:
        return f"{name} has no as-of form: it {why}"
    return f"{model.name} has no as-of form: {model.file} reads {name}, which {why}"
