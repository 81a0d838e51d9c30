"""Heavy lanes: large requests are parsed, checked and stored in a second process, off the web worker's event loop.

The supervisor makes one listening Unix socket per lane before it forks; the lane's process accepts on it and the web
worker connects to it. When a lane dies its requests are answered 503 and the worker connects to the next process on
the same socket. Frames are a length and a number, then a pickle: both ends are forks of one process, and the socket
lies in a folder that only its owner may enter.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import pickle
import shutil
import socket
import struct
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.exchange import Request, Result
from resources.outcome import FhirError

_log = logging.getLogger("fhir_server.lanes")
_HEADER = struct.Struct("!QQ")  # bytes of the pickle, number of the request
_BUFFER = 1 << 20
FOLDER_MAX = 95
"""Bytes of the path of a socket's folder; a socket's own path is limited to 104 on macOS."""

Handle = Callable[[Request], Awaitable[Result]]


class LaneSocket:
    """The place where a lane listens: made by the supervisor, inherited by the lane, connected to by the worker."""

    def __init__(self, folder: Path | None = None) -> None:
        """Listen in `folder`, which is ours alone; in a temporary one where none is given or it is too deep."""
        if folder is None or len(os.fsencode(folder)) > FOLDER_MAX:
            folder = Path(tempfile.mkdtemp(prefix="healthbuddy-lane-"))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder
        self.path = self.folder / "lane"
        self.path.unlink(missing_ok=True)
        self.owner = os.getpid()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(self.path))
        self.socket.listen(16)
        self.socket.setblocking(False)

    def close(self) -> None:
        """Stop listening; the process that made the socket removes it."""
        self.socket.close()
        if os.getpid() == self.owner:
            shutil.rmtree(self.folder, ignore_errors=True)


def lost() -> FhirError:
    """Return what a request is answered whose lane died."""
    text = "The process that worked on the request ended; whether the work was done is unknown. Look, then repeat it"
    return FhirError(503, "transient", text, headers={"Retry-After": "1"})


class HeavyLane:
    """The worker's side: send requests, await results, many at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Result]] = {}
        self._connecting = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """How many requests the lane works on."""
        return len(self._waiting)

    async def submit(self, request: Request) -> Result:
        """Return the lane's result of `request`; raises its FhirError, or 503 where the lane died."""
        frame = pickle.dumps(msgspec.structs.replace(request, resource=None), pickle.HIGHEST_PROTOCOL)
        writer = await self._connected()
        number = next(self._numbers)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            writer.writelines((_HEADER.pack(len(frame), number), frame))
            await writer.drain()
            return await answer
        except ConnectionError:
            raise lost() from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Let go of the lane; what still waits fails."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        if self._writer is not None:
            self._writer.close()

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                try:
                    reader, writer = await asyncio.open_unix_connection(str(self._path), limit=_BUFFER)
                except OSError:
                    raise lost() from None
                self._writer = writer
                self._reading = asyncio.create_task(self._read(reader, writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, outcome = await _receive(reader)
                answer = self._waiting.pop(number, None)
                if answer is None or answer.done():
                    continue  # the client went away meanwhile
                if isinstance(outcome, FhirError):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)
        except (asyncio.IncompleteReadError, ConnectionError):
            _log.warning("heavy lane lost")
        finally:
            self._writer = None
            writer.close()
            waiting, self._waiting = self._waiting, {}
            for answer in waiting.values():
                if not answer.done():
                    answer.set_exception(lost())


async def serve_lane(listener: socket.socket, handle: Handle, *, at_once: int, until: asyncio.Event) -> None:
    """Work on requests from `listener`, at most `at_once` at a time, until told; then finish what was begun."""
    places = asyncio.Semaphore(at_once)
    tasks: set[asyncio.Task[None]] = set()

    async def work(number: int, request: Request, writer: asyncio.StreamWriter) -> None:
        async with places:
            outcome = await _outcome(handle, request)
        frame = pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
        with contextlib.suppress(ConnectionError):
            writer.writelines((_HEADER.pack(len(frame), number), frame))
            await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                number, request = await _receive(reader)
                task = asyncio.create_task(work(number, request, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        writer.close()

    server = await asyncio.start_unix_server(connected, sock=listener, limit=_BUFFER)
    await until.wait()
    server.close()
    if tasks:
        await asyncio.wait(tasks)


async def _receive(reader: asyncio.StreamReader) -> tuple[int, Any]:
    length, number = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    return number, pickle.loads(await reader.readexactly(length))  # noqa: S301 - from our own fork


async def _outcome(handle: Handle, request: Request) -> Result | FhirError:
    try:
        return await handle(request)
    except FhirError as error:
        return error
    except Exception as error:
        _log.exception(
            "heavy lane: unexpected error", extra={"request": request.id, "error": type(error).__name__}
        )
        return FhirError(500, "exception", "The request could not be carried out")
