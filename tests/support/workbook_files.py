"""Workbooks for tests: minimal XLSX and ODS files, as the two formats define them.

A sheet is a list of lines, a line a list of cells: text, a number, a `date`, a truth value, or None for an empty cell.
`Failed` is a formula without a value.
"""

import io
import zipfile
from datetime import date
from xml.sax.saxutils import escape, quoteattr


class Failed:
    """A cell with a formula that failed."""


_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_STYLES = (
    f'<styleSheet {_MAIN}><numFmts count="1"><numFmt numFmtId="164" formatCode="dd\\.mm\\.yyyy"/></numFmts>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs></styleSheet>'
)


def _archive(parts):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


def xlsx(sheets):
    """An XLSX file of sheets by name."""
    book, rels, parts = "", f'<Relationship Id="s" Type="{_REL}/styles" Target="styles.xml"/>', {}
    for number, (name, lines) in enumerate(sheets.items(), 1):
        book += f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="r{number}"/>'
        rels += f'<Relationship Id="r{number}" Type="{_REL}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        rows = "".join(
            f'<row r="{n}">' + "".join(_xlsx_cell(f"{chr(65 + c)}{n}", cell) for c, cell in enumerate(line)) + "</row>"
            for n, line in enumerate(lines, 1)
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = f"<worksheet {_MAIN}><sheetData>{rows}</sheetData></worksheet>"
    document = f'<Relationship Id="d" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/>'
    return _archive(
        {
            "[Content_Types].xml": _TYPES,
            "_rels/.rels": _RELS.format(document),
            "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_REL}"><sheets>{book}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _RELS.format(rels),
            "xl/styles.xml": _STYLES,
            **parts,
        }
    )


def _xlsx_cell(place, cell):
    if cell is None:
        return ""
    if cell is Failed:
        return f'<c r="{place}" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, date):
        return f'<c r="{place}" s="1"><v>{(cell - date(1899, 12, 30)).days}</v></c>'
    if isinstance(cell, int | float):
        return f'<c r="{place}"><v>{cell!r}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'


def ods(sheets):
    """An ODS file of sheets by name."""
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "table", "text")
    )
    calcext = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    tables = "".join(
        f"<table:table table:name={quoteattr(name)}>"
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, line))}</table:table-row>" for line in lines)
        + "</table:table>"
        for name, lines in sheets.items()
    )
    return _archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": "<m:manifest xmlns:m='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>",
            "content.xml": (
                f"<office:document-content {spaces} {calcext}><office:body><office:spreadsheet>{tables}"
                "</office:spreadsheet></office:body></office:document-content>"
            ),
        }
    )


def _ods_cell(cell):
    if cell is None:
        return "<table:table-cell/>"
    if cell is Failed:
        return (
            '<table:table-cell office:value-type="string" office:string-value="" calcext:value-type="error">'
            "<text:p>#DIV/0!</text:p></table:table-cell>"
        )
    if isinstance(cell, bool):
        value = f'office:value-type="boolean" office:boolean-value="{str(cell).lower()}"'
    elif isinstance(cell, date):
        value = f'office:value-type="date" office:date-value="{cell.isoformat()}"'
    elif isinstance(cell, int | float):
        value = f'office:value-type="float" office:value="{cell!r}"'
    else:
        value = 'office:value-type="string"'
    return f"<table:table-cell {value}><text:p>{escape(str(cell))}</text:p></table:table-cell>"
