"""GS1 codes: element strings, application identifiers, Digital Link, GTIN and EPC. Pure."""
