"""What stands between a table of cells and a model's inputs: `Features`, input by input, and `Preprocessing`, in words.

May import `graphnn.errors` only; NumPy, no Keras.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.errors import FormatError, quoted

FloatMatrix = npt.NDArray[np.float32]
FloatVector = npt.NDArray[np.float32]

_NUMBERS = ("offset", "factor", "limit", "mean")


@dataclass(frozen=True, eq=False)
class Features:
    """The column that feeds each input of a model, and how its values are scaled.

    An input receives clip((x - offset) * factor, -limit, limit). Arrays are float32, of shape (n_inputs,), read-only.

    Attributes:
        inputs: Measured vertices, in the order of the plan.
        columns: Name of the column of the cells that feeds each; one column may feed several.
        offset: Subtracted first.
        factor: Multiplied then.
        limit: Above 0, or infinite.
        mean: Of the values that trained, before scaling; NaN where it is not known.

    Raises:
        FormatError: Lengths differ, a name is empty, an input stands twice, or a number is out of its range.
    """

    inputs: tuple[str, ...]
    columns: tuple[str, ...]
    offset: FloatVector
    factor: FloatVector
    limit: FloatVector
    mean: FloatVector

    def __post_init__(self) -> None:
        for name in ("inputs", "columns"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in _NUMBERS:
            array = np.array(getattr(self, name), dtype=np.float32)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        reason = self._fault()
        if reason:
            raise FormatError(f"expected one consistent row for each input, but {reason}; train and save it again")

    @classmethod
    def unscaled(cls, inputs: Sequence[str], *, suffix: str = "") -> Features:
        """Values as they come: what is known of a model that was saved without features.

        Example:
            >>> Features.unscaled(["STAT1_gene", "dose"], suffix="_gene").columns
            ('STAT1', 'dose')
        """
        ones = np.ones(len(inputs), dtype=np.float32)
        columns = tuple(name.removesuffix(suffix) for name in inputs)
        return cls(tuple(inputs), columns, 0 * ones, ones, ones * np.inf, ones * np.nan)

    def transform(self, x: FloatMatrix) -> FloatMatrix:
        """Scaled cells; both of shape (n_cells, n_inputs)."""
        scaled = x - self.offset
        scaled *= self.factor
        return np.clip(scaled, -self.limit, self.limit, out=scaled)

    def of(self, inputs: Sequence[str]) -> Features:
        """Those of the named inputs, in that order; a name that is not there is a KeyError."""
        place = {name: position for position, name in enumerate(self.inputs)}
        rows = np.array([place[name] for name in inputs], dtype=np.int64)
        columns = tuple(self.columns[row] for row in rows.tolist())
        return Features(tuple(inputs), columns, *(getattr(self, name)[rows] for name in _NUMBERS))

    def _fault(self) -> str:
        """What contradicts what; empty where nothing does."""
        if any(not isinstance(name, str) or not name for name in (*self.inputs, *self.columns)):
            return "a name is empty"
        if len(set(self.inputs)) < len(self.inputs):
            return "an input stands twice"
        shape = (len(self.inputs),)
        if (len(self.columns),) != shape or any(getattr(self, name).shape != shape for name in _NUMBERS):
            return "columns or numbers are of another length"
        if not (np.isfinite(self.offset).all() and np.isfinite(self.factor).all()):
            return "an offset or a factor is not finite"
        if not (self.limit > 0).all() or np.isinf(self.mean).any():
            return "a limit is not above 0, or a mean is infinite"
        return ""


@dataclass(frozen=True)
class Preprocessing:
    """What was done to the cells before they trained a model.

    Attributes:
        scaling: How `Features` were fitted: "standard", "max" or "none".
        log_total: Each cell was scaled to this total and log(1 + x) taken; None: values were used as they came.
        whole_numbers: The values that trained were whole numbers of at least 0, as counts are.
        duplicates: What became of gene symbols on several columns; "max" where there were none.
        suffix: What inputs of the network have behind the gene's name.

    Raises:
        FormatError: A value is of another type or out of its range.
    """

    scaling: str = "none"
    log_total: float | None = None
    whole_numbers: bool = False
    duplicates: str = "max"
    suffix: str = ""

    def __post_init__(self) -> None:
        for name in ("scaling", "duplicates", "suffix"):
            if not isinstance(getattr(self, name), str):
                raise FormatError(f"expected {name} to be text, got {getattr(self, name)!r}; save the bundle again")
        if not isinstance(self.whole_numbers, bool):
            raise FormatError(f"expected whole_numbers to be true or false, got {self.whole_numbers!r}; save it again")
        total = self.log_total
        is_number = isinstance(total, int | float) and not isinstance(total, bool)
        if total is not None and not (is_number and math.isfinite(total) and total > 0):
            raise FormatError(f"expected log_total to be a number above 0, or none, got {total!r}; save it again")

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocessing:
        """Inverse of `to_dict`; fields that are left out have their default.

        Raises:
            FormatError: A field is unknown (a step that is not taken would change every prediction), or a value is of
                another type or out of its range.
        """
        known = [field.name for field in fields(cls)]
        unknown = [str(name) for name in data if name not in known]
        if unknown:
            raise FormatError(
                f"expected preprocessing among {', '.join(known)}, got {quoted(unknown)}; use the version that wrote it"
            )
        return cls(**data)
