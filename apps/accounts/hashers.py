"""How passwords are hashed: Argon2id at a cost that many sign-ins at once can bear."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class BoundedArgon2(Argon2PasswordHasher):
    """OWASP's second recommended setting: 19 MiB, two passes, one lane.

    Django's own takes 100 MB and eight threads per try, which twenty tries at once turn into an
    outage. Hashes of another cost are renewed at the next sign-in.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
