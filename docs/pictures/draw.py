"""Draw architecture.svg and scan.svg again, from the source:

    python3 docs/pictures/draw.py [FOLDER]

The arrows between packages are the imports that the source has now. An arrow that a contract in pyproject.toml forbids is an
error, and so is a step of a scan whose module does not exist. Standard library only.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# An opaque ground of its own makes a picture readable on a light and on a dark page.
GROUND, INK, QUIET, LINE = "#fbfaf6", "#1b2733", "#51606e", "#3a4a59"
FILLS = {"station": "#dcebf7", "server": "#e4f1de", "drivers": "#f6e9cf", "shared": "#ece6f5"}


@dataclass(frozen=True, slots=True)
class Box:
    """A package in the picture: its place, its purpose, and how it is filled."""

    package: str
    left: int
    top: int
    width: int
    height: int
    purpose: str
    fill: str

    @property
    def middle(self) -> tuple[float, float]:
        """The centre."""
        return self.left + self.width / 2, self.top + self.height / 2


PACKAGES = (
    Box("station", 30, 90, 290, 150, "reads, records, answers, synchronises", "station"),
    Box("drivers", 30, 330, 290, 150, "turn device input into scans", "drivers"),
    Box("station.core", 420, 90, 240, 150, "codes, events, ledger; pure", "shared"),
    Box("station.system", 420, 330, 240, 120, "clock, files, locks, version", "shared"),
    Box("server", 760, 90, 290, 150, "keeps the ledger and shows it", "server"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scan: its name, the module that does it, and what it does."""

    name: str
    module: str
    text: str


STEPS = (
    Step("read", "drivers.keyboard", "device input: one scan"),
    Step("work queue", "station.scan.work_queue", "scans wait in their order"),
    Step("interpret", "station.scan.interpret", "bytes become a code"),
    Step("event", "station.scan.event_builder", "code, card and badge"),
    Step("journal commit", "station.journal.writer", "on the medium: a receipt"),
    Step("answer", "station.feedback.dispatcher", "green needs the receipt"),
    Step("sync", "station.sync.sync_thread", "batches, sent until accepted"),
    Step("ingest", "server.ledger.ingest", "each event once"),
    Step("projection", "server.projection.worker", "items, stages, orders, value"),
    Step("page", "server.web.board", "the board changes by itself"),
)


def package_of(module: str) -> str | None:
    """The package of the picture to which a module belongs: the longest name that fits."""
    fitting = [box.package for box in PACKAGES if module == box.package or module.startswith(f"{box.package}.")]
    return max(fitting, key=len, default=None)


def imports(root: Path) -> set[tuple[str, str]]:
    """(package, package that it imports) of the picture, as the source has it."""
    arrows = set()
    for path in (each for package in ("station", "drivers", "server") for each in (root / package).rglob("*.py")):
        own = package_of(".".join(path.relative_to(root).with_suffix("").parts))
        for module in imported(ast.parse(path.read_text())):
            other = package_of(module)
            if own and other and own != other:
                arrows.add((own, other))
    return arrows


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(root: Path) -> set[tuple[str, str]]:
    """(source, target) of the import contracts in pyproject.toml."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {
        (source, target)
        for contract in contracts
        if contract["type"] == "forbidden"
        for source in contract["source_modules"]
        for target in contract["forbidden_modules"]
    }


def architecture(root: Path) -> str:
    """The packages and which imports which."""
    arrows = imports(root)
    broken = sorted(arrows & forbidden(root))
    if broken:
        sys.exit(f"These imports are forbidden by pyproject.toml: {broken}. Remove them.")
    parts = [text(30, 36, "Packages: an arrow leads from a package to one that it imports", 19, weight="bold")]
    parts += [part for box in PACKAGES for part in box_parts(box, members(root, box.package))]
    places = {box.package: box for box in PACKAGES}
    parts += [arrow(*between(places[source], places[target])) for source, target in sorted(arrows)]
    parts += ['<path d="M 175 90 V 62 H 905 V 90" class="wire" marker-start="url(#tip)" marker-end="url(#tip)"/>']
    parts += [text(540, 56, "HTTP: events, heartbeats, definitions", 13, anchor="middle", fill=QUIET)]
    parts += [text(760, 400, "An import that is not drawn", 13, fill=QUIET)]
    parts += [text(760, 420, "does not exist in the source.", 13, fill=QUIET)]
    title = "The packages station, drivers, server, station.core and station.system, and their imports"
    return svg(1080, 510, title, parts)


def members(root: Path, package: str) -> list[str]:
    """What is in a package, without what has a box of its own: folders with `/`, for drivers the kinds of readers first."""
    folder = root.joinpath(*package.split("."))
    folders = [f"{each.name}/" for each in sorted(folder.iterdir()) if (each / "__init__.py").exists()]
    folders = [name for name in folders if package_of(f"{package}.{name[:-1]}") == package]
    if folders and package != "drivers":
        return folders
    files = sorted(each.stem for each in folder.glob("*.py") if each.stem != "__init__")
    return files + folders


def box_parts(box: Box, names: Sequence[str]) -> Iterator[str]:
    """A package with its name, its purpose and its members."""
    yield rectangle(box.left, box.top, box.width, box.height, FILLS[box.fill])
    yield text(box.left + 14, box.top + 28, box.package, 18, weight="bold")
    yield text(box.left + 14, box.top + 48, box.purpose, 12, fill=QUIET)
    for number, line in enumerate(wrapped(names, (box.width - 28) // 8)):
        yield text(box.left + 14, box.top + 74 + 19 * number, line, 13, mono=True)


def wrapped(words: Sequence[str], most: int) -> list[str]:
    """Words in lines of at most so many characters."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 2 + len(word) > most:
            lines.append("")
        lines[-1] += f"  {word}" if lines[-1] else word
    return lines


