"""What telephony says about calls that were not answered, in the words that several providers share. Pure.

Sources: RFC 3261, 21 (response codes), and Twilio's page on call status, which maps the same codes to busy.
"""

from providers.interface.reports import CallStatus

_BUSY_CODES = frozenset((486, 600, 603))
_NO_ANSWER_CODES = frozenset((408, 480, 487))
_WORDS = {
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "no_answer": CallStatus.NO_ANSWER,
}


def status_of_word(word: str) -> CallStatus | None:
    """The status that a word for a failed dial means; None for any other word."""
    return _WORDS.get(word.strip().lower())


def status_of_sip(code: float | str | None) -> CallStatus | None:
    """The status that a SIP response code means: busy, no answer, or None for any other or none."""
    try:
        number = int(code or 0)
    except (ValueError, OverflowError):
        return None
    if number in _BUSY_CODES:
        return CallStatus.BUSY
    return CallStatus.NO_ANSWER if number in _NO_ANSWER_CODES else None
