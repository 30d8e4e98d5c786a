"""More than the service can take, and a kill."""

import threading
import time

import httpx

from facerec.gallery import Gallery
from tests.web.conftest import ANN, Running, Start, check_problem, enroll, identify, photo

PATIENCE = 240  # seconds: other work may keep the machine busy


def test_a_full_queue_says_when_to_come_again(start: Start) -> None:
    one = start("limits.waiting=1", "faces.batch_size=1")
    answers: list[httpx.Response] = []

    def both() -> bool:
        return {200, 503} <= {answer.status_code for answer in list(answers)}

    def ask() -> None:
        with httpx.Client(base_url=one.url, timeout=PATIENCE) as client:
            while not both() and time.monotonic() < end:
                answers.append(identify(client, photo(ANN, 1)))

    end = time.monotonic() + PATIENCE
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200, 503}
    full = next(answer for answer in answers if answer.status_code == 503)
    check_problem(full, 503)
    assert full.headers["Retry-After"] == "1"
    _kill_in_the_middle(one)


def _kill_in_the_middle(one: Running) -> None:
    """What was acknowledged is there after a kill between, or in, the next enrolments."""
    acknowledged: list[str] = []

    def fill() -> None:
        with httpx.Client(base_url=one.url, timeout=PATIENCE) as client:
            for number in range(100):
                try:
                    if enroll(client, f"p{number}", photo(31 + number % 10, 1 + number // 10)).is_success:
                        acknowledged.append(f"p{number}")
                except httpx.TransportError:
                    return

    filling = threading.Thread(target=fill)
    filling.start()
    while len(acknowledged) < 5 and filling.is_alive():
        time.sleep(0.01)
    one.process.kill()
    filling.join()
    one.process.wait()
    assert len(acknowledged) >= 5
    with Gallery.open(one.folder) as gallery:
        found = {person.name: person.samples for person in gallery.persons()}
    assert set(acknowledged) <= found.keys()
    assert set(found.values()) == {1}
    assert len(found) <= len(acknowledged) + 1  # the one that was under way
