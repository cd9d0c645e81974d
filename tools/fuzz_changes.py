"""Changes of content at random, for fuzz.py."""

import random

_TOKENS = (
    *(b"0", b"-1", b"1e400", b"nan", b"inf", b"9" * 40, b"\0", b"\xff", b"\xff\xff\xff\xff"),
    *(b'"', b"\n", b",", b"..", b"/", b"[", b"]", b"{", b"}", b"=", b"\xef\xbb\xbf", b"1e39*r"),
    *(b'"s8"', b'"s16"', b'"f32"', b'"custom"', b'"backprop"', b'"vector"', b"true", b"1e-320"),
)


def changed(content: bytes, draw: random.Random) -> bytes:
    """The content with some bytes lost, doubled, moved, or in place of others."""
    raw = bytearray(content)
    for _ in range(draw.randint(1, 6)):
        at, length = draw.randrange(len(raw) + 1), draw.choice((1, 1, 2, 4, 8, 40))
        piece = raw[at : at + length]
        match draw.randrange(6):
            case 0:
                del raw[at : at + length]
            case 1:
                raw[at:at] = piece * draw.choice((1, 2, 50))
            case 2:
                raw[at : at + length] = draw.randbytes(len(piece))
            case 3:
                other = draw.randrange(len(raw) + 1)
                raw[other : other + len(piece)] = piece
            case 4:
                raw[at : at + 1] = draw.choice(_TOKENS)
            case _ if at < len(raw):
                raw[at] ^= 1 << draw.randrange(8)
    return bytes(raw)
