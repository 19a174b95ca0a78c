"""Authorizes every call to a node, logs it, and refuses callers that may not command the node.

With TLS a run belongs to its operator. Every call that names the run is refused to other operators, including Watch, since
watching extends the lease. Calls that name no run (Describe, Tune) or would begin another one (Prepare) are allowed; the
node answers them with whose run it is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast
from urllib.parse import unquote

import grpc

from c1m.app.log import log
from c1m.security.roles import Bearer, Role, bearer_of
from c1m.wire.bounds import LONGEST_RUN_ID

Request: TypeAlias = Any  # the message of any call
Answer: TypeAlias = Any

BEGINS: Final = "Prepare"  # the call that names a run that does not exist yet


def bearer(context: grpc.ServicerContext) -> Bearer | None:
    """Return the role and name in the caller's certificate. None if there is no certificate or it has no role."""
    shown = cast("Mapping[str, Sequence[bytes]]", context.auth_context())  # the stubs declare another type
    return bearer_of(name.decode(errors="replace") for name in shown.get("x509_subject_alternative_name", ()))


def operator(context: grpc.ServicerContext) -> str:
    """Return the name in the certificate of a call's sender. It is empty without TLS."""
    found = bearer(context)
    return found.name if found else ""


def whence(context: grpc.ServicerContext) -> str:
    """Return from where a call to a node came, as part of a sentence: "at ADDRESS" or "over the Unix socket".

    gRPC names a peer "ipv4:127.0.0.1:4000", "ipv6:%5B::1%5D:4000", or just "unix:".
    """
    address = unquote(context.peer()).partition(":")[2]
    return f"at {address}" if address else "over the Unix socket"  # the file's mode admits only its owner and root


def named(run_id: str) -> str:
    """Return a run id in a form that is safe to log. A caller may send any text as a run id, including line breaks."""
    plain = run_id.isprintable() and len(run_id) <= LONGEST_RUN_ID
    return run_id if plain else repr(run_id[:LONGEST_RUN_ID])


class Authorization(grpc.ServerInterceptor):
    """The interceptor of a node's gRPC server.

    ``secured``: callers need an operator's certificate. ``says``: permitted calls are logged, not only refused ones.
    ``owner_of`` returns the owner of a run by its id, or "" if the run has no known owner.
    """

    def __init__(self, name: str, owner_of: Callable[[str], str], *, secured: bool, says: bool) -> None:
        self.name = name
        self.owner_of = owner_of
        self.secured = secured
        self.says = says

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Answer] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Answer] | None:
        """Return a gRPC handler that authorizes each call and then runs it. None if the node has no such call."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None  # there is no such call; gRPC answers that
        command = handler_call_details.method.rpartition("/")[2]
        if handler.unary_unary:
            call = self.guarded(command, handler.unary_unary)
            return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)
        if handler.unary_stream:
            stream = self.guarded(command, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(stream, handler.request_deserializer, handler.response_serializer)
        raise AssertionError(f"{command} takes a stream of requests, which authorization does not support")

    def guarded(
        self, command: str, behaviour: Callable[[Request, grpc.ServicerContext], Answer]
    ) -> Callable[[Request, grpc.ServicerContext], Answer]:
        """Return a function that authorizes a call and then runs ``behaviour``, which handles the call."""

        def call(request: Request, context: grpc.ServicerContext) -> Answer:
            self.admit(command, getattr(request, "run_id", ""), context)
            return behaviour(request, context)

        return call

    def admit(self, command: str, run_id: str, context: grpc.ServicerContext) -> None:
        """Log a call that is permitted, or abort the call with PERMISSION_DENIED and log the refusal."""
        found = bearer(context)
        who = f"{found or ('a caller without a role' if self.secured else 'a caller')} {whence(context)}"
        what = f"{command} of run {named(run_id)}" if run_id else command
        if why := self.instead(found, command, run_id):
            self.write(f"refused {what} by {who}: {why}")
            context.abort(grpc.StatusCode.PERMISSION_DENIED, why)
        if self.says:
            self.write(f"{what} by {who}")

    def instead(self, found: Bearer | None, command: str, run_id: str) -> str:
        """Return the reason why a call of the command is refused, as a sentence. Empty if the call is permitted."""
        if not self.secured:
            return ""
        if found is None or found.role is not Role.OPERATOR:
            return (
                f"{found or 'the caller'} is not an operator, and only operators may command nodes; issue an operator's "
                f"certificate with c1m-coord pki issue operator NAME"
            )
        owner = self.owner_of(run_id)
        if owner in ("", found.name) or command == BEGINS:
            return ""
        return (
            f"run {named(run_id)} belongs to operator {owner}, and only {owner} may command it; ask {owner} to end it, or wait "
            f"until the node is free"
        )

    def write(self, sentence: str) -> None:
        """Log a sentence with the time."""
        log(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self.name}: {sentence}")
