"""`graphnn compile`: a Keras model in a bundle, from an extracted network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphnn.cli.common import (
    Activation,
    AdaptiveDropout,
    BiasL1,
    BiasL2,
    Dropout,
    DropoutOn,
    Dtype,
    Force,
    HiddenActivation,
    InputDropout,
    InputNormalization,
    Json,
    Kernel,
    KernelL1,
    KernelL2,
    LevelActivation,
    Quiet,
    Seed,
    SignPenalty,
    SignPolicy,
    Task,
    Units,
    activations_of,
    console,
    print_json,
    verb,
)
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.extract.dag import Dag
from graphnn.graph.files import check_output


@verb
def compile_(
    network: Annotated[Path, typer.Argument(help="Network that `graphnn extract --out NAME.json` wrote.")],
    out: Annotated[Path, typer.Option(help="Bundle to write, e.g. network.gnn.")],
    task: Task = "binary",
    hidden_activation: HiddenActivation = "elu",
    activation: Activation = None,
    level_activation: LevelActivation = None,
    units: Units = 1,
    input_normalization: InputNormalization = False,
    input_dropout: InputDropout = 0.0,
    dropout: Dropout = 0.0,
    dropout_on: DropoutOn = "edges",
    adaptive_dropout: AdaptiveDropout = False,
    kernel_l1: KernelL1 = 0.0,
    kernel_l2: KernelL2 = 0.0,
    bias_l1: BiasL1 = 0.0,
    bias_l2: BiasL2 = 0.0,
    sign_policy: SignPolicy = "free",
    sign_penalty: SignPenalty = 0.01,
    kernel: Kernel = "auto",
    dtype: Dtype = "auto",
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Compile an acyclic network to a layered Keras model: one weight an edge, one bias a hidden vertex or output."""
    check_output(out, force=force)
    options = NetworkOptions(
        task=task,
        hidden_activation=hidden_activation,
        activations=activations_of(activation, level_activation),
        units=units,
        input_normalization=input_normalization,
        input_dropout=input_dropout,
        dropout=dropout,
        dropout_on=dropout_on,
        adaptive_dropout=adaptive_dropout,
        kernel_l1=kernel_l1,
        kernel_l2=kernel_l2,
        bias_l1=bias_l1,
        bias_l2=bias_l2,
        sign_policy=sign_policy,
        sign_penalty=sign_penalty,
        kernel=kernel,
        dtype=dtype,
        seed=seed,
    )
    dag = Dag.read(network)
    plan = plan_layers(dag)

    from graphnn.compiler.bundle import save_bundle  # loads Keras: not before the options are known to be right
    from graphnn.compiler.model import compile_network

    model = compile_network(plan, options)
    n_parameters = plan.count_parameters(units)
    save_bundle(model, out, prior=dag, force=force)
    if json_:
        print_json(
            {
                "out": str(out),
                "fingerprint": plan.fingerprint,
                "inputs": len(plan.inputs),
                "outputs": list(plan.outputs),
                "depth": plan.depth,
                "edges": plan.n_edges,
                "parameters": n_parameters,
                "options": options.to_dict(),
                "seed": seed,
            }
        )
    each = f"; {units:,} units in each hidden vertex" if units > 1 else ""
    console(quiet=quiet).print(
        f"wrote {out}: {len(plan.inputs):,} inputs, {plan.depth} levels, {n_parameters:,} parameters "
        f"({plan.n_edges:,} edges and {plan.n_parameters - plan.n_edges:,} vertices with a bias{each})"
    )
