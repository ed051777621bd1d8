# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium that tests drive by its DevTools protocol, over pipes: no port is open."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium")
_OPTIONS = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
_PATIENCE = 30.0  # seconds for one answer


class Browser:
    """One page in a browser. Everything it said on the console, and asked the network, is kept."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests, self._answers = requests, answers
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.console: list[str] = []
        self.asked: list[str] = []
        self.loaded = False

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        if not self._session:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        self.loaded = False
        self.call("Page.navigate", url=page.as_uri())
        while not self.loaded:
            self._read()

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._requests, data) :]
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def run(self, script: str) -> Any:
        """Evaluate JavaScript in the page; a promise is waited for."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(str(done["exceptionDetails"]))
        return done["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """Press a key as a person does, such as ``ArrowDown``, ``Enter`` or ``a``."""
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "End": 35}
        known = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0)}
        typed = text or ("\r" if key == "Enter" else key if len(key) == 1 else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", text=typed, **known)
        self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        for character in text:
            self.press(character)

    def click(self, selector: str) -> None:
        """Click into the middle of the first element that a selector finds."""
        place = self.run(
            f"""(() => {{ const found = document.querySelector({json.dumps(selector)});
            found.scrollIntoView({{block: 'center'}}); const box = found.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
        )
        at = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **at)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **at)

    def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _read(self) -> dict[str, Any]:
        """Return the next message; events are noted as well."""
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            ready, _unused, _unused = select.select(
                [self._answers], [], [], max(0.0, end - time.monotonic())
            )
            data = os.read(self._answers, 1 << 20) if ready else b""
            if not data:
                raise RuntimeError("Chromium does not answer.")
            self._buffer += data
        line, _unused, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, told: dict[str, Any]) -> None:
        if event == "Runtime.consoleAPICalled":
            self.console.append(str([part.get("value") for part in told["args"]]))
        elif event == "Runtime.exceptionThrown":
            self.console.append(str(told["exceptionDetails"]))
        elif event == "Log.entryAdded":
            self.console.append(told["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"])
        elif event == "Page.loadEventFired":
            self.loaded = True


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start a browser with a new profile; it ends with the block."""
    requests_read, requests = os.pipe()
    answers, answers_write = os.pipe()
    # The browser reads from its descriptor 3 and writes to 4, whatever they are here.
    command = f'exec 3<&{requests_read} 4>&{answers_write}; exec "$0" "$@"'
    process = subprocess.Popen(
        ["bash", "-c", command, str(PROGRAM), *_OPTIONS, f"--user-data-dir={profile}"],
        pass_fds=(requests_read, answers_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(requests_read)
    os.close(answers_write)
    try:
        yield Browser(requests, answers)
    finally:
        os.close(requests)
        process.terminate()
        process.wait(timeout=_PATIENCE)
        os.close(answers)
