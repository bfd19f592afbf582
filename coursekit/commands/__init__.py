"""One module for each subcommand of `course`; each has main(arguments) -> exit code."""
