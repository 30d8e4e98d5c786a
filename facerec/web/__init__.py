"""A page and an API in front of a gallery."""
