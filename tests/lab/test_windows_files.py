# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's file system, and cmd's file commands where the disk is in the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from exchange_lab.windows.errors import WinError
from exchange_lab.windows.filesystem import FileSystem, is_device, normalise
from exchange_lab.windows.host import LabHost
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def files(tmp_path: Path) -> FileSystem:
    return FileSystem(tmp_path)


@pytest.fixture
def host(tmp_path: Path) -> LabHost:
    return LabHost("MAIL5A", tmp_path)


def error(act: Callable[[], object]) -> int:
    with pytest.raises(WinError) as caught:
        act()
    return caught.value.code


def fill(host: LabHost, free: int) -> None:
    """Leave so many bytes free."""
    host.fs.quota_bytes = host.fs.used_bytes() + free


# -- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "cwd", "full"),
    [
        ("a.txt", "C:\\x", "C:\\x\\a.txt"),
        ("..\\a", "C:\\x\\y", "C:\\x\\a"),
        ("..\\..\\..\\a", "C:\\x", "C:\\a"),
        ("\\a", "C:\\x", "C:\\a"),
        ("c:/x/./Y", "C:\\", "C:\\x\\Y"),
        ("C:a", "C:\\x", "C:\\x\\a"),
        ("D:a", "C:\\x", "D:\\a"),
        ("a. .", "C:\\", "C:\\a"),
        (".", "C:\\", "C:\\"),
    ],
)
def test_paths_become_full_names(typed: str, cwd: str, full: str) -> None:
    assert normalise(typed, cwd) == full


@pytest.mark.parametrize("typed", ["a*b", "a?", "a|b", 'a"b', "a<b", "C:\\a:b", "a\x01"])
def test_impossible_names_are_refused(typed: str) -> None:
    assert error(lambda: normalise(typed)) == 123


@given(st.text(alphabet="abC. \\/~1", max_size=20))
def test_a_full_name_is_its_own_full_name(typed: str) -> None:
    full = normalise(typed)
    assert normalise(full) == full
    assert ".." not in full.split("\\")


@given(st.text(alphabet="ab.\\", max_size=20))
def test_no_path_leaves_the_disk(tmp_path_factory: pytest.TempPathFactory, typed: str) -> None:
    root = tmp_path_factory.getbasetemp() / "disk"
    assert FileSystem(root).resolve("C:\\" + typed).is_relative_to(root / "C")


def test_devices_are_known_with_any_suffix_and_folder() -> None:
    assert is_device("NUL")
    assert is_device("C:\\x\\nul.txt")
    assert not is_device("null")


def test_names_match_without_case_and_keep_their_spelling(files: FileSystem) -> None:
    files.mkdir("C:\\Exchsrvr\\Imcdata")
    files.write_bytes("c:\\EXCHSRVR\\imcdata\\Route.TXT", b"x")
    files.append("C:\\exchsrvr\\IMCDATA\\route.txt", b"y")
    assert files.listdir("C:\\exchsrvr\\imcdata") == ["Route.TXT"]
    assert files.read_bytes("C:\\EXCHSRVR\\IMCDATA\\ROUTE.TXT") == b"xy"
    assert files.spelling("c:\\exchsrvr\\imcdata\\route.txt") == "C:\\Exchsrvr\\Imcdata\\Route.TXT"
    assert files.resolve("C:\\exchsrvr").name == "Exchsrvr"


# -- errors ----------------------------------------------------------------------------------


