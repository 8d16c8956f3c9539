"""Running a function as another user of the machine, which only root can do."""

import multiprocessing
import os
import pwd
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar

SECONDS = 120
P = ParamSpec("P")
R = TypeVar("R")


class FailedAsOtherUser(Exception):
    """The function raised; the text is its traceback."""


@dataclass(frozen=True)
class OtherUser:
    """An ordinary user of the machine."""

    name: str

    @property
    def uid(self) -> int:
        """Numeric user id."""
        return pwd.getpwnam(self.name).pw_uid

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `function` returns in a forked process that has become this user for good; raises FailedAsOtherUser."""
        fork = multiprocessing.get_context("fork")  # a new interpreter may lie where this user cannot read
        ours, theirs = fork.Pipe()
        process = fork.Process(target=self._child, args=(theirs, lambda: function(*args, **kwargs)))
        process.start()
        theirs.close()
        try:
            if not ours.poll(SECONDS):
                raise FailedAsOtherUser(f"no answer in {SECONDS} s")
            worked, value = ours.recv()
        finally:
            ours.close()
            process.kill()
            process.join()
            process.close()
        if not worked:
            raise FailedAsOtherUser(value)
        return value

    def _child(self, answers: Connection, call: Callable[[], object]) -> None:
        entry = pwd.getpwnam(self.name)
        os.setgroups([])
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
        os.chdir("/")
        try:
            answers.send((True, call()))
        except BaseException:  # noqa: BLE001  also a test's failed assertion has to reach the test
            answers.send((False, traceback.format_exc()))
        answers.recv()  # wait to be ended, so that no exit handler of the parent runs here
