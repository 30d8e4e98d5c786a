"""Write the names that were found in photos into their XMP; what goes wrong is kept for the end."""

from collections.abc import Sequence
from importlib import import_module
from typing import Literal

from facerec.errors import ConfigError, DataError
from facerec.recognition.pipeline import PhotoFaces
from facerec.recognition.xmp import area_of, write_people
from facerec.runtime.os_errors import describe


class XmpWriter:
    """Writes names into the XMP of photos.

    Args:
        where: True: beside the photo; "embed": into its file; False: nowhere.

    Attributes:
        written: how many files were written.
        problems: a line for each that could not be.

    Raises:
        ConfigError: `where` is none of these.
        ModuleNotFoundError: "embed" needs pyexiv2.
    """

    def __init__(self, where: bool | Literal["embed"]) -> None:
        if where not in (True, False, "embed"):
            raise ConfigError(f"xmp: must be true, false or embed, not {where}")
        if where == "embed":
            import_module("pyexiv2")  # what is missing is said now, not after the first photo
        self._where = where
        self.written = 0
        self.problems: list[str] = []

    def write(self, photo: PhotoFaces, names: Sequence[str | None]) -> None:
        """Write the names of a photo's faces; those that are None are not written."""
        if not self._where or photo.problem:
            return
        size = photo.photo.shape[:2]
        faces = [(name, area_of(face, size)) for name, face in zip(names, photo.faces, strict=True) if name]
        try:
            self.written += write_people(photo.file, faces, inside=self._where == "embed") is not None
        except DataError as error:
            self.problems.append(str(error))
        except OSError as error:
            self.problems.append(describe(error, {}))
