"""Training: `Trainer` trains replicates of one network, `fit_all` many of them side by side.

Two engines do the work, behind one face (`trainer.Run`):

- `on_jax` runs everything that a network can be, on every device that JAX sees, in one compiled program a network;
- `on_numba` runs most of it on the CPU, several times faster and without a program for each network, where numba is
  installed (the extra `fast`). What it leaves out, `able.obstacle` says.

Both train the same cells in the same batches from the same weights, so they differ by rounding only.
"""

from graphnn.evaluate.engine.fit import Epoch, Fit, State, Stopped
from graphnn.evaluate.engine.place import Place, places
from graphnn.evaluate.engine.side_by_side import Job, default_workers, fit_all
from graphnn.evaluate.engine.table import Table
from graphnn.evaluate.engine.trainer import Trainer

__all__ = [
    "Epoch", "Fit", "Job", "Place", "State", "Stopped", "Table", "Trainer", "default_workers", "fit_all", "places",
]  # fmt: skip
