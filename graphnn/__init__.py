"""graphnn: provably minimal prior knowledge networks, compiled to layered Keras models, compared honestly.

The public names are loaded when they are first used: importing graphnn loads neither Keras nor a solver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "PriorGraph": "graphnn.graph.prior",
    "read_sif": "graphnn.graph.sif",
    "read_edge_table": "graphnn.graph.tables",
    "check": "graphnn.graph.check",
    "Dag": "graphnn.extract.dag",
    "Proof": "graphnn.extract.dag",
    "extract_dag": "graphnn.extract.extract",
    "extract_samples": "graphnn.extract.samples",
    "SampleNetworks": "graphnn.extract.samples",
    "extract_alternatives": "graphnn.extract.alternatives",
    "network_frequencies": "graphnn.extract.minima",
    "NetworkFrequencies": "graphnn.extract.minima",
    "necessary_vertices": "graphnn.extract.minima",
    "verify_dag": "graphnn.extract.verify",
    "Certificate": "graphnn.extract.certificate",
    "CheckedBound": "graphnn.extract.certificate",
    "certify_dag": "graphnn.extract.certificate",
    "verify_certificate": "graphnn.extract.certificate",
    "LayerPlan": "graphnn.compiler.plan",
    "plan_layers": "graphnn.compiler.plan",
    "NetworkOptions": "graphnn.compiler.options",
    "compile_network": "graphnn.compiler.model",
    "plan_of": "graphnn.compiler.model",
    "align": "graphnn.compiler.model",
    "weights_frame": "graphnn.compiler.model",
    "bias_frame": "graphnn.compiler.model",
    "sign_violations": "graphnn.compiler.model",
    "save_bundle": "graphnn.compiler.bundle",
    "load_bundle": "graphnn.compiler.bundle",
    "read_bundle": "graphnn.compiler.bundle",
    "Bundle": "graphnn.compiler.bundle",
    "TrainingOptions": "graphnn.evaluate.options",
    "Comparison": "graphnn.evaluate.comparison",
    "compare": "graphnn.evaluate.compare",
    "pareto": "graphnn.evaluate.pareto",
    "Sweep": "graphnn.evaluate.pareto",
    "node_importance": "graphnn.explain.importance",
    "ImportanceOptions": "graphnn.explain.options",
    "input_attributions": "graphnn.explain.attributions",
    "train": "graphnn.evaluate.train",
    "Trained": "graphnn.evaluate.train",
    "predict": "graphnn.evaluate.predict",
    "KPNNClassifier": "graphnn.evaluate.estimators",
    "KPNNRegressor": "graphnn.evaluate.estimators",
    "Cells": "graphnn.data.cells",
    "read_cells": "graphnn.data.read",
    "read_labels": "graphnn.data.labels",
    "simulate_cells": "graphnn.data.simulate",
    "SimulationOptions": "graphnn.data.simulate",
    "simulate_network": "graphnn.data.designs",
    "SimulatedNetwork": "graphnn.data.designs",
    "sim1": "graphnn.data.designs",
    "sim2": "graphnn.data.designs",
    "PlantedDesign": "graphnn.data.designs",
    "recovery": "graphnn.explain.recovery",
    "GraphnnError": "graphnn.errors",
}

_MODULES = ("tl",)  # whole modules, loaded likewise

__all__ = [
    "Bundle",
    "Cells",
    "Certificate",
    "CheckedBound",
    "Comparison",
    "Dag",
    "GraphnnError",
    "ImportanceOptions",
    "KPNNClassifier",
    "KPNNRegressor",
    "LayerPlan",
    "NetworkFrequencies",
    "NetworkOptions",
    "PlantedDesign",
    "PriorGraph",
    "Proof",
    "SampleNetworks",
    "SimulatedNetwork",
    "SimulationOptions",
    "Sweep",
    "Trained",
    "TrainingOptions",
    "__version__",
    "align",
    "bias_frame",
    "certify_dag",
    "check",
    "compare",
    "compile_network",
    "extract_alternatives",
    "extract_dag",
    "extract_samples",
    "input_attributions",
    "load_bundle",
    "necessary_vertices",
    "network_frequencies",
    "node_importance",
    "pareto",
    "plan_layers",
    "plan_of",
    "predict",
    "read_bundle",
    "read_cells",
    "read_edge_table",
    "read_labels",
    "read_sif",
    "recovery",
    "save_bundle",
    "sign_violations",
    "sim1",
    "sim2",
    "simulate_cells",
    "simulate_network",
    "tl",
    "train",
    "verify_certificate",
    "verify_dag",
    "weights_frame",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"graphnn.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'graphnn' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from graphnn import tl
    from graphnn.compiler.bundle import Bundle, load_bundle, read_bundle, save_bundle
    from graphnn.compiler.model import align, bias_frame, compile_network, plan_of, sign_violations, weights_frame
    from graphnn.compiler.options import NetworkOptions
    from graphnn.compiler.plan import LayerPlan, plan_layers
    from graphnn.data.cells import Cells
    from graphnn.data.designs import PlantedDesign, SimulatedNetwork, sim1, sim2, simulate_network
    from graphnn.data.labels import read_labels
    from graphnn.data.read import read_cells
    from graphnn.data.simulate import SimulationOptions, simulate_cells
    from graphnn.errors import GraphnnError
    from graphnn.evaluate.compare import compare
    from graphnn.evaluate.comparison import Comparison
    from graphnn.evaluate.estimators import KPNNClassifier, KPNNRegressor
    from graphnn.evaluate.options import TrainingOptions
    from graphnn.evaluate.pareto import Sweep, pareto
    from graphnn.evaluate.predict import predict
    from graphnn.evaluate.train import Trained, train
    from graphnn.explain.attributions import input_attributions
    from graphnn.explain.importance import node_importance
    from graphnn.explain.options import ImportanceOptions
    from graphnn.explain.recovery import recovery
    from graphnn.extract.alternatives import extract_alternatives
    from graphnn.extract.certificate import Certificate, CheckedBound, certify_dag, verify_certificate
    from graphnn.extract.dag import Dag, Proof
    from graphnn.extract.extract import extract_dag
    from graphnn.extract.minima import NetworkFrequencies, necessary_vertices, network_frequencies
    from graphnn.extract.samples import SampleNetworks, extract_samples
    from graphnn.extract.verify import verify_dag
    from graphnn.graph.check import check
    from graphnn.graph.prior import PriorGraph
    from graphnn.graph.sif import read_sif
    from graphnn.graph.tables import read_edge_table
