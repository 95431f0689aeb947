"""The standing contest of solvers: `python -m benchmarks.solvers`, or `make bench-solvers`.

Real networks (where the folder of real data is), all drawn families and 20 hard instances; each contestant alone, one
after the other. Rows are stored as they come, so that an interrupted contest keeps what it measured. `--page` writes
the stored figures into docs/solver-benchmark.md; nobody types them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.networks import real_instances
from benchmarks.store import RESULTS, real_data, store
from solvers.bench import families, profile
from solvers.bench.answer import Row, cross_checked
from solvers.bench.contest import NAMES, contest, contestant
from solvers.bench.instances import FAMILIES, Instance, quick
from solvers.bench.record import commit, machine

NAME = "solvers"
SETS = ("real", "drawn", "hard", "quick")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "solver-benchmark.md"
BEGIN, END = "<!-- results: made by python -m benchmarks.solvers --page -->", "<!-- end of results -->"
NOT_YET = "Not measured yet."
OPTIMA = {"hypercube-6": 39.0, "hypercube-7": 77.0}  # SteinLib's hc6u and hc7u
HARD: dict[str, tuple[Any, tuple[int, ...]]] = {
    "layered-6x300": (partial(families.layered, 6, 300), (0, 1)),
    "layered-10x200": (partial(families.layered, 10, 200), (0, 1)),
    "layered-6x100-real": (partial(families.layered, 6, 100, costs="real"), (0, 1)),
    "set-cover-200x100": (partial(families.set_cover, 200, 100), (0, 1)),
    "set-cover-500x200": (partial(families.set_cover, 500, 200), (0, 1)),
    "set-cover-500x200-real": (partial(families.set_cover, 500, 200, costs="real"), (0, 1)),
    "hypercube-6": (partial(families.hypercube, 6), (0,)),
    "hypercube-7": (partial(families.hypercube, 7), (0,)),
    "hypercube-6-perturbed": (partial(families.hypercube, 6, costs="perturbed"), (0, 1)),
    "random-20k": (partial(families.random_digraph, 20_000, 100_000, 100), (0, 1)),
    "random-20k-real": (partial(families.random_digraph, 20_000, 100_000, 100, costs="real"), (0, 1)),
}


def hard() -> tuple[Instance, ...]:
    """The 20 hard instances: their linear programs have a gap, or are large."""
    return tuple(
        Instance(f"hard-{name}-{seed}", "hard", partial(draw, seed=seed), seed, OPTIMA.get(name))
        for name, (draw, seeds) in HARD.items()
        for seed in seeds
    )


def instances_of(sets: Sequence[str], names: Sequence[str]) -> tuple[Instance, ...]:
    """The instances of these sets, or of all; with names, those among them only."""
    data = real_data()
    if data is None and "real" in sets:
        print("the folder of real data is absent: set GRAPHNN_REAL_DATA; real networks are left out", file=sys.stderr)
    found = {
        "real": real_instances(data) if data is not None else (),
        "drawn": tuple(instance for family in FAMILIES.values() for instance in family(0)),
        "hard": hard(),
        "quick": quick(0),
    }
    chosen = tuple(instance for one in sets for instance in found[one])
    unknown = sorted({*names} - {instance.name for instance in chosen})
    if unknown:
        raise SystemExit(f"expected instances among {', '.join(i.name for i in chosen)}, got {', '.join(unknown)}")
    return tuple(instance for instance in chosen if not names or instance.name in names)


def measure(
    instances: Sequence[Instance],
    names: Sequence[str],
    *,
    limit_s: float,
    grace_s: float | None = None,
    keep: list[dict[str, Any]],
) -> None:
    """Run the contest; after each row the file holds all rows so far, after those that are kept."""
    entrants = [contestant(name) for name in names]
    rows: list[Row] = []

    def before(instance: str, name: str) -> None:
        print(f"{instance}: {name}", end=" ", flush=True)

    facts = {"limit_s": limit_s, "commit": commit(), "date": time.strftime("%Y-%m-%d"), "machine": machine()}
    try:
        for row in contest(instances, entrants, limit_s=limit_s, grace_s=grace_s, before=before):
            rows.append(row)
            print(row.status, row.objective, row.bound, row.seconds, row.message, flush=True)
            save(rows, facts, keep)
    except KeyboardInterrupt:
        print(f"\nstopped: {len(rows)} rows were measured and kept", file=sys.stderr)


def save(rows: Sequence[Row], facts: dict[str, Any], keep: list[dict[str, Any]]) -> None:
    """Store the new rows behind those of other instances and contestants, checked against each other."""
    new = {(row.instance, row.contestant) for row in rows}
    held = [row for row in keep if (row["instance"], row["contestant"]) not in new]
    known = [Row(**{key: value for key, value in row.items() if key not in facts}) for row in held]
    checked = cross_checked([*known, *rows])
    said = [{key: row[key] for key in facts} for row in held] + [facts] * len(rows)
    store(NAME, [{**row.to_dict(), **fact} for row, fact in zip(checked, said, strict=True)])


def stored() -> dict[str, Any] | None:
    """What was stored last; None if nothing was."""
    path = RESULTS / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def section(record: dict[str, Any] | None) -> str:
    """The results section of the page, made of a record alone."""
    if record is None or not record["rows"]:
        return NOT_YET
    rows = record["rows"]
    names = profile.taking_part(rows)
    found = {(row["instance"], row["contestant"]): row for row in rows}
    instances = list(dict.fromkeys(row["instance"] for row in rows))
    lines = [_measured_on(rows), "", "| contestant | instances | proved | network, not proved | nothing | invalid |"]
    lines.append("|---|---|---|---|---|---|")
    lines += [_counts(name, [row for row in rows if row["contestant"] == name]) for name in names]
    lines += ["", f"| instance | n | m | k | {' | '.join(names)} |", "|---|" + "---|" * (3 + len(names))]
    for instance in instances:
        first = next(row for row in rows if row["instance"] == instance)
        cells = [_cell(found.get((instance, name))) for name in names]
        sizes = " | ".join(f"{first[key]:,}" for key in ("n", "m", "k"))
        lines.append(f"| {instance} | {sizes} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _measured_on(rows: Sequence[dict[str, Any]]) -> str:
    """A sentence on machine, limits, commits and versions."""
    machines = dict.fromkeys(f"{row['machine']['processor']}, {row['machine']['cores']} cores" for row in rows)
    limits = dict.fromkeys(f"{row['limit_s']:g} s" for row in rows)
    commits = dict.fromkeys(str(row["commit"]) for row in rows)
    dates = sorted({row["date"] for row in rows})
    versions = sorted({f"{name} {version}" for row in rows for name, version in row["versions"].items()})
    return (
        f"Measured on {'; '.join(machines)}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, "
        f"limit {', '.join(limits)}, commit {', '.join(commits)}; {', '.join(versions)}."
    )


def _counts(name: str, rows: Sequence[dict[str, Any]]) -> str:
    def count(*statuses: str) -> int:
        return sum(row["status"] in statuses for row in rows)

    taken = len(rows) - count("not installed", "not applicable")
    nothing = count("nothing", "time out", "failed")
    return f"| {name} | {taken} | {count('optimal')} | {count('limit')} | {nothing} | {count('invalid')} |"


def _cell(row: dict[str, Any] | None) -> str:
    """Seconds to the proof in bold, or the gaps at the limit, or the status."""
    if row is None:
        return ""
    if row["status"] == "optimal":
        return f"**{row['proof_s']:.3g} s**"
    if row["status"] == "limit" and row["gap"] is not None:
        own = "" if row["open_gap"] is None else f" ({100 * row['open_gap']:.3g} %)"
        return f"{100 * row['gap']:.3g} %{own}"
    return "no bound" if row["status"] == "limit" else row["status"]


def write_page() -> None:
    """Put the stored figures between the two marks of the page, and the drawing beside it."""
    record, text = stored(), PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    body = section(record)
    drawing = PAGE.with_suffix(".svg")
    if record is not None and record["rows"] and profile.can_draw():
        drawing.write_bytes(profile.drawn(record["rows"], limit_s=max(row["limit_s"] for row in record["rows"])))
    if drawing.is_file():
        body += f"\n\n![Performance profile and gaps at the limit]({drawing.name})"
    PAGE.write_text(f"{head}{BEGIN}\n\n{body}\n\n{END}{tail}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and store, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for each instance and contestant")
    parser.add_argument(
        "--grace", type=float, help="seconds beyond the limit before one is stopped; default: the limit"
    )
    parser.add_argument("--set", action="append", choices=SETS, dest="sets", help="default: real, drawn and hard")
    parser.add_argument("--instance", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--contestant", action="append", choices=NAMES, help="default: all")
    parser.add_argument("--add", action="store_true", help="keep the stored rows that are not measured anew")
    parser.add_argument("--page", action="store_true", help="write the stored figures into the page, measure nothing")
    given = parser.parse_args(arguments)
    if given.page:
        write_page()
        return 0
    before = stored() if given.add else None
    chosen = instances_of(given.sets or ("real", "drawn", "hard"), given.instance)
    keep = before["rows"] if before else []
    measure(chosen, given.contestant or NAMES, limit_s=given.limit, grace_s=given.grace, keep=keep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
