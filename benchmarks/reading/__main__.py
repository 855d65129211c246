"""`python -m benchmarks.reading`: the first reading of an account, side by side with what a user would take instead."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from benchmarks.reading import first_reading, growth, losses
from benchmarks.reading.lineup import BARE, PEERS, Peer, is_there
from benchmarks.reading.telling import conditions, say, table

TABLES = ("first", "losses", "growth")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    told = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    told.add_argument("--rows", type=int, default=100_000, metavar="N", help="of the first table (default: 100000)")
    told.add_argument("--repeats", type=int, default=3, metavar="N", help="of the first table (default: 3)")
    told.add_argument("--moving-rows", type=int, default=losses.ROWS, metavar="N", help="(default: 20000)")
    told.add_argument("--sizes", default=",".join(map(str, growth.SIZES)), metavar="N,N", help="of the third table")
    told.add_argument("--peers", metavar="A,B", help=f"of: {', '.join(peer.name for peer in PEERS)} (default: all)")
    told.add_argument("--tables", default=",".join(TABLES), metavar="A,B", help=f"of: {', '.join(TABLES)}")
    told.add_argument("--json", action="store_true", help="one JSON object a line instead of tables")
    return told


def chosen(names: str | None) -> list[Peer]:
    """The peers to be measured, the bare fetch always among them; those that are missing are named."""
    wanted = {name.strip() for name in names.split(",")} if names else {peer.name for peer in PEERS}
    unknown = wanted - {peer.name for peer in PEERS}
    if unknown:
        sentence = f"There is no peer {', '.join(sorted(unknown))}; --peers takes {', '.join(p.name for p in PEERS)}."
        raise SystemExit(sentence)
    found = [peer for peer in PEERS if peer.name in wanted or peer.name == BARE]
    for peer in found:
        if not is_there(peer):
            say(f"{peer.name} is not installed and is left out; `make benchmark` installs it.")
    return [peer for peer in found if is_there(peer)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and tell."""
    given = parser().parse_args(arguments)
    peers = chosen(given.peers)
    for name in given.tables.split(","):
        rows, documents = _measured(name, peers, given)
        print("\n".join(map(json.dumps, documents)) if given.json else f"\n{table(rows)}\n", flush=True)
    if not given.json:
        print(conditions())


def _measured(
    name: str, peers: Sequence[Peer], given: argparse.Namespace
) -> tuple[list[tuple[str, ...]], list[dict[str, object]]]:
    if name == "first":
        readings = first_reading.measure(peers, given.rows, given.repeats)
        return first_reading.as_rows(readings), first_reading.as_documents(readings)
    if name == "losses":
        lost = losses.measure(peers, given.moving_rows)
        return losses.as_rows(lost), losses.as_documents(lost)
    if name == "growth":
        ours = next(peer for peer in PEERS if peer.module == "waybill")
        readings = growth.grow(ours, [int(size) for size in given.sizes.split(",")])
        return growth.as_rows(readings), [{**row, "table": "growth"} for row in first_reading.as_documents(readings)]
    sentence = f"There is no table {name}; --tables takes {', '.join(TABLES)}."
    raise SystemExit(sentence)


if __name__ == "__main__":
    main()
