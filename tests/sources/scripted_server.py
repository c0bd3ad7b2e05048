# SPDX-License-Identifier: Apache-2.0
"""HTTP servers on loopback that do what a test tells them, in a thread and loop of their own."""

from __future__ import annotations

import asyncio
import socket
import threading

import h2.config
import h2.connection
import h2.events
from aiohttp import web

from ttapi.simulator.server import end_serving


class ScriptedServer:
    """Answers request number n, from 1, as `script(request, n)` says."""

    def __init__(self, script):
        self.script = script
        self.requests = []
        self.in_flight = self.in_flight_most = 0

    def __enter__(self):
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._started.wait(600)
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _serve(self):
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._started.set()
        await self._ended.wait()
        await end_serving(runner, listening)

    async def _answer(self, request):
        self.requests.append((request.method, request.path, dict(request.headers)))
        number = len(self.requests)
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        try:
            return await self.script(request, number)
        finally:
            self.in_flight -= 1


class GoingAwayServer:
    """HTTP/2 over TLS: the first connection is told GOAWAY instead of an answer, others are answered."""

    def __init__(self, context):
        self._context = context
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.url = f"https://localhost:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc):
        self._server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        is_first = self.connections == 1
        link = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        link.initiate_connection()
        writer.write(link.data_to_send())
        while data := await reader.read(65536):
            for event in link.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    if is_first:
                        link.close_connection(last_stream_id=0)
                    else:
                        head = [(":status", "200"), ("content-type", "application/json")]
                        link.send_headers(event.stream_id, head)
                        link.send_data(event.stream_id, b"{}", end_stream=True)
            writer.write(link.data_to_send())
            await writer.drain()
            if is_first and link.state_machine.state is h2.connection.ConnectionState.CLOSED:
                break
        writer.close()
