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
_UNKNOWN = ("█████", "█   █", "█   █", "█   █", "█████")


def fits(text: str, width: int) -> bool:
    """Whether these letters fit side by side in `width` cells."""
    return len(text) * PITCH - 1 <= width


def big(text: str) -> list[str]:
    """Five rows of block letters, in upper case; a letter without a glyph is a box."""
    glyphs = [_BLANK if letter == " " else GLYPHS.get(letter, _UNKNOWN) for letter in text.upper()]
    return [" ".join(glyph[row] for glyph in glyphs).rstrip() for row in range(HEIGHT)]
