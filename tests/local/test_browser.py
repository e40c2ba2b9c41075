"""A browser that is there is used; one is installed only where none is."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from apps.local import browser


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run."""
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    return commands


def test_an_installed_chromium_is_used(
    monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    monkeypatch.setattr(
        shutil, "which", lambda name: "/usr/bin/chromium" if name == "chromium" else None
    )

    assert browser.find_browser() == "/usr/bin/chromium"
    assert browser.ensure_browser()
    assert ran == []


def test_root_installs_debians_where_apt_is(
    monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    monkeypatch.setattr(browser, "_playwrights_own_is_there", lambda: False)
    monkeypatch.setattr(browser.os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        shutil,
        "which",
        lambda name: name if name == "apt-get" or (name == "chromium" and ran) else None,
    )

    assert browser.ensure_browser()
    assert [command[0] for command in ran] == ["apt-get", "apt-get"]
    assert ran[1][-1] == "chromium"


def test_others_take_playwrights_own(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> None:
    monkeypatch.setattr(browser, "_playwrights_own_is_there", lambda: bool(ran))
    monkeypatch.setattr(browser.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    assert browser.ensure_browser()
    assert [command[1:] for command in ran] == [["-m", "playwright", "install", "chromium"]]
