"""deploy/ is what the table of limits makes of it, and what systemd reads without a word."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tree import ROOT

from c1m.limits.files import DEFAULTS, MACHINE, OF_UNITS, deploy_files, named_elsewhere
from c1m.limits.services import SERVICES
from c1m.limits.tunable import TUNABLE, raised

SYSCTL_CONF = "sysctl.d/90-c1m.conf"


def test_the_files_are_fresh(tmp_path: Path) -> None:
    """Otherwise: c1m-coord tune --files deploy"""
    subprocess.run([sys.executable, "-m", "c1m.coordinator", "tune", "--files", str(tmp_path)], check=True, timeout=60)

    made = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    kept = {str(path.relative_to(ROOT / "deploy")): path.read_text() for path in (ROOT / "deploy").rglob("*.conf")}
    kept |= {str(path.relative_to(ROOT / "deploy")): path.read_text() for path in (ROOT / "deploy").rglob("*.service")}
    assert made == kept == deploy_files()


def test_every_setting_of_the_table_is_in_them_and_none_is_lowered() -> None:
    text = deploy_files()[SYSCTL_CONF]
    lines = dict(line.removeprefix("-").split(" = ") for line in text.splitlines() if line.startswith("-"))

    assert set(lines) == {"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.netfilter.nf_conntrack_max"}
    assert all(raised(name, DEFAULTS[name], value) == value for name, value in lines.items())
    assert all(name in lines or f"\n# {name}: " in text for name in TUNABLE)
    assert set(named_elsewhere()) == set(OF_UNITS)
    assert MACHINE.facts is DEFAULTS


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("service", SERVICES)
def test_systemd_takes_the_unit_and_its_drop_in(service: str, tmp_path: Path) -> None:
    """With the program where it is here, since one that is absent is an error."""
    for name, text in deploy_files().items():
        if name.startswith("systemd/"):
            path = tmp_path / name.removeprefix("systemd/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.replace("/usr/local/bin/c1m-", f"{Path(sys.executable).parent}/c1m-"))
    # The colon: after ours come the units of this machine, which ours are ordered by.
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    command = ["systemd-analyze", "verify", "--man=no", f"{service}.service"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)

    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "c1m" in line]) == (0, [])
    broken = tmp_path / f"{service}.service.d" / "limits.conf"
    broken.write_text(broken.read_text().replace("LimitNOFILE=", "LimitNOFILES="))
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert "LimitNOFILES" in told.stderr
