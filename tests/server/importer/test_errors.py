"""What is wrong in a shop's folder: every mistake at once, each with where it is, what it is and how to mend it."""

import pytest
from shop_folder import mistakes, read

from server.importer import ShopFolderError
from server.importer.current_state import RecordedEntry, fold_entries
from server.importer.file_schema import SHEETS
from station.core.codes.patterns import Pattern, PatternError


def test_every_mistake_of_every_file_is_in_one_list():
    with pytest.raises(PatternError) as refused:
        Pattern("bad", "(a+)+b", "item")
    words = str(refused.value)
    assert mistakes(
        stages_csv=b"stage,nam,type\nsaw,=1,process\nsaw,Saw,prozess\n",
        people_csv=b"",
        costs_csv=b"\xff\xfec",
        reasons_csv=b"reason;name\nburr;y\n",
        patterns_csv=b"name,regex,as\nbad,(a+)+b,item\n",
        orders_csv=b'order,product,qty,due\nA,X,1.5,soon\nB,P,1.5,+3d\nC,P,"1,5",\nD,P,=2,\nE,P,1\nF,P,1,"+3d\n',
    ) == [
        'costs.csv, line 1: came the byte 0x63, which is no text of UTF-16, expected UTF-8; save it as "CSV UTF-8".',
        (
            "orders.csv, line 2, column 2 (product): came 'X', expected a product of products.csv or of the hub; "
            "add it to products.csv."
        ),
        (
            "orders.csv, line 2, column 4 (due): came 'soon', expected a day such as 2026-11-25, or +3d, -2d, +1w from the "
            "day of import; write year-month-day with two hyphens, or a sign, a number and d or w."
        ),
        "orders.csv, line 3, column 3 (qty): came 1.5, expected whole P; round it, or give the product more decimals.",
        (
            "orders.csv, line 4, column 3 (qty): came '1,5', expected a number such as 12.5; write a point before the "
            "decimals and nothing between thousands."
        ),
        (
            "orders.csv, line 5, column 3 (qty): came '=2', expected a plain value; formulas are not computed: "
            "paste the result as a value."
        ),
        "orders.csv, line 6: came 3 cells, expected 4, one for each heading; add the missing commas.",
        (
            "orders.csv, line 7: came cells that cannot be separated (unexpected end of data), expected cells between "
            "commas; put the whole cell in quotation marks, and double each mark inside it."
        ),
        "patterns.csv, line 2, column 2 (regex): came '(a+)+b', expected a pattern that stations can use; correct it: "
        + words,
        "people.csv: came an empty file, expected the headings person, name; fill it, or remove the file.",
        "stages.csv, line 1: came no column name, expected one, for every stage; add it.",
        (
            "stages.csv, line 1, column 2: came the heading 'nam', expected one of stage, name, type, limit, target, "
            "strict; write name, if that is meant."
        ),
        (
            "stages.csv, line 3, column 1 (stage): came stage 'saw' again, first on line 2, expected each once; "
            "remove one or rename it."
        ),
        (
            "stages.csv, line 3, column 3 (type): came 'prozess', expected one of waiting, process, test, outside, done; "
            "write it in small letters, as listed."
        ),
    ]


