"""What the pages for signing up and in show of other sites."""

from __future__ import annotations

from django import template

from apps.accounts.social.queries import Site, sites

register = template.Library()


@register.simple_tag
def sign_in_sites() -> list[Site]:
    """Return the sites by which one can sign in here."""
    return sites()
