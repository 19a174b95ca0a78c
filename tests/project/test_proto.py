"""The generated code in c1m/v1 is what the pinned tools make of proto/."""

import subprocess
import sys
from pathlib import Path

from tree import ROOT


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    protos = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]

    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", "proto", *outputs, *protos], cwd=ROOT, check=True, timeout=60
    )

    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.py*") if path.is_file()}
    assert made
    for name, text in made.items():
        if not name.name.endswith("_grpc.pyi"):
            assert (ROOT / name).read_text() == text, name
