"""What can keep SUM+1 from running on this machine, in words that say what to do."""

from __future__ import annotations


class LocalProblem(Exception):
    """Something about this machine, not the code; the message is for the person who runs it."""


class PortBusy(LocalProblem):
    """Somebody else listens on a port that is needed."""


class DataFolderProblem(LocalProblem):
    """The data folder is not ours, is damaged, or is used by another running copy."""


class DiskFull(LocalProblem):
    """There is not enough room to go on safely."""


class StartFailed(LocalProblem):
    """A server did not come up; the message ends with the last lines of its log."""
