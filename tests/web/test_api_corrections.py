"""Mistakes are put right over the API."""

from tests.web.conftest import ANN, BOB, CLEO, Running, Start, check_problem, enroll, group, identify, photo

API = "/api/v1"


def named(service: Running, picture: bytes) -> list[str | None]:
    return [face["person"] for face in identify(service.client, picture).json()["faces"]]


def test_samples_are_moved_deleted_and_undone(service: Running) -> None:
    client = service.client
    ann = enroll(client, "Ann", photo(ANN, 1), photo(BOB, 1)).json()["person"]["id"]
    faces = client.get(f"{API}/persons/{ann}").json()["faces"]
    [wrong] = [face["crop"] for face in faces if face["source"] == "2.jpg"]
    assert named(service, photo(BOB, 1)) == ["Ann"]
    bob = client.post(f"{API}/samples/move", json={"samples": [wrong], "name": "Bob"}).json()
    [change] = bob["changes"]
    assert (bob["name"], bob["samples"]) == ("Bob", 1)
    assert named(service, photo(BOB, 1)) == ["Bob"]
    [move] = client.get(f"{API}/changes").json()
    assert (move["action"], move["names"], move["samples"]) == ("move", ["Ann"], 1)
    assert change == move["id"]
    assert client.post(f"{API}/changes/{change}/undo").json()["action"] == "move"
    assert [person["name"] for person in client.get(f"{API}/persons").json()] == ["Ann"]
    deleted = client.post(f"{API}/samples/delete", json={"samples": [wrong[:8]]}).json()
    assert deleted == {"samples": 1, "changes": [client.get(f"{API}/changes").json()[0]["id"]]}
    assert named(service, photo(BOB, 1)) == [None]
    check_problem(client.post(f"{API}/samples/delete", json={"samples": [wrong]}), 404)
    check_problem(client.post(f"{API}/changes/{move['id']}/undo"), 409)
    check_problem(client.post(f"{API}/samples/move", json={"samples": [wrong]}), 422)
    check_problem(client.post(f"{API}/samples/move", json={"samples": ["xyz"], "name": "Bob"}), 422)


def test_a_face_of_a_photo_is_denied(service: Running) -> None:
    client = service.client
    ann = enroll(client, "Ann", photo(ANN, 1)).json()["person"]["id"]
    picture = group((CLEO, 1), (BOB, 1), (ANN, 2))
    [number] = [face["number"] for face in identify(client, picture).json()["faces"] if face["box"][0] // 208 == 1]
    enroll(client, "Ann", picture, face=number).raise_for_status()  # which is Bob
    assert named(service, picture)[number - 1] == "Ann"
    files = {"photo": ("party.jpg", picture)}
    denied = client.post(f"{API}/persons/{ann}/denials", files=files, data={"face": str(number)})
    assert denied.status_code == 201, denied.text
    assert denied.json()["changes"] == [client.get(f"{API}/changes").json()[0]["id"]]
    face = identify(client, picture).json()["faces"][number - 1]
    assert (face["person"], face["matches"]) == (None, [])
    [entry] = client.get(f"{API}/persons/{ann}").json()["denied"]
    [deny] = client.get(f"{API}/changes").json()
    assert client.delete(f"{API}/persons/{ann}/denials/{entry['crop']}").status_code == 200
    assert identify(client, picture).json()["faces"][number - 1]["matches"][0]["name"] == "Ann"
    check_problem(client.delete(f"{API}/persons/{ann}/denials/{entry['crop']}"), 404)
    [allow, again] = client.get(f"{API}/changes").json()
    assert again == deny
    assert "undo that one first" in check_problem(client.post(f"{API}/changes/{deny['id']}/undo"), 409)
    for change in (allow, deny):
        client.post(f"{API}/changes/{change['id']}/undo").raise_for_status()
    assert named(service, picture)[number - 1] == "Ann"
    check_problem(client.post(f"{API}/persons/{ann}/denials", files=files, data={"face": "9"}), 422)
    check_problem(client.post(f"{API}/persons/{ann}/denials", data={"face": "1"}), 422)


def test_persons_of_one_name_and_ignored_ones(service: Running) -> None:
    client = service.client
    first = enroll(client, "Ann", photo(ANN, 1)).json()["person"]["id"]
    second = enroll(client, "Ann", photo(BOB, 1), new=True).json()["person"]["id"]
    answer = enroll(client, "Ann", photo(ANN, 2))
    assert answer.json()["type"] == "urn:facerec:ambiguous"
    assert first[:8] in check_problem(answer, 409)
    files = {"photos": ("a.jpg", photo(ANN, 2))}
    added = client.post(f"{API}/samples", data={"person": first}, files=files).json()
    assert (added["person"]["id"], added["person"]["samples"]) == (first, 2)
    assert enroll(client, "ann", photo(CLEO, 1)).json()["similar_names"] == ["Ann"]
    changed = client.patch(f"{API}/persons/{second}", json={"ignored": True, "note": "the other one"}).json()
    assert (changed["name"], changed["note"], changed["ignored"]) == ("Ann", "the other one", True)
    made = client.get(f"{API}/changes").json()
    assert [change["action"] for change in made[:2]] == ["rename", "ignore"]
    assert changed["changes"] == [change["id"] for change in made[:2]]  # newest first: as they must be undone
    [face] = identify(client, photo(BOB, 1)).json()["faces"]
    assert (face["person"], face["ignored"], face["matches"][0]["ignored"]) == (None, True, True)


def test_kept_crops_are_shown(start: Start) -> None:
    service = start("keep_crops=true")
    person = enroll(service.client, "Ann", photo(ANN, 1)).json()["person"]
    shown = service.client.get(f"{API}/samples/{person['picture']}/image")
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/png")
    assert shown.content.startswith(b"\x89PNG")
    assert "no-store" in shown.headers["Cache-Control"]
    check_problem(service.client.get(f"{API}/samples/{'0' * 64}/image"), 404)
