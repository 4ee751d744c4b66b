"""An admin at the desk, over a world of jobs and payments whose clock and gateway are set by hand."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

from sqlalchemy import event, select
from werkzeug.test import TestResponse

from pixshift.domain.roles import UserRole
from pixshift.errors import PixShiftError
from pixshift.extensions import db
from pixshift.models import AdminAction
from tests import factories
from tests.factories import Person
from tests.money import Shop


@dataclass
class Desk:
    shop: Shop
    admin: Person

    def get(self, path: str, status: int = 200, who: Person | None = None, **headers: str) -> str:
        """The words of a page, without its tags, as people read them."""
        answer = (who or self.admin).client.get(f"/admin{path}", headers=headers)
        assert answer.status_code == status, answer.text
        return words(answer)

    def html(self, path: str) -> str:
        return self.admin.client.get(f"/admin{path}").text

    def post(self, path: str, **fields: Any) -> TestResponse:
        return self.admin.client.post(f"/admin{path}", data=fields, headers=self.admin.headers)

    def acts(self) -> list[AdminAction]:
        """What the audit log holds, in its order."""
        with self.shop.jobs.app.app_context():
            return list(db.session.scalars(select(AdminAction).order_by(AdminAction.sequence)))

    def add(self, *rows: Any) -> None:
        with self.shop.jobs.app.app_context():
            db.session.add_all(rows)
            db.session.commit()

    def at_once(self, act: Callable[[], Any], times: int = 5) -> list[str]:
        """Do it in so many threads together; the name of each one's refusal, or nothing."""
        told: list[str] = []
        gate = threading.Barrier(times)

        def press() -> None:
            gate.wait()
            try:
                act()
            except PixShiftError as error:
                told.append(type(error).__name__)
            else:
                told.append("")

        threads = [threading.Thread(target=press) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    def queries(self, act: Callable[[], Any]) -> int:
        """How many statements the database is sent meanwhile."""
        sent: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            sent.append(statement)

        with self.shop.jobs.app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            try:
                act()
            finally:
                event.remove(db.engine, "before_cursor_execute", note)
        return len(sent)


def words(answer: TestResponse) -> str:
    main = answer.text.partition("<main")[2] or answer.text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", main.partition(">")[2]))).strip()


@contextmanager
def desk(shop: Shop) -> Iterator[Desk]:
    yield Desk(shop, factories.person(shop.jobs.app, role=UserRole.ADMIN))
