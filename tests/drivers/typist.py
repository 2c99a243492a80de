"""A scanner that types, by its own knowledge of keyboards: a process of its own that shares no code with the product.

Reads the layouts of xkb-data (the files under symbols/) itself. Answers each JSON line on standard input, a text and how
the scanner is set, with one on standard output: the key events `[type, code, value, ns]`, the text that they say, and
what of it this scanner cannot type. Run it with any Python 3.
"""

import json
import random
import re
import sys
import unicodedata
from functools import cache
from pathlib import Path

SYMBOLS = Path("/usr/share/X11/xkb/symbols")
KEYCODES = {
    "TLDE": 41, "BKSL": 43, "AC12": 43, "LSGT": 86, "SPCE": 57, "AB11": 89, "AE13": 124,
    **{f"AE{n:02}": 1 + n for n in range(1, 13)}, **{f"AD{n:02}": 15 + n for n in range(1, 13)},
    **{f"AC{n:02}": 29 + n for n in range(1, 12)}, **{f"AB{n:02}": 43 + n for n in range(1, 11)},
}  # fmt: skip
SHIFT, CTRL, ALT, ALTGR, CAPS = 42, 29, 56, 100, 58
KEYPAD = dict(zip("0123456789", (82, 79, 80, 81, 75, 76, 77, 71, 72, 73), strict=True))
ENDS = {"Enter": 28, "KeypadEnter": 96, "Tab": 15}
# GS, RS, EOT: Ctrl with the keys ] 6 D of the American keyboard, by their places; F8 F7 F6; Down Left Up.
STAND_INS = {
    "ctrl": {"\x1d": (CTRL, 27), "\x1e": (CTRL, 7), "\x04": (CTRL, 32)},
    "keys": {"\x1d": (66,), "\x1e": (65,), "\x04": (64,)},
    "arrows": {"\x1d": (108,), "\x1e": (105,), "\x04": (103,)},
    "keypad": {"\x1d": (83,), "\x1e": (83,), "\x04": (83,)},
}
_NAMES = """
space exclam quotedbl numbersign dollar percent ampersand apostrophe parenleft parenright asterisk plus comma minus period
slash colon semicolon less equal greater question at bracketleft backslash bracketright asciicircum underscore grave
braceleft bar braceright asciitilde section degree mu sterling EuroSign ssharp oe OE ae AE oslash Oslash idotless
Iabovedot onesuperior twosuperior threesuperior notsign brokenbar exclamdown questiondown
"""
_SIGNS = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~§°µ£€ßœŒæÆøØıİ¹²³¬¦¡¿"
SIGNS = dict(zip(_NAMES.split(), _SIGNS, strict=True))
WITHOUT_CASE = "ßẞµ"  # signs to this scanner, whatever Caps Lock makes of letters
ACCENTS = {
    "grave": ("\u0300", "`", "GRAVE"), "acute": ("\u0301", "'", "ACUTE"), "circumflex": ("\u0302", "^", "CIRCUMFLEX"),
    "tilde": ("\u0303", "~", "TILDE"), "diaeresis": ("\u0308", '"', "DIAERESIS"), "ring": ("\u030a", "", "RING ABOVE"),
    "cedilla": ("\u0327", "\u00b8", "CEDILLA"), "caron": ("\u030c", "", "CARON"), "breve": ("\u0306", "", "BREVE"),
}  # fmt: skip


@cache
def char_of(name):
    """The character of a keysym's name, `dead X` for a dead key, "" for what this typist does not know."""
    if len(name) == 1:
        return name
    if name in SIGNS:
        return SIGNS[name]
    if name.startswith("dead_"):
        return "dead " + name[5:].replace("abovering", "ring")
    if re.fullmatch("U[0-9A-Fa-f]{4,5}", name):
        return chr(int(name[1:], 16))
    accent = ACCENTS.get(name[1:])
    if accent and name[0].isalpha():
        case = "CAPITAL" if name[0].isupper() else "SMALL"
        try:
            return unicodedata.lookup(f"LATIN {case} LETTER {name[0]} WITH {accent[2]}")
        except KeyError:
            return ""
    return ""


