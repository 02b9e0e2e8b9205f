"""rocketmq-python-client 5.1.2 doing what a test tells it: it sends or receives over gRPC, and prints a JSON line for
every message. The command line is that of the other peers."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys

# The client makes its log file where it believes the home directory to be, and writes what no one reads.
os.environ["HOME"] = sys.prefix
logging.disable(logging.CRITICAL)

import receive  # noqa: E402
import send  # noqa: E402
from rocketmq import ClientConfiguration, Credentials  # noqa: E402

# A client that has just started on a busy machine is slow to shake hands.
PATIENCE_S = 20


def configuration(arguments: argparse.Namespace) -> ClientConfiguration:
    credentials = Credentials(arguments.access_key, arguments.secret_key)
    return ClientConfiguration(arguments.address, credentials, request_timeout=PATIENCE_S)


def line(values: dict[str, object]) -> None:
    """Prints one JSON line, whole."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python-v5")
    commands = parser.add_subparsers(required=True)
    for name, command in (("send", send), ("receive", receive)):
        flags = commands.add_parser(name)
        flags.add_argument("-access-key", default="", help="sign requests with this key")
        flags.add_argument("-secret-key", default="", help="and this secret")
        flags.add_argument("-tls", action="store_true", help="encrypt")
        flags.add_argument("-ca", help="trust the authorities in this file, and no others")
        command.flags(flags)
        flags.add_argument("address")
        flags.add_argument("topic")
        flags.set_defaults(run=command.run)
    arguments = parser.parse_args()
    if arguments.ca:
        os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = arguments.ca  # the client has no setting for it
    arguments.run(arguments, configuration(arguments), line)


if __name__ == "__main__":
    code = 0
    try:
        main()
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        code = 1
    sys.stderr.flush()
    # The process ends with its clients as they are: to stop them takes as long as their longest poll.
    os._exit(code)
