"""The application as it is served, for one person who polls as often as a thousand."""

from bench.wsgi import unlimited
from pixshift import create_app

app = unlimited(create_app())