@cache
def sections(file):
    """The parts of a symbols file: by name, and the default one as ""."""
    text = re.sub(r"//[^\n]*|#[^\n]*", "", (SYMBOLS / file).read_text(encoding="utf-8"))
    found = {}
    for match in re.finditer(r'((?:\w+\s+)*)xkb_symbols\s+"([^"]+)"\s*\{', text):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        body = text[match.end() : end - 1]
        found[match[2]] = body
        if "default" in match[1].split() or "" not in found:
            found[""] = body
    return found


def keys_of(file, part=""):
    """What each key has at its levels, as names of keysyms, with everything that the part includes."""
    keys = {}
    statement = r'include\s+"([^"]+)"|(\w+\s+)?key\s+<(\w+)>\s*\{([^}]*)\}'
    for included, how, key, body in re.findall(statement, sections(file)[part]):
        if included:
            if included.startswith("level3("):
                keys["level3"] = []  # there is an AltGr
            for name, inner in re.findall(r"([\w/]+)(?:\(([^)]+)\))?", included):
                if (SYMBOLS / name).is_file():
                    merged(keys, keys_of(name, inner), replace=False)
            continue
        symbols = re.search(r"(?<!\w)\[([^\]]*)\]", re.sub(r"\w+\s*\[[^\]]*\]\s*=\s*(\"[^\"]*\"\s*,?)?", "", body))
        if symbols:
            merged(keys, {key: [each.strip() for each in symbols[1].split(",")]}, replace=how.strip() == "replace")
    return keys


def merged(keys, more, *, replace):
    """Later statements beat earlier ones level by level; NoSymbol leaves what was there."""
    for key, levels in more.items():
        old = [] if replace else keys.get(key, [])
        longest = max(len(old), len(levels))
        padded = [(each + ["NoSymbol"] * longest)[:longest] for each in (old, levels)]
        keys[key] = [was if new == "NoSymbol" else new for was, new in zip(*padded, strict=True)]


@cache
def layout(name):
    """By character (or dead key) the chord (code, Shift, AltGr) that types it, and the same with Caps Lock on."""
    found = re.fullmatch(r"([\w]+)(?:\((.+)\))?", name)
    keys = keys_of(found[1], found[2] or "")
    merged(keys, {"SPCE": ["space"], "LSGT": []}, replace=False)
    keys["LSGT"] = keys["LSGT"] or ["less", "greater", "bar", "brokenbar"]
    free, locked = {}, {}
    for key, names in keys.items():
        if key not in KEYCODES:
            continue
        chars = [char_of(each) for each in names[: 4 if "level3" in keys else 2]]
        for level, char in enumerate(chars):
            chord = (KEYCODES[key], bool(level & 1), bool(level & 2))
            kept(free, char, chord)
            pair = chars[level & 2 : (level & 2) + 2]
            # A key of a letter and its capital is turned over by Caps Lock; another letter becomes its capital.
            letters = len(pair) == 2 and small(chars[0]) and capital(chars[1]) and small(pair[0]) and capital(pair[1])
            turned = pair[1 - (level & 1)] if letters else char.upper() if small(char) else char
            kept(locked, turned, chord)
    return free, locked


def kept(table, char, chord):
    """Rather without AltGr, not on the key that American keyboards lack, without Shift."""
    if char and (char not in table or worth(chord) < worth(table[char])):
        table[char] = chord


def worth(chord):
    code, shift, altgr = chord
    return altgr, code == KEYCODES["LSGT"], shift


def small(char):
    return len(char) == 1 and char.islower() and char not in WITHOUT_CASE


def capital(char):
    return len(char) == 1 and char.isupper() and char not in WITHOUT_CASE


