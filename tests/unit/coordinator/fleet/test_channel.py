"""What gRPC says becomes a sentence that names the node, with the exit code that goes with it."""

from __future__ import annotations

import grpc
import pytest

from c1m.coordinator.fleet.channel import translated


@pytest.mark.parametrize(
    ("code", "exit_code", "sentence"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 2, "worker a:1: no such thing"),
        (grpc.StatusCode.FAILED_PRECONDITION, 3, "worker a:1: no such thing"),
        (grpc.StatusCode.UNAVAILABLE, 4, "worker a:1 is unreachable (no such thing); is it started, and its port open?"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 4, "worker a:1 did not answer in time; is it stopped, or its machine overloaded?"),
        (grpc.StatusCode.INTERNAL, 4, "worker a:1: no such thing"),
        (grpc.StatusCode.DATA_LOSS, 1, "worker a:1: no such thing (DATA_LOSS)"),
    ],
)
def test_what_grpc_says_is_a_sentence_with_an_exit_code(code: grpc.StatusCode, exit_code: int, sentence: str) -> None:
    error = translated("worker a:1", code, "no such thing")

    assert (error.exit_code, str(error)) == (exit_code, sentence)
