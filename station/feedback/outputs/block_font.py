"""Block letters for a text terminal, legible from 3 m: five cells high and five wide.

>>> print("\\n".join(row.replace("█", "#") for row in big("OK")))
 ###  #   #
#   # #  #
#   # ###
#   # #  #
 ###  #   #
"""

HEIGHT = 5
PITCH = 6  # five cells and a gap

_DRAWN = """
A .###. #...# ##### #...# #...#
B ####. #...# ####. #...# ####.
C .#### #.... #.... #.... .####
D ####. #...# #...# #...# ####.
E ##### #.... ####. #.... #####
F ##### #.... ####. #.... #....
G .#### #.... #..## #...# .####
H #...# #...# ##### #...# #...#
I .###. ..#.. ..#.. ..#.. .###.
J ..### ...#. ...#. #..#. .##..
K #...# #..#. ###.. #..#. #...#
L #.... #.... #.... #.... #####
M #...# ##.## #.#.# #...# #...#
N #...# ##..# #.#.# #..## #...#
O .###. #...# #...# #...# .###.
P ####. #...# ####. #.... #....
Q .###. #...# #.#.# #..#. .##.#
R ####. #...# ####. #..#. #...#
S .#### #.... .###. ....# ####.
T ##### ..#.. ..#.. ..#.. ..#..
U #...# #...# #...# #...# .###.
V #...# #...# #...# .#.#. ..#..
W #...# #...# #.#.# ##.## #...#
X #...# .#.#. ..#.. .#.#. #...#
Y #...# .#.#. ..#.. ..#.. ..#..
Z ##### ...#. ..#.. .#... #####
0 .###. #..## #.#.# ##..# .###.
1 ..#.. .##.. ..#.. ..#.. .###.
2 ####. ....# .###. #.... #####
3 ####. ....# .###. ....# ####.
4 #..#. #..#. ##### ...#. ...#.
5 ##### #.... ####. ....# ####.
6 .###. #.... ####. #...# .###.
7 ##### ....# ...#. ..#.. ..#..
8 .###. #...# .###. #...# .###.
9 .###. #...# .#### ....# .###.
- ..... ..... .###. ..... .....
. ..... ..... ..... ..... ..#..
, ..... ..... ..... ..#.. .#...
: ..... ..#.. ..... ..#.. .....
/ ....# ...#. ..#.. .#... #....
? .###. #...# ...#. ..... ..#..
! ..#.. ..#.. ..#.. ..... ..#..
> #.... .#... ..#.. .#... #....
+ ..... ..#.. .###. ..#.. .....
_ ..... ..... ..... ..... #####
"""
GLYPHS = {
    glyph[0]: tuple(row.replace("#", "█").replace(".", " ") for row in glyph[2:].split())
    for glyph in _DRAWN.strip().splitlines()
}
"""By upper-case letter, digit or sign: its `HEIGHT` rows of five cells each."""
_BLANK = (" " * 5,) * HEIGHT


def fits(text: str, width: int) -> bool:
    """Whether each letter of the text has a glyph and the glyphs fit side by side in `width` cells.

    >>> fits("OK", 11), fits("OK", 10), fits("Fräsen", 80)
    (True, False, False)
    """
    letters = text.upper()
    return len(letters) * PITCH - 1 <= width and all(letter == " " or letter in GLYPHS for letter in letters)


def big(text: str) -> list[str]:
    """Five rows of block letters, in upper case, for a text that `fits`."""
    glyphs = [_BLANK if letter == " " else GLYPHS[letter] for letter in text.upper()]
    return [" ".join(glyph[row] for glyph in glyphs).rstrip() for row in range(HEIGHT)]
