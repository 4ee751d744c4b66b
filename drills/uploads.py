"""Odd and hostile files, more than 1,500 of them, and the largest legal pictures, sent to the running product."""

import io
import itertools
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

from bench.photos import photo
from bench.served import cpu_of_one
from drills import memory, postbox
from drills.memory import Watch
from drills.postbox import Answer, Postbox
from drills.table import Ground, Row, Size, at_most, exactly
from pixshift.domain import images
from tests import odd_files, servers
from tests.odd_files.odd_file import ACCEPTED, REFUSED, OddFile, Verdict, accepted

AREA = "Uploads"
_SENDERS = 8
_PEOPLE = 40
_SIDE = images.MAX_SIDE


@dataclass(frozen=True)
class Plan:
    """How much of it: every ``step``-th odd file; ``kinds`` of largest pictures, eight at once of each; kills."""

    themes: tuple[str, ...]
    step: int
    least: int
    fetched: int
    kinds: tuple[str, ...]
    kills: int


FULL = Plan(
    tuple(odd_files.THEMES),
    1,
    1500,
    500,
    ("JPEG", "PNG", "WEBP", "JPEG of few bytes", "PNG of few bytes", "WEBP of few bytes"),
    10,
)
SAMPLE = Plan(tuple(theme for theme in odd_files.THEMES if theme != "costly"), 19, 140, 30, ("JPEG of few bytes",), 1)


def rows(ground: Ground, size: Size) -> Iterator[Row]:
    plan = FULL if size is Size.FULL else SAMPLE
    with ground.database() as name, canary() as (address, calls):
        url = ground.postgres.url(name)
        env = {"PIXSHIFT_ENV": "test", "DATABASE_URL": url, "REDIS_URL": ground.redis_url, "WEB_CONCURRENCY": "1"}
        with servers.product(ground.folder / "product", env) as product:
            box = Postbox(product.url, postbox.people(url, ground.folder / "people", _PEOPLE))
            web = memory.web_process(product.process.pid)
            box.send(_sound_file())  # what is loaded once is no growth
            with Watch(web) as watch:
                answers = _send(box, itertools.islice(odd_files.files(address, plan.themes), 0, None, plan.step))
                yield from _verdicts(answers, plan)
                yield from _largest(box, plan)
                yield from _killed(box, web, plan)
            yield from _footprint(watch)
            yield exactly(AREA, "web processes that died", int(memory.web_process(product.process.pid) != web), 0)
            yield from _served(box, answers, plan)
        yield exactly(AREA, "requests at an address that is in the files", len(calls), 0)


def _send(box: Postbox, files: Iterator[OddFile]) -> list[Answer]:
    """All of them, by eight senders; not more files at a time are in memory."""
    lock = threading.Lock()

    def one_after_the_other(_number: int) -> list[Answer]:
        answers = []
        while True:
            with lock:
                file = next(files, None)
            if file is None:
                return answers
            answers.append(_light(box.send(file)))

    with ThreadPoolExecutor(_SENDERS) as senders:
        return list(itertools.chain.from_iterable(senders.map(one_after_the_other, range(_SENDERS))))


def _light(answer: Answer) -> Answer:
    """Without the file's bytes: all of them together have hundreds of megabytes."""
    file = OddFile(answer.file.name, b"", answer.file.verdict, answer.file.filename)
    return Answer(**{**answer.__dict__, "file": file})


def _verdicts(answers: list[Answer], plan: Plan) -> Iterator[Row]:
    yield Row(AREA, "odd and hostile files", str(len(answers)), f"≥ {plan.least}", len(answers) >= plan.least)
    wrong = [answer for answer in answers if not answer.is_right]
    told = "".join(f"; {answer.file.name}: {answer.status} {answer.code}" for answer in wrong[:3])
    yield Row(AREA, "wrong verdicts", f"{len(wrong)}{told}", "0", not wrong)
    yield exactly(AREA, "answers 5xx", sum(answer.status >= 500 for answer in answers), 0)
    yield exactly(AREA, "connections that broke", sum(answer.status == 0 for answer in answers), 0)
    yield at_most(AREA, "slowest answer", max(answer.seconds for answer in answers), 5.0, "s")


# --- the largest there are --------------------------------------------------------------------------------------------


