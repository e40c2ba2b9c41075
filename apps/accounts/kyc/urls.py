"""Addresses of a person's verification."""

from django.urls import path

from apps.accounts.kyc import views

app_name = "kyc"
urlpatterns = [
    path("verification", views.verification, name="verification"),
    path("verification/details", views.details, name="details"),
    path("verification/documents", views.upload, name="upload"),
    path("verification/documents/<uuid:document_id>", views.document, name="document"),
    path("verification/submit", views.submit, name="submit"),
]
