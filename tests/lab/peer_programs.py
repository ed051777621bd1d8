# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs beside the lab: found, run in the foreground, ended."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

_SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
_PATIENCE = 30.0  # seconds for a program to come up
_FREE_TRIES = 50


def program(name: str) -> str:
    """Return where a program is; without it, the test is skipped."""
    found = shutil.which(name) or shutil.which(name, path=_SBIN)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port that is free for UDP and TCP now."""
    for _round in range(_FREE_TRIES):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind((address, port))
                return port
    raise OSError(f"no port of {address} is free for both UDP and TCP")


def free_address(port: int) -> str:
    """Return an address of loopback where a port is free, for UDP and TCP, that many may want."""
    for _round in range(_FREE_TRIES):
        address = ".".join(["127", *(str(random.randrange(1, 255)) for _part in range(3))])
        with contextlib.suppress(OSError), socket.socket() as tcp:
            tcp.bind((address, port))
            with socket.socket(type=socket.SOCK_DGRAM) as udp:
                udp.bind((address, port))
                return address
    raise OSError(f"no address of loopback has port {port} free")


def output(*command: str | Path, cwd: Path | None = None, stdin: str = "") -> str:
    """Run a program to its end and return what it printed; its complaints fail the test."""
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, cwd=cwd, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def running(command: Sequence[str], ready: Callable[[], bool], folder: Path) -> Iterator[None]:
    """Run a program in the foreground; the block begins once ``ready`` says so."""
    log = folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=folder)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE)
