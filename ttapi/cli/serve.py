# SPDX-License-Identifier: Apache-2.0
"""`ttapi serve`: the home over HTTP, until interrupted.

`ttapi stream`: a vendor's live events recorded into the home, readable by everyone as they come.

`ttapi mcp`: what a language model may ask of a home, on standard streams.

`ttapi user`: who may ask the daemon, kept in the home and changed on its machine alone.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.config import require_extra
from ttapi.errors import UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.api import Environment, RecorderCounts, RecordOutcome, RecordRequest
    from ttapi.server.accounts import Accounts


def register_serve(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine: TLS or a proxy.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535)] = 8321,
    port_file: Annotated[
        Path | None, typer.Option(help="Write {base_url, token, pid} to this file, too (0600).")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(help="CIDR of a proxy that has TLS: connections come from it alone."),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(help="Record live events of these symbols (A,B) and send them on."),
    ] = None,
    is_scheduled: Annotated[
        bool, typer.Option("--scheduler/--no-scheduler", help="Keep datasets inside their TTL.")
    ] = True,
) -> None:
    """Serve the home as REST on loopback, and keep its datasets fresh, until interrupted.

    The token is in live/token of the home, for its owner alone.
    """
    from ttapi.config import require_extra

    require_extra("server", "fastapi", "ttapi serve")
    from ttapi.api import RecordRequest, check_stream
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_environment, require_home, tell
    from ttapi.server.address import ServeOptions
    from ttapi.server.daemon import serve as run

    environment = open_environment(context.obj)
    require_home(environment)
    symbols = tuple(one.strip().upper() for one in (stream or "").split(",") if one.strip())
    proxies = tuple(behind_proxy or ())
    if stream is not None:
        # Found out before anything is served: a daemon that was to stream and does not is easily missed.
        check_stream(environment, RecordRequest(symbols))
    options = ServeOptions(host, port, port_file, tls_cert, tls_key, proxies, is_scheduled, symbols)
    with run_log(environment.home, "serve"):
        run(environment.home, options, os.environ, tell)


_EPILOG = (
    "Others read meanwhile: quotes, trades, ticks, tick_quotes, greeks, greeks_history, bars. An interrupt"
    " stores and publishes what has arrived."
)


def register_stream(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stream", epilog=_EPILOG)(stream)


def stream(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(help="Underlyings (SPY) or options (21 characters).", show_default=False),
    ] = None,
    universe: Annotated[
        str | None, typer.Option("--list", help="The members of this universe, too.")
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            "--types", help="Only these, as quotes,time_and_sales; default: all there are."
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="Stop after so long, as 30s or 2h.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Stop after so many events.", min=1)
    ] = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Record live events of these symbols until interrupted."""
    from ttapi.api import RecordRequest
    from ttapi.cli.terminal import open_environment, require_home

    environment = open_environment(context.obj)
    require_home(environment)
    request = RecordRequest(
        _symbols(environment, symbols or [], universe),
        tuple(part.strip() for part in (kinds or "").split(",") if part.strip()),
        _seconds(duration),
        limit,
        wait,
    )
    outcome = _recorded(environment, request)
    _tell_outcome(outcome)
    if as_json:
        typer.echo(json.dumps(asdict(outcome)))


def _recorded(environment: Environment, request: RecordRequest) -> RecordOutcome:
    """What was recorded, told while it went on."""
    from ttapi.api import record
    from ttapi.cli.terminal import tell_waiting

    silent: list[str] = []
    outcome = record(
        environment,
        request,
        environ=os.environ,
        on_wait=tell_waiting,
        on_published=_tell_published,
        on_silent=lambda symbols: _tell_silent(silent, symbols),
    )
    if outcome.silent and not silent:
        _tell_silent(silent, outcome.silent)
    return outcome


def _symbols(environment: Environment, named: list[str], universe: str | None) -> tuple[str, ...]:
    given = [part for text in named for part in text.split(",")]
    wanted = [text.strip().upper() for text in given if text.strip()]
    members = sorted(environment.members(universe)) if universe else []
    return tuple(dict.fromkeys([*wanted, *members]))


def _seconds(text: str | None) -> float | None:
    """A duration in seconds. *Raises* UsageError for what is none."""
    if text is None:
        return None
    from ttapi.api import parse_duration

    try:
        return parse_duration(text).total_seconds()
    except UsageError as exc:
        raise UsageError(f"--for {text!r} is no duration", hint="30s, 5m and 2h work") from exc


