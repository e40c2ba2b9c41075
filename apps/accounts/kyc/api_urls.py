"""Addresses of verification in the API."""

from django.urls import path

from apps.accounts.kyc import api

urlpatterns = [
    path("kyc", api.StatusView.as_view(), name="kyc"),
    path("kyc/documents", api.DocumentsView.as_view(), name="kyc-documents"),
    path("kyc/submit", api.SubmitView.as_view(), name="kyc-submit"),
    path("kyc/vendor", api.VendorView.as_view(), name="kyc-vendor"),
]
