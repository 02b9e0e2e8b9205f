from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable

from . import _logging, _native
from ._native import MessageView, SendReceipt
from ._types import TransactionResolution
from .errors import Error

if TYPE_CHECKING:
    from typing_extensions import Self

Checker = Callable[[MessageView], TransactionResolution]
"""Says how the transaction of a half message ended. After `UNKNOWN`, or an exception (it is logged), the server asks
again."""


class Transaction:
    """A half message that waits for its end: consumers get it when it is committed.

    ```python
    with producer.send_transaction(tminus.Message("payments", b"order 42")):
        charge()  # the end of the block commits; an exception rolls back
    ```

    Without an end, the server asks the `checker` of the producer.
    """

    receipt: SendReceipt
    """What the server said about the half message."""

    def __init__(self, producer: _native.Producer, receipt: SendReceipt) -> None:
        self._producer = producer
        self._is_ended = False
        self.receipt = receipt

    def commit(self) -> None:
        """Lets consumers have the message."""
        self._end(TransactionResolution.COMMIT)

    def rollback(self) -> None:
        """Drops the message."""
        self._end(TransactionResolution.ROLLBACK)

    def _end(self, resolution: TransactionResolution) -> None:
        # Also when it fails: a commit that may have arrived must not be followed by a rollback.
        self._is_ended = True
        self._producer._end_transaction(self.receipt, resolution)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_ended:
            return
        if exception_type is None:
            self.commit()
            return
        try:
            self.rollback()
        except Error:
            not_rolled_back(self.receipt)


def not_rolled_back(receipt: SendReceipt) -> None:
    """Says that a rollback failed; what made it necessary goes on as the exception."""
    _logging.logger.warning(
        "the rollback of %s failed; the server asks the checker later", receipt.message_id, exc_info=True
    )


def answer(check: _native.TransactionCheck, resolution: Any) -> None:
    """Answers by what a checker returned."""
    if not isinstance(resolution, TransactionResolution):
        raise TypeError(f"a checker returns a TransactionResolution, not {resolution!r}")
    check.resolve(resolution)


def not_known(check: _native.TransactionCheck) -> None:
    """Answers after the checker raised, and says so with the traceback."""
    _logging.logger.exception("the transaction checker failed on %r; the server asks again later", check.message)
    check.resolve(TransactionResolution.UNKNOWN)