class Scanner:
    """One scan being typed."""

    def __init__(self, how):
        self.how = how
        self.free, self.locked = layout(how["layout"])
        self.table = self.locked if how.get("turned") else self.free
        self.rng = random.Random(how.get("seed", 1))
        self.events, self.now, self.cannot = [], how.get("start_ns", 0), []

    def event(self, code, value):
        self.events += [[1, code, value, self.now], [0, 0, 0, self.now]]
        self.now += int(self.how.get("step_ms", 1) * self.rng.uniform(0.5, 1) * 1_000_000)

    def press(self, *codes):
        for code in codes:
            self.event(code, 1)
        for code in reversed(codes):
            self.event(code, 0)

    def chord(self, chord):
        code, shift, altgr = chord
        held = [CTRL, ALT] if altgr and self.how.get("altgr") == "ctrl+alt" else [ALTGR] if altgr else []
        self.press(*held, *([SHIFT] if shift else []), code)

    def number(self, digits):
        self.event(ALT, 1)
        for digit in digits:
            self.press(KEYPAD[digit])
        self.event(ALT, 0)

    def char(self, char):
        """Type one character; False where this scanner cannot."""
        if char < " ":
            return self.control(char)
        if self.how.get("universal"):
            self.number(f"{char.encode('cp1252')[0]:03}")
            return True
        if char in self.how.get("lacks", ""):
            return self.lacking(char)
        if char in self.table:
            self.chord(self.table[char])
            return True
        whole = unicodedata.normalize("NFD", char)
        for name, (mark, sign, _word) in ACCENTS.items():
            dead = self.table.get(f"dead {name}")
            if dead and sign == char:
                self.chord(dead)
                if not self.how.get("dead_alone"):
                    self.press(57)
                return True
            if (
                dead
                and len(whole) == 2
                and whole[1] == mark
                and whole[0] in self.table
                and not self.how.get("dead_alone")
            ):
                self.chord(dead)
                self.chord(self.table[whole[0]])
                return True
        return self.lacking(char)

    def lacking(self, char):
        if self.how.get("lacking") != "alt":
            return False
        self.number(f"0{char.encode('cp1252')[0]:03}"[-4:])
        return True

    def control(self, char):
        how = self.how.get("control", "ctrl")
        if char in "\t\n":
            self.press(28 if char == "\n" else 15)
        elif how == "missing":
            return False
        elif how == "alt" or self.how.get("universal"):
            self.number(f"{ord(char):03}")
        elif len(how) == 1:  # a sign stands for it
            return self.char(how)
        elif char in STAND_INS[how]:
            self.press(*STAND_INS[how][char])
        else:
            return False
        return True

    def scan(self, text):
        """The whole scan; what it says (without prefix and suffix) is the answer."""
        how = self.how
        case = how.get("case", "")
        aim, prefix = how.get("aim", ""), how.get("prefix", "")
        text = text.upper() if case == "upper" else text.lower() if case == "lower" else text
        if how.get("caps_keys"):
            self.press(CAPS)
        head = aim + prefix if how.get("aim_first") else prefix + aim
        self.all(head)
        said = self.all(text)
        self.all(how.get("suffix", ""))
        if how.get("caps_keys"):
            self.press(CAPS)
        for end in how.get("ends", ["Enter"]):
            self.press(*((CTRL, 36) if end == "Ctrl+J" else (ENDS[end],)))
        return {"events": self.events, "said": aim + said, "cannot": "".join(self.cannot)}

    def all(self, text):
        said = ""
        for char in text:
            if self.char(char):
                said += char
            else:
                self.cannot.append(char)
        return said


def main():
    """Serve until standard input ends."""
    for line in sys.stdin:
        how = json.loads(line)
        print(json.dumps(Scanner(how).scan(how["text"])), flush=True)


if __name__ == "__main__":
    main()
