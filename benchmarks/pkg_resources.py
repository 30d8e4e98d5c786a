"""What face_recognition_models wants of a module that setuptools no longer has: the scripts here import this."""

from importlib.resources import files


def resource_filename(package: str, name: str) -> str:
    """Path of a file in an installed package."""
    return str(files(package) / name)
