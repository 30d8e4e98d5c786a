"""Ready-made models: what is known of each, and how its weights come into the user's cache."""

from facerec.models.catalogue.cache import weights_file
from facerec.models.catalogue.entry import Entry, Source, find_entry, is_name, name_of, names
from facerec.models.catalogue.fetch import fetch, take

__all__ = ["Entry", "Source", "fetch", "find_entry", "is_name", "name_of", "names", "take", "weights_file"]
