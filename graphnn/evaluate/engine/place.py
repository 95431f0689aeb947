"""Where a replicate trains: the devices that JAX sees. Imports JAX."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np


@dataclass(frozen=True)
class Place:
    """Where a replicate trains: one device, or several that share each batch."""

    devices: tuple[Any, ...]

    @cached_property
    def mesh(self) -> Any:
        """The devices in a row."""
        return jax.sharding.Mesh(np.array(self.devices), ("cells",))

    def put(self, arrays: Any) -> Any:
        """Arrays on each of the devices; nobody may write to them afterwards, the memory may be the same."""
        everywhere = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec())
        target = self.devices[0] if len(self.devices) == 1 else everywhere
        return jax.device_put(arrays, target, may_alias=True)

    def spread(self, x: Any) -> Any:
        """Cut a batch, shape (n_inputs, width), into one part a device where that comes out even; traceable."""
        if len(self.devices) == 1 or x.shape[1] % len(self.devices):
            return x
        cut = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec(None, "cells"))
        return jax.lax.with_sharding_constraint(x, cut)


def places(n_jobs: int) -> tuple[Place, ...]:
    """Where replicates may train: each device by itself, or groups of devices where there are more than replicates."""
    devices = jax.devices()
    size = max(1, len(devices) // max(n_jobs, 1))
    return tuple(Place(tuple(devices[start : start + size])) for start in range(0, size * (len(devices) // size), size))
