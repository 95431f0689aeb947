"""The sign of an interaction: 1 activates, -1 inhibits, 0 unknown; and the words that files use for it."""

from __future__ import annotations

from graphnn.errors import FormatError

ACTIVATES, INHIBITS, UNKNOWN = 1, -1, 0

WORDS: dict[str, int] = {
    **dict.fromkeys(
        ("1", "+1", "1.0", "+", "->", "-->", "=>", "activates", "activation", "activate", "stimulates",
         "stimulation", "up", "upregulates", "positive", "increases"),
        ACTIVATES,
    ),
    **dict.fromkeys(
        ("-1", "-1.0", "-", "-|", "--|", "=|", "inhibits", "inhibition", "inhibit", "represses", "repression",
         "down", "downregulates", "negative", "decreases"),
        INHIBITS,
    ),
    **dict.fromkeys(("0", "0.0", "-0.0", "?", "unknown", "unspecified", "undefined", "pp", "pd", "interacts"), UNKNOWN),
}  # fmt: skip


def parse_interaction(word: object) -> int:
    """Read one interaction.

    Args:
        word: A number (1, -1, 0) or one of `WORDS`, in any case.

    Returns:
        1, -1 or 0.

    Raises:
        FormatError: The word is none of these; it is never guessed.

    Example:
        >>> [parse_interaction(word) for word in ("activates", "-|", 1, -1.0, "?")]
        [1, -1, 1, -1, 0]
    """
    sign = WORDS.get(str(word).strip().casefold())
    if sign is None:
        raise FormatError(
            f"expected an interaction (1, -1, 0, activates, inhibits, ->, -|, unknown, ...), got {str(word)!r}; "
            "rename it, or give it as 0 where the sign is not known"
        )
    return sign


def sign_of_weight(weight: float) -> int:
    """Sign of a mode-of-action weight as in decoupler's networks (CollecTRI, DoRothEA): its magnitude is no sign."""
    return (weight > 0) - (weight < 0)
