"""Where the user's files lie, outside a checkout."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """For what can be had again: fetched weights, decoded crops. The environment's FACEREC_CACHE wins."""
    given = os.environ.get("FACEREC_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("facerec", appauthor=False)


def data_folder() -> Path:
    """For what the user has made, such as galleries: it must not be lost."""
    return platformdirs.user_data_path("facerec", appauthor=False)
