"""Where a job keeps what lasts: below the current folder in a checkout, else in the user's own folders."""

import os

from facerec.job.keys import CONFIG_DIR, PACKAGE
from facerec.runtime.folders import cache_folder, data_folder

IN_CHECKOUT = CONFIG_DIR.parent != PACKAGE


def user_cache(in_checkout: str) -> str:
    """Folder of caches, registered as the resolver `${user_cache:IN_CHECKOUT}`; FACEREC_CACHE wins."""
    return in_checkout if IN_CHECKOUT and not os.environ.get("FACEREC_CACHE") else str(cache_folder())


def user_data(in_checkout: str) -> str:
    """Folder of galleries, registered as the resolver `${user_data:IN_CHECKOUT}`."""
    return in_checkout if IN_CHECKOUT else str(data_folder())
