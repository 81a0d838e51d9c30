"""The pre-fork supervisor: everything is loaded once, then workers are forked that share it.

It holds no threads, no event loop and no database connection, so that forking is safe at any time. Each web worker
has a heavy lane; both are children of the supervisor, which restarts them. Children watch a pipe whose other end only
the supervisor holds: when it dies, by whatever, they end too. It accepts connections itself and deals them to the web
workers in turn: on a shared listening socket one worker may take them all and leave the others idle.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fhir_server import metrics
from fhir_server.lanes import LaneSocket
from fhir_server.settings import Settings
from fhir_server.worker import lane_app, run_lane, run_worker, web_app

_log = logging.getLogger("fhir_server.supervisor")

TICK_S = 1.0
ACCEPT_AT_ONCE = 64
START_ATTEMPTS = 3
"""Failed starts in a row after which the server gives up instead of trying for ever."""


class StartError(RuntimeError):
    """The server cannot run; the text says why."""


@dataclass
class Child:
    """A process of ours: what it runs, its id while it lives, and how often it failed before it was ready."""

    name: str
    run: Callable[[Child], None]
    pid: int = 0
    started: float = 0.0
    ready: bool = False
    failures: int = 0
    lane: LaneSocket | None = field(default=None, repr=False)
    channel: socket.socket | None = field(default=None, repr=False)


class Supervisor:
    """Forks and watches the processes that serve `listener`.

    Shape:  `every_tick` is called each second (it keeps the embedded database alive); `when_ready` once, when all
            workers answer
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        *,
        every_tick: Callable[[], None] = lambda: None,
        when_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.listener = listener
        self.every_tick = every_tick
        self.when_ready = when_ready
        self.stopping = False
        self._signals = 0
        self._dealt = 0
        self._lifeline = os.pipe()
        self._ready = os.pipe()
        self._wakeup = os.pipe()
        self._web, self._lane = web_app(settings), lane_app(settings)
        self._children = [child for n in range(settings.worker_count) for child in self._pair(n)]

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises StartError where workers cannot start."""
        for end in (*self._wakeup, self._ready[0]):
            os.set_blocking(end, False)
        previous = {
            number: signal.signal(number, self._signalled) for number in (signal.SIGTERM, signal.SIGINT)
        }
        previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()
        try:
            for child in self._children:
                self._fork(child)
            self._watch()
        finally:
            self._stop()
            signal.set_wakeup_fd(-1)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._close()

    # -- children ------------------------------------------------------------------------------------------------

    def _pair(self, number: int) -> tuple[Child, Child]:
        port = self.listener.getsockname()[1]  # ours alone, so the folder is too
        place = LaneSocket(self.settings.data_dir / "run" / f"{port}-{number}")

        def web(child: Child) -> None:
            def ready() -> None:
                os.write(self._ready[1], bytes([self._children.index(child)]))

            assert child.channel is not None
            place.socket.close()
            run_worker(self._web, child.channel, place, self._lifeline[0], ready)

        def lane(_child: Child) -> None:
            run_lane(self._lane, place, self._lifeline[0])

        return Child(f"lane-{number}", lane, ready=True, lane=place), Child(f"web-{number}", web)

    def _fork(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        if child.channel is not None:
            child.channel.close()
        child.channel, theirs = socket.socketpair()
        child.channel.setblocking(False)
        child.started = time.monotonic()
        child.pid = os.fork()
        if child.pid:
            theirs.close()
            return
        code = 1
        try:
            self._become_child()
            child.channel = theirs
            child.run(child)
            code = 0
        except BaseException:
            _log.exception("%s failed", child.name)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _become_child(self) -> None:
        os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which tells us in its own way
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        self.listener.close()
        for child in self._children:
            if child.channel is not None:
                child.channel.close()
        for end in (self._lifeline[1], *self._wakeup, self._ready[0]):
            os.close(end)

    # -- watching ------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        announced, ticked = False, 0.0
        while not self.stopping:
            ready = [child for child in self._children if child.lane is None and child.ready and child.pid]
            inputs = [self._wakeup[0], self._ready[0], *([self.listener.fileno()] if ready else [])]
            readable, _, _ = select.select(inputs, [], [], TICK_S)
            if self.listener.fileno() in readable:
                self._accept(ready)
                if len(readable) == 1 and time.monotonic() < ticked + TICK_S:
                    continue
            ticked = time.monotonic()
            self._drain(self._wakeup[0])
            for index in self._drain(self._ready[0]):
                self._children[index].ready = True
                self._children[index].failures = 0
            if self.stopping:
                return
            self._revive()
            self.every_tick()
            if not announced and all(child.ready for child in self._children):
                announced = True
                self.when_ready()

    def _accept(self, ready: list[Child]) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                connection, _ = self.listener.accept()
            except OSError:  # none left, or the client left
                return
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in ready:
                    self._dealt += 1
                    channel = ready[self._dealt % len(ready)].channel
                    assert channel is not None
                    with contextlib.suppress(OSError):  # that worker is full, or just ended: the next one
                        socket.send_fds(channel, [b"c"], [connection.fileno()])
                        break

    def _signalled(self, _number: int, _frame: object) -> None:
        self.stopping = True
        self._signals += 1

    @staticmethod
    def _drain(end: int) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(end, 4096)
        return b""

    def _revive(self) -> None:
        for child in self._children:
            if child.pid and not self._ended(child):
                continue
            if child.pid:
                _log.error("%s ended", child.name, extra={"pid": child.pid})
                metrics.forget(child.pid)
                lived = time.monotonic() - child.started
                child.failures = 0 if lived > 10 * TICK_S else child.failures + 1
                child.pid = 0
                child.ready = child.lane is not None
            if child.failures >= START_ATTEMPTS:
                raise StartError(
                    f"{child.name} ended {child.failures} times right after its start; the log says why"
                )
            if time.monotonic() >= child.started + child.failures * TICK_S:
                self._fork(child)

    @staticmethod
    def _ended(child: Child) -> bool:
        try:
            return os.waitpid(child.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True

    # -- stopping ------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """End the web workers first (their requests finish, lanes included), then the lanes; the rest is killed."""
        self.stopping = True
        self.listener.close()
        web = [child for child in self._children if child.lane is None]
        lanes = [child for child in self._children if child.lane is not None]
        self._end(web, self.settings.shutdown_s + 2)
        self._end(lanes, 2)

    def _end(self, children: list[Child], patience_s: float) -> None:
        alive = [child for child in children if child.pid and not self._ended(child)]
        for number, patience in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
            for child in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)
            deadline = time.monotonic() + patience
            while alive and time.monotonic() < deadline:
                if self._signals > 1 and number == signal.SIGTERM:  # Ctrl-C once more: wait no longer
                    break
                time.sleep(0.01)
                alive = [child for child in alive if not self._ended(child)]
        for child in children:
            child.pid = 0

    def _close(self) -> None:
        for child in self._children:
            if child.lane is not None:
                child.lane.close()
            if child.channel is not None:
                child.channel.close()
        for end in (*self._lifeline, *self._ready, *self._wakeup):
            os.close(end)
