"""The form of an API key. What a key can be, the action decides; this only reads what was typed."""

from __future__ import annotations

import re
from typing import Final

from django import forms

from apps.accounts.keys import actions
from apps.core.scopes import READ, SCOPES

SCOPE_WORDS: Final = {
    "read": "Read: balances, orders, history",
    "trade": "Trade: place, change and cancel orders",
    "transfer": "Transfer: move funds between accounts here",
    "withdraw": "Withdraw: send funds away; only from addresses that you list",
}
_TERMS: Final = (("", "Never"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"))


class KeyForm(forms.Form):
    """Name, scopes and networks: what can be changed later too."""

    name = forms.CharField(
        label="Name",
        max_length=actions.NAME_LENGTH_MAX,
        help_text="So that you know it again: the program, the machine.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope, SCOPE_WORDS[scope]) for scope in SCOPES],
        initial=[READ],
        widget=forms.CheckboxSelectMultiple,
    )
    networks = forms.CharField(
        label="From where",
        required=False,
        max_length=1200,
        help_text="Addresses or networks, one a line: 203.0.113.7, 2001:db8::/48. "
        "Empty: from anywhere.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean_networks(self) -> list[str]:
        return [part for part in re.split(r"[\s,;]+", self.cleaned_data["networks"]) if part]


class NewKeyForm(KeyForm):
    """What is chosen once, when the key is made."""

    days = forms.TypedChoiceField(
        label="It ends", choices=_TERMS, coerce=int, empty_value=None, required=False
    )
    public_key = forms.CharField(
        label="Public key of your own",
        required=False,
        max_length=300,
        help_text="Ed25519, as PEM or base64. Without one we make a secret and show it once.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
    )
