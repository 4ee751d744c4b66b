"""A visitor: one browser window on one product, what a person does in it, and what must never happen meanwhile."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, FilePayload, Locator, Page, Request, Response, expect

from tests import servers
from tests.e2e.backstage import Backstage, Person

PHOTOS = Path(__file__).resolve().parent.parent / "photos"
READY = "Your picture is ready."
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d{3})")


@dataclass(frozen=True)
class Device:
    """What somebody sits in front of."""

    name: str
    scripts: bool = True
    phone: bool = False


DESKTOP = Device("desktop")
PHONE = Device("phone", phone=True)
BARE_PHONE = Device("phone without scripts", scripts=False, phone=True)
BARE_DESKTOP = Device("desktop without scripts", scripts=False)


class Visitor:
    """Acts like a person and keeps a record; ``check`` says whether anything went wrong behind the scenes."""

    def __init__(self, context: BrowserContext, product: servers.Product, device: Device) -> None:
        self.context, self.product, self.device = context, product, device
        self.backstage = Backstage(product)
        self.scripts = device.scripts
        self.cat = PHOTOS / "chelsea.png"
        self.requests: list[Request] = []
        self.refusals: set[int] = set()  # statuses that this test provokes on purpose
        self._forgiven: list[str] = []
        self._wrong: list[str] = []
        context.on("console", self._hear)
        context.on("weberror", lambda error: self._wrong.append(f"script error: {error.error}"))
        context.on("request", self._see)
        context.on("response", self._judge)
        self.page: Page = context.new_page()
        self.person: Person | None = None

    # --- what must never happen -------------------------------------------------------------------------------------

    def _hear(self, message: ConsoleMessage) -> None:
        refused = _REFUSED.match(message.text)
        if (refused and int(refused[1]) in self.refusals) or any(words in message.text for words in self._forgiven):
            return
        if message.type in ("error", "warning") or "Content Security Policy" in message.text:
            self._wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _see(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((f"{self.product.url}/", "data:", "blob:")):
            self._wrong.append(f"a request left the site: {request.url}")

    def _judge(self, response: Response) -> None:
        if response.status >= 500 and response.status not in self.refusals:
            self._wrong.append(f"{response.status} for {response.url}")

    def forgive(self, words: str) -> None:
        """A line of the console that this test provokes on purpose."""
        self._forgiven.append(words)

    def check(self) -> None:
        assert not self._wrong, self._wrong

    def count(self, method: str, path: str) -> int:
        """How many requests for ``path`` (a regular expression) there have been."""
        return sum(
            request.method == method and re.fullmatch(path, urlsplit(request.url).path) is not None
            for request in self.requests
        )

    # --- getting about ----------------------------------------------------------------------------------------------

    def goto(self, path: str, status: int = 200) -> None:
        self.refusals |= {status} if status >= 400 else set()
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{answer.status} for {path}"

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    def link(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("main").get_by_role("link", name=name)

    def become(self, person: Person) -> None:
        """Go on as somebody whose session is already open."""
        self.person = person
        self.context.add_cookies([{"name": "session", "value": person.token, "url": self.product.url}])

    # --- signing in -------------------------------------------------------------------------------------------------

    def ask_for_code(self, number: str) -> None:
        self.page.get_by_label("Mobile number").fill(number)
        self.button("Send me a code").click()

    def shown_code(self) -> str:
        """The code as the page shows it where no SMS is sent."""
        shown = self.page.get_by_text("PixShift code:")
        expect(shown).to_be_visible()
        found = re.search(r"code: (\d{6})", shown.inner_text())
        assert found
        return found[1]

    def enter_code(self, code: str) -> None:
        self.page.get_by_label("Six-digit code").fill(code)
        self.button("Sign in").click()

    def sign_in(self, number: str) -> None:
        self.ask_for_code(number)
        self.enter_code(self.shown_code())

    # --- from a photo to a picture ----------------------------------------------------------------------------------

    @property
    def photo_field(self) -> Locator:
        return self.page.locator("input[type=file]")

    def choose_photo(self, file: Path | FilePayload) -> None:
        """With scripts a photo is sent as soon as it is chosen, without by a button."""
        self.photo_field.set_input_files(file)
        if not self.scripts:
            self.button("Use this photo").click()

    def choose_style(self, name: str) -> None:
        self.page.get_by_role("radio", name=name, exact=True).check(force=True)

    def press_make(self) -> str:
        """Returns the job's id."""
        self.button(re.compile("^Make it")).click()
        self.page.wait_for_url(re.compile(r"/transformations/[0-9a-f-]{36}$"))
        return self.job_id

    def make(self, photo: Path | FilePayload = PHOTOS / "chelsea.png", style: str = "Engraving") -> str:
        self.goto("/transform")
        self.choose_photo(photo)
        self.choose_style(style)
        return self.press_make()

    @property
    def job_id(self) -> str:
        return self.path.rpartition("/")[2]

    def watch_until(self, heading: str, seconds: float = 30) -> None:
        """With scripts by looking on, without by pressing Check progress."""
        if not self.scripts:
            servers.wait_until(lambda: self._check_progress(heading), seconds, heading)
        expect(self.heading).to_have_text(spaced(heading), timeout=seconds * 1000)

    def _check_progress(self, heading: str) -> bool:
        if spaced(heading).fullmatch(self.heading.inner_text().strip()):
            return True
        self.link("Check progress").click()
        return False

    def download(self) -> tuple[str, bytes]:
        """The file's name and its bytes."""
        with self.page.expect_download() as started:
            self.link(re.compile("^Download")).click()
        return started.value.suggested_filename, Path(started.value.path()).read_bytes()

    # --- without the pages ------------------------------------------------------------------------------------------

    def order(self, person: Person, slug: str = "engraving") -> str:
        """Somebody else's job, asked for the way a program does; returns its id."""
        headers = {"Authorization": f"Bearer {person.token}"}
        image = {"name": "chelsea.png", "mimeType": "image/png", "buffer": (PHOTOS / "chelsea.png").read_bytes()}
        sent = self._post("/api/v1/transformations/upload", headers, multipart={"image": image})
        body = {"imageId": sent["imageId"], "transformationTypeId": str(self.backstage.style(slug))}
        return str(self._post("/api/v1/transformations", headers, data=body)["transformation"]["id"])

    def _post(self, path: str, headers: dict[str, str], **body: Any) -> Any:
        answer = self.context.request.post(path, headers=headers, **body)
        assert answer.ok, answer.text()
        return answer.json()


def spaced(text: str) -> re.Pattern[str]:
    """The text with any white space between its words: some of it does not break."""
    return re.compile(r"\s+".join(re.escape(word) for word in text.split()))


def payload(name: str, data: bytes, media_type: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": data}


def described(field: Locator) -> str:
    """What a screen reader says about a field besides its label."""
    text: str = field.evaluate(
        "field => (field.getAttribute('aria-describedby') || '').split(' ').filter(Boolean)"
        ".map(id => document.getElementById(id)).map(part => part && !part.hidden ? part.textContent : '').join(' ')"
    )
    return " ".join(text.split())
