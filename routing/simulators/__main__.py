"""`python -m routing.simulators CHANNEL --config FILE --books FILE (--port N | --fd N)`."""

from __future__ import annotations

import argparse
from pathlib import Path

from routing.simulators.app import run


def main() -> None:
    """Read the command line and serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m routing.simulators", description="Serve one simulated channel.")
    parser.add_argument("channel", choices=("wechat", "alipay", "unionpay", "qra"))
    parser.add_argument("--config", type=Path, required=True, help="the file that provisioning wrote")
    parser.add_argument("--books", type=Path, required=True, help="SQLite file, made when missing")
    parser.add_argument("--host", default="127.0.0.1")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int)
    place.add_argument("--fd", type=int, help="a listening socket that was inherited")
    options = parser.parse_args()
    run(options.channel, options.config, options.books, host=options.host, port=options.port, fd=options.fd)


if __name__ == "__main__":
    main()