@pytest.mark.parametrize(
    ("sheet", "content", "said"),
    [
        (
            "routings.csv",
            b"routing,op,stage\nr,10,swa\n",
            (
                "routings.csv, line 2, column 3 (stage): came 'swa', expected a stage of stages.csv or of the hub; "
                "write 'saw', if that is meant, or add it to stages.csv."
            ),
        ),
        (
            "products.csv",
            b"product,name,unit,routing\nP,Plate,pcs,x\nQ,Rod,m,r\n",
            (
                "products.csv, line 2, column 4 (routing): came 'x', expected a routing of routings.csv or of the hub; "
                "add it to routings.csv."
            ),
        ),
        (
            "materials.csv",
            b"product,component,qty,op\nP,steel,1,10\nP,Q,1,30\n",
            "materials.csv, line 3, column 4 (op): came 30, expected an operation of routing r: 10, 20; write one of them.",
        ),
        (
            "materials.csv",
            b"product,component,qty,op\nP,Q,1,10\nQ,P,1,10\nP,steel,1,10\n",
            (
                "materials.csv, line 2, column 2 (component): came P made of Q of P, expected no product that contains "
                "itself; remove one of these lines."
            ),
        ),
        (
            "products.csv",
            b"product,name,unit,routing,replaced_by\nP,Plate,pcs,r,\nQ,Rod,m,r,R\n",
            (
                "products.csv, line 3, column 5 (replaced_by): came 'R', expected a product of products.csv or of the hub; "
                "add it to products.csv."
            ),
        ),
        (
            "products.csv",
            b"product,name,unit,routing,replaced_by\nP,Plate,pcs,r,Q\nQ,Rod,m,r,P\n",
            (
                "products.csv, line 2, column 5 (replaced_by): came P replaced by Q, then by P, expected a replacement "
                "that does not lead back to it; name the product that is made now."
            ),
        ),
        (
            "costs.csv",
            b"component,product,op,amount\nsteel,,,1\nlabour,P,,2\n",
            "costs.csv, line 3, column 3 (op): came an empty cell, expected the operation whose labour this is; fill it in.",
        ),
        (
            "costs.csv",
            b"component,product,amount\nsteal,,1\n",
            (
                "costs.csv, line 2, column 1 (component): came 'steal', expected a component of materials.csv or of the "
                "hub; write 'steel', if that is meant, or add it to materials.csv."
            ),
        ),
        (
            "costs.csv",
            b"component,product,amount\nsteel,Q,1\n",
            (
                "costs.csv, line 2, column 1 (component): came 'steel', expected a component of Q; leave the product empty "
                "for a price for all products, or add the material."
            ),
        ),
        (
            "costs.csv",
            b"component,amount\nsteel,0.0000001\n",
            (
                "costs.csv, line 2, column 2 (amount): came '0.0000001', expected at most 6 decimals; round it yourself: "
                "nothing is rounded here."
            ),
        ),
        (
            "costs.csv",
            b"component,stage,basis,amount\nlabour,saw,,0.8\nsteel,,,1\n",
            (
                "costs.csv, line 2, column 3 (basis): came an empty cell, expected minute: a rate is for one minute at "
                "normal capacity; write minute."
            ),
        ),
        (
            "costs.csv",
            b"component,stage,product,basis,amount\noverhead,saw,P,minute,0.8\nsteel,,,,1\n",
            (
                "costs.csv, line 2, column 3 (product): came 'P', expected an empty cell: a rate is for all work there; "
                "empty the cell, or empty the cell of the stage."
            ),
        ),
        (
            "costs.csv",
            b"component,stage,basis,amount\noutside,saw,minute,0.8\nsteel,,,1\n",
            (
                "costs.csv, line 2, column 1 (component): came 'outside', expected labour or overhead: the rate of a work "
                "centre; empty the cell of the stage for another cost."
            ),
        ),
        (
            "costs.csv",
            b"component,stage,basis,amount\nlabour,swa,minute,0.8\nsteel,,,1\n",
            (
                "costs.csv, line 2, column 2 (stage): came 'swa', expected a stage of stages.csv or of the hub; write "
                "'saw', if that is meant, or add it to stages.csv."
            ),
        ),
        (
            "people.csv",
            b"person,name,badge\na,A,K1\nb,B,K1\n",
            "people.csv, line 3, column 3 (badge): came 'K1', the badge of a, expected one of their own; change one.",
        ),
        (
            "cards.csv",
            b"card,name\nWIP:REASON:bur,Burr\n",
            (
                "cards.csv, line 2, column 1 (card): came 'WIP:REASON:bur', expected a reason of reasons.csv or of the hub; "
                "add it to reasons.csv."
            ),
        ),
        (
            "codes.csv",
            b"code,as,to\nX,command,SCRAP\n",
            (
                "codes.csv, line 2, column 3 (to): came 'SCRAP', expected a card such as WIP:SCRAP or WIP:QTY:10; "
                "write it as on the operator's card."
            ),
        ),
        (
            "stages.csv",
            b"stage,name,type\nsaw,S\x81ge,process\npack,P,done\n",
            (
                "stages.csv, line 2: came the byte 0x81, which is neither UTF-8 nor Windows-1252, expected UTF-8; "
                'save it as "CSV UTF-8".'
            ),
        ),
        (
            "stages.csv",
            b"stage,name,type\n",
            "stages.csv: came only headings, expected a line for each stage; fill it, or remove the file.",
        ),
        (
            "stages.csv",
            b"stage,stage,name,type\nsaw,saw,Saw,process\npack,pack,P,done\n",
            "stages.csv, line 1, column 2 (stage): came a second column of that heading, expected one; remove one.",
        ),
        (
            "stages.csv",
            b'stage,name,type\nsaw,"Saw\nroom",process\npack,P,done\n',
            (
                "stages.csv, line 2, column 2 (name): came 'Saw\\nroom', expected one line; "
                "remove the line break from the cell."
            ),
        ),
        (
            "stages.csv",
            b"stage,name,type\nsaw, Saw,process\npack,P,done\n",
            "stages.csv, line 2, column 2 (name): came ' Saw', expected no blank at either end; remove the blank.",
        ),
    ],
)
def test_each_mistake_says_where_what_and_how_to_mend_it(sheet, content, said):
    assert said in mistakes(**{sheet.replace(".", "_"): content})


def test_one_unreadable_sheet_does_not_make_its_names_unknown():
    assert mistakes(stages_csv=b"stage;name;type\n") == [
        "stages.csv: came only headings, expected a line for each stage; fill it, or remove the file."
    ]


def test_two_spellings_of_one_code_are_refused_with_both_lines():
    orders = b"order,product,qty,items\n(01)09506000134352(21)7,P,60,\n0109506000134352217,P,50,0109506000134352217\n"
    codes = b"code,as,to\n4006381333931,item,W1\n04006381333931,item,W5\n"
    assert mistakes(orders_csv=orders, codes_csv=codes) == [
        (
            "codes.csv, line 3, column 1 (code): came code '04006381333931' again, first on line 2 as '4006381333931', "
            "which is the same code, expected each once; remove one or rename it."
        ),
        (
            "orders.csv, line 3, column 1 (order): came order '0109506000134352217' again, first on line 2 as "
            "'(01)09506000134352(21)7', which is the same code, expected each once; remove one or rename it."
        ),
        "orders.csv, line 3, column 4 (items): came '0109506000134352217', expected items that are not orders; remove it.",
    ]


def test_an_order_stays_of_its_product():
    said = fold_entries([RecordedEntry("h", 1, "order.release", {"order": "W1", "product": "Z", "qty_milli": 1})])
    with pytest.raises(ShopFolderError) as caught:
        read(current=said)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "orders.csv, line 2, column 2 (product): came 'P', expected Z, as it was released; give a new order its own number."
    ]


def test_an_empty_folder_and_a_strange_file_are_mistakes():
    with pytest.raises(ShopFolderError, match=r"the folder: came no sheet, expected at least one of stages\.csv"):
        read({})
    assert mistakes(shop_doc=b"PK") == [
        (
            f"shop.doc: came a file of that name, expected one of {', '.join(SHEETS)}, or a workbook (.xlsx, .ods, .xls); "
            "remove it from the folder."
        )
    ]
