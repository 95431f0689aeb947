"""A model in one file with its plan and its versions: `save_bundle`, `load_bundle`.

May import `graphnn.errors`, `graphnn.graph`, `graphnn.extract.dag` and the modules of this package.

A bundle is a zip of `manifest.json`, `plan.json` and `model.keras`. Nothing in it is unpickled or executed. Bytes are
the same for the same model under the same versions: the date and the memory addresses that Keras writes into a
`.keras` file are taken out again, and both archives carry one fixed time.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from graphnn.compiler.backend import keras
from graphnn.compiler.model import plan_of
from graphnn.compiler.plan import LayerPlan, describe_difference, plan_layers
from graphnn.errors import FormatError, MismatchError, MissingFileError, quoted
from graphnn.extract.dag import Dag
from graphnn.graph.files import check_output, write_whole

FORMAT = "graphnn-bundle/1"
_MANIFEST, _PLAN, _MODEL = "manifest.json", "plan.json", "model.keras"
_CLASSES = {
    "graphnn.compiler.layers": ("EdgeDense", "InputNames", "Readout"),  # as it was in the first bundles
    "graphnn.compiler.layers.edge": ("EdgeDense",),
    "graphnn.compiler.layers.names": ("InputNames", "Readout"),
    "keras": ("DTypePolicy",),
    "keras.layers": ("BatchNormalization", "InputLayer"),
    "keras.src.models.functional": ("Functional",),
    "None": ("__keras_tensor__",),
}
# what a user may compile a model with; all of it Keras' own
_FAMILIES = ("keras.initializers", "keras.losses", "keras.metrics", "keras.optimizers", "keras.regularizers")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can hold


def save_bundle(model: keras.Model, path: str | Path, *, force: bool = False) -> Path:
    """Write a model that `compile_network` built, with the state of its optimiser.

    Args:
        model: What to write.
        path: Where to; the file appears in one step, whole or not at all.
        force: Overwrite a file that is there.

    Returns:
        The path.

    Raises:
        MismatchError: The model was not built by `compile_network`.
        OutputExistsError: The file exists, and not `force`.
        MissingFileError: The folder does not exist.
    """
    path = Path(path)
    plan = plan_of(model)
    check_output(path, force=force)
    manifest = {"format": FORMAT, "fingerprint": plan.fingerprint, "versions": _versions()}
    members = {
        _MANIFEST: (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode(),
        _PLAN: plan.to_json().encode(),
        _MODEL: _keras_bytes(model),
    }
    write_whole(path, _zip(members, zipfile.ZIP_DEFLATED), force=force)
    return path


def load_bundle(path: str | Path, *, expect: Dag | LayerPlan | None = None) -> keras.Model:
    """Read a model that `save_bundle` wrote; what it says it is, is checked.

    Args:
        path: Of the bundle.
        expect: Network that the model must be of, names and wiring.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no bundle, is damaged, or its parts contradict each other.
        MismatchError: It is the model of another network than `expect`.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(path, what="a bundle")
    members = _read_members(path)
    try:
        plan = _checked_plan(members)
        if expect is not None:
            _check_expected(plan, expect)
        model = _model_from_bytes(members[_MODEL])
        _check_model(model, plan)
    except FormatError as error:
        raise FormatError(error.reason, path=path) from error
    return model


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Format, fingerprint and versions of a bundle, without loading its model; raises like `load_bundle`."""
    path = Path(path)
    if not path.exists():
        raise MissingFileError(path, what="a bundle")
    try:
        return _manifest(_read_members(path)[_MANIFEST])
    except FormatError as error:
        raise FormatError(error.reason, path=path) from error


def _versions() -> dict[str, str]:
    found = {"backend": keras.backend.backend()}
    for package in ("graphnn", "jax", "keras", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a folder that was never installed
            found[package] = "unknown"
    return found


def _keras_bytes(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / _MODEL
        model.save(file)
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps({**metadata, "date_saved": "1980-01-01@00:00:00"}).encode()
    members["config.json"] = json.dumps(_without_addresses(json.loads(members["config.json"]))).encode()
    return _zip(members, zipfile.ZIP_STORED)  # as Keras does; the outer archive compresses


def _without_addresses(value: Any) -> Any:
    """Leave out the marks of shared objects: Keras takes `id()`, which differs from run to run.

    What the layers of these models share are dtype policies, values like any other.
    """
    if isinstance(value, dict):
        return {key: _without_addresses(item) for key, item in value.items() if key != "shared_object_id"}
    return [_without_addresses(item) for item in value] if isinstance(value, list) else value


def _zip(members: Mapping[str, bytes], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, date_time=_LONG_AGO)
            entry.create_system = 3
            archive.writestr(entry, data, compress_type=compression)
    return buffer.getvalue()


def _read_members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sorted(archive.namelist()) != sorted((_MANIFEST, _PLAN, _MODEL)):
                raise FormatError(
                    f"expected a bundle of {_MANIFEST}, {_PLAN} and {_MODEL}, got {quoted(archive.namelist())}; "
                    "write it with save_bundle()",
                    path=path,
                )
            return {name: archive.read(name) for name in archive.namelist()}
    # zipfile tells damage in many words: BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(
            f"expected a bundle, but it cannot be read ({error}); was it cut short, or is it another file?", path=path
        ) from error


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise FormatError(f"expected {_MANIFEST} to be JSON, but it is not ({error}); save the bundle again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        got = manifest.get("format") if isinstance(manifest, dict) else manifest
        raise FormatError(f"expected a bundle of format {FORMAT!r}, got {got!r}; use the version that wrote it")
    return manifest


def _checked_plan(members: Mapping[str, bytes]) -> LayerPlan:
    manifest = _manifest(members[_MANIFEST])
    try:
        plan = LayerPlan.from_json(members[_PLAN].decode())
    except UnicodeDecodeError as error:
        raise FormatError(f"expected {_PLAN} in UTF-8, but it is not ({error}); save the bundle again") from error
    if manifest.get("fingerprint") != plan.fingerprint:
        raise FormatError("expected a plan that fits the manifest's fingerprint, got another; save the bundle again")
    return plan


def _check_expected(plan: LayerPlan, expect: Dag | LayerPlan) -> None:
    wanted = expect if isinstance(expect, LayerPlan) else plan_layers(expect)
    if plan != wanted:
        raise MismatchError(
            f"expected the model of the given network, got another: {describe_difference(wanted, plan)}; "
            "load the bundle of this network or train it again",
            expected=wanted.fingerprint,
            got=plan.fingerprint,
        )


def _check_model(model: keras.Model, plan: LayerPlan) -> None:
    try:
        found = plan_of(model)
    except MismatchError as error:
        raise FormatError(f"expected a network's model in the bundle, got another ({error})") from error
    if found != plan:
        raise FormatError("expected the model of the bundle's plan, got another; save the bundle again")


def _check_classes(data: bytes) -> None:
    """Refuse a model file that names a class which no model of ours holds, before Keras looks for it.

    Keras finds classes by module and name; with a name of the sender's choice that alone has run code (CVE-2025-1550).
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            waiting: list[Any] = [json.loads(archive.read("config.json"))]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise FormatError(f"expected a model that Keras can read, got {error}; save it again") from error
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
            if "class_name" in value and not _is_known(value.get("module"), value["class_name"]):
                got = f"{value.get('module')}.{value['class_name']}"
                raise FormatError(f"expected the layers of a network, got {got}; load only what save_bundle wrote")
        elif isinstance(value, list):
            waiting += value


def _is_known(module: object, name: object) -> bool:
    if not isinstance(name, str) or not name.isidentifier():
        return False
    return name in _CLASSES.get(str(module), ()) or (module in _FAMILIES and name[0].isupper())


def _model_from_bytes(data: bytes) -> keras.Model:
    _check_classes(data)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / _MODEL
        file.write_bytes(data)
        try:
            return keras.saving.load_model(file, safe_mode=True)
        except Exception as error:  # Keras raises whatever the damage leads to
            raise FormatError(f"expected a model that Keras can read, got {error}; save it again") from error
