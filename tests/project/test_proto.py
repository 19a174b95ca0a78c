"""The generated code in c1m/v1 is what the pinned tools make of proto/."""

import subprocess
import sys
from pathlib import Path

from tree import ROOT


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    protos = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python", "mypy_grpc")]
    plugin = f"--plugin={Path(sys.executable).with_name('protoc-gen-mypy_grpc')}"  # PATH need not have the environment's bin

    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", "proto", plugin, *outputs, *protos], cwd=ROOT, check=True, timeout=60
    )

    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.py*") if path.is_file()}
    assert made
    for name, text in made.items():
        assert (ROOT / name).read_text() == text, name
