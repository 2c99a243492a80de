"""pcscd, spoken to through pyscard's plain calls: the adapter behind `drivers.pcsc`."""

from collections.abc import Callable
from sys import byteorder
from typing import Any

from drivers.decode.tags.pcsc_slots import usb_address
from drivers.platform.pcsc_interface import NoReader, PcscReaderState, ServiceGone, ServiceRefuses

_COUNT_SHIFT = 16  # pcsc-lite counts cards put on and taken away in the upper half of a reader's state
_ESCAPE = 1  # the function of SCardControl by which libccid passes a command to the reader itself


class PyscardService:
    """One context of pcscd. `ImportError` where pyscard or its library is missing."""

    def __init__(self) -> None:
        from smartcard import scard

        self._api: Any = scard
        self._context: Any = None

    def connect(self) -> None:
        """Speak to pcscd, anew if we did before. Raises `ServiceGone`."""
        self.close()
        result, context = self._api.SCardEstablishContext(self._api.SCARD_SCOPE_SYSTEM)
        self._expect(result)
        self._context = context

    def readers(self) -> list[str]:
        """The names of all readers."""
        result, names = self._api.SCardListReaders(self._open(), [])
        if result == self._api.SCARD_E_NO_READERS_AVAILABLE:
            return []
        self._expect(result)
        return list(names)

    def change(self, reader: str, known: PcscReaderState | None, timeout_s: float) -> PcscReaderState:
        """The reader's state once it differs from the known one, or when the time is over or `cancel` was called."""
        api = self._api
        mark = known.mark if known is not None else api.SCARD_STATE_UNAWARE
        result, states = api.SCardGetStatusChange(self._open(), int(timeout_s * 1000), [(reader, mark)])
        if result in (api.SCARD_E_TIMEOUT, api.SCARD_E_CANCELLED) and known is not None:
            return known
        self._expect(result)
        _, mark, atr = states[0]
        if mark & (api.SCARD_STATE_UNKNOWN | api.SCARD_STATE_IGNORE | api.SCARD_STATE_UNAVAILABLE):
            raise NoReader(reader)
        mark &= ~api.SCARD_STATE_CHANGED
        return PcscReaderState(mark, mark >> _COUNT_SHIFT, bool(mark & api.SCARD_STATE_PRESENT), bytes(atr))

    def card(self, reader: str) -> "PyscardCard":
        """The card on this reader."""
        return PyscardCard(self._api, self._open(), reader, self._expect)

    def control(self, reader: str, command: bytes) -> bytes:
        """What the reader itself answers; b"" where its driver passes no such command on."""
        code = self._api.SCARD_CTL_CODE(_ESCAPE)
        return self._of_reader(reader, lambda handle: self._api.SCardControl(handle, code, list(command)))

    def usb(self, reader: str) -> tuple[int, int] | None:
        """Bus and number of the USB device that this reader is part of; None where it does not tell, or is gone."""
        channel = self._api.SCARD_ATTR_CHANNEL_ID
        return usb_address(self._of_reader(reader, lambda handle: self._api.SCardGetAttrib(handle, channel)), byteorder)

    def _of_reader(self, reader: str, ask: Callable[[Any], tuple[int, list[int]]]) -> bytes:
        """What the reader, not its card, is asked; b"" where another program has it alone, or it has no answer."""
        api = self._api
        result, handle, _ = api.SCardConnect(self._open(), reader, api.SCARD_SHARE_DIRECT, 0)
        if result != api.SCARD_S_SUCCESS:
            return b""
        try:
            result, response = ask(handle)
        finally:
            api.SCardDisconnect(handle, api.SCARD_LEAVE_CARD)
        return bytes(response) if result == api.SCARD_S_SUCCESS else b""

    def cancel(self) -> None:
        """End a `change` that another thread waits in."""
        context = self._context  # read once: the waiting thread may leave at this moment
        if context is not None:
            self._api.SCardCancel(context)

    def close(self) -> None:
        """Leave pcscd."""
        context, self._context = self._context, None
        if context is not None:
            self._api.SCardReleaseContext(context)

    def _open(self) -> Any:
        if self._context is None:
            raise ServiceGone
        return self._context

    def _expect(self, result: int) -> None:
        api = self._api
        if result == api.SCARD_S_SUCCESS:
            return
        if result in (api.SCARD_E_UNKNOWN_READER, api.SCARD_E_READER_UNAVAILABLE, api.SCARD_E_NO_READERS_AVAILABLE):
            raise NoReader(api.SCardGetErrorMessage(result))
        refused = result == api.SCARD_W_SECURITY_VIOLATION
        raise (ServiceRefuses if refused else ServiceGone)(api.SCardGetErrorMessage(result))


class PyscardCard:
    """A card on a reader, in one connection from the first command to `close`: what was selected on it stays selected."""

    def __init__(self, api: Any, context: Any, reader: str, expect: Callable[[int], None]) -> None:
        self._api, self._context, self._reader, self._expect = api, context, reader, expect
        self._handle: Any = None
        self._header: Any = None

    def send(self, command: bytes) -> bytes | None:
        """What the card answers, b"" where it says nothing, None where it was taken away."""
        api = self._api
        gone = (api.SCARD_E_NO_SMARTCARD, api.SCARD_W_REMOVED_CARD, api.SCARD_W_RESET_CARD)
        if self._handle is None:
            either = api.SCARD_PROTOCOL_T0 | api.SCARD_PROTOCOL_T1
            result, handle, protocol = api.SCardConnect(self._context, self._reader, api.SCARD_SHARE_SHARED, either)
            if result in gone:
                return None
            if result in (api.SCARD_W_UNRESPONSIVE_CARD, api.SCARD_W_UNPOWERED_CARD, api.SCARD_E_SHARING_VIOLATION):
                return b""
            self._expect(result)
            self._handle = handle
            self._header = api.SCARD_PCI_T1 if protocol == api.SCARD_PROTOCOL_T1 else api.SCARD_PCI_T0
        result, response = api.SCardTransmit(self._handle, self._header, list(command))
        if result == api.SCARD_S_SUCCESS:
            return bytes(response)
        return None if result in gone else b""

    def close(self) -> None:
        """Leave it as it is."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._api.SCardDisconnect(handle, self._api.SCARD_LEAVE_CARD)
