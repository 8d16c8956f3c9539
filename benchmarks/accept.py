"""Posts to `/s/` a second, against applications that only read and inflate the same bodies; interleaved in one run.

    python benchmarks/accept.py CONNINFO [--bodies 1500] [--clients 64] [--rounds 3] [--wire BYTES] [--captures FOLDER]

Bodies are those of the committed recordings, or of captures, each under a session and batch of its own, so that none is
a repetition; or several of them put together, until they have `--wire` bytes.
Each server is one process of uvicorn with the product's settings: a bare ASGI application, a handler of the framework
that the product is built on, and the product, which answers when the batch is in the log, on disk.
One process sends them all, over connections that stay open. Quote the ratio: absolute figures move with the machine.
The CPU times tell how much of a rate is the server's own work: the client and PostgreSQL need processors too.
"""

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.accepting.bodies import bodies, captured, committed, put_together
from benchmarks.accepting.costs import Cost, costs, of_postgres, of_process
from benchmarks.accepting.sending import send_all
from benchmarks.accepting.servers import accepting_server, framework_server, plain_server

WARM = 200
"""Posts before it counts."""
PLAIN, FRAMEWORK, OURS = NAMES = ("bare application", "handler of the framework", "accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--bodies", type=int, default=1_500)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wire", type=int, default=0)
    parser.add_argument("--captures", type=Path)
    options = parser.parse_args()
    recorded = committed() if options.captures is None else captured(options.captures)
    if options.wire:
        recorded = put_together(recorded, options.wire)
    posts: Sequence[bytes] = ()
    rounds: list[dict[str, Cost]] = []
    with ExitStack() as stack:
        ours, token = stack.enter_context(accepting_server(options.conninfo))
        servers = {
            PLAIN: stack.enter_context(plain_server()),
            FRAMEWORK: stack.enter_context(framework_server()),
            OURS: ours,
        }
        postgres = of_postgres(options.conninfo)
        for server in servers.values():
            asyncio.run(send_all(server.port, bodies(recorded, token, WARM), options.clients))
        for _ in range(options.rounds):
            posts = bodies(recorded, token, options.bodies)
            rounds.append({})
            for name, server in servers.items():
                with costs({"server": of_process(server.pid), "postgres": postgres}) as cost:
                    asyncio.run(send_all(server.port, posts, options.clients))
                rounds[-1][name] = cost
    _report(rounds, posts, options.clients)


def _report(rounds: Sequence[dict[str, Cost]], posts: Sequence[bytes], clients: int) -> None:
    wire = statistics.mean(map(len, posts))
    print(f"{clients} clients, bodies of {wire / 1000:.1f} KB, {len(rounds)} rounds; CPU in microseconds a post")
    for name in NAMES:
        rate = statistics.median(len(posts) / each[name].clock for each in rounds)
        spent = ", ".join(
            f"{who} {statistics.median(each[name].spent[who] for each in rounds) / len(posts) * 1e6:.0f}"
            for who in ("server", "client", "postgres")
        )
        print(f"{name + ':':26}{rate:7.0f}/s   CPU: {spent}")
    for name in (PLAIN, FRAMEWORK):
        ratio = statistics.median(each[name].clock / each[OURS].clock for each in rounds)
        work = statistics.median(each[name].spent["server"] / each[OURS].spent["server"] for each in rounds)
        print(f"ours to the {name + ':':26}{ratio:.2f} of its rate, {work:.2f} by the CPU time of the server")


if __name__ == "__main__":
    main()
