"""Addresses of the inbox."""

from django.urls import path

from apps.notifications import views

app_name = "notifications"
urlpatterns = [
    path("notifications", views.inbox, name="inbox"),
    path("notifications/read", views.read_all, name="read-all"),
    path("notifications/<str:notice_id>/open", views.open_notice, name="open"),
]
