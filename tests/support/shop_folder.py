"""A small shop's folder, read as an import would read it."""

from datetime import UTC

import pytest

from server.importer import ShopFolderError, read_shop

NOON_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC


SHOP = {
    "stages.csv": b"stage,name,type,limit,target,strict\nsaw,Saw,process,8,4h,no\npack,Packed,done,,,\n",
    "routings.csv": b"routing,op,stage,optional,scan_means,transfer_qty\nr,20,pack,,done,\nr,10,saw,yes,,12.5\n",
    "products.csv": b"product,name,unit,decimals,routing\nP,Plate,pcs,,r\nQ,Rod,m,1,r\n",
    "materials.csv": b"product,component,qty,op\nP,steel,0.185,10\nP,Q,2,20\n",
    "costs.csv": b"component,product,op,basis,amount\nsteel,,,,1.84\nlabour,P,10,,0.0425\nQ,P,,unit,3\n",
    "people.csv": b"person,name,badge,roles\nkim,A. Kim,K7,view supervise\n",
    "reasons.csv": b"reason,name,for\nburr,Burr,scrap rework\n",
    "patterns.csv": b"name,regex,as\norder,WO-[0-9]+,item\n",
    "codes.csv": b"code,as,to\nBIN,product,P\n",
    "cards.csv": b"card,name\nWIP:REASON:burr,Burr\n",
    "orders.csv": (
        b"order,product,qty,due,priority,customer,reference,items,released\n"
        b"W1,P,40,+3d,2,Brandt,PO 1,S1 S2,-1d\nW2,Q,2.5,2026-12-01,,,,,\n"
    ),
}


def read(files=None, current=None, now_us=NOON_US, zone=UTC):
    return read_shop(SHOP if files is None else files, now_us=now_us, zone=zone, current=current)


def mistakes(**changed: bytes):
    files = {**SHOP, **{name.replace("_", "."): content for name, content in changed.items()}}
    with pytest.raises(ShopFolderError) as caught:
        read(files)
    return [str(mistake) for mistake in caught.value.mistakes]
