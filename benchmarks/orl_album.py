"""Lay out an album of ORL people: `python benchmarks/orl_album.py ALBUM`.

Of the ten people kept for the test, whom no model was trained on, five are enrolled from five photos each
(`ALBUM/enroll/PERSON/*.png`); the other five are not enrolled. `ALBUM/photos` are five group photos of all ten.
"""

import sys
from pathlib import Path

import numpy as np

from facerec.crops import Photo, encode_png, read_photo
from facerec.crops.resize import resize
from facerec.data.orl import orl

PEOPLE, PHOTOS, MARGIN, BACKGROUND = 5, 5, 24, 128  # people enrolled, photos of each


def doubled(photo: Photo) -> Photo:
    """Twice the size, so that faces are as large as in a family photo."""
    return resize(photo, (2 * photo.shape[0], 2 * photo.shape[1]))


def in_rows(photos: list[Photo], columns: int) -> Photo:
    """One photo of all, with a margin around each."""
    edges = ((0, 0), (MARGIN, 0), (MARGIN, 0), (0, 0))
    tiles = np.pad(photos, edges, constant_values=BACKGROUND)
    rows = [np.concatenate(row, axis=1) for row in np.split(tiles, len(tiles) // columns)]
    return np.pad(np.concatenate(rows), ((0, MARGIN), (0, MARGIN), (0, 0)), constant_values=BACKGROUND)


def main(album: Path) -> None:
    """Write the album; the same one every time."""
    images = orl()
    rows = images.rows("test")
    people = np.unique(images.identities[rows])
    photos = {
        name: [doubled(read_photo(images.files[row])) for row in rows if images.identities[row] == name]
        for name in people
    }
    for name in people[:PEOPLE]:
        folder = album / "enroll" / str(name)
        folder.mkdir(parents=True, exist_ok=True)
        for number, photo in enumerate(photos[name][:PHOTOS], 1):
            (folder / f"{number}.png").write_bytes(encode_png(photo))
    (album / "photos").mkdir(exist_ok=True)
    shuffle = np.random.default_rng(0).permutation
    for number in range(PHOTOS):
        group = shuffle(people)
        picture = in_rows([photos[name][PHOTOS + number] for name in group], columns=5)
        (album / "photos" / f"group{number + 1}.png").write_bytes(encode_png(picture))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
