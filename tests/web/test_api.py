"""The API in use: a real process, a real gallery, real faces."""

import io
import signal
import socket
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from tests.web.conftest import ANN, BOB, CLEO, Running, Start, check_problem, enroll, group, identify, photo


def test_enrol_identify_rename_merge_erase(service: Running) -> None:
    client = service.client
    answer = enroll(client, "Ann", photo(ANN, 1), photo(ANN, 2))
    assert answer.status_code == 201, answer.text
    assert (answer.json()["new"], answer.json()["known"]) == (2, 0)
    ann = answer.json()["person"]["id"]
    assert enroll(client, "Ann", photo(ANN, 1)).json()["known"] == 1

    seen = identify(client, group((ANN, 1), (BOB, 1), (CLEO, 1)), top=2).json()
    assert len(seen["faces"]) == 3
    assert [face["number"] for face in seen["faces"]] == [1, 2, 3]
    names = {round(face["box"][0] // 208): face["person"] for face in seen["faces"]}
    assert names == {0: "Ann", 1: None, 2: None}
    [known] = [face for face in seen["faces"] if face["person"]]
    assert known["matches"][0]["id"] == ann
    assert known["matches"][0]["accepted"]
    assert 0.5 < known["matches"][0]["probability"] <= 1
    assert len(known["landmarks"]) == 5
    assert known["rule"]["persons"] == 1

    # an unknown face of the group is named, by its number
    picture = group((ANN, 1), (BOB, 1), (CLEO, 1))
    [number] = [face["number"] for face in seen["faces"] if face["box"][0] // 208 == 1]
    bob = enroll(client, "Bob", picture, face=number).json()["person"]["id"]
    again = identify(client, picture).json()
    assert sorted(str(face["person"]) for face in again["faces"]) == ["Ann", "Bob", "None"]

    assert client.patch(f"/api/v1/persons/{ann}", json={"name": "Anna", "note": "x"}).json()["name"] == "Anna"
    [face, _] = client.get(f"/api/v1/persons/{ann}").json()["faces"]
    assert face["source"] == "1.jpg"
    assert client.post(f"/api/v1/persons/{bob}/merge", json={"into": ann}).json()["samples"] == 3
    assert [person["name"] for person in client.get("/api/v1/persons").json()] == ["Anna"]
    assert client.delete(f"/api/v1/persons/{ann}").json() == {"samples": 3, "log_deleted": True}
    assert client.get("/api/v1/persons").json() == []
    assert all(face["person"] is None for face in identify(client, picture).json()["faces"])


def test_errors_are_problem_details(service: Running) -> None:
    client, nobody = service.client, "00000000-0000-0000-0000-000000000000"
    check_problem(client.get(f"/api/v1/persons/{nobody}"), 404)
    check_problem(client.delete(f"/api/v1/persons/{nobody}"), 404)
    check_problem(client.get("/api/v1/nothing"), 404)
    check_problem(client.put("/api/v1/persons"), 405)
    check_problem(client.get("/api/v1/persons/ann"), 422)
    assert "name" in check_problem(enroll(client, " ", photo(ANN, 1)), 422)
    assert "name" in check_problem(enroll(client, "a\nb", photo(ANN, 1)), 422)
    check_problem(identify(client, photo(ANN, 1), far=2), 422)
    check_problem(identify(client, b"no picture"), 415)
    check_problem(client.post("/api/v1/identify", json={"photo": "x"}), 415)
    check_problem(enroll(client, "Ann", *[b"x"] * 21), 413)
    check_problem(enroll(client, "Ann", photo(ANN, 1), face=7), 422)
    enroll(client, "Ann", photo(ANN, 1)).raise_for_status()
    assert "Ann" in check_problem(enroll(client, "Bob", photo(ANN, 1)), 409)
    ann = client.get("/api/v1/persons").json()[0]["id"]
    check_problem(client.post(f"/api/v1/persons/{ann}/merge", json={"into": ann}), 409)


def test_a_face_unlike_the_person_is_reported(service: Running) -> None:
    client = service.client
    assert enroll(client, "Ann", photo(ANN, 1), ask=True).status_code == 201
    assert enroll(client, "Jose\u0301", photo(CLEO, 1)).status_code == 201
    answer = enroll(client, "Ann", photo(ANN, 6), photo(BOB, 1), ask=True)
    assert "the face in 2.jpg does not look like the photos enrolled as Ann" in check_problem(answer, 409)
    assert answer.json()["type"] == "urn:facerec:unlike"
    assert [person["samples"] for person in client.get("/api/v1/persons").json()] == [1, 1]
    like, unlike = enroll(client, "Ann", photo(ANN, 6), photo(BOB, 1)).json()["photos"]
    assert (like["unlike"], like["looks_like"]) == (None, None)
    assert -1 <= unlike["unlike"] < 1
    [same] = enroll(client, "José", photo(CLEO, 1)).json()["photos"]
    assert (same["unlike"], same["looks_like"]) == (None, None)


def test_a_weak_photo_is_reported_and_enrolled(service: Running) -> None:
    dark = Image.open(io.BytesIO(photo(BOB, 1))).point(lambda level: 0.3 * level)
    stream = io.BytesIO()
    dark.save(stream, "png")
    good, weak = enroll(service.client, "Bob", photo(BOB, 2), stream.getvalue()).json()["photos"]
    assert (good["weak"], good["problem"], weak["problem"]) == (None, None, None)
    assert "dark (brightness " in weak["weak"]


def test_health_readiness_and_metrics(service: Running) -> None:
    identify(service.client, photo(ANN, 1)).raise_for_status()
    assert service.client.get("/api/v1/health").json()["status"] == "alive"
    assert service.client.get("/api/v1/ready").json()["persons"] == 0
    text = service.client.get("/api/v1/metrics").text
    assert 'facerec_requests_total{route="/api/v1/identify",status="200"}' in text
    assert "facerec_batch_photos_count" in text


def test_file_names_lose_their_folders_and_logs_have_no_names(service: Running) -> None:
    files = {"photos": ("../../etc/pass\\wd/..\\evil\x07.jpg", photo(ANN, 1), "image/jpeg")}
    enrolled = service.client.post("/api/v1/samples", data={"name": "Wilhelmina Quux"}, files=files).json()
    [face] = service.client.get(f"/api/v1/persons/{enrolled['person']['id']}").json()["faces"]
    assert "/" not in face["source"]
    assert "\\" not in face["source"]
    assert "Quux" not in service.log.read_text()
    assert "evil" not in service.log.read_text()


@pytest.mark.slow
def test_strict_review_and_a_graceful_end_that_finishes_accepted_requests(start: Start) -> None:
    strict = start("review=strict", "strict.min_sharpness=0")
    assert enroll(strict.client, "Ann", photo(ANN, 1)).status_code == 201
    detail = check_problem(enroll(strict.client, "Ann", photo(BOB, 1), ask=True), 422)
    assert "1.jpg: does not look like the photos enrolled as Ann" in detail

    answers: list[int] = []
    picture = group(*[(ANN, 1), (BOB, 1), (CLEO, 1)] * 4)

    def ask() -> None:
        with httpx.Client(base_url=strict.url, timeout=60) as client:
            answers.append(identify(client, picture).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    while "facerec_requests_at_work 5.0" not in strict.client.get("/api/v1/metrics").text and not answers:
        time.sleep(0.002)
    accepted = 4 - len(answers)
    assert strict.stop(signal.SIGINT) == 130
    for thread in threads:
        thread.join()
    assert answers.count(200) >= accepted
    *_, address, last = strict.log.read_text().splitlines()
    assert address.startswith(strict.url)
    assert last == "stopped; all enrolments are saved"


def test_a_taken_port_is_reported_before_a_model_is_loaded(
    run: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run("serve", "model=none", f"port={port}") == 1
    error = capfd.readouterr().err
    assert f"port: can't listen at 127.0.0.1:{port}: " in error
    assert "choose another port, such as port=8001" in error
