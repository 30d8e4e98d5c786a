"""The page and the API in front of a gallery."""
