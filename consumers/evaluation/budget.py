"""What an evaluation may cost: an answer is only asked for when it can still be paid."""

from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from threading import Condition


class Spent(Exception):
    """The next answer could cost more than what is left."""


class Budget:
    """A limit in US dollars, None for none. Thread-safe.

    An answer's price is known only afterwards, so each is reckoned with the dearest seen so far. Until the first one is
    known no second is asked for. The limit can be passed by what one round of answers costs more than the dearest
    before it.
    """

    def __init__(self, limit: Decimal | None) -> None:
        self._limit = limit
        self._spent = Decimal(0)
        self._dearest: Decimal | None = None
        self._under_way = 0
        self._changed = Condition()

    @property
    def spent(self) -> Decimal:
        return self._spent

    @contextmanager
    def answer(self) -> Generator["Bill"]:
        """Room for one answer; its price is written on the bill within the block. Raises Spent."""
        with self._changed:
            while self._limit is not None and self._dearest is None and self._under_way:
                self._changed.wait()
            if self._limit is not None and self._reckoned() > self._limit:
                raise Spent
            self._under_way += 1
        bill = Bill()
        try:
            yield bill
        finally:
            with self._changed:
                self._under_way -= 1
                self._spent += bill.price or 0
                if bill.price is not None:
                    self._dearest = max(bill.price, self._dearest or Decimal(0))
                self._changed.notify_all()

    def _reckoned(self) -> Decimal:
        """What will be spent once this answer and those under way are paid."""
        return self._spent + (self._dearest or Decimal(0)) * (self._under_way + 1)


class Bill:
    """What one answer cost; None while it is not known, as after a failure without any."""

    def __init__(self) -> None:
        self.price: Decimal | None = None
