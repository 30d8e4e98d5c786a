"""Crops of a data set: the crops as files, a journal, a manifest."""

from facerec.preparation.manifest import Journal, Row, write_manifest
from facerec.preparation.preparation import Preparation, list_sources

__all__ = ["Journal", "Preparation", "Row", "list_sources", "write_manifest"]
