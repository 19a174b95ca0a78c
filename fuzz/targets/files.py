"""TOML: of c1m.toml and of spec files, as it is read from a file, up to the run that it describes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from c1m.coordinator.fleet.prepare_request import prepare_request
from c1m.coordinator.planning.plan import PlannedRoute, ShardPlan, WorkerPlan
from c1m.coordinator.spec.config_files import read_layer
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.spec.table import SETTINGS as TABLE
from c1m.errors import UsageError
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import TupleSpace
from c1m.v1 import worker_pb2
from c1m.worker.node.requests import closing_of, preparation
from chance import text
from fuzzed import MEMORY, Target, tried

TOML = '"1M" 5 true "60s" "10.0.0.1:7100" ["a:1"] [ ] { } = "exp:1m" "5@1s" "at=1s" """ [x] [[x]] 1979-05-27 0x 1e400 nan inf'
WORDS = (*(f"{name} = " for name in TABLE), *TOML.split(" "), "\n", ".", "#")
SEEDS = (
    b'total = "1M"\nworker = ["10.0.0.2:7100"]\ntarget = "10.0.0.1:7200"\nhold = "60s"\n',
    b'stage = ["100k@10s", "0@30s"]\nheartbeat = 5\nendpoint = "a:6379"\nsend = "PING\\r\\n"\n',
    b'total = 5\nlifetime = "exp:2m"\nreopen = true\nstorm = "at=5s,drop=5%"\nrequire = ["failed == 0"]\n',
    b"total = " + b"9" * 4400,
    b"total = " + b"[" * 3000,
    b"a." * 2000 + b"a = 1",
    b"total = 0x" + b"f" * 4000,
)


SETTINGS = (
    "1M 5 0 60s 100/s 10.0.0.1:7100 a:1 exp:1m uniform:1s-2s 5@1s step:9@1m at=1s,drop=5% rst fin poisson random echo 1y "
    "9999h 366d 1000000000000 99999999999999999999G 0.0000001s 1e9 failed==0 100ms-30s 4294967296 65536 True"
)
VALUES = SETTINGS.split(" ")


def make(chance: Random) -> bytes:
    """Settings, most of them of the right form; or pieces of TOML."""
    if chance.random() < 0.3:
        return b'total = "5"\n' * chance.randrange(2) + text(chance, WORDS)
    lines = {f"{name} = {value(name, chance)}" for name in chance.sample(list(TABLE), chance.randint(1, 5))}
    return "\n".join((*sorted(lines), 'total = "5"' * chance.randrange(2))).encode()


def value(name: str, chance: Random) -> str:
    right = EXAMPLES.get(name, VALUES)
    words = [chance.choice(right if chance.random() < 0.6 else VALUES) for _ in range(chance.randint(1, 3))]
    return str(words).replace("'", '"') if TABLE[name].is_list and chance.random() < 0.8 else f'"{words[0]}"'


EXAMPLES = {
    "stage": ("5@1s", "step:9@1m", "0@1s", "sine:1-5/1us@1h", "99999999999@9999h"),
    "storm": ("at=1s,drop=5%", "at=9999h,by=target", "at=0s,return=1us"),
    "require": ("failed == 0", "always dropped == 0", "connect_latency.p99 < 50ms"),
    "lifetime": ("exp:1m", "uniform:0s-1us", "fixed:8784h", "exp:1us"),
    "downtime": ("exp:1m", "0s"),
    "backoff": ("100ms-30s", "1us-8784h"),
    "send": ("PING", "x" * 3000),
    "worker": ("a:1", "10.0.0.1", "[::1]"),
}


def check(data: bytes) -> str:
    def spec_of() -> object:
        with tempfile.NamedTemporaryFile(dir=MEMORY) as file:
            file.write(data)
            file.flush()
            spec = make_spec([read_layer(Path(file.name))])
        ask(spec)
        return spec.to_words(), spec.to_summary()

    return tried(spec_of, refusals=(UsageError,))


def ask(spec: RunSpec) -> None:
    """What a coordinator takes, a worker takes as well, but for what does not fit its machine."""
    plan = WorkerPlan("worker", SPACE, (ShardPlan((PlannedRoute(0, 0, 1, 1),)),))
    try:
        preparation(prepare_request("run", plan, [("127.0.0.1", 9)], spec.shard_settings(0, b""), 0), "")
        closing_of(worker_pb2.StopRequest(rate=spec.close_rate))
    except UsageError as error:
        raise AssertionError(f"a worker refuses what the command line takes: {error}") from error


SPACE = TupleSpace(AddressPool((AddressBlock(127 << 24 | 2, 1, 4),)), PortRanges(((1024, 65_535),)))
TARGETS = (Target("toml", SEEDS, make, check),)
