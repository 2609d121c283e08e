"""The published tables: a folder of web pages that works from a disk, without a server.

A pure function of the results document and of the cells' logs.  The pages are made of templates
(``templates/``); their scripts are built from ``frontend/`` into ``assets/`` (``nox -s site``).
"""
