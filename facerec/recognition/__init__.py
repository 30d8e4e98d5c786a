"""From a photo to names, without knowing the database."""
