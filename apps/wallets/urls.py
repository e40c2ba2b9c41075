"""Addresses of the wallet's pages."""

from django.urls import path

from apps.wallets import views
from apps.wallets.liabilities import views as proof
from apps.wallets.statements import views as statements
from apps.wallets.transfers import views as transfers

app_name = "wallets"
urlpatterns = [
    path("wallet", views.wallet, name="wallet"),
    path("wallet/deposit/<str:asset>", views.deposit, name="deposit"),
    path("wallet/deposit/<str:asset>/demo", views.demo_deposit, name="demo-deposit"),
    path("wallet/withdraw/<str:asset>", views.withdraw, name="withdraw"),
    path("wallet/withdrawals/<uuid:withdrawal_id>", views.withdrawal, name="withdrawal"),
    path("wallet/proof", proof.proof_page, name="proof"),
    path("wallet/proof/check_proof.py", proof.checking_script, name="check-proof"),
    path("wallet/proof/<str:asset>.json", proof.download, name="proof-of"),
    path("wallet/transfers", transfers.transfers, name="transfers"),
    path("wallet/accounts", transfers.open_account, name="open-account"),
    path("wallet/statements", statements.statements, name="statements"),
    path("wallet/statements.csv", statements.download, {"kind": "csv"}, name="statement-csv"),
    path("wallet/statements.pdf", statements.download, {"kind": "pdf"}, name="statement-pdf"),
    path("wallet/addresses", views.address_book, name="addresses"),
]
