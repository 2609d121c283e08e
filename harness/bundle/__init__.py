"""Cells in one file, for a machine without a network: everything that they need, and the harness.

start       what the file runs first, and how it is unpacked: the standard library alone
manifest    what the file says of itself
elf         which shared libraries belong to a program, and where it looks for them
moving      an R and a Python taken out of the folders that they were made for
making      a plan into a file
settling    what is put right once it lies where it is to be used
using       cells from what was unpacked
system      a Python of the machine that the bundle came to
"""
