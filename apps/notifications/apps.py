"""Registers the notifications app: it hears what the apps below have to tell people."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "apps.notifications"

    def ready(self) -> None:
        # Models cannot be imported before the registry of apps is ready.
        from apps.core import outbox
        from apps.notifications import actions, personal, realtime

        outbox.subscribe("notice", "notifications", actions.hear)
        realtime.register()
        personal.register()