def _largest(box: Postbox, plan: Plan) -> Iterator[Row]:
    for kind in plan.kinds:
        file = OddFile(kind, _vast(kind), accepted(_SIDE, _SIDE))
        answers = _send(box, iter([file] * _SENDERS))
        kept = sum(answer.is_right for answer in answers)
        what = f"{kind} of {_SIDE} × {_SIDE}, {len(file.data) / 1024 / 1024:.1f} MiB: 8 at once, kept"
        yield exactly(AREA, what, kept, _SENDERS)
        waits = sum(answer.asked_to_wait for answer in answers)
        slowest = max(answer.seconds for answer in answers)
        yield at_most(AREA, f"  slowest answer ({waits} × asked to come back)", slowest, 5.0, "s")


def _vast(kind: str) -> bytes:
    """As many pixels as are taken: grain and shapes in nearly 10 MiB, or one colour in few bytes."""
    form = kind.split(maxsplit=1)[0]
    if "few" not in kind:
        full = photo(_SIDE, _SIDE, form)
        return full + bytes(images.MAX_BYTES - len(full))  # what hangs on the end is taken in, and left out
    file = io.BytesIO()
    options = {"JPEG": {"progressive": True}, "WEBP": {"method": 0}}.get(form, {})
    Image.new("RGB", (_SIDE, _SIDE), (30, 120, 200)).save(file, form, **options)
    return file.getvalue()


# --- a decoder that is killed -----------------------------------------------------------------------------------------


def _killed(box: Postbox, web: int, plan: Plan) -> Iterator[Row]:
    """A photo is sent that keeps a decoder busy, and the helper that is seen to work is killed."""
    clear = next_ones = 0
    sound = postbox.sound()
    slow = sound[:2] + b"\xff" * 9_000_000 + sound[2:]  # filling, which is read byte by byte
    lost = OddFile("slow", slow, Verdict(frozenset({REFUSED})))
    for _ in range(plan.kills):
        idle = {pid: cpu_of_one(pid) for pid in memory.helpers_of(web)}
        with ThreadPoolExecutor(1) as sender:
            sent = sender.submit(box.send, lost)
            busy = partial(_busy, idle)
            os.kill(servers.wait_until(busy, what="a helper at work"), signal.SIGKILL)
            clear += sent.result().is_right
        next_ones += box.send(_sound_file()).is_right
    yield exactly(AREA, "decoders killed at work: 400 for their photo", clear, plan.kills)
    yield exactly(AREA, "  the next photo is kept", next_ones, plan.kills)


def _busy(idle: dict[int, float]) -> int:
    """The helper that has worked for a tenth of a second since then; 0 when there is none."""
    return next((pid for pid, before in idle.items() if cpu_of_one(pid) > before + 0.1), 0)


def _sound_file() -> OddFile:
    return OddFile("sound", postbox.sound(), accepted(640, 480))


# --- what is left -----------------------------------------------------------------------------------------------------


def _footprint(watch: Watch) -> Iterator[Row]:
    with_helpers = f"{watch.helpers_peak / memory.MIB:.0f} MiB in its helpers"
    yield at_most(AREA, f"memory of the web process at its peak ({with_helpers})", watch.grown, 400.0, "MiB more")
    yield at_most(AREA, "memory of the web process after", watch.kept, 64.0, "MiB more")


def _served(box: Postbox, answers: list[Answer], plan: Plan) -> Iterator[Row]:
    kept = [answer for answer in answers if answer.code == ACCEPTED]
    share = kept[:: max(1, len(kept) // plan.fetched)]
    with ThreadPoolExecutor(_SENDERS) as readers:
        fetched = list(readers.map(box.fetch, share))
    yield exactly(
        AREA, f"of {len(share)} kept pictures that were fetched: not served", sum(s != 200 for s, _ in fetched), 0
    )
    found = sum(not odd_files.is_ours_alone(content) for status, content in fetched if status == 200)
    yield exactly(AREA, "  with anything in them that is not ours", found, 0)


@contextmanager
def canary() -> Iterator[tuple[bytes, list[str]]]:
    """A server that nobody may call: its address, which contains the mark, and who called it all the same."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET  # noqa: N815

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/".encode() + odd_files.MARK, calls
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
