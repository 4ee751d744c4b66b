"""What each of thousands of applications would do anew, and need not: the tests change none of it.

Werkzeug compiles two functions for each route, Jinja each template. Half of a test's time would go there.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


class Compiled(BytecodeCache):
    """Templates by their names and the sums of their sources."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


def compile_once() -> None:
    """For all applications of this process."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": Compiled()}
    builders: dict[tuple[Any, ...], Builder] = {}
    compiled = Rule._compile_builder

    def builder(rule: Rule, append_unknown: bool = True) -> Builder:
        if rule.defaults:
            return compiled(rule, append_unknown)
        key = (append_unknown, *rule._trace)
        if key not in builders:
            builders[key] = compiled(rule, append_unknown)
        return builders[key]

    Rule._compile_builder = builder  # type: ignore[method-assign]
