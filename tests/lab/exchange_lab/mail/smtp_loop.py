# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One event loop in a thread of its own, for all SMTP listeners of a lab."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_STOP_SECONDS = 5.0


class LoopThread:
    """Starts on ``with`` (or ``start``), runs coroutines for other threads, and ends completely."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        if self._loop is None:
            raise RuntimeError("the loop thread has not been started")
        return self._loop

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._loop is None:
            loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._serve, args=(loop,), name="lab-smtp", daemon=True
            )
            self._thread.start()
            self._loop = loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result to the calling thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_STOP_SECONDS)

    def listen(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        port: int = 0,
        *,
        reuse_port: bool | None = None,
    ) -> asyncio.Server:
        """Open a listener on 127.0.0.1; port 0 takes any free one."""

        async def open_it() -> asyncio.Server:
            return await self.loop.create_server(factory, "127.0.0.1", port, reuse_port=reuse_port)

        return self.run(open_it())

    def close(self, server: asyncio.Server) -> None:
        """Close a listener: nobody can connect any more; what is connected ends with the loop."""

        async def close_it() -> None:
            server.close()

        self.run(close_it())

    def stop(self) -> None:
        """Cancel what is left, end the thread and close the loop; never raises."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            asyncio.run_coroutine_threadsafe(self._cancel_all(), loop).result(_STOP_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_SECONDS)
        loop.close()

    @staticmethod
    async def _cancel_all() -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def port_of(server: asyncio.Server) -> int:
    """Return the loopback port a listener has."""
    port: int = server.sockets[0].getsockname()[1]
    return port
