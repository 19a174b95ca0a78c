"""Any TCP server: nginx from Debian, loaded without a target beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from nginx import NGINX, PORT, nginx
from programs import run_coord


@pytest.mark.skipif(os.geteuid() != 0 or not NGINX.exists(), reason="needs root and Debian's nginx-light")
def test_nginx_holds_what_the_clients_and_their_kernel_count(tmp_path: Path) -> None:
    with nginx(tmp_path):
        ended = run_coord("--total", "3000", "--hold", "1s", "--endpoint", f"127.0.0.1:{PORT}", "--json", "-")

    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["reconciliation"]["client_established"] == 3000
    assert summary["reconciliation"]["client_kernel_established"] == 3000
    assert summary["reconciliation"]["target_open"] is None  # unknown, and never zero
    assert summary["target"] is None
    assert summary["acceptance"] == "unknown"  # nginx says nothing to a client that says nothing
    assert "c1m-target observe" in summary["notes"][0]
