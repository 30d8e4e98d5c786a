"""Serve the page and the API of a gallery: `python -m facerec.serve model=MODEL gallery.url=…`."""

import logging
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError
from facerec.job import run_job

if TYPE_CHECKING:
    from facerec.web.limits import Limits
    from facerec.web.pipeline import Settings

log = logging.getLogger(__name__)


def serve(cfg: DictConfig) -> None:
    """Serve until stopped, then finish accepted requests: status 0 after SIGTERM, 130 after Ctrl-C."""
    import uvicorn

    from facerec.gallery import Gallery
    from facerec.models import open_model
    from facerec.web.app import LOOPBACK, build
    from facerec.web.authentication import Authenticator
    from facerec.web.housekeeping import Housekeeping
    from facerec.web.keys import read_keys
    from facerec.web.pipeline import Pipeline

    keys = read_keys(Path(cfg.key_file)) if cfg.key_file else []
    if cfg.host not in LOOPBACK and not keys:
        raise ConfigError(
            f"key_file: {cfg.host} can be reached from other machines, so keys are required: key_file=FILE"
        )
    _check_address(cfg.host, cfg.port)
    hosts = list(cfg.hosts) if cfg.hosts else None if keys else list(LOOPBACK)
    settings, limits, places = _settings(cfg), _limits(cfg), _places(cfg)
    authenticator = Authenticator(keys, limits.rate, list(places))
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    if not model.statistics.thresholds:
        raise ConfigError(f"model: {model.path} has no thresholds; run `facerec evaluate` on it")
    # every answer carries its rule, so it need not be logged each time
    logging.getLogger("facerec.gallery.decision").setLevel(logging.ERROR)
    with ExitStack() as opened:
        galleries = {
            name: opened.enter_context(
                Gallery.open(place, model, read_url=read_url, undo_days=cfg.gallery.undo_days)
            )
            for name, (place, read_url) in places.items()
        }
        pipeline = Pipeline(model, instantiate(cfg.detector), settings, limits, cfg.decoders)
        server = uvicorn.Server(
            uvicorn.Config(
                build(pipeline, galleries, authenticator, hosts),
                host=cfg.host,
                port=cfg.port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                forwarded_allow_ips=list(cfg.trusted_proxies),
                timeout_graceful_shutdown=cfg.shutdown_seconds,
                timeout_keep_alive=30,
            )
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # start and end are logged here
        served = ", ".join(gallery.place for gallery in galleries.values())
        print(f"http://{cfg.host}:{cfg.port}/ serves {served}; press Ctrl-C to stop", flush=True)
        if cfg.open:
            _open_soon(f"http://{cfg.host}:{cfg.port}/")
        # uvicorn shuts down and then raises the signal again, but the gallery must still be closed
        stopped: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda sent, _: stopped.append(sent))
        housekeeping = Housekeeping(list(galleries.values()))
        server.run()
        housekeeping.close()
        if not server.force_exit:
            pipeline.close()
    end = "stopped at once, with requests unanswered" if server.force_exit else "stopped"
    log.info("%s; all enrolments are saved", end)
    if signal.SIGINT in stopped:
        sys.exit(130)  # as a shell expects of Ctrl-C


def _check_address(host: str, port: int) -> None:
    """Refuse a port that is taken before a model is loaded."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"port: can't listen at {host}:{port}: {reason}; choose another port, such as port=8001"
        ) from error


def _places(cfg: DictConfig) -> dict[str, tuple[str, str | None]]:
    """Place and replica of each gallery, by name; that of `gallery` is the first."""
    from facerec.web.authentication import DEFAULT_GALLERY
    from facerec.web.keys import check_gallery_name

    further = {str(name): (place, None) for name, place in (cfg.galleries or {}).items()}
    for name, (place, _) in further.items():
        check_gallery_name(name)
        if name == DEFAULT_GALLERY:
            raise ConfigError(f"galleries.{name}: that is the name of the one at gallery.url; choose another")
        if not place or not isinstance(place, str):
            raise ConfigError(f"galleries.{name}: must be a folder or a URL, as in galleries.{name}=outputs/{name}")
    return {DEFAULT_GALLERY: (cfg.gallery.url, cfg.gallery.read_url), **further}


def _settings(cfg: DictConfig) -> "Settings":
    from facerec.recognition import Gates
    from facerec.web.pipeline import Settings

    if cfg.review not in ("largest", "strict"):
        raise ConfigError(f"review: must be largest or strict, not {cfg.review}")
    if not 0 < cfg.far < 1:
        raise ConfigError(f"far: must lie between 0 and 1, not {cfg.far}")
    if cfg.per not in ("search", "pair"):
        raise ConfigError(f"per: must be search or pair, not {cfg.per}")
    gates = Gates(**cfg.strict)
    return Settings(
        **cfg.faces, review=cfg.review, gates=gates, keep_crops=cfg.keep_crops, far=cfg.far, per=cfg.per
    )


def _limits(cfg: DictConfig) -> "Limits":
    from limits import parse

    from facerec.web.limits import Limits

    limits = Limits(**cfg.limits)
    for key, value in limits._asdict().items():
        if key != "rate" and value <= 0:
            raise ConfigError(f"limits.{key}: must be above 0, not {value}")
    try:
        parse(limits.rate)
    except ValueError as error:
        raise ConfigError(f"limits.rate: {limits.rate!r} is not a rate such as 600/minute") from error
    return limits


def _open_soon(address: str) -> None:
    import threading
    import webbrowser

    threading.Timer(1.5, webbrowser.open, [address]).start()


if __name__ == "__main__":
    run_job("serve", serve)
