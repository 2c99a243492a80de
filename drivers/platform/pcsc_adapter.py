"""The adapter of `drivers.pcsc` to pcscd: the scard calls of pyscard."""

from collections.abc import Callable
from sys import byteorder
from typing import Any

from drivers.decode.tags.pcsc_slots import usb_address
from drivers.platform.pcsc_interface import NoReader, PcscReaderState, ServiceGone, ServiceRefuses

_COUNT_SHIFT = 16  # the upper half of a reader's event state counts card insertions and removals (pcsc-lite)
_ESCAPE = 1  # the SCardControl function of libccid that passes a command to the reader


class PyscardService:
    """One context of pcscd, through `api`, by default pyscard's module `smartcard.scard`.

    Raises `ImportError` if pyscard or its library is missing.
    """

    def __init__(self, api: Any = None) -> None:
        if api is None:
            from smartcard import scard

            api = scard

        self._api: Any = api
        self._context: Any = None

    def connect(self) -> None:
        """Connect to pcscd, or connect again. Raises `ServiceGone`."""
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
        """Wait until the reader's state differs from `known`, for the timeout, or for `cancel`; return the state."""
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
        """The card in this reader."""
        return PyscardCard(self._api, self._open(), reader, self._expect)

    def control(self, reader: str, command: bytes) -> bytes:
        """The response of the reader itself to an escape command, b"" if its driver does not support them."""
        code = self._api.SCARD_CTL_CODE(_ESCAPE)
        return self._of_reader(reader, lambda handle: self._api.SCardControl(handle, code, list(command)))

    def usb(self, reader: str) -> tuple[int, int] | None:
        """Bus and device number of the USB device that has this reader; None if unknown or removed."""
        channel = self._api.SCARD_ATTR_CHANNEL_ID
        return usb_address(self._of_reader(reader, lambda handle: self._api.SCardGetAttrib(handle, channel)), byteorder)

    def _of_reader(self, reader: str, call: Callable[[Any], tuple[int, list[int]]]) -> bytes:
        """The result of a call to the reader, not its card; b"" if another program has exclusive access, or on an error."""
        api = self._api
        result, handle, _ = api.SCardConnect(self._open(), reader, api.SCARD_SHARE_DIRECT, 0)
        if result != api.SCARD_S_SUCCESS:
            return b""
        try:
            result, response = call(handle)
        finally:
            api.SCardDisconnect(handle, api.SCARD_LEAVE_CARD)
        return bytes(response) if result == api.SCARD_S_SUCCESS else b""

    def cancel(self) -> None:
        """End a `change` that blocks in another thread."""
        context = self._context  # read once: the other thread may clear it at this moment
        if context is not None:
            self._api.SCardCancel(context)

    def close(self) -> None:
        """Disconnect from pcscd."""
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
        denied = result == api.SCARD_W_SECURITY_VIOLATION
        raise (ServiceRefuses if denied else ServiceGone)(api.SCardGetErrorMessage(result))


class PyscardCard:
    """A card in a reader. One connection serves all commands up to `close`, so a selected file stays selected."""

    def __init__(self, api: Any, context: Any, reader: str, expect: Callable[[int], None]) -> None:
        self._api, self._context, self._reader, self._expect = api, context, reader, expect
        self._handle: Any = None
        self._header: Any = None

    def send(self, command: bytes) -> bytes | None:
        """The card's response, b"" if it gives none, None if it was removed."""
        api = self._api
        removed = (api.SCARD_E_NO_SMARTCARD, api.SCARD_W_REMOVED_CARD, api.SCARD_W_RESET_CARD)
        if self._handle is None:
            either = api.SCARD_PROTOCOL_T0 | api.SCARD_PROTOCOL_T1
            result, handle, protocol = api.SCardConnect(self._context, self._reader, api.SCARD_SHARE_SHARED, either)
            if result in removed:
                return None
            if result in (api.SCARD_W_UNRESPONSIVE_CARD, api.SCARD_W_UNPOWERED_CARD, api.SCARD_E_SHARING_VIOLATION):
                return b""
            self._expect(result)
            self._handle = handle
            self._header = api.SCARD_PCI_T1 if protocol == api.SCARD_PROTOCOL_T1 else api.SCARD_PCI_T0
        result, response = api.SCardTransmit(self._handle, self._header, list(command))
        if result == api.SCARD_S_SUCCESS:
            return bytes(response)
        return None if result in removed else b""

    def close(self) -> None:
        """Disconnect, and leave the card powered."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._api.SCardDisconnect(handle, self._api.SCARD_LEAVE_CARD)
