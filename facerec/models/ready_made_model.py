"""A ready-made model: fetched by name, fed as the catalogue says, evaluated by us."""

import json
import logging
from pathlib import Path

from facerec.errors import ModelError
from facerec.models.catalogue.conversion import network_file
from facerec.models.catalogue.entry import Entry, find_entry, shipped_statistics
from facerec.models.onnx_model import OnnxModel
from facerec.models.statistics import Statistics
from facerec.runtime.files import replace_json
from facerec.runtime.folders import data_folder

log = logging.getLogger(__name__)


class ReadyMadeModel(OnnxModel):
    """An ONNX file of the cache whose terms and statistics the package brings.

    Args:
        entry: of the catalogue.
        network: the ONNX file.
        device: as `open_session` takes it.
    """

    def __init__(self, entry: Entry, network: Path, device: str) -> None:
        super().__init__(Path(entry.name), entry.terms, network, device)
        self._entry = entry
        self._statistics = data_folder() / "models" / f"{entry.name}.statistics.json"
        keys = ("licence", "licence_url", "non_commercial", "trained_by", "trained_on", "sha256")
        self.origin = {key: getattr(entry, key) for key in keys}

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of its terms and the hash of its weights."""
        return self._entry.fingerprint

    @property
    def statistics(self) -> Statistics:
        """Those that the user stored, or else those of the package; empty if there are none."""
        try:
            text = self._statistics.read_text(encoding="utf-8") if self._statistics.exists() else None
            values = json.loads(text or shipped_statistics(self._entry.name) or "{}")
        except (OSError, ValueError) as error:
            raise ModelError(f"{self._statistics}: can't be read ({error}); delete it or evaluate again") from error
        return Statistics.from_json(values, self._statistics)

    def store(self, statistics: Statistics) -> None:
        """Keep statistics in the user's data folder, where they win over those of the package."""
        try:
            self._statistics.parent.mkdir(parents=True, exist_ok=True)
            replace_json(self._statistics, statistics.to_json())
        except OSError as error:
            raise ModelError(f"{self._statistics}: can't be written ({error}); free space there") from error


def open_ready_made(
    name: str, device: str, *, offline: bool = False, accept_licence: bool = False
) -> ReadyMadeModel:
    """Open a ready-made model; its weights are fetched at first use.

    Raises:
        ModelError: there is none of this name, or its weights can't be had.
    """
    entry = find_entry(name)
    network = network_file(entry, offline=offline, accept_licence=accept_licence)
    if entry.non_commercial:
        log.warning("%s: NOT FOR COMMERCIAL USE; the licence of its weights: %s", name, entry.licence)
    return ReadyMadeModel(entry, network, device)
