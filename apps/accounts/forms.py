"""The sign-up form: allauth's, with a name that others see."""

from __future__ import annotations

from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms


class SignupForm(AllauthSignupForm):
    display_name = forms.CharField(
        label="Display name",
        max_length=40,
        min_length=2,
        help_text="Others see this name, never your e-mail address.",
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )
    field_order = ["display_name", "email", "password1", "password2"]

    def clean_display_name(self) -> str:
        name = " ".join(self.cleaned_data["display_name"].split())
        if not name.isprintable():
            raise forms.ValidationError("Use letters, digits and signs that can be seen.")
        return name
