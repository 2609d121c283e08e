"""The results document: its types and schema, and how it is derived, loaded, merged and saved."""
