"""What the web server runs: sockets to the hub, everything else to Django in a bounded pool."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

from django.core.wsgi import get_wsgi_application

# Django must be set up before anything below imports a model.
_django = get_wsgi_application()

from apps.core.realtime.site import Site  # noqa: E402

application = Site(_django)
