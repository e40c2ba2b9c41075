"""Addresses of the API's notices."""

from django.urls import path

from apps.notifications import api

urlpatterns = [
    path("notifications", api.NoticesView.as_view(), name="notifications"),
    path("notifications/unread", api.UnreadView.as_view(), name="notifications-unread"),
    path("notifications/read", api.ReadAllView.as_view(), name="notifications-read"),
    path("notifications/<str:notice_id>/read", api.ReadView.as_view(), name="notification-read"),
]
