"""Addresses of a person's own data, of deposits and of withdrawals."""

from django.urls import path

from apps.wallets import api
from apps.wallets.deposits import api as deposits
from apps.wallets.liabilities import api as liabilities
from apps.wallets.statements import api as statements
from apps.wallets.transfers import api as transfers
from apps.wallets.withdrawals import api as withdrawals

urlpatterns = [
    path("me", api.MeView.as_view(), name="me"),
    path("accounts", api.AccountsView.as_view(), name="accounts"),
    path("balances", api.BalancesView.as_view(), name="balances"),
    path("ledger", api.LedgerView.as_view(), name="ledger"),
    path("deposits", deposits.DepositsView.as_view(), name="deposits"),
    path("deposits/address", deposits.DepositAddressView.as_view(), name="deposit-address"),
    path("liabilities", liabilities.LiabilitiesView.as_view(), name="liabilities"),
    path("liabilities/<str:asset>/proof", liabilities.ProofView.as_view(), name="proof"),
    path("statements", statements.StatementView.as_view(), name="statement"),
    path("statements.csv", statements.CsvView.as_view(), name="statement-csv"),
    path("statements.pdf", statements.PdfView.as_view(), name="statement-pdf"),
    path("transfers", transfers.TransfersView.as_view(), name="transfers"),
    path("withdrawals", withdrawals.WithdrawalsView.as_view(), name="withdrawals"),
    path(
        "withdrawals/<str:withdrawal_id>", withdrawals.WithdrawalView.as_view(), name="withdrawal"
    ),
    path("withdrawals/<str:withdrawal_id>/confirm", withdrawals.ConfirmView.as_view()),
    path("withdrawals/<str:withdrawal_id>/passkey", withdrawals.PasskeyView.as_view()),
    path("withdrawals/<str:withdrawal_id>/code", withdrawals.CodeView.as_view()),
    path("withdrawals/<str:withdrawal_id>/cancel", withdrawals.CancelView.as_view()),
    path("withdrawal-addresses", withdrawals.AddressBookView.as_view()),
    path("withdrawal-addresses/<str:address_id>", withdrawals.AddressView.as_view()),
    path("withdrawal-policy", withdrawals.PolicyView.as_view(), name="withdrawal-policy"),
    path("withdrawal-limit", withdrawals.LimitView.as_view(), name="withdrawal-limit"),
]
