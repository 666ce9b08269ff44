"""The ``hii-mm`` command: arguments, printing and exit codes. One file a command."""
