"""A run is its operator's: with certificates nobody else watches, stops or changes it; every RPC there is, and will be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from prepare_requests import sound
from programs import node

from c1m.security.authority import found_authority
from c1m.security.grpc_credentials import channel_credentials
from c1m.security.identity import Identity, read_identity
from c1m.security.roles import Bearer, Role
from c1m.v1 import target_pb2, worker_pb2
from c1m.wire.grpc_options import CHANNEL_OPTIONS

LISTEN = {"worker": "127.0.0.1:24910", "target": "127.0.0.1:24911"}
WITHOUT_TLS = "127.0.0.1:24912"
RUN = "hers"
LEASE_SECONDS = 3600  # nobody watches, and the run is to be there for every test
OF_ALL = frozenset({"Describe", "Tune", "Prepare"})  # what names no run of a node, or would begin one
METHODS = [
    (program, method)
    for program, file in (("worker", worker_pb2), ("target", target_pb2))
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Identity]]:
    """Two of one authority, and nodes that are engaged for the first of them."""
    authority = found_authority(tmp_path_factory.mktemp("owners") / "pki", datetime.now(UTC), 10)
    made = {name: authority.issue(Bearer(Role.OPERATOR, name), [], datetime.now(UTC), 5) for name in ("alice", "bob")}
    tls = ("--tls", str(authority.issue(Bearer(Role.NODE, "a"), ["127.0.0.1"], datetime.now(UTC), 5)))
    identities = {name: read_identity(directory) for name, directory in made.items()}
    with (
        node("worker", "--listen", LISTEN["worker"], *tls),
        node("target", "--bind", "127.0.0.1", "--ports", "24900-24909", "--listen", LISTEN["target"], *tls),
    ):
        for program, method in METHODS:
            if method.name == "Prepare":
                assert call(program, method, identities["alice"], request_of(method, RUN)) == ("OK", "")
        yield identities


def request_of(method: MethodDescriptor, run_id: str) -> Any:
    """For Prepare one that can be done; of others only the run is said."""
    if method.full_name == "c1m.v1.WorkerService.Prepare":
        return prepare_worker(run_id)
    if method.full_name == "c1m.v1.TargetService.Prepare":
        return target_pb2.TargetServicePrepareRequest(run_id=run_id, acceptors=1, lease_seconds=LEASE_SECONDS)
    named = {"run_id": run_id} if "run_id" in method.input_type.fields_by_name else {}
    return message_factory.GetMessageClass(method.input_type)(**named)


def prepare_worker(run_id: str) -> worker_pb2.PrepareRequest:
    """A connection to a port of loopback, which is never begun."""
    request = sound()
    request.MergeFrom(worker_pb2.PrepareRequest(run_id=run_id, lease_seconds=LEASE_SECONDS))
    return request


@contextmanager
def channel_of(address: str, identity: Identity | None) -> Iterator[grpc.Channel]:
    opened = (
        grpc.secure_channel(address, channel_credentials(identity), options=CHANNEL_OPTIONS)
        if identity
        else grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
    )
    with opened:
        yield opened


def call(program: str, method: MethodDescriptor, identity: Identity, request: Any) -> tuple[str, str]:
    """The status, and what was said of it; of a stream, how it begins."""
    name = f"/{method.containing_service.full_name}/{method.name}"
    answer = message_factory.GetMessageClass(method.output_type).FromString
    with channel_of(LISTEN[program], identity) as opened:
        try:
            if method.server_streaming:
                stream = opened.unary_stream(name, type(request).SerializeToString, answer)(request, timeout=30)
                next(stream)
                stream.cancel()
            else:
                opened.unary_unary(name, type(request).SerializeToString, answer)(request, timeout=30)
        except grpc.RpcError as error:
            assert isinstance(error, grpc.Call)
            return error.code().name, error.details() or ""
    return "OK", ""


@pytest.mark.parametrize(("program", "method"), METHODS, ids=[method.full_name for _, method in METHODS])
def test_of_another_operators_run_nobody_commands_anything(
    operators: dict[str, Identity], program: str, method: MethodDescriptor
) -> None:
    code, said = call(program, method, operators["bob"], request_of(method, RUN))

    if method.name in OF_ALL:
        assert code != "PERMISSION_DENIED", said
        return
    assert (code, said) == (
        "PERMISSION_DENIED",
        (
            "run hers belongs to operator alice, and only alice may command it; ask alice to end it, or wait until the node "
            "is free"
        ),
    )


@pytest.mark.parametrize("program", LISTEN)
def test_a_second_run_hears_whose_run_it_is_and_that_one_goes_on(operators: dict[str, Identity], program: str) -> None:
    by_name = {method.name: method for of, method in METHODS if of == program}
    for run_id in (RUN, "his"):
        code, said = call(program, by_name["Prepare"], operators["bob"], request_of(by_name["Prepare"], run_id))
        assert (code, said.startswith("busy with run hers of alice since ")) == ("FAILED_PRECONDITION", True), said
    code, _ = call(program, by_name["Watch"], operators["bob"], request_of(by_name["Watch"], "his"))
    assert code == "FAILED_PRECONDITION"  # there is no such run, and nobody's it is

    assert call(program, by_name["Watch"], operators["alice"], request_of(by_name["Watch"], RUN)) == ("OK", "")
    assert call(program, by_name["Inspect"], operators["alice"], request_of(by_name["Inspect"], RUN)) == ("OK", "")


def test_without_certificates_nobody_owns_a_run(tmp_path: Path) -> None:
    with (
        node("target", "--listen", WITHOUT_TLS, "--bind", "127.0.0.1", "--ports", "24913"),
        channel_of(WITHOUT_TLS, None) as one,
        channel_of(WITHOUT_TLS, None) as other,
    ):
        prepare = target_pb2.TargetServicePrepareRequest(run_id=RUN, acceptors=1, lease_seconds=LEASE_SECONDS)
        one.unary_unary("/c1m.v1.TargetService/Prepare", prepare.__class__.SerializeToString)(prepare, timeout=30)
        stop = target_pb2.TargetServiceStopRequest(run_id=RUN)
        other.unary_unary("/c1m.v1.TargetService/Stop", stop.__class__.SerializeToString)(stop, timeout=30)