def test_each_failure_has_the_number_of_windows(files: FileSystem) -> None:
    files.mkdir("C:\\d\\e")
    files.write_bytes("C:\\f", b"")
    assert error(lambda: files.read_bytes("C:\\nosuch")) == 2
    assert error(lambda: files.read_bytes("C:\\nosuch\\f")) == 3
    assert error(lambda: files.read_bytes("D:\\f")) == 3
    assert error(lambda: files.read_bytes("C:\\d")) == 5
    assert error(lambda: files.write_bytes("C:\\nosuch\\f", b"")) == 3
    assert error(lambda: files.mkdir("C:\\d")) == 183
    assert error(lambda: files.rmdir("C:\\d")) == 145
    assert error(lambda: files.delete("C:\\d")) == 5
    files.lock("C:\\F")
    assert error(lambda: files.read_bytes("C:\\f")) == 32
    assert error(lambda: files.delete("C:\\f")) == 32
    files.unlock("C:\\f")
    files.protect("C:\\D")
    assert error(lambda: files.write_bytes("C:\\d\\e\\x", b"")) == 5
    assert error(lambda: files.rmdir("C:\\d", recursive=True)) == 5
    files.unprotect("C:\\d")
    files.rmdir("C:\\d", recursive=True)
    assert not files.exists("C:\\d")


def test_a_full_disk_keeps_what_fitted(files: FileSystem) -> None:
    files.write_bytes("C:\\a", b"12345")
    files.quota_bytes = 8
    assert error(lambda: files.append("C:\\a", b"67890")) == 112
    assert files.read_bytes("C:\\a") == b"12345678"
    files.write_bytes("C:\\a", b"1234")
    assert error(lambda: files.write_bytes("C:\\b", b"12345")) == 112
    assert files.read_bytes("C:\\b") == b"1234"


# -- commands --------------------------------------------------------------------------------

FULL = b"There is not enough space on the disk.\r\n"


def test_echo_to_a_full_disk_fails_and_leaves_a_part(host: LabHost) -> None:
    fill(host, 3)
    done = host.run(">>C:\\f echo hello")
    assert (done.exit_code, done.stderr) == (1, FULL)
    assert host.fs.read_bytes("C:\\f") == b"hel"


def test_type_into_a_full_disk_fails(host: LabHost) -> None:
    host.fs.write_bytes("C:\\f", b"x" * 100)
    fill(host, 10)
    assert host.run("type C:\\f>C:\\g").exit_code == 1
    assert host.fs.read_bytes("C:\\g") == b"x" * 10


def test_copy_to_a_full_disk_leaves_nothing(host: LabHost) -> None:
    host.fs.write_bytes("C:\\f", b"x" * 100)
    fill(host, 10)
    done = host.run("copy C:\\f C:\\g")
    assert (done.exit_code, done.stderr) == (1, FULL)
    assert done.stdout == b"        0 file(s) copied.\r\n"
    assert not host.fs.exists("C:\\g")


def test_copying_joined_files_adds_an_end_mark_unless_binary(host: LabHost) -> None:
    host.fs.write_bytes("C:\\a", b"a\r\n")
    host.fs.write_bytes("C:\\b", b"b\r\n")
    host.run("copy C:\\a+C:\\b C:\\c")
    assert host.fs.read_bytes("C:\\c") == b"a\r\nb\r\n\x1a"
    host.run("copy /b C:\\a+C:\\b C:\\d")
    assert host.fs.read_bytes("C:\\d") == b"a\r\nb\r\n"


def test_copy_asks_before_it_overwrites(host: LabHost) -> None:
    host.fs.write_bytes("C:\\a", b"new")
    host.fs.write_bytes("C:\\b", b"old")
    assert host.run("copy C:\\a C:\\b").exit_code == 1
    assert host.fs.read_bytes("C:\\b") == b"old"
    assert host.run("copy /y C:\\a C:\\b").exit_code == 0
    assert host.fs.read_bytes("C:\\b") == b"new"


def test_what_cannot_be_deleted_is_said_but_is_no_failure(host: LabHost) -> None:
    host.fs.write_bytes("C:\\f", b"")
    host.fs.lock("C:\\f")
    done = host.run("del C:\\f")
    assert done.exit_code == 0
    assert done.stderr.startswith(b"C:\\f\r\nThe process cannot access the file")
    assert host.run("del C:\\nosuch").stderr == b"Could Not Find C:\\nosuch\r\n"


