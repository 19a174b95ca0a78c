"""Ask nodes what they are busy with: python faults/busy.py worker=HOST:PORT target=HOST:PORT ...

A line each: what was asked, a tab, and the answer, which is empty where the node is free.
"""

from __future__ import annotations

import sys

import grpc

from c1m.v1 import target_pb2, worker_pb2
from c1m.v1.target_pb2_grpc import TargetServiceStub
from c1m.v1.worker_pb2_grpc import WorkerServiceStub
from c1m.wire.grpc_options import CHANNEL_OPTIONS

ANSWER_SECONDS = 10


def busy_with(role: str, address: str) -> str:
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        try:
            if role == "target":
                request = target_pb2.TargetServiceDescribeRequest()
                answer = TargetServiceStub(channel).Describe(request, timeout=ANSWER_SECONDS, wait_for_ready=True)
                return answer.busy_with
            asked = worker_pb2.DescribeRequest()
            return WorkerServiceStub(channel).Describe(asked, timeout=ANSWER_SECONDS, wait_for_ready=True).busy_with
        except grpc.RpcError as error:
            return f"does not answer: {error.code().name}"


if __name__ == "__main__":
    for word in sys.argv[1:]:
        print(word, busy_with(*word.split("=")), sep="\t", flush=True)
