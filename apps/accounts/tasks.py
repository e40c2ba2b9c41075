"""Background work on people's sign-ins, and the sending of letters."""

from celery import shared_task

from apps.accounts import actions, letters, sessions
from apps.accounts.kyc import actions as kyc
from apps.accounts.kyc import retention
from apps.accounts.personal import actions as personal
from apps.accounts.personal import deleting
from apps.core import clock


@shared_task(name="accounts.forget_old_sign_ins", ignore_result=True)
def forget_old_sign_ins() -> None:
    """Drop refresh tokens that have ended, sign-ins that have none left, and old history."""
    actions.forget_old_tokens(now=clock.now())
    sessions.forget_old(now=clock.now())


@shared_task(name="accounts.send_letters", ignore_result=True)
def send_letters() -> None:
    """Send the letters that wait."""
    letters.send_letters(now=clock.now())


@shared_task(name="accounts.recheck_verifications", ignore_result=True)
def recheck_verifications() -> None:
    """Warn of verifications that end soon, and end those whose time is over."""
    kyc.recheck(now=clock.now())


@shared_task(name="accounts.make_exports", ignore_result=True)
def make_exports() -> None:
    """Make the copies of personal data that were asked for."""
    personal.make_exports(now=clock.now())


@shared_task(name="accounts.forget_exports", ignore_result=True)
def forget_exports() -> None:
    """Drop copies of personal data whose time is over."""
    personal.forget_exports(now=clock.now())


@shared_task(name="accounts.delete_people", ignore_result=True)
def delete_people() -> None:
    """Delete the people whose time to think again is over."""
    deleting.delete_people(now=clock.now())


@shared_task(name="accounts.forget_old_documents", ignore_result=True)
def forget_old_documents() -> None:
    """Delete documents of those who were refused, or have left, years ago."""
    retention.forget_old(now=clock.now())