def between(source: Box, target: Box) -> tuple[float, float, float, float]:
    """Where an arrow leaves one box and reaches the other."""
    (x1, y1), (x2, y2) = source.middle, target.middle
    start = edge(source, x2 - x1, y2 - y1)
    end = edge(target, x1 - x2, y1 - y2)
    return (*start, *end)


def edge(box: Box, dx: float, dy: float) -> tuple[float, float]:
    """Where the line from the centre of a box in this direction leaves it."""
    scale = min(box.width / 2 / abs(dx) if dx else float("inf"), box.height / 2 / abs(dy) if dy else float("inf"))
    x, y = box.middle
    return x + dx * scale, y + dy * scale


def scan(root: Path) -> str:
    """A scan's way from the device to the page."""
    absent = [step.module for step in STEPS if not root.joinpath(*step.module.split(".")).with_suffix(".py").exists()]
    if absent:
        sys.exit(f"There is no module {', '.join(absent)}. Name the module that does the step now.")
    parts = [text(30, 36, "A scan, from the device to the page", 19, weight="bold")]
    width, height, gap, in_row = 200, 96, 28, 5
    for number, step in enumerate(STEPS):
        row, column = divmod(number, in_row)
        left, top = 30 + column * (width + gap), 62 + row * (height + 64)
        parts.append(rectangle(left, top, width, height, FILLS[step.module.partition(".")[0]]))
        parts.append(text(left + 12, top + 26, f"{number + 1}  {step.name}", 16, weight="bold"))
        parts.append(text(left + 12, top + 51, step.module, 11, mono=True))
        parts.append(text(left + 12, top + 77, step.text, 12, fill=QUIET))
        if column + 1 < in_row:
            parts.append(arrow(left + width, top + height / 2, left + width + gap, top + height / 2))
        elif number + 1 < len(STEPS):
            down = top + height + 32
            parts.append(
                f'<path d="M {left + width / 2:g} {top + height} V {down} H {30 + width / 2:g} V {down + 32}" '
                'class="line" marker-end="url(#tip)"/>'
            )
    foot = 62 + 2 * height + 64 + 34
    for number, (name, fill) in enumerate((("drivers", "drivers"), ("station", "station"), ("hub", "server"))):
        parts.append(rectangle(30 + 120 * number, foot - 13, 18, 18, FILLS[fill]))
        parts.append(text(56 + 120 * number, foot + 1, name, 13, fill=QUIET))
    parts.append(
        text(420, foot + 1, "Steps 1 to 6 need no network. Step 7 repeats until the hub has answered.", 13, fill=QUIET)
    )
    title = "The steps of a scan: " + ", ".join(step.name for step in STEPS)
    return svg(30 + in_row * (width + gap), foot + 24, title, parts)


def rectangle(left: float, top: float, width: float, height: float, fill: str) -> str:
    """A filled box."""
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="7" fill="{fill}" stroke="{LINE}"/>'
    )


def text(
    x: float, y: float, words: str, size: int, *, weight: str = "", anchor: str = "", fill: str = "", mono: bool = False
) -> str:
    """A line of text; its left end at x, or its middle."""
    more = {"font-weight": weight, "text-anchor": anchor, "fill": fill, "class": "mono" if mono else ""}
    attributes = "".join(f' {name}="{value}"' for name, value in more.items() if value)
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}"{attributes} xml:space="preserve">{escape(words)}</text>'


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line with a tip at its end."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="line" marker-end="url(#tip)"/>'


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """The whole drawing."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    line = f"stroke:{LINE};stroke-width:1.6;fill:none"
    style = f".line{{{line}}} .wire{{{line};stroke-dasharray:6 4}} .mono{{font-family:monospace}}"
    tip = f'<path d="M0 0L10 5L0 10z" fill="{LINE}"/>'
    size = 'viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse"'
    lines = [
        f'{head} font-family="sans-serif" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        f'<defs><marker id="tip" {size}>{tip}</marker></defs>',
        f'<rect width="{width}" height="{height}" rx="10" fill="{GROUND}"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


PICTURES = {"architecture.svg": architecture, "scan.svg": scan}


def main(folder: Path = HERE) -> None:
    """Write every picture into a folder."""
    for name, draw in PICTURES.items():
        (folder / name).write_text(draw(ROOT))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
