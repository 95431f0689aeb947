"""A model as the bytes of a `.keras` file and back: the same bytes on every run, and no class but those of a network.

May import `graphnn.errors` and the modules of this package.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from graphnn.compiler.archive import STORED, check_size, pack
from graphnn.compiler.backend import keras
from graphnn.errors import FormatError

_CLASSES = {
    "graphnn.compiler.layers": ("EdgeDense", "InputNames", "Readout"),  # as it was in the first bundles
    "graphnn.compiler.layers.edge": ("EdgeDense",),
    "graphnn.compiler.layers.names": ("InputDropout", "InputNames", "Readout"),
    "keras": ("DTypePolicy",),
    "keras.layers": ("BatchNormalization", "InputLayer"),
    "keras.src.models.functional": ("Functional",),
    "None": ("__keras_tensor__",),
}
# what a user may compile a model with; all of it Keras' own
_FAMILIES = ("keras.initializers", "keras.losses", "keras.metrics", "keras.optimizers", "keras.regularizers")


def model_to_bytes(model: keras.Model) -> bytes:
    """A `.keras` file, without the date and the memory addresses that Keras writes into it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        model.save(file)
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps({**metadata, "date_saved": "1980-01-01@00:00:00"}).encode()
    members["config.json"] = json.dumps(_without_addresses(json.loads(members["config.json"]))).encode()
    return pack(members, compression=STORED)  # as Keras does; a bundle compresses


def model_from_bytes(data: bytes) -> keras.Model:
    """Read a `.keras` file that holds nothing but a network's layers.

    Raises:
        FormatError: It is damaged, claims to unpack to far more than it is, or names a class that no network has.
    """
    _check_classes(data)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        file.write_bytes(data)
        try:
            return keras.saving.load_model(file, safe_mode=True)
        except Exception as error:  # Keras raises whatever the damage leads to
            raise FormatError(f"expected a model that Keras can read, got {error}; save it again") from error


def _without_addresses(value: Any) -> Any:
    """Leave out the marks of shared objects: Keras takes `id()`, which differs from run to run.

    What the layers of these models share are dtype policies, values like any other.
    """
    if isinstance(value, dict):
        return {key: _without_addresses(item) for key, item in value.items() if key != "shared_object_id"}
    return [_without_addresses(item) for item in value] if isinstance(value, list) else value


def _check_classes(data: bytes) -> None:
    """Refuse a model file that names a class which no model of ours holds, before Keras looks for it.

    Keras finds classes by module and name; with a name of the sender's choice that alone has run code (CVE-2025-1550).
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_size(archive, len(data))
            waiting: list[Any] = [json.loads(archive.read("config.json"))]
            n_weights = sum(e.file_size for e in archive.infolist() if e.filename.endswith(".h5")) // 4
    except FormatError:
        raise
    except Exception as error:  # as many kinds as damage has
        raise FormatError(f"expected a model that Keras can read, got {error}; save it again") from error
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
            if "class_name" in value and not _is_known(value):
                got = f"{value.get('module')}.{value['class_name']}"
                raise FormatError(f"expected the layers of a network, got {got}; load only what save_bundle wrote")
            if value.get("class_name") == "EdgeDense":
                _check_units(value.get("config"), n_weights)
        elif isinstance(value, list):
            waiting += value


def _check_units(config: Any, n_weights: int) -> None:
    """Refuse a layer that says it has more units than the file has weights for: it would be built before it is filled.

    With u units a hidden vertex has u columns, and each edge into it at least as many weights.
    """
    units = config.get("units", 1) if isinstance(config, dict) else None
    if type(units) is not int or units < 1:
        raise FormatError(f"expected a number of units in a layer, got {str(units)[:60]!r}; save the model again")
    if units == 1:
        return
    try:
        level, there = config["level"], config["hidden_counts"]
        blocks = sorted({*level["source_level"]} | ({0} if level["n_fed"] else set()))
        hidden = dict(zip(blocks, there, strict=True))
        ends = zip(level["source_level"], level["source_column"], level["target_column"], strict=True)
        claimed = sum(
            (units if column < hidden[block] else 1) * (units if target < level["n_hidden"] else 1)
            for block, column, target in ends
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"expected the wiring of a layer, got another ({error!r}); save the model again") from error
    if claimed > n_weights:
        raise FormatError(
            f"expected a layer with at most {n_weights:,} weights, as the file holds, got one of {claimed:,}; "
            "it is damaged, or was made to fill the memory"
        )


def _is_known(described: dict[str, Any]) -> bool:
    """Whether module, class and the name under which it may be registered are those of a network's part."""
    module, name = described.get("module"), described["class_name"]
    if not isinstance(name, str) or not name.isidentifier():
        return False
    if described.get("registered_name") not in (None, name, f"graphnn>{name}"):
        return False
    return name in _CLASSES.get(str(module), ()) or (module in _FAMILIES and name[0].isupper())
