"""What tests need before they begin: people who signed in, photos, styles, jobs; all of it the product's own way."""

import io
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from pixshift.domain import circuits
from pixshift.domain.lifecycle import Status
from pixshift.domain.roles import UserRole
from pixshift.extensions import db
from pixshift.models import ModelCircuit, Transformation, TransformationType, Upload, User
from pixshift.services import sessions
from pixshift.tasks.transformations import make_next

_numbers = itertools.count()
PROMPT = "Redraw this photo as an engraving, please."


@dataclass
class Person:
    """Somebody signed in with ``client``: ``csrf`` belongs to the cookie, ``token`` is for Bearer calls."""

    id: UUID
    phone: str
    token: str
    csrf: str
    client: FlaskClient

    @property
    def headers(self) -> dict[str, str]:
        return {"X-CSRFToken": self.csrf}

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def phone() -> str:
    """A mobile number that exists and that no other test has; neighbours are far apart, for the limits."""
    number = next(_numbers)
    return f"+1202{200 + number % 700}{1000 + number // 700:04d}"


def address() -> str:
    """An address of one's own, for the limits."""
    number = next(_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def code_in(text: str) -> str:
    """The six digits of an SMS."""
    found = re.search(r"\b(\d{6})\b", text)
    assert found, text
    return found[1]


def csrf_token(client: FlaskClient) -> str:
    return str(client.get("/api/v1/auth/csrf").json["csrfToken"])


def request_code(client: FlaskClient, number: str) -> str:
    """Ask for a code as a program does; returns the code."""
    client.environ_base["REMOTE_ADDR"] = address()
    answer = client.post(
        "/api/v1/auth/sms/request-otp", json={"phone": number}, headers={"X-CSRFToken": csrf_token(client)}
    )
    assert answer.status_code == 200, answer.text
    return code_in(answer.json["shownText"])


def sign_in(client: FlaskClient, number: str | None = None) -> Person:
    """The whole way: token, code as shown, verification."""
    number = number or phone()
    code = request_code(client, number)
    body = {"phone": number, "otp": code}
    answer = client.post("/api/v1/auth/sms/verify-otp", json=body, headers={"X-CSRFToken": csrf_token(client)})
    assert answer.status_code == 200, answer.text
    return Person(UUID(answer.json["user"]["id"]), number, answer.json["session"], csrf_token(client), client)


def person(app: Flask, number: str | None = None, role: UserRole = UserRole.GUEST) -> Person:
    """Somebody with a browser of their own."""
    somebody = sign_in(app.test_client(), number)
    if role is not UserRole.GUEST:
        with app.app_context():
            db.session.execute(update(User).where(User.id == somebody.id).values(role=role))
            db.session.commit()
            sessions.role_changed(app.extensions["toolbox"], somebody.id)
    return somebody


def style(app: Flask, slug: str = "engraving", **changes: Any) -> UUID:
    """A transformation type."""
    values = {"name": slug.capitalize(), "description": f"As {slug}.", "prompt_template": PROMPT, "enabled": True}
    with app.app_context():
        kind = TransformationType(slug=slug, **(values | changes))
        db.session.add(kind)
        db.session.commit()
        return kind.id


def photo(width: int = 160, height: int = 120, kind: str = "JPEG") -> bytes:
    """A picture with something in it, in memory."""
    file = io.BytesIO()
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    picture.save(file, kind)
    return file.getvalue()


def multipart(data: bytes, name: str, fields: Mapping[str, str]) -> tuple[bytes, str]:
    """A form with a file as browsers send it, in one piece of memory; and its content type."""
    boundary = "----factories"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{fields[key]}\r\n' for key in fields]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    body = "".join([*parts, file]).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def send_photo(
    who: Person,
    data: bytes,
    name: str = "photo.jpg",
    url: str = "/api/v1/transformations/upload",
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> TestResponse:
    """The upload's answer, whatever it is."""
    body, media_type = multipart(data, name, fields or {})
    return who.client.post(url, data=body, content_type=media_type, headers={**who.headers, **(headers or {})})


def upload(who: Person, data: bytes | None = None) -> dict[str, Any]:
    """A photo that was accepted: the JSON of the answer."""
    answer = send_photo(who, data or photo())
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def ask(who: Person, type_id: UUID | None, prefix: str = "/api/v1", **body: Any) -> TestResponse:
    """POST /transformations, whatever the answer is."""
    full = body if type_id is None else {"transformationTypeId": str(type_id), **body}
    return who.client.post(f"{prefix}/transformations", json=full, headers=who.headers)


def job(who: Person, type_id: UUID, image_id: str | None = None) -> UUID:
    """A job that waits."""
    answer = ask(who, type_id, imageId=image_id or upload(who)["imageId"])
    assert answer.status_code == 201, answer.text
    return UUID(answer.json["transformation"]["id"])


def work(app: Flask) -> None:
    """What a worker does for one nudge: the fairest due job is made."""
    make_next(app)


def picture(app: Flask, who: Person, type_id: UUID) -> UUID:
    """A job whose picture is ready."""
    job_id = job(who, type_id)
    work(app)
    assert row(app, job_id).status is Status.COMPLETED
    return job_id


def row(app: Flask, job_id: UUID | str) -> Transformation:
    """The job as the database knows it."""
    with app.app_context():
        return db.session.scalars(select(Transformation).where(Transformation.id == UUID(str(job_id)))).one()


def photo_row(app: Flask, image_id: UUID | str) -> Upload:
    """The upload as the database knows it."""
    with app.app_context():
        return db.session.scalars(select(Upload).where(Upload.id == UUID(str(image_id)))).one()


def user_row(app: Flask, user_id: UUID) -> User:
    with app.app_context():
        return db.session.scalars(select(User).where(User.id == user_id)).one()


def set_free_used(app: Flask, user_id: UUID, used: int) -> None:
    with app.app_context():
        db.session.execute(update(User).where(User.id == user_id).values(free_tier_used=used))
        db.session.commit()


def open_circuit(app: Flask, model: str | None = None) -> None:
    """The image model (the configured one unless another is named) has just failed too often."""
    tools = app.extensions["toolbox"]
    now = tools.now()
    with app.app_context():
        db.session.add(
            ModelCircuit(
                model=model or tools.settings.gemini.model,
                faults=circuits.OPENS_AFTER,
                last_fault_at=now,
                opened_at=now,
                wait_until=now + circuits.PROBE_EVERY,
            )
        )
        db.session.commit()


def without_tokens(html: str) -> str:
    """A page without its CSRF tokens, which are new every second."""
    return re.sub(r'name="csrf_token" value="[^"]*"', "", html)


def error_of(answer: TestResponse) -> dict[str, Any]:
    """The error of a JSON answer."""
    return dict(answer.json["error"])
