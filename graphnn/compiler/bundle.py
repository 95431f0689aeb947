"""A model in one file with all that is needed to use it: `save_bundle`, `read_bundle`, `load_bundle`.

May import `graphnn.errors`, `graphnn.graph`, `graphnn.extract.dag` and the modules of this package.

A bundle is a sealed zip: manifest, plan, model, tables of nodes and edges, and where given the features, the
preprocessing and what trained the model. Nothing in it is unpickled or executed. Bytes are the same for the same model
under the same versions. Bundles of format 1, with a plan and a model only, are read for ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from graphnn.compiler.archive import DEFLATED, check_seal, pack, unpack
from graphnn.compiler.backend import keras
from graphnn.compiler.features import Features, Preprocessing
from graphnn.compiler.keras_file import model_from_bytes, model_to_bytes
from graphnn.compiler.model import plan_of
from graphnn.compiler.plan import LayerPlan, describe_difference, plan_layers
from graphnn.compiler.realign import realigned
from graphnn.compiler.tables import check_tables, edges_table, features_table, nodes_table, read_features
from graphnn.errors import FormatError, MismatchError, MissingFileError, OptionError, quoted
from graphnn.extract.dag import Dag
from graphnn.graph.files import check_output, write_whole
from graphnn.graph.prior import PriorGraph

FORMAT, _FIRST_FORMAT = "graphnn-bundle/2", "graphnn-bundle/1"
_MANIFEST, _PLAN, _MODEL, _NODES, _EDGES = "manifest.json", "plan.json", "model.keras", "nodes.csv", "edges.csv"
_FEATURES, _PREPROCESSING, _TRAINING = "features.csv", "preprocessing.json", "training.json"
_REQUIRED = {
    _FIRST_FORMAT: (_MANIFEST, _PLAN, _MODEL),
    FORMAT: (_MANIFEST, _PLAN, _MODEL, _NODES, _EDGES),
}
_OPTIONAL = {_FIRST_FORMAT: (), FORMAT: (_FEATURES, _PREPROCESSING, _TRAINING)}


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model and what was saved with it.

    Attributes:
        model: With its weights, ready to predict or to train on.
        plan: Of the model.
        features: The column that feeds each input, and its scaling; None: not saved.
        preprocessing: What was done to the cells before; None: not saved.
        training: What trained the model, as JSON types; None: not saved.
        manifest: Format, fingerprints, hashes and versions; empty for a bundle that was never a file.
    """

    model: keras.Model
    plan: LayerPlan
    features: Features | None = None
    preprocessing: Preprocessing | None = None
    training: Mapping[str, Any] | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)


