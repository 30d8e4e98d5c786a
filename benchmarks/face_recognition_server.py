"""A server around face_recognition, as a good user writes it today: FastAPI, and a process for each core.

KNOWN=people.npy uvicorn --app-dir benchmarks --workers 2 face_recognition_server:app
"""

import os
from io import BytesIO

import face_recognition
import numpy as np
from fastapi import FastAPI, UploadFile

app = FastAPI()
known = np.load(os.environ["KNOWN"])  # float64 [persons, 128]


@app.post("/identify")
async def identify(photo: UploadFile) -> list[str | None]:
    """Who is in a photo: the nearest person of each face, or null."""
    # on the event loop, one photo at a time: dlib's networks crash the process if two threads use them at once
    pixels = face_recognition.load_image_file(BytesIO(await photo.read()))
    answers: list[str | None] = []
    for encoding in face_recognition.face_encodings(pixels, face_recognition.face_locations(pixels)):
        distances = face_recognition.face_distance(known, encoding)
        nearest = int(np.argmin(distances))
        name = f"other {nearest}" if nearest else "the one in the photo"
        answers.append(name if distances[nearest] <= 0.6 else None)  # the package's own tolerance
    return answers