def test_a_folder_that_is_not_empty_is_not_removed(host: LabHost) -> None:
    host.run("md C:\\d&echo x>C:\\d\\f")
    done = host.run("rd C:\\d")
    assert (done.exit_code, done.stderr) == (145, b"The directory is not empty.\r\n")
    assert host.run("rd /s /q C:\\d").exit_code == 0
    assert not host.fs.exists("C:\\d")


def test_a_read_only_folder_refuses_a_new_file(host: LabHost) -> None:
    host.fs.mkdir("C:\\d")
    host.fs.protect("C:\\d")
    done = host.run("echo x>C:\\d\\f")
    assert (done.exit_code, done.stderr) == (1, b"Access is denied.\r\n")
    assert host.run("md C:\\d\\e").exit_code == 1
    assert host.fs.listdir("C:\\d") == []


def test_dir_shows_sizes_and_sorts(host: LabHost) -> None:
    host.run("md C:\\d\\sub&echo 123456789>C:\\d\\b&echo x>C:\\d\\a")
    out = host.run("dir C:\\d").stdout.decode()
    assert " Directory of C:\\d\r\n" in out
    assert out.count("<DIR>") == 1
    assert "                11 b\r\n" in out
    assert "               2 File(s)             14 bytes\r\n" in out
    assert host.run("dir /b /a-d /o-s C:\\d").stdout == b"b\r\na\r\n"
    assert host.run("dir /b /ad C:\\d").stdout == b"sub\r\n"
    assert host.run("dir /b /s C:\\d\\a").stdout == b"C:\\d\\a\r\n"


def test_files_of_another_computer_are_reached_by_its_share(host: LabHost, tmp_path: Path) -> None:
    manager = LabHost("MGMT1", tmp_path / "mgmt")
    manager.connect(host)
    host.fs.write_bytes("C:\\f.txt", b"there\r\n")
    assert manager.run("type \\\\MAIL5A\\C$\\f.txt").stdout == b"there\r\n"
    assert manager.run('>>"\\\\mail5a\\c$\\f.txt" echo more').exit_code == 0
    assert host.fs.read_bytes("C:\\f.txt") == b"there\r\nmore\r\n"
    assert manager.run("copy \\\\MAIL5A\\C$\\f.txt C:\\g.txt").exit_code == 0
    assert manager.fs.read_bytes("C:\\g.txt") == b"there\r\nmore\r\n"
    assert manager.run("if exist \\\\MAIL5A\\C$\\f.txt echo yes").stdout == b"yes\r\n"
    assert manager.run("dir /b \\\\MAIL5A\\C$\\f*").stdout == b"f.txt\r\n"
    assert manager.run("del \\\\MAIL5A\\C$\\f.txt").exit_code == 0
    assert not host.fs.exists("C:\\f.txt")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("\\\\NOSUCH\\C$\\f", b"The network path was not found.\r\n"),
        ("\\\\MAIL5A\\nosuch\\f", b"The network path was not found.\r\n"),
    ],
)
def test_unreachable_shares_say_so(host: LabHost, tmp_path: Path, path: str, text: bytes) -> None:
    manager = LabHost("MGMT1", tmp_path / "mgmt")
    manager.connect(host)
    done = manager.run(f"type {path}")
    assert (done.exit_code, done.stderr) == (1, text)


def test_a_share_needs_a_logon_that_can_be_passed_on(host: LabHost, tmp_path: Path) -> None:
    manager = LabHost("MGMT1", tmp_path / "mgmt")
    manager.connect(host)
    host.fs.write_bytes("C:\\f.txt", b"x")
    shell = manager.open_shell(delegated=False)
    done = manager.run("type \\\\MAIL5A\\C$\\f.txt", shell=shell)
    assert (done.exit_code, done.stderr) == (1, b"Access is denied.\r\n")
