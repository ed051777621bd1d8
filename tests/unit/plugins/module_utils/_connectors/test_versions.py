# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds of Exchange 2010 and later: what their numbers mean, however they are written."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    servers as transport_versions,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import RegistryValue
from hypothesis import given
from hypothesis import strategies as st

Build = transport_versions.Build
parse_display_version = transport_versions.parse_display_version
installed_build = transport_versions.installed_build


# Builds that "Exchange Server build numbers and release dates" lists.
@pytest.mark.parametrize(
    ("build", "version", "service_pack"),
    [
        ("14.0.639.21", "2010", "RTM"),
        ("14.1.218.15", "2010", "SP1"),
        ("14.3.123.4", "2010", "SP3"),
        ("15.0.516.32", "2013", None),
        ("15.0.1497.2", "2013", None),
        ("15.1.225.42", "2016", None),
        ("15.1.2507.6", "2016", None),
        ("15.2.221.12", "2019", None),
        ("15.2.1748.10", "2019", None),
        ("15.2.2562.17", "SE", None),
        ("15.2.2562.27", "SE", None),
    ],
)
def test_a_listed_build_has_its_product(build: str, version: str, service_pack: str | None) -> None:
    parsed = parse_display_version(build)
    assert parsed is not None
    assert (parsed.version, parsed.service_pack) == (version, service_pack)


@pytest.mark.parametrize("numbers", [(8, 3, 83, 6), (14, 4, 1, 0), (15, 3, 1, 0), (16, 0, 1, 0)])
def test_a_build_of_no_known_product_is_not_guessed(numbers: tuple[int, int, int, int]) -> None:
    build = Build(*numbers)
    assert (build.version, build.service_pack) == (None, None)


@given(st.tuples(*[st.integers(0, 99_999)] * 4))
def test_both_spellings_are_the_same_build(numbers: tuple[int, int, int, int]) -> None:
    major, minor, build, revision = numbers
    shown = parse_display_version(f"Version {major}.{minor} (Build {build}.{revision})")
    assert shown == parse_display_version(str(Build(*numbers))) == Build(*numbers)


@given(st.text())
def test_any_text_is_a_build_or_none(text: str) -> None:
    build = parse_display_version(text)
    assert build is None or isinstance(build.build, int)


def test_only_exchange_2010_has_one_event_for_all_that_is_sent() -> None:
    assert not Build(14, 3, 123, 4).logs_external
    assert Build(15, 0, 516, 32).logs_external


def test_the_registry_tells_the_build_in_four_numbers() -> None:
    names = ("MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor")
    values = {
        name.upper(): RegistryValue(name.upper(), "REG_DWORD", hex(number))
        for name, number in zip(names, (15, 2, 1544, 4), strict=True)
    }
    assert installed_build(values) == Build(15, 2, 1544, 4)
    del values["MSIBUILDMINOR"]
    assert installed_build(values) is None
