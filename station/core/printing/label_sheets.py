"""Label sheets: the sizes of common sheets of labels and of continuous rolls, in millimetres.

>>> sheet = SHEETS["a4-3x7"]
>>> sheet.cells, sheet.corner(4)
(21, (73.25, 53.25))
>>> [fault for sheet in SHEETS.values() if (fault := sheet.fault())]
[]
"""

from dataclasses import dataclass

INCH_MM = 25.4
LARGEST_MM = 1_000.0
_TOLERANCE_MM = 0.5


@dataclass(frozen=True, slots=True)
class LabelSheet:
    """A sheet of equal labels, or a roll, whose paper is one label. Gaps are between two labels; margins left and above."""

    name: str
    paper_width_mm: float
    paper_height_mm: float
    columns: int
    rows: int
    width_mm: float
    height_mm: float
    left_mm: float = 0.0
    top_mm: float = 0.0
    column_gap_mm: float = 0.0
    row_gap_mm: float = 0.0

    @property
    def cells(self) -> int:
        """The number of labels on one sheet."""
        return self.columns * self.rows

    @property
    def is_roll(self) -> bool:
        """Whether a page is one label."""
        return self.cells == 1

    def corner(self, cell: int) -> tuple[float, float]:
        """The upper left corner of a label, counted from 0, row by row."""
        row, column = divmod(cell, self.columns)
        x_mm = self.left_mm + column * (self.width_mm + self.column_gap_mm)
        return x_mm, self.top_mm + row * (self.height_mm + self.row_gap_mm)

    def fault(self) -> str:
        """Why the labels do not fit on the paper; empty where they do."""
        x_mm, y_mm = self.corner(self.cells - 1)
        if x_mm + self.width_mm > self.paper_width_mm + _TOLERANCE_MM:
            return (
                f"{self.columns} columns need {x_mm + self.width_mm:.1f} mm, the paper has {self.paper_width_mm:g} mm"
            )
        if y_mm + self.height_mm > self.paper_height_mm + _TOLERANCE_MM:
            return f"{self.rows} rows need {y_mm + self.height_mm:.1f} mm, the paper has {self.paper_height_mm:g} mm"
        return ""


def roll(width_mm: float, height_mm: float) -> LabelSheet:
    """A roll of labels of this size.

    >>> roll(50, 30).name
    'roll-50x30'
    """
    return LabelSheet(f"roll-{width_mm:g}x{height_mm:g}", width_mm, height_mm, 1, 1, width_mm, height_mm)


SHEETS = {
    sheet.name: sheet
    for sheet in (
        LabelSheet("a4-3x7", 210, 297, 3, 7, 63.5, 38.1, 7.25, 15.15, 2.5),
        LabelSheet("a4-3x8", 210, 297, 3, 8, 70, 37, 0, 0.5),
        LabelSheet("a4-2x7", 210, 297, 2, 7, 99.1, 38.1, 4.65, 15.15, 2.5),
        LabelSheet("a4-5x13", 210, 297, 5, 13, 38.1, 21.2, 4.75, 10.7, 2.5),
        LabelSheet("letter-3x10", 215.9, 279.4, 3, 10, 2.625 * INCH_MM, INCH_MM, 4.7625, 12.7, 3.175),
        LabelSheet("letter-2x5", 215.9, 279.4, 2, 5, 4 * INCH_MM, 2 * INCH_MM, 3.96875, 12.7, 4.7625),
        roll(100, 150),
        roll(100, 50),
        roll(76, 51),
        roll(57, 32),
        roll(50, 30),
        roll(50, 25),
    )
}
"""Common sheets by name. A shop adds its own in hub.toml."""
