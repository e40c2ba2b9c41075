"""How mail leaves is one address, whose parts are what Django is told."""

from __future__ import annotations

import pytest

from config.env import Refused
from config.settings.mail import Mail, mail_by

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://ada:p%40ss@mail.example:2525",
         Mail(SMTP, "", "mail.example", 2525, "ada", "p@ss", True, False)),
        ("smtp://mail.example?tls=off", Mail(SMTP, "", "mail.example", 587, "", "", False, False)),
        ("smtps://mail.example", Mail(SMTP, "", "mail.example", 465, "", "", False, True)),
    ],
)  # fmt: skip
def test_a_mail_server_is_an_address(url: str, expected: Mail) -> None:
    assert mail_by(url) == expected


def test_mail_goes_to_the_terminal_or_into_a_folder() -> None:
    assert mail_by("console:").backend == "django.core.mail.backends.console.EmailBackend"
    into = mail_by("file:/var/mail/sum1")
    assert into.backend == "django.core.mail.backends.filebased.EmailBackend"
    assert into.file_path == "/var/mail/sum1"


@pytest.mark.parametrize("url", ["", "mail.example", "http://mail.example", "smtp:", "smtp://"])
def test_what_is_no_address_of_mail_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="EMAIL_URL"):
        mail_by(url)
