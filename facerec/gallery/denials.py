"""Faces that are said not to be a person: "this is not Ann".

A search leaves out a person when the face it is given is at least as near to a face denied of them as to the
nearest of their samples. So a denial holds for the same photo in any size, and for other photos of that stranger.
"""

from typing import Any
from uuid import UUID

from psycopg import Connection

from facerec.gallery.people import stored_sample
from facerec.gallery.records import Sample, StoredSample

_INSERT = """
    INSERT INTO denial (person_id, crop, vector, source, box, score, kept) VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (person_id, crop) DO NOTHING
"""
_LIST = """
    SELECT encode(crop, 'hex'), source, box, score, created, kept IS NOT NULL FROM denial WHERE person_id = %s
    ORDER BY created, source, crop
"""


def add_denial(connection: Connection[Any], person: UUID, face: Sample) -> None:
    """Store that a face is not this locked person."""
    connection.execute(_INSERT, face.row(person))


def list_denials(connection: Connection[Any], person: UUID) -> list[StoredSample]:
    """The faces denied of a person, oldest first."""
    return list(map(stored_sample, connection.execute(_LIST, [person])))


def delete_denial(connection: Connection[Any], person: UUID, crop: bytes) -> None:
    """Forget that a face is not this person."""
    connection.execute("DELETE FROM denial WHERE person_id = %s AND crop = %s", [person, crop])