def _tell_published(counts: RecorderCounts, generation: int) -> None:
    from ttapi.cli.terminal import tell

    parts = [f"{counts.stored:,} stored"]
    for count, what in (
        (counts.conflated, "conflated"),
        (counts.refused, "refused"),
        (counts.gaps, "gaps"),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    tell(f"ttapi: generation {generation}: {', '.join(parts)}")


def _tell_silent(said: list[str], symbols: Sequence[str]) -> None:
    """Say it, once a command: `said` is what was."""
    from ttapi.cli.terminal import tell

    said += symbols
    tell(f"ttapi: nothing has come of {', '.join(symbols)}: does the vendor know it by that name?")


def _tell_outcome(outcome: RecordOutcome) -> None:
    from ttapi.cli.terminal import tell

    if outcome.replayed:
        tell(f"ttapi: {amount(outcome.replayed, 'event')} of an earlier run stored first")
    for dataset, rows in outcome.forgotten.items():
        tell(f"ttapi: {dataset}: {amount(rows, 'row')} removed: [stream] keep_days, keep_gb")
    for source in outcome.sources:
        lost = f", lost {amount(source['losses'], 'time')}" if source["losses"] else ""
        said = f"; it said last: {source['last_error']}" if source["last_error"] else ""
        tell(f"ttapi: {source['source']}: {amount(source['events'], 'event')}{lost}{said}")
    tell(f"ttapi: stopped; generation {outcome.generation} holds what arrived")


def register_mcp(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mcp")(mcp)


def mcp(
    context: typer.Context,
    private: Annotated[
        bool, typer.Option("--private", help="Show private datasets, such as accounts, too.")
    ] = False,
    allow_refresh: Annotated[
        bool,
        typer.Option(
            "--allow-refresh",
            help="Refresh what a query reads, within [refresh] max_calls, and offer the tool refresh.",
        ),
    ] = False,
) -> None:
    """Serve the Model Context Protocol on standard streams: list, describe, query, plan, why.

    SQL is read-only and runs in processes of its own, on the published file. Standard output carries the
    protocol alone.
    """
    require_extra("server", "mcp", "ttapi mcp")

    from ttapi.api import SandboxedDatabase
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_environment, require_home
    from ttapi.server.mcp import make_server

    environment = open_environment(context.obj)
    require_home(environment)
    calls = environment.settings.max_calls if allow_refresh else None
    with (
        run_log(environment.home, "mcp"),
        SandboxedDatabase(environment.home, is_private_hidden=not private) as database,
    ):
        database.start()
        make_server(database, max_calls=calls).run("stdio")


def register_user(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(no_args_is_help=True, help="Users of the daemon: who may ask it what.")
    users.command("add")(add_user)
    users.command("list")(list_users)
    users.command("disable")(disable_user)
    users.command("token")(show_token)
    users.command("rotate-keys")(rotate_keys)
    app.add_typer(users, name="user")


_UserName = Annotated[str, typer.Argument(metavar="NAME")]


def add_user(
    context: typer.Context,
    name: _UserName,
    role: Annotated[str, typer.Option(help="viewer, analyst, operator or admin.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Add a user, or enable a disabled one with this role and password."""
    from ttapi.cli.terminal import open_environment, tell

    with _accounts(context, "user added", name, role=role) as accounts:
        accounts.add(name, role, _password(password_stdin))
        is_second = accounts.count() > 1
    tell(f"ttapi: {name} may log in as {role}")
    if is_second and not open_environment(context.obj).settings.serve_share_personal:
        tell(
            "ttapi: users of the daemon see no data that is licensed to you alone;"
            " [serve] share_personal = true shares it"
        )


def list_users(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List users: name, role, since when, logins that have not ended."""
    with _accounts(context) as accounts:
        users = accounts.users()
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in users]))
        return
    for one in users:
        stands = f"disabled {one.disabled_at}" if one.disabled_at else amount(one.logins, "login")
        typer.echo(f"{one.name:20} {one.role:9} {one.made_at}  {stands}")


def disable_user(context: typer.Context, name: _UserName) -> None:
    """Let a user in no more; their tokens and sockets end at once."""
    from ttapi.cli.terminal import tell

    with _accounts(context, "user disabled", name) as accounts:
        accounts.disable(name)
    tell(f"ttapi: {name} is disabled")


def show_token(
    context: typer.Context,
    name: _UserName,
    code: Annotated[
        bool,
        typer.Option("--code", help="A code for a browser instead: good once, for two minutes."),
    ] = False,
) -> None:
    """Show tokens of a new login of a user, on a terminal alone."""
    if not sys.stdout.isatty():
        raise UsageError(
            "a token is shown on a terminal only", hint="POST /api/v1/login gives a program one"
        )
    with _accounts(context, "code shown" if code else "tokens shown", name) as accounts:
        if code:
            typer.echo(accounts.give_code(name))
            return
        pair = accounts.issue(name)
    typer.echo(f"access token, for {pair.expires_in_s // 60} min:\n{pair.access_token}")
    typer.echo(f"refresh token, good once:\n{pair.refresh_token}")


def rotate_keys(context: typer.Context) -> None:
    """Have a new key sign tokens; those that older keys signed are good until they end."""
    from ttapi.cli.terminal import tell

    with _accounts(context, "keys rotated") as accounts:
        found = accounts.rotate_keys()
    tell(f"ttapi: tokens are signed with key {found[:8]} now")


@contextmanager
def _accounts(
    context: typer.Context, what: str = "", name: str = "", **about: str
) -> Iterator[Accounts]:
    """The users of the home; what is done to them is audited."""
    require_extra("server", "argon2", "ttapi user")
    from ttapi.cli.terminal import open_environment, require_home
    from ttapi.server.accounts import Accounts
    from ttapi.server.audit_trail import LOCAL, AuditTrail

    environment = open_environment(context.obj)
    require_home(environment)
    result = "failed"
    try:
        yield Accounts(environment.home.accounts)
        result = "ok"
    finally:
        if what:
            trail = AuditTrail(environment.home.logs)
            trail.write(what, result, who=LOCAL, about={"user": name, **about})


def _password(is_piped: bool) -> str:
    if is_piped:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("a password is asked for on a terminal", hint="--password-stdin works")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
