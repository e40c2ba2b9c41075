"""The kinds of notices: what each says, what it is about, and whether it goes out as a letter.

Words are sentences with names of the notice's ``data`` in braces. A sentence whose data is not all
there is left out, so that a notice is never lost over a word.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VALUE_LENGTH_MAX: Final = 200


class Category(StrEnum):
    """What a notice is about. Nobody can switch off what concerns the safety of an account."""

    SECURITY = "security"
    MONEY = "money"
    TRADING = "trading"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Kind:
    """``page`` names the page of the site where its reader goes on."""

    category: Category
    title: str
    sentences: tuple[str, ...]
    by_letter: bool = True
    page: str = ""

    def text(self, data: Mapping[str, str]) -> str:
        """Return the words, without the sentences that need what is not in the data."""
        return " ".join(
            sentence.format_map(data)
            for sentence in self.sentences
            if all(data.get(name) for name in _names_in(sentence))
        )


def plain(data: Mapping[str, object]) -> dict[str, str]:
    """Return the data as single lines of bounded length, whoever wrote what is in them."""
    return {
        name: "".join(c if c.isprintable() else " " for c in str(value))[:VALUE_LENGTH_MAX].strip()
        for name, value in data.items()
    }


def _names_in(sentence: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(sentence) if name]


_NOT_YOU: Final = "If this was not you, freeze your account and choose a new password now."
_SECURITY: Final = "accounts:security"
_PERSONAL: Final = "accounts:personal"
_WALLET: Final = "wallets:wallet"
_KYC: Final = "kyc:verification"


def _security(title: str, *sentences: str) -> Kind:
    return Kind(Category.SECURITY, title, sentences, page=_SECURITY)


def _money(title: str, *sentences: str, by_letter: bool = True) -> Kind:
    return Kind(Category.MONEY, title, sentences, by_letter, _WALLET)


KINDS: Final[Mapping[str, Kind]] = {
    "sign_in_new_device": _security(
        "Sign-in from a new device",
        "Your account was opened on a device that was not used for it before.",
        "It calls itself {client}.",
        "It came from {address}.",
        _NOT_YOU,
    ),
    "password_changed": _security(
        "Your password was changed", "All other sign-ins have ended.", _NOT_YOU
    ),
    "second_factor_added": _security(
        "A second factor was added",
        "From now on signing in can take it: {name}.",
        _NOT_YOU,
    ),
    "second_factor_removed": _security(
        "A second factor was removed",
        "It no longer protects your account: {name}.",
        _NOT_YOU,
    ),
    "recovery_codes_used": _security(
        "A recovery code was used",
        "Somebody got in with one of your recovery codes; each works once.",
        "{left} are left.",
        _NOT_YOU,
    ),
    "sign_in_stolen": _security(
        "You were signed out for your safety",
        "The sign-in of {client}, open since {since} UTC, was used from two places at once.",
        "Somebody may have a copy of it.",
        "We have ended it; nothing else has changed.",
        "Sign in again to go on.",
        "If you do not know why this happened, choose a new password first, and look through your"
        " orders.",
    ),
    "password_locked": _security(
        "Too many wrong passwords",
        "Somebody has tried {tries} wrong passwords for your account.",
        "None of them was right, but from now on nobody gets in with a password, you included,"
        ' until you choose a new one: "Forgot your password?" on the page where you sign in.',
        "Where you are signed in already, you stay so.",
    ),
    "codes_locked": _security(
        "Too many wrong codes",
        "Somebody who knows your password has tried {tries} wrong codes as your second factor.",
        "None of them was right, but from now on no code is, until you choose a new password.",
    ),
    "email_changed": _security(
        "Your e-mail address was changed", "From now on you log in with {email}.", _NOT_YOU
    ),
    "account_frozen": _security(
        "Your account is frozen",
        "Nobody can trade, withdraw or change anything until you unfreeze it.",
    ),
    "account_frozen_by_staff": _security(
        "We have frozen your account",
        "Nobody can trade, withdraw or change anything until we open it again.",
        "Write to our support if you do not know why.",
    ),
    "account_unfrozen": _security(
        "Your account is no longer frozen", "Everything works again.", _NOT_YOU
    ),
    "connection_added": _security(
        "Another site lets you in", "From now on {name} can sign you in here.", _NOT_YOU
    ),
    "connection_removed": _security(
        "Another site no longer lets you in", "{name} cannot sign you in here any more.", _NOT_YOU
    ),
    "export_asked": _security(
        "A copy of your data was asked for",
        "It holds everything that we know about you, and can be downloaded from your account only.",
        _NOT_YOU,
    ),
    "deletion_asked": _security(
        "Your account is to be deleted",
        "It will be deleted on {due} UTC.",
        "Until then you can take that back on the page of your data.",
        _NOT_YOU,
    ),
    "deletion_taken_back": _security(
        "Your account stays", "You have taken back that it is to be deleted.", _NOT_YOU
    ),
    "deletion_held_up": _security(
        "Your account is not deleted yet", "{why}", "It goes on by itself after that."
    ),
    "export_ready": Kind(
        Category.ACCOUNT,
        "The copy of your data is ready",
        ("You can download it until {until} UTC.",),
        page=_PERSONAL,
    ),
    "export_failed": Kind(
        Category.ACCOUNT,
        "The copy of your data could not be made",
        ("It has been noted on our side.", "You can ask for it again now."),
        page=_PERSONAL,
    ),
    "api_key_created": _security(
        "An API key was made",
        "Its name is {name}.",
        "It may: {scopes}.",
        "If this was not you, revoke it and choose a new password now.",
    ),
    "api_key_changed": _security(
        "An API key was changed",
        "Its name is {name}.",
        "It may: {scopes}.",
        "If this was not you, revoke it and choose a new password now.",
    ),
    "api_key_revoked": _security("An API key was revoked", "Its name was {name}.", "It is over."),
    "address_added": _security(
        "A withdrawal address was added",
        "{address} is new in your address book.",
        "Nothing can be sent to it for 24 hours.",
        "If this was not you, remove it, freeze your account and choose a new password now.",
    ),
    "address_ready": _security(
        "A withdrawal address can be used now",
        "The 24 hours are over: {asset} can be sent to {address}.",
        "If you did not add it, remove it and choose a new password now.",
    ),
    "withdrawal_requested": _money(
        "A withdrawal was asked for",
        "{amount} {asset} are to leave your account.",
        "They go to {address}.",
        "If this was not you, cancel it and freeze your account now.",
    ),
    "withdrawal_settled": _money(
        "Your withdrawal has arrived",
        "{amount} {asset} have left your account.",
        "They went to {address}.",
        "Transaction: {txid}.",
    ),
    "withdrawal_failed": _money(
        "Your withdrawal failed",
        "{amount} {asset} are back in your account.",
        "Reason: {reason}.",
    ),
    "withdrawal_cancelled": _money(
        "Your withdrawal was cancelled",
        "{amount} {asset} are back in your account.",
        "Reason: {reason}.",
    ),
    "deposit_seen": _money(
        "A deposit is on its way",
        "{amount} {asset} were seen on the chain.",
        "You can use them once they are final.",
        by_letter=False,
    ),
    "deposit_credited": _money(
        "Your deposit is here",
        "{amount} {asset} are in your account.",
        "Transaction: {txid}.",
    ),
    "transfer_received": _money(
        "You received a transfer",
        "{amount} {asset} are in your account.",
        "They came from {sender}.",
    ),
    "balance_added": _money(
        "Your balance was corrected",
        "{amount} {asset} were added to your account.",
        "Why: {words}",
    ),
    "balance_taken": _money(
        "Your balance was corrected",
        "{amount} {asset} were taken from your account.",
        "Why: {words}",
        "If you do not know what this is about, write to our support.",
    ),
    "kyc_approved": Kind(
        Category.ACCOUNT,
        "Your verification is complete",
        ("You are verified at level {tier}.", "Your limits have grown with it."),
        page=_KYC,
    ),
    "kyc_refused": Kind(
        Category.ACCOUNT,
        "Your verification was not accepted",
        ("Level {tier} was refused.", "Reason: {reason}.", "You can send it again."),
        page=_KYC,
    ),
    "kyc_expires": Kind(
        Category.ACCOUNT,
        "Your verification ends soon",
        (
            "Level {tier} is good until {until}.",
            "Send new documents before then, so that your limits stay as they are.",
        ),
        page=_KYC,
    ),
    "kyc_expired": Kind(
        Category.ACCOUNT,
        "Your verification has ended",
        (
            "Level {tier} was not renewed in time.",
            "You are verified at level {now_tier} now, and have its limits.",
        ),
        page=_KYC,
    ),
}
