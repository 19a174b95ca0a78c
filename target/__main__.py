"""python -m c1m.target, and the c1m-target command."""

import os

from c1m.app.interrupts import end_quietly

end_quietly()
# gRPC reads it when it is imported. c1m.security.handshake_log turns what gRPC logs into lines of the node's log.
os.environ["GRPC_VERBOSITY"] = "INFO"

from .cli import main  # noqa: E402 - see above

if __name__ == "__main__":
    main()
