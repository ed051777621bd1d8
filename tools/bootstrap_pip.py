# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put pip into an empty virtual environment, from the copy that comes with Python.

A stand-in for the script of the same purpose that ansible-test would download; see tools/sanity.
It takes the same arguments: the pip release to end with, and two options that only that script has.
"""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys

NOT_FOR_PIP = {"--no-setuptools", "--no-wheel"}

if __name__ == "__main__":
    ensurepip.bootstrap()
    # ensurepip switches pip's configuration off for its own work, by this variable.
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONFIG_FILE"}
    arguments = [argument for argument in sys.argv[1:] if argument not in NOT_FOR_PIP]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)
