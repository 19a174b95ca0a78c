"""python -m c1m.target, and the c1m-target command."""

import os

# gRPC reads it when it is imported. Of what it then says c1m.handshakes makes sentences for the node's log.
os.environ["GRPC_VERBOSITY"] = "INFO"

from .cli import main

if __name__ == "__main__":
    main()
