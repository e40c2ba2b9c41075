"""The admin exists for the networks of staff only; from anywhere else it is a page that is not."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from apps.core.web import answer, client_address, describe
from config.csp import ADMIN_PREFIX


class StaffNetwork:
    """Middleware: who is outside ``ADMIN_NETWORKS`` gets the same 404 as for any other address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_admin = f"{request.path_info}/".startswith(ADMIN_PREFIX)
        if is_admin and not is_inside(client_address(request), tuple(settings.ADMIN_NETWORKS)):
            return answer(request, describe(Http404()))
        return self.get_response(request)


def is_inside(address: str, networks: tuple[str, ...]) -> bool:
    """Whether the address belongs to one of the networks; what is no address belongs to none."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in _parsed(networks))


@lru_cache(maxsize=4)
def _parsed(networks: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(network) for network in networks]
