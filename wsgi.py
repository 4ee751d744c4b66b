"""Opens the door: ``flask`` and every WSGI server find the application here."""

import sys

from pixshift import create_app
from pixshift.errors import ConfigurationError

try:
    app = create_app()
except ConfigurationError as error:
    sys.exit(str(error))
