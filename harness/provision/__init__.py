"""R toolchains and Python environments, brought or found, kept and reused.

:class:`harness.provision.provisioner.Provisioner` is what the rest of the harness needs; the
parts behind it stand apart.  Nothing is imported here: to list cells, only the table of
Debian's suites is read.
"""