def save_bundle(
    model: keras.Model,
    path: str | Path,
    *,
    preprocessing: Preprocessing | None = None,
    features: Features | None = None,
    prior: PriorGraph | Dag | None = None,
    training: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Path:
    """Write a model that `compile_network` built, with the state of its optimiser.

    Args:
        model: What to write.
        path: Where to; the file appears in one step, whole or not at all.
        preprocessing: What was done to the cells before they were scaled.
        features: The column that feeds each input of the model, and its scaling.
        prior: Network that the model was built for, or prior network that this was taken from; its fingerprint is
            kept.
        training: What trained the model, as JSON types.
        force: Overwrite a file that is there.

    Returns:
        The path.

    Raises:
        MismatchError: The model was not built by `compile_network`, or features or prior are of another network.
        OptionError: `training` holds what is no JSON.
        OutputExistsError: The file exists, and not `force`.
        MissingFileError: The folder does not exist.
    """
    path = Path(path)
    plan = plan_of(model)
    check_output(path, force=force)
    members = {_PLAN: plan.to_json().encode(), _NODES: nodes_table(plan), _EDGES: edges_table(plan)}
    if features is not None:
        _check_inputs(features, plan)
        members[_FEATURES] = features_table(features)
    if preprocessing is not None:
        members[_PREPROCESSING] = _json(preprocessing.to_dict(), option="preprocessing")
    if training is not None:
        members[_TRAINING] = _json(training, option="training")
    origin = {} if prior is None else _origin(prior, plan)
    members[_MODEL] = model_to_bytes(model)
    manifest = {
        "format": FORMAT,
        "fingerprint": plan.fingerprint,
        **origin,
        "members": {name: _hash(data) for name, data in members.items()},
        "versions": _versions(),
    }
    members = {_MANIFEST: _json(manifest, option="manifest"), **members}
    write_whole(path, pack(members, compression=DEFLATED, sealed=True), force=force)
    return path


def load_bundle(path: str | Path, *, expect: Dag | LayerPlan | None = None, realign: bool = False) -> keras.Model:
    """Read the model of a bundle; arguments, checks and errors are those of `read_bundle`."""
    return read_bundle(path, expect=expect, realign=realign).model


def read_bundle(path: str | Path, *, expect: Dag | LayerPlan | None = None, realign: bool = False) -> Bundle:
    """Read what `save_bundle` wrote; what it says it is, is checked.

    Args:
        path: Of the bundle.
        expect: Network that the model must be of, names and wiring.
        realign: Where `expect` is another network, build its model and fill it by name: weights of edges (source,
            target), biases of vertices, scaling of inputs. What only the bundle has is left out, and the predictions
            are then those of another network. The optimiser starts afresh.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no bundle, is damaged, or its parts contradict each other.
        MismatchError: It is the model of another network than `expect`; under `realign`: it lacks an edge or a vertex
            of `expect`, which are named, or a vertex has another role.
        OptionError: `realign` without `expect`.
    """
    if realign and expect is None:
        raise OptionError("realign", realign, "given with expect", do="say which network the model is to fit")
    path = Path(path)
    try:
        bundle = _parse(_members(path))
    except FormatError as error:
        raise FormatError(error.reason, path=path) from error
    if expect is None:
        return bundle
    wanted = expect if isinstance(expect, LayerPlan) else plan_layers(expect)
    if bundle.plan == wanted:
        return bundle
    if not realign:
        raise MismatchError(
            f"expected the model of the given network, got another: {describe_difference(wanted, bundle.plan)}; "
            "load the bundle of this network, train it again, or take over what fits with realign=True",
            expected=wanted.fingerprint,
            got=bundle.plan.fingerprint,
        )
    model = realigned(bundle.model, wanted)
    features = bundle.features and bundle.features.of(wanted.inputs)
    return replace(bundle, model=model, plan=wanted, features=features)


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Format, fingerprint and versions of a bundle, without loading its model; raises like `load_bundle`."""
    path = Path(path)
    try:
        return _manifest(_members(path)[_MANIFEST])
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


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(data: Mapping[str, Any], *, option: str) -> bytes:
    try:
        text = json.dumps(dict(data), ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OptionError(option, type(data).__name__, f"a mapping of JSON types ({error})") from error
    return (text + "\n").encode()


def _check_inputs(features: Features, plan: LayerPlan) -> None:
    if features.inputs != plan.inputs:
        raise MismatchError(
            f"expected features of the model's {len(plan.inputs):,} inputs in their order, got those of "
            f"{len(features.inputs):,}; give Features.of(plan.inputs)",
            expected=plan.inputs,
            got=features.inputs,
        )


def _origin(prior: PriorGraph | Dag, plan: LayerPlan) -> dict[str, Any]:
    """Fingerprints of the network and of the prior network it comes from, as far as they are known."""
    if isinstance(prior, Dag):
        if plan_layers(prior) != plan:
            reason = describe_difference(plan, plan_layers(prior))
            raise MismatchError(f"expected the network that the model was built for as prior, got another: {reason}")
        known = {key: prior.origin[key] for key in ("fingerprint", "nodes", "edges") if key in prior.origin}
        return {"network": prior.fingerprint, **({"prior": known} if known else {})}
    edges = {(source, target) for source, _, target in prior.to_sif_tuples()}
    strange = [" -> ".join(edge) for edge in plan.edges() if edge not in edges]
    if strange:
        raise MismatchError(
            f"expected the prior network that holds the model's edges, got one without {quoted(strange)}; give that "
            "which the network was taken from",
            expected=tuple(strange),
        )
    return {"prior": {"fingerprint": prior.fingerprint, "nodes": prior.n_nodes, "edges": prior.n_edges}}


def _members(path: Path) -> dict[str, bytes]:
    """Content by name of a bundle that is whole, of a known format, and has neither more nor less than it must."""
    if not path.exists():
        raise MissingFileError(path, what="a bundle")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"expected a bundle, but it cannot be read ({error}); check the file") from error
    members = unpack(data)
    if _MANIFEST not in members:
        raise FormatError(f"expected a bundle with {_MANIFEST}, got {quoted([*members])}; write it with save_bundle()")
    manifest = _manifest(members[_MANIFEST])
    required, known = _REQUIRED[manifest["format"]], _OPTIONAL[manifest["format"]]
    missing = [name for name in required if name not in members]
    strange = [name for name in members if name not in (*required, *known)]
    if missing or strange:
        what = f"without {quoted(missing)}" if missing else f"with {quoted(strange)}"
        raise FormatError(f"expected a bundle of {', '.join(required)}, got one {what}; write it with save_bundle()")
    if manifest["format"] == FORMAT:
        check_seal(data)
        _check_hashes(manifest, members)
    return members


def _check_hashes(manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    hashes = manifest.get("members")
    found = {name: _hash(data) for name, data in members.items() if name != _MANIFEST}
    if not isinstance(hashes, dict) or hashes.keys() != found.keys():
        got = quoted([*hashes]) if isinstance(hashes, dict) else str(hashes)[:60]
        raise FormatError(f"expected hashes of {quoted([*found], limit=9)} in the manifest, got {got}; save it again")
    changed = [name for name, value in found.items() if hashes[name] != value]
    if changed:
        raise FormatError(
            f"expected members that fit their hashes, but {quoted(changed)} was changed; take the file as it was saved"
        )


def _manifest(data: bytes) -> dict[str, Any]:
    manifest = _object(data, _MANIFEST)
    if manifest.get("format") not in _REQUIRED:
        raise FormatError(
            f"expected a bundle of format {FORMAT!r} or {_FIRST_FORMAT!r}, got {manifest.get('format')!r}; "
            "use the version that wrote it"
        )
    return manifest


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"expected {name} to be JSON, but it is not ({error}); save the bundle again") from error
    if not isinstance(value, dict):
        raise FormatError(f"expected {name} to be a JSON object, got {str(value)[:60]!r}; save the bundle again")
    return value


def _parse(members: Mapping[str, bytes]) -> Bundle:
    manifest = _manifest(members[_MANIFEST])
    plan = _checked_plan(manifest, members[_PLAN])
    features, preprocessing, training = (members.get(name) for name in (_FEATURES, _PREPROCESSING, _TRAINING))
    if manifest["format"] == FORMAT:
        check_tables(members[_NODES], members[_EDGES], plan)
    known = None if features is None else read_features(features)
    if known is not None and known.inputs != plan.inputs:
        raise FormatError("expected features of the plan's inputs in their order, got others; save the bundle again")
    steps = None if preprocessing is None else Preprocessing.from_dict(_object(preprocessing, _PREPROCESSING))
    trained = None if training is None else _object(training, _TRAINING)
    model = model_from_bytes(members[_MODEL])
    _check_model(model, plan)
    return Bundle(model, plan, known, steps, trained, manifest)


def _checked_plan(manifest: Mapping[str, Any], data: bytes) -> LayerPlan:
    try:
        plan = LayerPlan.from_json(data.decode())
    except UnicodeDecodeError as error:
        raise FormatError(f"expected {_PLAN} in UTF-8, but it is not ({error}); save the bundle again") from error
    if manifest.get("fingerprint") != plan.fingerprint:
        raise FormatError("expected a plan that fits the manifest's fingerprint, got another; save the bundle again")
    return plan


def _check_model(model: keras.Model, plan: LayerPlan) -> None:
    try:
        found = plan_of(model)
    except MismatchError as error:
        raise FormatError(f"expected a network's model in the bundle, got another ({error})") from error
    if found != plan:
        raise FormatError("expected the model of the bundle's plan, got another; save the bundle again")
