"""The file format of a network, checked field by field: what `Dag.to_dict` writes and `Dag.from_dict` takes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from graphnn.errors import FormatError

FORMAT = "graphnn-dag/1"


class ProofFile(BaseModel):
    """See `graphnn.extract.dag.Proof`; `gap` is derived and not taken over."""

    model_config = ConfigDict(extra="forbid", strict=True)

    objective_name: str
    termination: Literal["optimal", "limit", "constructed"]
    objective: FiniteFloat
    bound: FiniteFloat | None
    gap: FiniteFloat | None
    method: str
    solver: str
    seconds: FiniteFloat
    versions: dict[str, str]
    details: dict[str, Any]


class DagFile(BaseModel):
    """See `graphnn.extract.dag.Dag`; edges are [source, interaction, target]."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["graphnn-dag/1"]
    fingerprint: str
    inputs: list[str]
    outputs: list[str]
    edges: list[tuple[str, int, str]]
    edge_cost: list[FiniteFloat] | None
    proof: ProofFile
    origin: dict[str, Any]
    seed: int | None = None  # what `graphnn extract --json` adds; not needed


def parse_dag(text: str | bytes) -> DagFile:
    """Check the text of a network file.

    Raises:
        FormatError: It is no JSON, of another format, or a field is missing, unknown or of the wrong kind.
    """
    try:
        return DagFile.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise FormatError(
            f"expected a network of format {FORMAT!r}, but at {where}: {first['msg']}; "
            "write it with `graphnn extract --out NAME.json`"
        ) from error
