"""Several processes in one run: collectives, batch normalisation, relaunch."""

from facerec.distributed.batch_norm import SyncedNorms

__all__ = ["SyncedNorms"]
