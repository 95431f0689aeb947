"""The demo network: a hand-written T-cell-receptor PKN that ships with the package, its evidence, its references.

Facts are written from the literature in the authors' own words; `docs/demo.md` says what the network is and is not.
Cells to go with it are simulated (`graphnn.data.simulate`). May import `graphnn.errors` and `graphnn.graph`.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import pandas as pd

from graphnn.graph.prior import PriorGraph
from graphnn.graph.sif import read_sif

DEMO_OUTPUT = "TCR"
INPUT_SUFFIX = "_gene"


def demo_network() -> PriorGraph:
    """The demo prior knowledge network, in the direction of computation: transcripts -> factors -> ... -> `TCR`.

    Example:
        >>> demo_network()
        PriorGraph(148 nodes, 334 edges)
    """
    with as_file(files(__name__) / "tcr.sif") as path:
        return read_sif(path)


def demo_inputs() -> tuple[str, ...]:
    """Names of the measured vertices, `<GENE>_gene`, sorted.

    Example:
        >>> len(demo_inputs()), demo_inputs()[0]
        (54, 'BCL2L1_gene')
    """
    return tuple(name for name in demo_network().nodes if name.endswith(INPUT_SUFFIX))


def demo_evidence() -> pd.DataFrame:
    """One row for each edge, in the order of `demo_network().to_frame()`.

    Returns:
        Columns source, interaction (1, -1), target, statement (one sentence, in the direction of biology, which is
        the reverse of the edge), key (row of `demo_references()`), reference (its DOI).

    Example:
        >>> table = demo_evidence().set_index(["source", "target"])
        >>> table.loc[("LAT", "ZAP70"), "statement"]
        'ZAP70 phosphorylates LAT.'
    """
    return _table("tcr_evidence.tsv").astype({"interaction": "int64"})


def demo_references() -> pd.DataFrame:
    """The literature behind the evidence: key, authors, year, title, journal, doi, verified_how; sorted by key.

    Example:
        >>> demo_references().set_index("key").loc["SmithGarvin2009", "doi"]
        '10.1146/annurev.immunol.021908.132706'
    """
    return _table("references.tsv").astype({"year": "int64"})


def _table(name: str) -> pd.DataFrame:
    with as_file(files(__name__) / name) as path:
        return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3, encoding="utf-8")
